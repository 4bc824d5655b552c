/** The grade of one pair: recorded, judged and written. */
import { basename, relative } from 'node:path';
import { checkFiles, PAIR, path } from '../pairs/options.ts';
import { Ungradable } from '../pairs/ungradable.ts';
import { RECORD_VERSION } from '../requirements/record.ts';
import { Unusable } from '../stack/command.ts';
import { pictureOf } from './evidence.ts';
import { judge } from './judge.ts';
import type { Options } from './options.ts';
import { recordOf, withPair } from './record-pair.ts';
import { givenByRunner } from './report/classroom50.ts';
import { writeWhole } from './report/files.ts';
import { FORMAT_NAMES, FORMATS } from './report/formats.ts';
import { pairPage } from './report/page.ts';
import { proofInMarkdown } from './report/proof.ts';
import { meetsLab, readReport, scoresOf, type Report } from './report/report.ts';
import { rubric } from './report/rubric.ts';
import { readRubric } from './rubric-file.ts';

/** Records and judges one pair, and writes what the options ask for. Resolves to the exit code. */
export async function gradePair(
  given: Options,
  out: NodeJS.WriteStream,
  showProgress: (text: string) => void,
): Promise<number> {
  checkOutputs(given);
  const { name, rubric: rubricFile } = given;
  const start = Date.now();
  const weigh = rubricFile === undefined ? undefined : readRubric(rubricFile);
  const about = { name, rubric: rubricFile, when: new Date(start).toISOString() };
  let pair: Report['pair'] = {};
  try {
    const options = withPair(given);
    const { setup, compose, a, b, 'a-dir': dirA, 'b-dir': dirB } = options;
    const { folder } = options;
    // Where it lies here says nothing to its author.
    const own = (place?: string) =>
      place && folder !== undefined ? relative(path(folder), path(place)) || '.' : place;
    pair = { setup, compose: own(compose), a, b, 'a-dir': own(dirA), 'b-dir': own(dirB) };
    const recorded = await recordOf(options, options !== given, showProgress);
    const results = judge(recorded.record!, weigh);
    out.write(rubric(results, out));
    await write({ ...about, pair, ms: Date.now() - start, scores: scoresOf(results), results, ...recorded }, given);
    return meetsLab(results) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Ungradable)) throw error;
    const reason = error.message;
    await write({ ...about, pair, reason, ms: Date.now() - start, scores: scoresOf([]), results: [] }, given);
    throw error;
  }
}

/** Judges again what a report of `--json` has recorded. Nothing of the pair is run. */
export async function rescore(file: string, options: Options, out: NodeJS.WriteStream): Promise<number> {
  const ofPair = [...Object.keys(PAIR), 'folder'] as (keyof Options)[];
  const given = ofPair.filter(
    (name) => options[name] !== undefined && !('default' in { ...PAIR[name as keyof typeof PAIR] }),
  );
  if (given.length > 0)
    throw new Unusable(`--${given[0]} is for a pair that is run; leave it out, or leave --rescore out.`);
  checkOutputs(options);
  const { rubric: rubricFile, name } = options;
  const weigh = rubricFile === undefined ? undefined : readRubric(rubricFile);
  const report = await readReport(path(file));
  const { record, reason } = report;
  if (record?.version !== RECORD_VERSION)
    throw new Unusable(
      `${file} has no record of version ${RECORD_VERSION}${reason ? ` (${reason})` : ''}; grade the pair again.`,
    );
  try {
    const results = judge(record, weigh);
    await write({ ...report, ...(name && { name }), rubric: rubricFile, results, scores: scoresOf(results) }, options);
    out.write(rubric(results, out));
    return meetsLab(results) ? 0 : 1;
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`${file} is not as the grader wrote it (${(error as Error).message}); grade the pair again.`);
  }
}

/** What would otherwise go wrong only once the grade is there. */
function checkOutputs(options: Options) {
  const proof = options.proof && `${options.proof}.md`; // it makes its files' names
  checkFiles({ ...options, proof }, [...FORMAT_NAMES, 'proof']);
  if (options.classroom50 !== undefined) givenByRunner(process.env);
}

async function write(report: Report, options: Options) {
  for (const name of FORMAT_NAMES) {
    const file = options[name];
    if (file !== undefined) await writeWhole(path(file), FORMATS[name](report));
  }
  const { proof } = options;
  if (!proof) return;
  const base = path(proof).replace(/\.(?:md|html)$/, '');
  const picture = report.record && pictureOf(report.record);
  if (picture) await writeWhole(`${base}.svg`, picture);
  await writeWhole(`${base}.md`, proofInMarkdown(report, `${basename(base)}.svg`));
  await writeWhole(`${base}.html`, pairPage(report));
}
