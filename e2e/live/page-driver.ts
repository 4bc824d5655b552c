import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { describeInBrowser, openBrowser } from '../stack/browser.ts';
import { docker } from '../stack/docker/engine.ts';
import { ROOT } from '../stack/paths.ts';
import { until } from '../stack/until.ts';
import type { Live } from './start-live.ts';

export const PATIENCE_MS = 30_000;

/** The Compose project that a command of the page names, by the name or by the file that it has. */
export const projectOf = (command: string) =>
  (/docker compose -p (\S+)/.exec(command) ?? /docker compose -f \S*\/(\S+)\.yml/.exec(command))![1]!;

/** Lists what is left of the Compose project that a command of the page names: containers, networks, volumes, images, files. */
export async function leftOf(command: string): Promise<string[]> {
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

/** The browser and the page that the tests drive, with what the page has asked for and what it complained about. */
export const ui = {} as {
  browser: Browser;
  context: BrowserContext;
  page: Page;
  live: Live;
  requests: string[];
  complaints: string[];
};

/** Describes the page in a browser of its own. */
export function describePage(where: string, define: () => void) {
  describeInBrowser(`The live page ${where}`, function () {
    this.timeout(120_000);
    before(async () => {
      ui.browser = await openBrowser();
    });
    after(() => ui.browser?.close());
    define();
  });
}

/** Opens the page of `ui.live`. */
export async function open() {
  ui.context = await ui.browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  ui.page = await ui.context.newPage();
  ui.requests = [];
  ui.complaints = [];
  ui.page.on('request', (request) => ui.requests.push(request.url()));
  ui.page.on('pageerror', ({ message }) => ui.complaints.push(message));
  // Chromium breaks requests off when a container's network comes or goes; the page asks again.
  const isOwn = (text: string) => !text.includes('ERR_NETWORK_CHANGED');
  ui.page.on('console', (message) => {
    if (message.type() === 'error' && isOwn(message.text())) ui.complaints.push(message.text());
  });
  await ui.page.goto(ui.live.link);
  await ui.page.getByText('live', { exact: true }).waitFor();
}

/** Presses a button, and resolves when its command has ended. */
export async function press(name: string) {
  const button = ui.page.getByRole('button', { name, exact: true });
  if ((await ui.page.locator('.faults, #tour-body', { has: button }).count()) === 0) return button.click();
  await Promise.all([ui.page.waitForResponse(/\/(faults|tour)\//, { timeout: 120_000 }), button.click()]);
}
export const stateOf = (name: string) => ui.page.getByRole('status', { name, exact: true }).textContent();
export const untilState = (name: string, state: string) =>
  until(`${name} to be ${state}`, async () => (await stateOf(name)) === state, PATIENCE_MS);
/** Reads the command that is shown for a button. */
export async function commandOf(name: string): Promise<string> {
  await ui.page.getByRole('button', { name, exact: true }).hover();
  return ui.page.getByRole('region', { name: 'What the button runs' }).innerText();
}
/** Runs the command that is shown for a button. */
export const type = async (button: string) =>
  promisify(execFile)('sh', ['-c', (await commandOf(button))!], { cwd: ROOT });
export const isOn = (name: string) => ui.page.getByRole('button', { name, exact: true }).isEnabled();

/** Sends one call from the page and resolves to what the page then shows of it. */
export async function send(msg: string): Promise<string> {
  await ui.page.getByLabel('Message').fill(msg);
  const [response] = await Promise.all([ui.page.waitForResponse(/\/calls$/), press('Send one')]);
  const { n } = await response.json();
  const shown = ui.page.locator('#follow');
  await shown.getByText(`Call ${n}: `).waitFor();
  return (await shown.innerText()).replace(/\s+/g, ' ');
}

/** Promises that hold for each kind of pair. */
export function everyPair() {
  it('shows both services running, with their ports and their health', async () => {
    for (const name of ['A', 'B']) await untilState(name, 'running');
    for (const name of ['a', 'b']) {
      expect(await ui.page.locator(`#port-${name}`).textContent()).to.match(/^\d+$/);
      expect(await ui.page.locator(`#health-${name}`).textContent()).to.match(/^200 in \d+ ms$/);
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
    const restarted = ui.page.waitForResponse(/\/faults\//);
    await ui.page.getByRole('button', { name: 'Restart A', exact: true }).click();
    expect(await stateOf('A')).to.equal('starting'); // and not what was true before
    await untilState('A', 'running');
    await restarted;
    expect(await send('after the restart')).to.include('{"service_b":"ok","service_a":{"echo":"after the restart"}}');
  });

  it('replaces A by one that misbehaves as chosen, whatever the message, and puts it back', async () => {
    for (const [behaviour, outcome] of [
      ['answers 500', '503 bad_status'],
      ['answers JSON of another shape', '503 bad_body'],
    ]) {
      await ui.page.getByLabel('Replace A with a fake that').selectOption({ label: behaviour! });
      await press('Replace A');
      await untilState('A', 'replaced');
      expect(await send(`to ${behaviour}`)).to.include(outcome);
    }
    await press('Put A back');
    await untilState('A', 'running');
    expect(await send('back')).to.include('"echo":"back"');
  });

  it('stops, starts and kills B, and shows that its callers get no answer then', async () => {
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
