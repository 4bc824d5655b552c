import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import * as prettier from 'prettier';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { readHistory } from '../experiment/history-file.ts';
import { callsOf, commandsOf } from '../experiment/history.ts';
import { acts } from '../gallery/acts.ts';
import { docker } from '../stack/docker/engine.ts';
import { OUTCOME_NAMES, OUTCOMES } from '../picture/outcomes.ts';
import { COLOURS } from '../picture/picture.ts';
import { askB, callSteadily } from '../experiment/calls.ts';
import { paste } from '../docs/shell.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { ROOT } from '../stack/paths.ts';
import { hasProc } from '../stack/process/resources.ts';
import { freePort } from '../stack/process/ports.ts';
import { until } from '../stack/until.ts';
import { describeInBrowser, faultsByAxe, openBrowser } from '../stack/browser.ts';
import { newsOf, startLive, WITHOUT_DOCKER, type Live } from './start-live.ts';
import { waitOf, type CallView } from './protocol.ts';

const PATIENCE_MS = 30_000;

interface MarkdownNode {
  type: string;
  children?: MarkdownNode[];
}

/** As Prettier reads it, by the rules of CommonMark. */
async function markdown(text: string): Promise<MarkdownNode> {
  // Typed as internal, but what else reads Markdown here?
  const { __debug } = prettier as unknown as {
    __debug: { parse(text: string, options: object): Promise<{ ast: MarkdownNode }> };
  };
  return (await __debug.parse(text, { parser: 'markdown' })).ast;
}

/** The Compose project that a command of the page names, by the name or by the file that it has. */
const projectOf = (command: string) =>
  (/docker compose -p (\S+)/.exec(command) ?? /docker compose -f \S*\/(\S+)\.yml/.exec(command))![1]!;

/** What is left of the Compose project that a command of the page names: containers, networks, volumes, images and files. */
async function leftOf(command: string): Promise<string[]> {
  const project = projectOf(command);
  const left = await Promise.all([
    docker(['ps', '--all', '--quiet', '--filter', `name=${project}`]),
    docker(['network', 'ls', '--quiet', '--filter', `name=${project}`]),
    docker(['volume', 'ls', '--quiet', '--filter', `name=${project}`]),
    docker(['images', '--quiet', '--filter', `reference=*/*:${project}`]),
    docker(['images', '--quiet', '--filter', `reference=${project}*`]),
  ]);
  return [...left.filter(Boolean), ...globSync(join(tmpdir(), `${project}*`))];
}

const nodesOf = (node: MarkdownNode): MarkdownNode[] => [node, ...(node.children ?? []).flatMap(nodesOf)];

describeInBrowser('The live page', function () {
  this.timeout(120_000);
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let live: Live;
  let requests: string[];
  let complaints: string[];

  async function open() {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
    page = await context.newPage();
    requests = [];
    complaints = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', ({ message }) => complaints.push(message));
    // Chromium breaks requests off when a container's network comes or goes; the page asks again.
    const isOwn = (text: string) => !text.includes('ERR_NETWORK_CHANGED');
    page.on('console', (message) => {
      if (message.type() === 'error' && isOwn(message.text())) complaints.push(message.text());
    });
    await page.goto(live.link);
    await page.getByText('live', { exact: true }).waitFor();
  }

  /** Resolves once what the button runs has ended. */
  async function press(name: string) {
    const button = page.getByRole('button', { name, exact: true });
    if ((await page.locator('.faults, #tour-body', { has: button }).count()) === 0) return button.click();
    await Promise.all([page.waitForResponse(/\/(faults|tour)\//, { timeout: 120_000 }), button.click()]);
  }
  const stateOf = (name: string) => page.getByRole('status', { name, exact: true }).textContent();
  const untilState = (name: string, state: string) =>
    until(`${name} to be ${state}`, async () => (await stateOf(name)) === state, PATIENCE_MS);
  /** What is shown for the button in hand. */
  async function commandOf(name: string): Promise<string> {
    await page.getByRole('button', { name, exact: true }).hover();
    return page.getByRole('region', { name: 'What the button runs' }).innerText();
  }
  /** Runs what the button says that it runs. */
  const type = async (button: string) => promisify(execFile)('sh', ['-c', (await commandOf(button))!], { cwd: ROOT });
  const isOn = (name: string) => page.getByRole('button', { name, exact: true }).isEnabled();

  /** Sends one call from the page and resolves to what the page then shows of it. */
  async function send(msg: string): Promise<string> {
    await page.getByLabel('Message').fill(msg);
    const [response] = await Promise.all([page.waitForResponse(/\/calls$/), press('Send one')]);
    const { n } = await response.json();
    const shown = page.locator('#follow');
    await shown.getByText(`Call ${n}: `).waitFor();
    return (await shown.innerText()).replace(/\s+/g, ' ');
  }

  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser?.close());

  function everyPair() {
    it('shows both services running, with their ports and their health', async () => {
      for (const name of ['A', 'B']) await untilState(name, 'running');
      for (const name of ['a', 'b']) {
        expect(await page.locator(`#port-${name}`).textContent()).to.match(/^\d+$/);
        expect(await page.locator(`#health-${name}`).textContent()).to.match(/^200 in \d+ ms$/);
      }
    });

    it('stops and starts, kills, pauses, resumes and restarts A, and says each state', async () => {
      await press('Stop A');
      await untilState('A', 'stopped');
      expect(await isOn('Stop A')).to.equal(false);
      expect(await send('while stopped')).to.match(/503 (dns|refused|timeout)/);
      await press('Start A');
      await untilState('A', 'running');
      await press('Pause A');
      await untilState('A', 'paused');
      const paused = await send('while paused');
      expect(paused).to.include('503 timeout').and.to.include('A has no line: it was paused');
      await press('Resume A');
      await untilState('A', 'running');
      await press('Kill A');
      await untilState('A', 'stopped');
      await press('Start A');
      await untilState('A', 'running');
      const restarted = page.waitForResponse(/\/faults\//);
      await page.getByRole('button', { name: 'Restart A', exact: true }).click();
      expect(await stateOf('A')).to.equal('starting'); // and not what was true before
      await untilState('A', 'running');
      await restarted;
      expect(await send('after all that')).to.include('{"service_b":"ok","service_a":{"echo":"after all that"}}');
    });

    it('replaces A by one that misbehaves as chosen, whatever the message, and puts it back', async () => {
      for (const [behaviour, outcome] of [
        ['answers 500', '503 bad_status'],
        ['answers JSON of another shape', '503 bad_body'],
      ]) {
        await page.getByLabel('Replace A with a fake that').selectOption({ label: behaviour! });
        await press('Replace A');
        await untilState('A', 'replaced');
        expect(await send(`to ${behaviour}`)).to.include(outcome);
      }
      await press('Put A back');
      await untilState('A', 'running');
      expect(await send('back')).to.include('"echo":"back"');
    });

    it('stops, starts and kills B, and shows that its callers have no answer meanwhile', async () => {
      await press('Stop B');
      await untilState('B', 'stopped');
      expect(await send('is anybody there?')).to.include('No answer after');
      await press('Start B');
      await untilState('B', 'running');
      await press('Kill B');
      await untilState('B', 'stopped');
      await press('Start B');
      await untilState('B', 'running');
      expect(await send('again')).to.include('"echo":"again"');
    });

    it('shows what each button runs, which does the same when it is typed', async () => {
      await type('Pause A');
      await untilState('A', 'paused');
      await type('Resume A');
      await untilState('A', 'running');
      await type('Kill A');
      await untilState('A', 'stopped');
      await press('Start A');
      await untilState('A', 'running');
    });
  }

  describe('over two processes, where no Docker answers', () => {
    before(async () => {
      live = await startLive([], WITHOUT_DOCKER);
      await open();
    });
    after(async () => {
      await context?.close();
      expect(await live?.end()).to.equal(130);
    });

    everyPair();

    it('follows what is typed to start, replace and put back A in a terminal, and can end it', async function () {
      if (!hasProc) this.skip(); // nobody says there who listens on a port
      const terminals: ChildProcess[] = [];
      const open = async (button: string) =>
        terminals.push(spawn('sh', ['-c', (await commandOf(button))!], { cwd: ROOT, stdio: 'ignore' }));
      try {
        await press('Stop A');
        await untilState('A', 'stopped');
        await open('Start A');
        await untilState('A', 'running');
        expect(await send('typed')).to.include('"echo":"typed"');
        await page.getByLabel('Replace A with a fake that').selectOption({ label: 'answers 500' });
        await open('Replace A');
        await untilState('A', 'replaced');
        await until('the stand-in', async () => (await send('to the stand-in')).includes('bad_status'), PATIENCE_MS);
        await open('Put A back');
        await untilState('A', 'running');
        await press('Stop A');
        await untilState('A', 'stopped');
        await press('Start A');
        await untilState('A', 'running');
        expect(await send('own again')).to.include('"echo":"own again"');
      } finally {
        for (const terminal of terminals) terminal.kill();
      }
    });

    it('has no button to cut a network, and says why', async () => {
      expect(await page.getByRole('button', { name: "Cut A's network" }).count()).to.equal(0);
      expect(await page.getByText('there is no network of their own to cut').isVisible()).to.equal(true);
    });

    it('is shown in the same state on a second page', async () => {
      const second = await context.newPage();
      await second.goto(live.link);
      await press('Stop A');
      await second.getByRole('status', { name: 'A', exact: true }).getByText('stopped').waitFor();
      await second.getByRole('button', { name: 'Start A', exact: true }).click();
      await untilState('A', 'running');
      await second.close();
    });

    it('is used with the keyboard alone', async () => {
      await page.getByRole('button', { name: 'Pause A', exact: true }).focus();
      await page.keyboard.press('Enter');
      await untilState('A', 'paused');
      expect(await page.evaluate(() => document.activeElement!.id)).to.equal('pause-a'); // the focus is not lost
      await page.getByRole('button', { name: 'Resume A', exact: true }).focus();
      await page.keyboard.press('Space');
      await untilState('A', 'running');
      await page.getByRole('application', { name: 'Calls over time' }).focus();
      await page.keyboard.press('End');
      await page.keyboard.press('ArrowLeft');
      const chosen = await page.getByRole('status', { name: 'Chosen call' }).textContent();
      expect(chosen).to.match(/^Call \d+: .*after [\d.,]+ ms/);
      await page.keyboard.press('Enter');
      await page
        .locator('.result')
        .getByText(/Call (\d+)/.exec(chosen!)![0])
        .waitFor();
      expect(await page.evaluate(() => document.activeElement!.id)).to.equal('follow-title');
    });

    it('draws a call in the colour of its outcome', async () => {
      await press('Pause A');
      await untilState('A', 'paused');
      expect(await send('a mark to look at')).to.include('503 timeout');
      for (const outcome of ['200', 'timeout']) {
        const mark = page.locator(`#chart .outcome-${outcome}`).first();
        const drawn = await mark.evaluate((path) => getComputedStyle(path).stroke);
        const [light] = COLOURS[`outcome-${outcome}`]!;
        expect(drawn.match(/\d+/g)).to.deep.equal(light.match(/\w\w/g)!.map((part) => String(parseInt(part, 16))));
      }
      await press('Resume A');
      await untilState('A', 'running');
    });

    it('keeps exactly what it shows', async () => {
      const [shown, kept] = await page.evaluate(async (module) => {
        const { keptTimeline } = await import(module);
        const kept = keptTimeline();
        const chart = document.querySelector('#chart svg')!;
        return [[...chart.childNodes].map((node) => new XMLSerializer().serializeToString(node)), kept];
      }, '/e2e/live/page/chart.ts');
      expect(shown).to.have.length.above(10);
      expect(kept).to.include(shown.join('\n').replaceAll(' xmlns="http://www.w3.org/2000/svg"', ''));
    });

    it('explains a reason in the words of the README', async () => {
      await press('Pause A');
      await untilState('A', 'paused');
      const shown = await send('why?');
      const row = readFileSync(`${ROOT}README.md`, 'utf8')
        .split('\n')
        .find((line) => line.startsWith('| `timeout`'))!;
      const saw = row.split('|')[2]!.split(':')[0]!.trim();
      expect(shown).to.include(`What B saw of A: ${saw}.`);
      await press('Resume A');
      await untilState('A', 'running');
    });

    it('is loaded in less than half a second, and asks nothing of any other host', async () => {
      const other = await context.newPage();
      const loadMs = () => performance.getEntriesByType('navigation')[0]!.toJSON().loadEventEnd as number;
      const isQuick = async () => {
        await other.goto(live.link);
        await other.waitForFunction(loadMs);
        return (await other.evaluate(loadMs)) < 500;
      };
      await until('a load in half a second', isQuick, 60_000); // a busy machine may take longer, but not each time
      await other.close();
      expect(requests).to.have.length.above(10);
      for (const url of requests) expect(url.startsWith(`http://localhost:${live.port}/`), url).to.equal(true);
    });

    it('can be toured with the keyboard alone, and axe finds no fault meanwhile', async () => {
      const body = page.locator('#tour-body');
      const isIn = (element: Locator) => element.evaluate((node) => node === document.activeElement);
      const go = async (key: string, element: Locator) => {
        for (let time = 0; time < 60 && !(await isIn(element)); time++) await page.keyboard.press(key);
        expect(await isIn(element), String(element)).to.equal(true);
      };
      const use = async (name: string) => {
        await go('Tab', page.getByRole('button', { name, exact: true }));
        await page.keyboard.press('Enter');
      };
      await use('Start the tour');
      await body.getByRole('heading', { name: 'Stopped: A is stopped.' }).waitFor();
      expect(await isIn(body.getByRole('heading'))).to.equal(true);
      expect(await faultsByAxe(page)).to.deep.equal([]);
      await go('Tab', body.getByRole('radio', { name: '200', exact: true }));
      await go('ArrowDown', body.getByRole('radio', { name: /^503 refused/ }));
      await page.keyboard.press('Tab');
      await page.keyboard.press('Space');
      expect(await body.getByRole('radio', { name: /^at once/ }).isChecked()).to.equal(true);
      await use('Run it');
      await body.getByText('✓ Right.').waitFor();
      expect(await faultsByAxe(page)).to.deep.equal([]);
      await use('Next');
      await body.getByRole('heading', { name: 'Killed: A is killed.' }).waitFor();
      // A has another process number since it was started again.
      expect(await body.locator('pre').innerText()).to.equal(await commandOf('Kill A'));
      await use('Leave the tour');
      await until('the start', async () => isIn(page.getByRole('button', { name: 'Start the tour' })), PATIENCE_MS);
    });

    it('calls as often as it is told to, from 1 to 200 times a second', async () => {
      const rate = page.getByRole('spinbutton', { name: 'Calls per second' });
      for (const [perSecond, tolerance] of [
        [200, 0.05],
        [1, 0.2],
      ] as const) {
        await rate.fill(String(perSecond));
        await Promise.all([page.waitForResponse(/\/rate$/), rate.press('Enter')]);
        const shares: number[] = [];
        do {
          await page.waitForTimeout(5500);
          const { calls: dots } = await newsOf(live);
          const end = Math.max(...dots.map(([, at]) => at));
          const numbers = dots.filter(([, at]) => at > end - 5000).map(([n]) => n);
          shares.push((Math.max(...numbers) - Math.min(...numbers) + 1) / (5 * perSecond));
          // A machine that stands still for a second misses its calls, but not all the time.
        } while (Math.abs(shares.at(-1)! - 1) > tolerance && shares.length < 5);
        expect(shares.at(-1), shares.join()).to.be.closeTo(1, tolerance);
      }
      await rate.fill('1000');
      await rate.press('Enter');
      expect(await rate.inputValue()).to.equal('200');
      await rate.fill('10');
      await rate.press('Enter');
    });

    it('loads again what the browser broke off, as Chromium does when the networks of its host change', async () => {
      const other = await context.newPage();
      let tries = 0;
      await other.route(/page\/page\.ts$/, (route) => (tries++ === 0 ? route.abort() : route.continue()));
      await other.goto(live.link);
      await other.getByText('live', { exact: true }).waitFor();
      expect(tries).to.equal(2);
      await other.close();
    });

    it('can be loaded again', async () => {
      await page.reload();
      await page.getByText('live', { exact: true }).waitFor();
      expect(await send('loaded again')).to.include('"echo":"loaded again"');
    });

    it('says that the server is gone when it is, and that another one has another link', async () => {
      await live.end();
      await page.getByRole('status', { name: 'Page' }).getByText('The server is gone').waitFor();
      live = await startLive([], WITHOUT_DOCKER, live.port);
      const sentence = 'The server was started again: open the link that its terminal shows now.';
      await page.getByRole('alert').getByText(sentence, { exact: true }).waitFor();
      await page.goto(live.link);
      await page.getByText('live', { exact: true }).waitFor();
      await untilState('A', 'running');
      complaints = []; // a browser complains of each connection that is refused
      expect(await send('with the new token')).to.include('"echo":"with the new token"');
    });
  });

  describe("over a student's two commands, whose logs have no ids", () => {
    let folder: string;

    before(async () => {
      const [portA, portB] = [await freePort(), await freePort()];
      folder = join(await mkdtemp(join(tmpdir(), 'live-')), "q'$(touch made)x");
      await mkdir(folder);
      await copyFile(`${ROOT}e2e/pairs/fixtures/student_pair.py`, join(folder, 'student_pair.py'));
      const of = (name: string, port: number) => [
        ...[`--${name}`, `python3 student_pair.py ${name}`, `--${name}-dir`, folder],
        ...[`--${name}-url`, `http://127.0.0.1:${port}`],
      ];
      live = await startLive([...of('a', portA), ...of('b', portB)]);
      await open();
    });
    after(async () => {
      await context?.close();
      expect(await live?.end()).to.equal(130);
      await rm(dirname(folder), { recursive: true });
    });

    it("shows how A is started, whatever the folder's name", async function () {
      if (!hasProc) this.skip(); // nobody says there who listens on a port
      await press('Stop A');
      await untilState('A', 'stopped');
      const cwd = dirname(folder);
      const terminal = spawn('sh', ['-c', (await commandOf('Start A'))!], { cwd, stdio: 'ignore' });
      try {
        await untilState('A', 'running');
        expect(await send('typed')).to.include('{"echo": "typed"}');
        expect(await readdir(cwd)).to.deep.equal([basename(folder)]);
      } finally {
        await press('Stop A');
        await untilState('A', 'stopped');
        terminal.kill();
      }
      await press('Start A');
      await untilState('A', 'running');
    });

    it('breaks A, and shows what B answers', async () => {
      for (const name of ['A', 'B']) await untilState(name, 'running');
      expect(await send('first')).to.include('{"echo": "first"}');
      for (const [breaks, state, fixes] of [
        ['Stop A', 'stopped', 'Start A'],
        ['Pause A', 'paused', 'Resume A'],
        ['Replace A', 'replaced', 'Put A back'],
      ] as const) {
        await press(breaks);
        await untilState('A', state);
        expect(await send(`while ${state}`)).to.include('503 after');
        await press(fixes);
        await untilState('A', 'running');
      }
    });

    it('shows the lines that were written during a call, and says that they have no ids', async () => {
      const shown = await send('whose line is this?');
      for (const path of ['/call-echo?msg=whose', '/echo?msg=whose']) expect(shown).to.include(`"GET ${path}`);
      expect(shown).to.include('logs no request ids');
    });

    it('waits for the lines that come after the answer', async () => {
      const shown = await send('late lines');
      for (const name of ['a', 'b']) expect(shown).to.include(`late line of ${name}`);
    });

    it('plays the acts that any pair can play', async () => {
      const body = page.locator('#tour-body');
      await press('Start the tour');
      await body.getByRole('radio', { name: '503', exact: true }).check();
      await body.getByRole('radio', { name: /^at once/ }).check();
      await press('Run it');
      expect(await body.getByText(/✓ Right|✗ Wrong/).innerText()).to.include('✓ Right. B answered 503 after');
      await press('Leave the tour');
      await untilState('A', 'running');
    });

    it('shows what a hostile pair writes as text, and nothing else', async () => {
      const shown = await send('hostile');
      expect(shown).to.include("<script>document.title = 'owned'</script>").and.to.include('\\x1b[2J');
      expect(shown).to.include('\\u202edewno');
      expect(await page.title()).to.equal('Two services, live');
      expect(await page.locator('#follow :is(script, img, b, style)').count()).to.equal(0);
      const { length } = await page.locator('#follow').innerText();
      expect(length).to.be.below(20_000);
      expect(await send('hostile reason')).to.include('B says: \\x1b[2J\\x1b]0;owned\\x07 \\u202edewno');
      expect(complaints).to.deep.equal([]);
    });

    it('keeps what a hostile pair writes as text, too', async () => {
      await send('hostile');
      const transcript = await (await fetch(live.at('/transcript.md'))).text();
      expect(transcript).to.include("<script>document.title = 'owned'</script>");
      expect(nodesOf(await markdown(transcript)).filter(({ type }) => /html|image|link/i.test(type))).to.deep.equal([]);
      const headings = nodesOf(await markdown(transcript)).filter(({ type }) => type === 'heading');
      for (const heading of headings) expect(JSON.stringify(heading)).to.not.include('owned');
      const [download] = await Promise.all([page.waitForEvent('download'), press('Timeline as SVG')]);
      const kept = join(dirname(folder), 'timeline.svg');
      await download.saveAs(kept);
      const picture = await context.newPage();
      await picture.goto(pathToFileURL(kept).href);
      const svg = await picture.evaluate(() => document.documentElement.outerHTML);
      expect(await picture.locator('path.mark').count()).to.be.above(0);
      expect(await picture.locator('script, image, img, a').count()).to.equal(0);
      expect(svg).to.not.include('owned');
      await picture.close();
    });
  });

  describeWithDocker('over two containers', () => {
    before(async function () {
      this.timeout(180_000);
      live = await startLive();
      await open();
    });
    after(async () => {
      await context?.close();
      await live?.end();
    });
    let commands = '';

    everyPair();

    it('cuts A off from the network and connects it again', async () => {
      commands = (await commandOf('Stop A'))!;
      await press("Cut A's network");
      await page.getByText('cut off from the network').waitFor();
      expect(await send('into the void')).to.match(/503 (timeout|dns)/);
      await press('Reconnect A');
      await until('A to be back', async () => (await send('back')).includes('"echo":"back"'), PATIENCE_MS);
    });

    it('shows how to replace A and to put it back, too', async () => {
      await page.getByLabel('Replace A with a fake that').selectOption({ label: 'redirects' });
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
      await page.waitForTimeout(1000);
      await press('Start A');
      await untilState('A', 'running');
      const lines = (await docker(['logs', `${projectOf(commands)}-service-b-1`])).split('\n');
      const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
      const { prefix, calls: dots } = await newsOf(live);
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
      const { logs } = (await (await fetch(live.at(`/calls/${id!.split('-')[2]}`))).json()) as CallView;
      for (const name of ['a', 'b'] as const) {
        expect(logs[name].lines).to.have.length(1);
        expect(JSON.parse(logs[name].lines[0]!)).to.include({ request_id: id, status: 200 });
        expect(shown).to.include(`"service":"service-${name}"`);
      }
    });

    it('keeps the timeline as SVG and PNG, a transcript, and the whole history', async () => {
      const kept = async (button: string) => {
        const [download] = await Promise.all([page.waitForEvent('download'), press(button)]);
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
      const [download] = await Promise.all([page.waitForEvent('download'), press('Whole history')]);
      const history = readHistory(await download.path());
      expect(callsOf(history).some(({ msg }) => msg === 'follow me')).to.equal(true);
      expect(commandsOf(history).map(({ command }) => command)).to.include(commands);
      expect(history.filter(({ event }) => event === 'log')).to.not.be.empty;
    });

    it('takes a person through all acts of the gallery, and says whether they were right', async function () {
      this.timeout(240_000);
      const body = page.locator('#tour-body');
      // What is right is what the gallery measured: the act's reason, after as long as its page says.
      const gallery = readFileSync(`${ROOT}e2e/gallery/README.md`, 'utf8');
      const measured = (what: string) => Number(new RegExp(`\\| ${what} +\\|[^|]+\\| (\\d+) ms`).exec(gallery)![1]);
      const questions = acts.flatMap(({ title, calls, meanwhile = [], why }) => {
        if (calls.length === 0) return [{ title, reason: meanwhile[0]!, wait: 'at once', why: why! }];
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

    it('shows commands for each question that bring A there when they are pasted, line by line', async function () {
      this.timeout(300_000);
      const body = page.locator('#tour-body');
      const b = `http://localhost:${await page.locator('#port-b').innerText()}`;
      const questions = acts.flatMap(({ title, calls, meanwhile: outcomes = [] }) =>
        calls.length > 0 ? calls.map((call) => ({ title, ...call })) : [{ title, msg: 'meanwhile', outcomes }],
      );
      const wrong: string[] = [];
      await press('Start the tour');
      for (const [index, { title, msg, outcomes }] of questions.entries()) {
        await body.getByText(`Question ${index + 1} of ${questions.length}.`).waitFor();
        const commands = await body.locator('pre').evaluateAll((blocks) => blocks.map((block) => block.textContent));
        const ask = (id: string) => askB(b, id, msg);
        const meanwhile = msg === 'meanwhile' && callSteadily(20, ask);
        await paste(commands.join('\n'), { env: process.env });
        const asked = await (meanwhile ? meanwhile.stop() : callSteadily(20, ask, 1).done);
        // B keeps a connection for a second, which may be over where the machine is busy.
        const right = msg === 'first' ? [...outcomes, 'dns'] : outcomes;
        if (!asked.some(({ outcome }) => right.includes(outcome))) wrong.push(`${title}: ${asked[0]!.outcome}`);
        await body.getByRole('radio').first().check();
        await body.getByRole('radio', { name: /^at once/ }).check();
        await press('Run it');
        await press('Next');
      }
      expect(wrong).to.deep.equal([]);
      await press('Leave the tour');
      await untilState('A', 'running');
    });

    it('leaves nothing at Ctrl-C, also in the middle of an action', async () => {
      await page.getByRole('button', { name: 'Restart A', exact: true }).click();
      await page.getByRole('status', { name: 'Command' }).getByText('Running: ').waitFor();
      expect(await live.end()).to.equal(130);
      expect(await leftOf(commands)).to.deep.equal([]);
    });
  });

  describeWithDocker('over two containers, in a shell that names a Compose project', () => {
    it('shows commands that still reach the pair', async function () {
      this.timeout(180_000);
      const env = { COMPOSE_PROJECT_NAME: 'mine' };
      live = await startLive([], env);
      try {
        await open();
        await untilState('A', 'running');
        const command = (await commandOf('Stop A'))!;
        await promisify(execFile)('sh', ['-c', command], { cwd: ROOT, env: { ...process.env, ...env } });
        await untilState('A', 'stopped');
      } finally {
        await context?.close();
        await live.end();
      }
    });
  });

  describeWithDocker("over a student's Compose file", () => {
    before(async function () {
      this.timeout(180_000);
      live = await startLive(['--compose', `${ROOT}e2e/pairs/fixtures/faulty-pair.compose.yml`]);
      await open();
    });
    after(async () => {
      await context?.close();
      await live?.end();
    });

    it('breaks A, shows what B answers, and leaves nothing', async () => {
      for (const name of ['A', 'B']) await untilState(name, 'running');
      const command = (await commandOf('Stop A'))!;
      expect(await send('first')).to.match(/200 after .*first/);
      await press('Stop A');
      await untilState('A', 'stopped');
      expect(await send('second')).to.include('503 after');
      await press('Start A');
      await untilState('A', 'running');
      await page.getByLabel('Replace A with a fake that').selectOption({ label: 'answers 500' });
      await press('Replace A');
      await untilState('A', 'replaced');
      expect(await send('third')).to.include('503 after');
      expect(await live.end()).to.equal(130);
      expect(await leftOf(command)).to.deep.equal([]);
    });
  });
});
