/** Takes the README's pictures of the page, in light and in dark, after A was stopped, paused and replaced. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { ROOT } from '../stack/paths.ts';
import { browserPath, NAMES, openBrowser } from '../stack/browser.ts';
import { startLive } from './start-live.ts';

const SIZE = { width: 1200, height: 800 };
const SCALE = 0.75; // about as large as a README shows it
const STEPS = ['Stop A', 'Start A', 'Pause A', 'Resume A', 'Replace A'];
const STEP_MS = 3000;

async function act(page: Page) {
  await page.getByLabel('Replace A with a fake that').selectOption({ label: 'answers 500' });
  for (const name of STEPS) {
    await sleep(STEP_MS);
    const button = page.getByRole('button', { name, exact: true });
    await Promise.all([page.waitForResponse(/\/faults\//), button.click()]);
  }
  await page.getByRole('status', { name: 'A', exact: true }).getByText('replaced').waitFor();
  await page.locator('h1').click(); // so that no button has the focus
  await sleep(STEP_MS);
}

if (!browserPath()) {
  console.log(`The pictures of the live page stay as they are: there is no browser on the PATH (${NAMES.join(', ')}).`);
} else {
  console.log('The live page: its pictures');
  const live = await startLive();
  const browser = await openBrowser();
  const page = await browser.newPage({ viewport: SIZE, deviceScaleFactor: SCALE });
  await page.goto(live.link);
  await act(page);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await sleep(500);
    await page.screenshot({ path: `${ROOT}e2e/live/live-${colorScheme}.png` });
  }
  await browser.close();
  await live.end();
}
