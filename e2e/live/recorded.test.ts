import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { nameOf, OUTCOMES } from '../picture/outcomes.ts';
import { ROOT } from '../stack/paths.ts';
import { describeInBrowser, faultsByAxe, openBrowser } from '../stack/browser.ts';
import { recordedPage } from './build-page.ts';
import { WAITS, waitOf, type Played } from './protocol.ts';
import { recordingIn } from './record.ts';

const FILE = `${ROOT}e2e/live/recorded.html`;
const html = readFileSync(FILE, 'utf8');
const { questions, plays, calls } = recordingIn(html);

/** What is right to predict: what most of the failed calls met. */
const judgedIn = ({ calls }: Played) => calls.find(({ outcome }) => outcome !== '200') ?? calls[0]!;

describe('The recorded page', () => {
  it('is one file of at most 1 MB, and the present page around a recording', () => {
    expect(Buffer.byteLength(html)).to.be.below(1_000_000);
    expect(html === recordedPage(recordingIn(html)), 'made again by `node e2e/live/record.ts page`').to.equal(true);
  });

  it('allows itself to load nothing, and to send nothing', () => {
    expect(html).to.match(/Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' data:;/);
    for (const rule of ["base-uri 'none'", "form-action 'none'"]) expect(html).to.include(rule);
    expect(html.match(/<\/script>/g)).to.have.length(3);
  });

  it('names nothing of the machine that it was recorded on', () => {
    expect(html).to.not.match(/live-[0-9a-f]{6}|\/tmp\/|\/home\/|\/root\//);
  });
});

describeInBrowser('The recorded page, opened from disk without a network', function () {
  this.timeout(60_000);
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let folder: string;
  const requests: string[] = [];
  const complaints: string[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'recorded-'));
    await copyFile(FILE, join(folder, 'recorded.html'));
    browser = await openBrowser();
    context = await browser.newContext({
      viewport: { width: 1024, height: 768 },
      offline: true,
      acceptDownloads: true,
    });
    page = await context.newPage();
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.clock.install();
    await page.goto(pathToFileURL(join(folder, 'recorded.html')).href);
  });
  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const tour = () => page.getByRole('region', { name: 'Predict first' });
  const isInView = async (name: string, box: Promise<{ y: number; height: number } | null>) => {
    const { y, height } = (await box)!;
    expect(y, name).to.be.at.least(0);
    expect(y + height, name).to.be.at.most(page.viewportSize()!.height);
  };

  it('says that it is a recording, of when and on what', async () => {
    expect(await page.title()).to.equal('Two services, recorded');
    const what =
      /^A recording of \d{4}-\d\d-\d\d: this repository's pair in containers, on Docker Engine \S+\. Nothing runs now\.$/;
    expect(await page.locator('#pair').innerText()).to.match(what);
    expect(await page.getByRole('status', { name: 'Page' }).innerText()).to.equal('recording');
  });

  it('offers nothing that cannot be done in a recording', async () => {
    const names = await page.getByRole('button').allInnerTexts();
    const others = names.filter((name) => !/^Call \d+$/.test(name));
    expect(others).to.have.members(['Start the tour', 'Timeline as SVG', 'Timeline as PNG']);
    for (const role of ['spinbutton', 'textbox'] as const) expect(await page.getByRole(role).count(), role).to.equal(0);
  });

  it('is toured from end to end with the keyboard alone: predict, watch, read why', async function () {
    this.timeout(240_000);
    await button('Start the tour').press('Enter');
    for (const [index, question] of questions.entries()) {
      const play = plays[index]!;
      const { outcome, ms } = judgedIn(play);
      await tour()
        .getByText(`Question ${index + 1} of ${questions.length}.`)
        .waitFor();
      const heading = tour().getByRole('heading', { name: `${question.act}: A ${question.what}.`, exact: true });
      expect(await heading.evaluate((node) => node === document.activeElement)).to.equal(true);
      await isInView('the question', heading.boundingBox());
      await isInView('the chart', page.getByRole('application', { name: 'Calls over time' }).boundingBox());
      await isInView('its button', button('Run it').boundingBox());
      for (const command of question.commands)
        expect(await page.getByRole('region', { name: 'The commands of this question' }).innerText()).to.equal(command);
      await page.getByRole('radio', { name: OUTCOMES[outcome]!.meaning, exact: true }).press('Space');
      await page
        .getByRole('radio', { name: WAITS[waitOf(ms)]!, exact: true })
        .first()
        .press('Space');
      await button('Run it').press('Enter');
      await tour().getByText('Watch the chart: it is happening now…').waitFor();
      await page.clock.fastForward(play.to - play.from + 5000);
      const verdict = await tour().getByRole('status').innerText();
      expect(verdict, question.what)
        .to.match(/^✓ Right\. B('s answers: | answered )/)
        .and.include(nameOf(outcome));
      expect(await tour().innerText()).to.include(question.why);
      await button('Next').press('Enter');
    }
    await tour().getByText(`The end: ${questions.length} of ${questions.length} were right.`).waitFor();
  });

  it('has a sentence of its own for each question', () => {
    const whys = questions.map(({ why }) => why);
    expect(new Set(whys).size).to.equal(whys.length);
    for (const why of whys) expect(why).to.match(/^[A-Z][^`*_]+\.$/);
  });

  it('follows a call through both recorded logs', async () => {
    const call = calls.findLast(({ outcome }) => outcome === '200')!;
    const last = page.getByRole('table', { name: 'Last calls' }).getByRole('button').first();
    await page.clock.runFor(2000);
    await last.press('Enter');
    const shown = page.getByRole('region', { name: 'Follow one request' });
    await shown.waitFor();
    const n = Number(/\d+/.exec(await last.innerText()));
    const { id, logs } = calls.find((call) => call.n === n)!;
    const written = await shown.innerText();
    expect(written).to.include(`x-request-id: ${id}`);
    for (const line of [...logs.a.lines, ...logs.b.lines]) expect(written).to.include(line);
    for (const name of ['a', 'b'] as const) expect(call.logs[name].lines.join()).to.include(call.id);
  });

  it('shows the commands as the gallery has them', async () => {
    const run = await page.getByRole('list', { name: 'What was run' }).innerText();
    expect(run).to.include('docker compose up --wait service-a').and.include('two-services-stand-in');
  });

  it('keeps the timeline of it all', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), button('Timeline as SVG').press('Enter')]);
    const svg = readFileSync(await download.path(), 'utf8');
    for (const label of ['A stopped', 'A paused', 'A replaced', 'A cut off']) expect(svg).to.include(label);
  });

  it('can be toured again, from the first question on', async () => {
    await button('Start again').press('Enter');
    await tour().getByText(`Question 1 of ${questions.length}. So far 0 of 0 right.`).waitFor();
    await button('Leave the tour').press('Enter');
    await button('Start the tour').waitFor();
  });

  it('gives axe no fault to find, in light and in dark', async () => {
    expect(await faultsByAxe(page)).to.deep.equal([]);
  });

  it('loads nothing, and has no error', () => {
    expect(requests.filter((url) => !/^(data|blob):/.test(url))).to.have.length(1);
    expect(complaints).to.deep.equal([]);
  });
});
