/** A real browser, for tests and pictures of pages. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type Page } from 'playwright-core';
import { describeUnless } from './describe-unless.ts';

/** The names under which a browser is looked for. */
export const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** The first of the browsers that playwright can drive, on the PATH; undefined when there is none. */
export function browserPath(): string | undefined {
  for (const name of NAMES) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

/** Tests in a real browser. */
export const describeInBrowser = (title: string, tests: (this: Mocha.Suite) => void) =>
  describeUnless(browserPath() ? undefined : `no browser on the PATH: ${NAMES.join(', ')}`, title, tests);

export function openBrowser(): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // Chromium's sandbox does not work for root
  return chromium.launch({ executablePath: browserPath()!, args });
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The faults that axe-core finds in a page as it is now, in light and in dark mode, each with its rule and its elements. */
export async function faultsByAxe(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => (window as any).axe.run());
    for (const { id, nodes } of violations)
      found.push(`${colorScheme}: ${id}: ${nodes.map(({ html }: any) => html.slice(0, 120)).join(' ')}`);
  }
  await page.emulateMedia({ colorScheme: null });
  return found;
}
