/** `npm run grade`: the rubric of a pair of services, from outside, or of a whole class. `--help` has the exit codes. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Pair } from '../requirements/pair.ts';
import { onceParentEnds } from '../stack/process/at-exit.ts';
import { inOneLine, printable } from '../stack/foreign-text.ts';
import { ROOT } from '../stack/paths.ts';
import type { Stack } from '../stack/service.ts';
import { gradeClass } from './class/class.ts';
import { gatherEvidence } from './evidence.ts';
import { writeWhole } from './report/files.ts';
import { leadsOut } from '../pairs/folder.ts';
import { grade, type Weigh } from './grade.ts';
import { gradescope } from './report/gradescope.ts';
import { junit } from './report/junit.ts';
import { checkFiles, numberIn, path, withValues } from '../pairs/options.ts';
import { Ungradable } from '../pairs/ungradable.ts';
import { command, Unusable } from '../stack/command.ts';
import { HELP, OPTIONS, type Options } from './options.ts';
import { pictureOfOutage } from './outage.ts';
import { pairPage } from './report/page.ts';
import { folderOf, stackOf } from '../pairs/choose.ts';
import { proofInMarkdown } from './report/proof.ts';
import { meetsLab, scoresOf, type Proof, type Report } from './report/report.ts';
import { presentRubric, readRubric } from './rubric-file.ts';
import { rubric } from './report/rubric.ts';
import { sourcesOf } from '../pairs/sources.ts';

/** One line that writes itself over, on a terminal only. */
function showProgress(text: string) {
  const { isTTY, columns } = process.stderr;
  if (isTTY) process.stderr.write(`\r\x1b[K${inOneLine(text).slice(0, (columns || 80) - 1)}`);
}

async function gradePair(options: Options): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(2));
  checkOutputs(options);
  const { name, compose, a, b, 'a-dir': dirA, 'b-dir': dirB } = options;
  const start = Date.now();
  const { rubric: rubricFile, setup } = options;
  const weigh = rubricFile === undefined ? undefined : readRubric(rubricFile).weigh;
  const pair = { setup, compose, a, b, 'a-dir': dirA, 'b-dir': dirB };
  const about = { name, pair, rubric: rubricFile, when: new Date(start).toISOString() };
  try {
    const graded = await resultsOf(options, weigh);
    const { results } = graded;
    process.stdout.write(rubric(results, process.stdout));
    await write({ ...about, ms: Date.now() - start, scores: scoresOf(results), ...graded }, options);
    return meetsLab(results) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Ungradable)) throw error;
    const reason = error.message;
    await write({ ...about, reason, ms: Date.now() - start, scores: scoresOf([]), results: [] }, options);
    throw error;
  }
}

/** What would otherwise go wrong only once the grade is there. */
function checkOutputs(options: Options) {
  const proof = options.proof && `${options.proof}.md`; // it makes its files' names
  checkFiles({ ...options, proof }, ['json', 'proof', 'junit', 'gradescope']);
  if (options.proof && spawnSync('curl', ['--version']).status !== 0)
    throw new Unusable('curl is missing, and --proof shows what it says; install it, or leave --proof out.');
}

async function resultsOf(options: Options, weigh?: Weigh): Promise<Pick<Report, 'results' | 'sources' | 'proof'>> {
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
    if (name) throw new Ungradable(`The command of service ${name.toUpperCase()} cannot be run: ${options[name]}`);
    const { a, b } = pair.problems;
    if (a && b) throw new Ungradable(`Neither service can be started: ${printable(a, 1000)}; ${printable(b, 1000)}`);
    const results = await grade(pair, (done, of, what) => showProgress(`${done}/${of} ${what}`), weigh);
    const proof = options.proof ? await proofOf(stack, pair.problems) : undefined;
    return { results, sources, proof };
  } finally {
    await stack.down();
    showProgress('');
  }
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

async function proofOf(stack: Stack, problems: Pair['problems']): Promise<Proof> {
  const obstacle = problems.a ? 'Service A did not start.' : problems.b && 'Service B did not start.';
  if (obstacle) return { steps: obstacle, picture: obstacle };
  showProgress('proof: running curl');
  // What the last checks stopped or broke gets its chance.
  const steps = await Promise.all([stack.a.start(), stack.b.start()])
    .then(() => gatherEvidence(stack))
    .catch(({ message }: Error) => message);
  if (typeof steps === 'string') return { steps, picture: steps };
  showProgress('proof: measuring an outage');
  const picture = await pictureOfOutage(stack).then(
    (svg) => ({ svg }),
    ({ message }: Error) => message,
  );
  return { steps, picture };
}

async function write(report: Report, { proof, json, junit: xml, gradescope: results }: Options) {
  if (json) await writeWhole(path(json), `${JSON.stringify(report, null, 2)}\n`);
  if (xml) await writeWhole(path(xml), junit(report));
  if (results) await writeWhole(path(results), gradescope(report));
  if (!proof) return;
  const base = path(proof).replace(/\.(?:md|html)$/, '');
  const picture = report.proof?.picture;
  if (typeof picture === 'object') await writeWhole(`${base}.svg`, picture.svg);
  await writeWhole(`${base}.md`, proofInMarkdown(report, `${basename(base)}.svg`));
  await writeWhole(`${base}.html`, pairPage(report));
}

async function main(options: Options): Promise<number> {
  if (options['print-rubric']) {
    process.stdout.write(presentRubric());
    return 0;
  }
  const given = process.argv.slice(2).map((arg) => arg.split('=')[0]!);
  const foreign = ['--out', '--jobs', '--limit'].find((name) => given.includes(name));
  if (foreign && options.class === undefined)
    throw new Unusable(`${foreign} is for a class; leave it out, or give --class.`);
  return options.class === undefined ? gradePair(options) : gradeClass(options, showProgress);
}

// As one of a class, it ends with the process that grades the class, however that ends.
process.on('disconnect', () => process.exit(2));
process.channel?.unref();

onceParentEnds(() => process.kill(process.pid, 'SIGTERM'));

await command(HELP, OPTIONS, main, withValues(process.argv.slice(2)));
