import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import * as prettier from 'prettier';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { ROOT } from '../stack/paths.ts';
import { hasProc } from '../stack/process/resources.ts';
import { freePort } from '../stack/process/ports.ts';
import { startLive } from './start-live.ts';

import { commandOf, describePage, leftOf, open, press, send, ui, untilState } from './page-driver.ts';

interface MarkdownNode {
  type: string;
  children?: MarkdownNode[];
}

/** Parses Markdown as Prettier does, by the rules of CommonMark. */
async function markdown(text: string): Promise<MarkdownNode> {
  // Typed as internal, but what else reads Markdown here?
  const { __debug } = prettier as unknown as {
    __debug: { parse(text: string, options: object): Promise<{ ast: MarkdownNode }> };
  };
  return (await __debug.parse(text, { parser: 'markdown' })).ast;
}

const nodesOf = (node: MarkdownNode): MarkdownNode[] => [node, ...(node.children ?? []).flatMap(nodesOf)];

describePage("over a student's two commands, whose logs have no ids", () => {
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
    ui.live = await startLive([...of('a', portA), ...of('b', portB)]);
    await open();
  });
  after(async () => {
    await ui.context?.close();
    expect(await ui.live?.end()).to.equal(130);
    await rm(dirname(folder), { recursive: true });
  });

  it("shows how A is started, whatever the folder's name", async function () {
    if (!hasProc) this.skip(); // that system does not say who listens on a port
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
    const body = ui.page.locator('#tour-body');
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
    expect(await ui.page.title()).to.equal('Two services, live');
    expect(await ui.page.locator('#follow :is(script, img, b, style)').count()).to.equal(0);
    const { length } = await ui.page.locator('#follow').innerText();
    expect(length).to.be.below(20_000);
    expect(await send('hostile reason')).to.include('B says: \\x1b[2J\\x1b]0;owned\\x07 \\u202edewno');
    expect(ui.complaints).to.deep.equal([]);
  });

  it('keeps what a hostile pair writes as text, too', async () => {
    await send('hostile');
    const transcript = await (await fetch(ui.live.at('/transcript.md'))).text();
    expect(transcript).to.include("<script>document.title = 'owned'</script>");
    expect(nodesOf(await markdown(transcript)).filter(({ type }) => /html|image|link/i.test(type))).to.deep.equal([]);
    const headings = nodesOf(await markdown(transcript)).filter(({ type }) => type === 'heading');
    for (const heading of headings) expect(JSON.stringify(heading)).to.not.include('owned');
    const [download] = await Promise.all([ui.page.waitForEvent('download'), press('Timeline as SVG')]);
    const kept = join(dirname(folder), 'timeline.svg');
    await download.saveAs(kept);
    const picture = await ui.context.newPage();
    await picture.goto(pathToFileURL(kept).href);
    const svg = await picture.evaluate(() => document.documentElement.outerHTML);
    expect(await picture.locator('path.mark').count()).to.be.above(0);
    expect(await picture.locator('script, image, img, a').count()).to.equal(0);
    expect(svg).to.not.include('owned');
    await picture.close();
  });
});

describePage("over a student's Compose file", () => {
  describeWithDocker('where there is Docker', () => {
    before(async function () {
      this.timeout(180_000);
      ui.live = await startLive(['--compose', `${ROOT}e2e/pairs/fixtures/faulty-pair.compose.yml`]);
      await open();
    });
    after(async () => {
      await ui.context?.close();
      await ui.live?.end();
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
      await ui.page.getByLabel('Replace A with a fake that').selectOption({ label: 'answers 500' });
      await press('Replace A');
      await untilState('A', 'replaced');
      expect(await send('third')).to.include('503 after');
      expect(await ui.live.end()).to.equal(130);
      expect(await leftOf(command)).to.deep.equal([]);
    });
  });
});
