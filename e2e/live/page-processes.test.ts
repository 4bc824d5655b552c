import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Locator } from 'playwright-core';
import { COLOURS } from '../picture/picture.ts';
import { ROOT } from '../stack/paths.ts';
import { hasProc } from '../stack/process/resources.ts';
import { until } from '../stack/until.ts';
import { faultsByAxe } from '../stack/browser.ts';
import { newsOf, startLive, WITHOUT_DOCKER } from './start-live.ts';

import { commandOf, describePage, everyPair, open, PATIENCE_MS, press, send, ui, untilState } from './page-driver.ts';

describePage('over two processes, where no Docker answers', () => {
  before(async () => {
    ui.live = await startLive([], WITHOUT_DOCKER);
    await open();
  });
  after(async () => {
    await ui.context?.close();
    expect(await ui.live?.end()).to.equal(130);
  });

  everyPair();

  it('follows what is typed to start, replace and put back A in a terminal, and can end it', async function () {
    if (!hasProc) this.skip(); // that system does not say who listens on a port
    const terminals: ChildProcess[] = [];
    const open = async (button: string) =>
      terminals.push(spawn('sh', ['-c', (await commandOf(button))!], { cwd: ROOT, stdio: 'ignore' }));
    try {
      await press('Stop A');
      await untilState('A', 'stopped');
      await open('Start A');
      await untilState('A', 'running');
      expect(await send('typed')).to.include('"echo":"typed"');
      await ui.page.getByLabel('Replace A with a fake that').selectOption({ label: 'answers 500' });
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
    expect(await ui.page.getByRole('button', { name: "Cut A's network" }).count()).to.equal(0);
    expect(await ui.page.getByText('there is no network of their own to cut').isVisible()).to.equal(true);
  });

  it('is shown in the same state on a second page', async () => {
    const second = await ui.context.newPage();
    await second.goto(ui.live.link);
    await press('Stop A');
    await second.getByRole('status', { name: 'A', exact: true }).getByText('stopped').waitFor();
    await second.getByRole('button', { name: 'Start A', exact: true }).click();
    await untilState('A', 'running');
    await second.close();
  });

  it('is used with the keyboard alone', async () => {
    await ui.page.getByRole('button', { name: 'Pause A', exact: true }).focus();
    await ui.page.keyboard.press('Enter');
    await untilState('A', 'paused');
    expect(await ui.page.evaluate(() => document.activeElement!.id)).to.equal('pause-a'); // the focus is not lost
    await ui.page.getByRole('button', { name: 'Resume A', exact: true }).focus();
    await ui.page.keyboard.press('Space');
    await untilState('A', 'running');
    await ui.page.getByRole('application', { name: 'Calls over time' }).focus();
    await ui.page.keyboard.press('End');
    await ui.page.keyboard.press('ArrowLeft');
    const chosen = await ui.page.getByRole('status', { name: 'Chosen call' }).textContent();
    expect(chosen).to.match(/^Call \d+: .*after [\d.,]+ ms/);
    await ui.page.keyboard.press('Enter');
    await ui.page
      .locator('.result')
      .getByText(/Call (\d+)/.exec(chosen!)![0])
      .waitFor();
    expect(await ui.page.evaluate(() => document.activeElement!.id)).to.equal('follow-title');
  });

  it('draws a call in the colour of its outcome', async () => {
    await press('Pause A');
    await untilState('A', 'paused');
    expect(await send('a mark to look at')).to.include('503 timeout');
    for (const outcome of ['200', 'timeout']) {
      const mark = ui.page.locator(`#chart .outcome-${outcome}`).first();
      const drawn = await mark.evaluate((path) => getComputedStyle(path).stroke);
      const [light] = COLOURS[`outcome-${outcome}`]!;
      expect(drawn.match(/\d+/g)).to.deep.equal(light.match(/\w\w/g)!.map((part) => String(parseInt(part, 16))));
    }
    await press('Resume A');
    await untilState('A', 'running');
  });

  it('keeps exactly what it shows', async () => {
    const [shown, kept] = await ui.page.evaluate(async (module) => {
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
    const other = await ui.context.newPage();
    const loadMs = () => performance.getEntriesByType('navigation')[0]!.toJSON().loadEventEnd as number;
    const isQuick = async () => {
      await other.goto(ui.live.link);
      await other.waitForFunction(loadMs);
      return (await other.evaluate(loadMs)) < 500;
    };
    await until('a load in half a second', isQuick, 60_000); // a busy machine may take longer, but not each time
    await other.close();
    expect(ui.requests).to.have.length.above(10);
    for (const url of ui.requests) expect(url.startsWith(`http://localhost:${ui.live.port}/`), url).to.equal(true);
  });

  it('can be toured with the keyboard alone, and axe finds no fault in it', async () => {
    const body = ui.page.locator('#tour-body');
    const isIn = (element: Locator) => element.evaluate((node) => node === document.activeElement);
    const go = async (key: string, element: Locator) => {
      for (let time = 0; time < 60 && !(await isIn(element)); time++) await ui.page.keyboard.press(key);
      expect(await isIn(element), String(element)).to.equal(true);
    };
    const use = async (name: string) => {
      await go('Tab', ui.page.getByRole('button', { name, exact: true }));
      await ui.page.keyboard.press('Enter');
    };
    await use('Start the tour');
    await body.getByRole('heading', { name: 'Stopped: A is stopped.' }).waitFor();
    expect(await isIn(body.getByRole('heading'))).to.equal(true);
    expect(await faultsByAxe(ui.page)).to.deep.equal([]);
    await go('Tab', body.getByRole('radio', { name: '200', exact: true }));
    await go('ArrowDown', body.getByRole('radio', { name: /^503 refused/ }));
    await ui.page.keyboard.press('Tab');
    await ui.page.keyboard.press('Space');
    expect(await body.getByRole('radio', { name: /^at once/ }).isChecked()).to.equal(true);
    await use('Run it');
    await body.getByText('✓ Right.').waitFor();
    expect(await faultsByAxe(ui.page)).to.deep.equal([]);
    await use('Next');
    await body.getByRole('heading', { name: 'Killed: A is killed.' }).waitFor();
    // A has another process number since it was started again.
    expect(await body.locator('pre').innerText()).to.equal(await commandOf('Kill A'));
    await use('Leave the tour');
    await until('the start', async () => isIn(ui.page.getByRole('button', { name: 'Start the tour' })), PATIENCE_MS);
  });

  it('calls as often as it is told to, from 1 to 200 times a second', async () => {
    const rate = ui.page.getByRole('spinbutton', { name: 'Calls per second' });
    for (const [perSecond, tolerance] of [
      [200, 0.05],
      [1, 0.2],
    ] as const) {
      await rate.fill(String(perSecond));
      await Promise.all([ui.page.waitForResponse(/\/rate$/), rate.press('Enter')]);
      const shares: number[] = [];
      do {
        await ui.page.waitForTimeout(5500);
        const { calls: dots } = await newsOf(ui.live);
        const end = Math.max(...dots.map(([, at]) => at));
        const numbers = dots.filter(([, at]) => at > end - 5000).map(([n]) => n);
        shares.push((Math.max(...numbers) - Math.min(...numbers) + 1) / (5 * perSecond));
        // A machine may freeze for a second and miss its calls, but not in every window.
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
    const other = await ui.context.newPage();
    let tries = 0;
    await other.route(/page\/page\.ts$/, (route) => (tries++ === 0 ? route.abort() : route.continue()));
    await other.goto(ui.live.link);
    await other.getByText('live', { exact: true }).waitFor();
    expect(tries).to.equal(2);
    await other.close();
  });

  it('can be loaded again', async () => {
    await ui.page.reload();
    await ui.page.getByText('live', { exact: true }).waitFor();
    expect(await send('loaded again')).to.include('"echo":"loaded again"');
  });

  it('says that the server is gone when it is, and that another one has another link', async () => {
    await ui.live.end();
    await ui.page.getByRole('status', { name: 'Page' }).getByText('The server is gone').waitFor();
    ui.live = await startLive([], WITHOUT_DOCKER, ui.live.port);
    const sentence = 'The server was started again: open the link that its terminal shows now.';
    await ui.page.getByRole('alert').getByText(sentence, { exact: true }).waitFor();
    await ui.page.goto(ui.live.link);
    await ui.page.getByText('live', { exact: true }).waitFor();
    await untilState('A', 'running');
    ui.complaints = []; // a browser complains of each connection that is refused
    expect(await send('with the new token')).to.include('"echo":"with the new token"');
  });
});
