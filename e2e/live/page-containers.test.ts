import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readHistory } from '../experiment/history-file.ts';
import { callsOf, commandsOf } from '../experiment/history.ts';
import { acts } from '../gallery/acts.ts';
import { docker } from '../stack/docker/engine.ts';
import { OUTCOME_NAMES, OUTCOMES } from '../picture/outcomes.ts';
import { askB, callSteadily } from '../experiment/calls.ts';
import { paste } from '../docs/shell.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { ROOT } from '../stack/paths.ts';
import { until } from '../stack/until.ts';
import { newsOf, startLive } from './start-live.ts';
import { waitOf, type CallView } from './protocol.ts';

import {
  commandOf,
  describePage,
  everyPair,
  leftOf,
  open,
  PATIENCE_MS,
  press,
  projectOf,
  send,
  type,
  ui,
  untilState,
} from './page-driver.ts';

describePage('with Docker', () => {
  describeWithDocker('over two containers', () => {
    before(async function () {
      this.timeout(180_000);
      ui.live = await startLive();
      await open();
    });
    after(async () => {
      await ui.context?.close();
      await ui.live?.end();
    });
    let commands = '';
    const shown: { title: string; block: string }[] = [];

    everyPair();

    it('cuts A off from the network and connects it again', async () => {
      commands = (await commandOf('Stop A'))!;
      await press("Cut A's network");
      await ui.page.getByText('cut off from the network').waitFor();
      expect(await send('into the void')).to.match(/503 (timeout|dns)/);
      await press('Reconnect A');
      await until('A to be back', async () => (await send('back')).includes('"echo":"back"'), PATIENCE_MS);
    });

    it('shows how to replace A and to put it back, too', async () => {
      await ui.page.getByLabel('Replace A with a fake that').selectOption({ label: 'redirects' });
      await type('Replace A');
      await untilState('A', 'replaced');
      await until('the stand-in', async () => (await send('moved?')).includes('503 bad_status'), PATIENCE_MS);
      await type('Put A back');
      await untilState('A', 'running');
      expect(await send('here again')).to.include('"echo":"here again"');
    });

    it("gives each call the outcome that B's log says", async () => {
      const start = Date.now();
      await press('Stop A');
      await untilState('A', 'stopped');
      await ui.page.waitForTimeout(1000);
      await press('Start A');
      await untilState('A', 'running');
      const lines = (await docker(['logs', `${projectOf(commands)}-service-b-1`])).split('\n');
      const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
      const { prefix, calls: dots } = await newsOf(ui.live);
      const compared = dots
        .filter(([, at]) => at > start)
        .flatMap(([n, , , outcome]) => {
          const line = logged.find(({ request_id }) => request_id === `${prefix}${n}`);
          return line ? [[OUTCOME_NAMES[outcome], String(line.reason ?? line.status)]] : [];
        });
      expect(compared).to.have.length.above(20);
      for (const [shown, said] of compared) expect(shown).to.equal(said);
      expect(new Set(compared.map(([shown]) => shown)).size).to.be.above(1);
    });

    it('follows a request through both logs by its id', async () => {
      const shown = await send('follow me');
      const [, id] = /x-request-id: (live-\w+-\d+)/.exec(shown)!;
      const { logs } = (await (await fetch(ui.live.at(`/calls/${id!.split('-')[2]}`))).json()) as CallView;
      for (const name of ['a', 'b'] as const) {
        expect(logs[name].lines).to.have.length(1);
        expect(JSON.parse(logs[name].lines[0]!)).to.include({ request_id: id, status: 200 });
        expect(shown).to.include(`"service":"service-${name}"`);
      }
    });

    it('keeps the timeline as SVG and PNG, a transcript, and the whole history', async () => {
      const kept = async (button: string) => {
        const [download] = await Promise.all([ui.page.waitForEvent('download'), press(button)]);
        return readFileSync(await download.path());
      };
      const svg = (await kept('Timeline as SVG')).toString();
      expect(svg)
        .to.match(/^<svg /)
        .and.to.include('A stopped')
        .and.to.include('outcome-timeout');
      const png = await kept('Timeline as PNG');
      expect(png.subarray(1, 4).toString()).to.equal('PNG');
      expect(png.length).to.be.above(10_000);
      const markdown = (await kept('Transcript')).toString();
      expect(markdown)
        .to.include(commands)
        .and.to.include('503 dns')
        .and.to.match(/\*\*A stopped: call \d+/);
      const [download] = await Promise.all([ui.page.waitForEvent('download'), press('Whole history')]);
      const history = readHistory(await download.path());
      expect(callsOf(history).some(({ msg }) => msg === 'follow me')).to.equal(true);
      expect(commandsOf(history).map(({ command }) => command)).to.include(commands);
      expect(history.filter(({ event }) => event === 'log')).to.not.be.empty;
    });

    it('takes a person through all acts of the gallery, and says whether they were right', async function () {
      this.timeout(240_000);
      const body = ui.page.locator('#tour-body');
      // What is right is what the gallery measured: the act's reason, after as long as its page says.
      const gallery = readFileSync(`${ROOT}e2e/gallery/README.md`, 'utf8');
      const measured = (what: string) => Number(new RegExp(`\\| ${what} +\\|[^|]+\\| (\\d+) ms`).exec(gallery)![1]);
      const questions = acts.flatMap(({ title, calls, reasonsDuringBreak = [], why }) => {
        if (calls.length === 0) return [{ title, reason: reasonsDuringBreak[0]!, wait: 'at once', why: why! }];
        return calls.map(({ what, outcomes, why }) => ({
          title,
          why,
          reason: outcomes[0]!,
          wait: waitOf(measured(what)),
        }));
      });
      await press('Start the tour');
      const verdicts = [];
      for (const [index, { title, reason, wait, why }] of questions.entries()) {
        await body.getByText(`Question ${index + 1} of ${questions.length}.`).waitFor();
        expect(await body.getByRole('heading').innerText()).to.match(new RegExp(`^${title}: `));
        shown.push(...(await body.locator('pre').allTextContents()).map((block) => ({ title, block })));
        await body.getByRole('radio', { name: OUTCOMES[reason]!.meaning, exact: true }).check();
        await body.getByRole('radio', { name: new RegExp(`^${wait}`) }).check();
        await press('Run it');
        const verdict = await body.getByText(/✓ Right|✗ Wrong/).innerText();
        verdicts.push({ title, verdict, saysWhy: (await body.innerText()).includes(why) });
        await press('Next');
      }
      expect(verdicts.filter(({ verdict, saysWhy }) => !verdict.includes('✓ Right') || !saysWhy)).to.deep.equal([]);
      await body.getByText(`The end: ${questions.length} of ${questions.length} were right.`).waitFor();
      await press('Leave the tour');
      await untilState('A', 'running');
      expect(await send('afterwards')).to.include('"echo":"afterwards"');
    });

    it('runs exactly the commands that each question shows', async () => {
      const [download] = await Promise.all([ui.page.waitForEvent('download'), press('Whole history')]);
      const ran = commandsOf(readHistory(await download.path())).map(({ command }) => command);
      const breaking = acts.filter(({ breaks }) => breaks.length > 0).map(({ title }) => title);
      expect(new Set(shown.map(({ title }) => title))).to.deep.equal(new Set(breaking));
      for (const { title, block } of shown) expect(ran.join('\n'), title).to.include(block);
    });

    const pasted = acts.filter(({ title }) => ['Stopped', 'Cut off', 'Restarted', 'Misbehaving'].includes(title));
    for (const { title, calls, reasonsDuringBreak: outcomes = [], fixes } of pasted) {
      it(`shows commands for "${title}" that bring A there when they are pasted, line by line`, async () => {
        const b = `http://localhost:${await ui.page.locator('#port-b').innerText()}`;
        const { block } = shown.find((each) => each.title === title)!;
        const [compose] = /docker compose -f \S+/.exec(shown[0]!.block)!;
        const own = (text: string) =>
          text.replaceAll('two-services', projectOf(compose)).replaceAll('docker compose', compose);
        const [call = { msg: 'restarting', outcomes }] = calls;
        const ask = (id: string) => askB(b, id, call.msg);
        const steady = calls.length === 0 && callSteadily(20, ask);
        try {
          await paste(block, { env: process.env });
          const asked = await (steady ? steady.stop() : callSteadily(20, ask, 1).done);
          // B keeps a connection for a second, which may be over where the machine is busy.
          const right = title === 'Cut off' ? [...call.outcomes, 'dns'] : call.outcomes;
          expect(asked.map(({ outcome }) => outcome)).to.include.oneOf(right);
        } finally {
          await paste(own(fixes.join('\n')), { env: process.env });
        }
        await untilState('A', 'running');
      });
    }

    it('leaves nothing at Ctrl-C, also in the middle of an action', async () => {
      await ui.page.getByRole('button', { name: 'Restart A', exact: true }).click();
      await ui.page.getByRole('status', { name: 'Command' }).getByText('Running: ').waitFor();
      expect(await ui.live.end()).to.equal(130);
      expect(await leftOf(commands)).to.deep.equal([]);
    });
  });

  describeWithDocker('over two containers, in a shell that names a Compose project', () => {
    it('shows commands that still reach the pair', async function () {
      this.timeout(180_000);
      const env = { COMPOSE_PROJECT_NAME: 'mine' };
      ui.live = await startLive([], env);
      try {
        await open();
        await untilState('A', 'running');
        const command = (await commandOf('Stop A'))!;
        await promisify(execFile)('sh', ['-c', command], { cwd: ROOT, env: { ...process.env, ...env } });
        await untilState('A', 'stopped');
      } finally {
        await ui.context?.close();
        await ui.live.end();
      }
    });
  });
});
