/** Acts on one pair, and records. */
import { existsSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { folderOf, stackOf } from '../pairs/choose.ts';
import { filesIn, findPair } from '../pairs/find.ts';
import { leadsOut } from '../pairs/folder.ts';
import { numberIn, path } from '../pairs/options.ts';
import { sourcesOf } from '../pairs/sources.ts';
import { Ungradable } from '../pairs/ungradable.ts';
import { examine } from '../requirements/examine.ts';
import { Pair } from '../requirements/pair.ts';
import { Unusable } from '../stack/command.ts';
import { printable } from '../stack/foreign-text.ts';
import { ROOT } from '../stack/paths.ts';
import type { Options } from './options.ts';
import type { Report } from './report/report.ts';

/** The options and, where no pair is among them but a folder, those of the pair in it. */
export function withPair(options: Options): Options {
  const { folder, compose, a, b, isolate } = options;
  if (folder === undefined || compose || a || b) return options;
  const within = path(folder);
  if (!statSync(within, { throwIfNoEntry: false })?.isDirectory())
    throw new Ungradable(`There is no folder ${within}.`);
  const { said, options: found } = findPair(filesIn(within), isolate !== undefined);
  console.error(`Found in ${within}: ${said}.`);
  const at = (name: 'compose' | 'a-dir' | 'b-dir') => found[name] && { [name]: join(within, found[name]) };
  // An image and a setup are for commands alone, where nothing may get out.
  const walled = found.compose !== undefined && isolate !== undefined && { isolate: '', setup: undefined };
  return { ...found, ...at('compose'), ...at('a-dir'), ...at('b-dir'), ...options, ...walled };
}

/**
 * Starts the pair that the options name, acts on it, and resolves to the record. One that was found in a folder may listen
 * elsewhere than was thought. Throws an `Unusable` when there is nothing to record.
 */
export async function recordOf(
  options: Options,
  isFound: boolean,
  showProgress: (text: string) => void,
): Promise<Pick<Report, 'record' | 'sources'>> {
  const seconds = numberIn(options, 'timeout', 60);
  // Before anything is built among them.
  checkPlaces(options);
  const places = [folderOf(options), ...(partsOf(options) ?? [])];
  const sources = await sourcesOf(folderOf(options), partsOf(options)).catch((error: Error) => {
    if (!places.every(existsSync)) return undefined; // what is missing is said below
    throw error instanceof Ungradable ? error : new Ungradable(`The folder cannot be read: ${error.message}`);
  });
  showProgress('setting up, building and starting the pair');
  const stack = await stackOf(options);
  // Half a second more than was promised, so that a timeout of exactly as much counts.
  const limits = { answerMs: seconds * 1000 + 500, goneMs: 30_000, healthMs: 1000, recoveryMs: 15_000 };
  const pair = new Pair(stack, limits);
  try {
    await pair.start('a');
    await pair.start('b');
    const name = (['a', 'b'] as const).find((name) =>
      /ended with code 12[67] before|\(exit code 12[67]\)/.test(pair.problems[name] ?? ''),
    );
    if (name) throw new Ungradable(cannotRun(name, options[name] ?? ''));
    const urls = isFound ? urlsIn(pair.problems) : {};
    if (Object.keys(urls).length > 0) {
      await stack.down();
      return await recordOf({ ...options, ...urls }, false, showProgress);
    }
    const own = `${folderOf(options)}${sep}`; // where it lies here says nothing to its author
    for (const each of ['a', 'b'] as const) pair.problems[each] &&= pair.problems[each].replaceAll(own, '');
    const { a, b } = pair.problems;
    if (a && b) throw new Ungradable(`Neither service can be started: ${printable(a, 1000)}; ${printable(b, 1000)}`);
    await examine(pair, (done, of, what) => showProgress(`${done}/${of} ${what}`));
    return { record: pair.record, sources };
  } finally {
    await stack.down();
    showProgress('');
  }
}

/** Where services listen instead of where they were asked, as options. */
function urlsIn(problems: Pair['problems']): Partial<Options> {
  const urls = (['a', 'b'] as const).flatMap((name) => {
    const port = /It listens on port (\d+) instead/.exec(problems[name] ?? '')?.[1];
    if (!port) return [];
    console.error(`Service ${name.toUpperCase()} listens on port ${port}, and is asked there.`);
    return [[`${name}-url`, `http://127.0.0.1:${port}`]];
  });
  return Object.fromEntries(urls);
}

function cannotRun(name: 'a' | 'b', command: string): string {
  const advice = /(?:^|[;&|]\s*)source\s/.test(command) ? ' The shell sh has no `source`; write `.` instead.' : '';
  return `The command of service ${name.toUpperCase()} cannot be run: ${command}${advice}`;
}

/** The folders in which the sources of the pair are. */
function partsOf({ folder, compose, a, 'a-dir': dirA = '.', 'b-dir': dirB = '.' }: Options): string[] | undefined {
  if (folder !== undefined || compose) return;
  return a ? [path(dirA), path(dirB)] : [`${ROOT}service-a`, `${ROOT}service-b`];
}

/** What is looked for in a folder that has nothing to do with it would give a reason that has nothing to do with it, either. */
function checkPlaces(options: Options) {
  const { compose, folder, 'a-dir': dirA = '.', 'b-dir': dirB = '.' } = options;
  if (compose && statSync(path(compose), { throwIfNoEntry: false })?.isDirectory())
    throw new Unusable(`${path(compose)} is a directory (--compose); name the Compose file in it.`);
  if (folder === undefined) return;
  const places = compose ? { compose } : { 'a-dir': dirA, 'b-dir': dirB };
  for (const [name, given] of Object.entries(places)) {
    const place = leadsOut(path(folder), path(given));
    if (place) throw new Unusable(`--${name} is outside of --folder: it is ${place}.`);
  }
}
