/** What is kept of a finished row, and what a rubric makes of it. */
import { readFile } from 'node:fs/promises';
import { RECORD_VERSION } from '../../requirements/record.ts';
import { duration } from '../../stack/duration.ts';
import { printable } from '../../stack/foreign-text.ts';
import { judge, type Result, type Weigh } from '../judge.ts';
import { meetsLab, scoresOf, type Report } from '../report/report.ts';
import type { Changes, Graded } from './class-file.ts';

/** A row is graded again only when all of its keys are out of date. */
export interface Kept {
  keys: string[];
  ms: number;
  /** How often it has been graded, and what the time before came to, by the names of the checks. */
  attempt: number;
  before?: Before;
  /** What its grading process wrote, with the record that it is judged from; or why there is no grade. */
  report: Report | { reason: string };
}

/** An earlier grade. */
interface Before {
  when: string;
  verdicts: Record<string, Result['verdict']>;
}

/** An instructor's rubric, and the file that it is from. */
export interface Rubric {
  file: string;
  weigh: Weigh;
}

/** What is kept in a file; nothing where it is missing, or was written by a grader whose records cannot be judged now. */
export async function keptIn(file: string): Promise<Kept | undefined> {
  try {
    const kept: Kept = JSON.parse(await readFile(file, 'utf8'));
    const isOfNow = 'record' in kept.report ? kept.report.record?.version === RECORD_VERSION : kept.report.reason;
    outcomeBy(undefined, kept, true); // of what a person has changed, nothing can be judged
    return isOfNow && Array.isArray(kept.keys) ? kept : undefined;
  } catch {
    return;
  }
}

/** What is kept of the grade before, when there is a new one. */
export function beforeNow(rubric: Rubric | undefined, kept: Kept | undefined): Before | undefined {
  if (!kept) return;
  const { report } = outcomeBy(rubric, kept, true);
  if (!report) return kept.before;
  return {
    when: report.when,
    verdicts: Object.fromEntries(report.results.map(({ name, verdict }) => [name, verdict])),
  };
}

/** Which checks have another verdict than before, by the same rubric. */
function changesSince({ when, verdicts }: Before, results: Result[]): Changes {
  const changed = results.filter(({ name, verdict }) => verdicts[name] && verdicts[name] !== verdict);
  const namesOf = (wanted: Result['verdict']) =>
    changed.filter(({ verdict }) => verdict === wanted).map(({ name }) => name);
  return { when, better: namesOf('pass'), worse: namesOf('fail') };
}

/** The outcome by a rubric, and the report of it where there is a grade. */
export function outcomeBy(
  rubric: Rubric | undefined,
  { report, ms, attempt, before }: Omit<Kept, 'keys'>,
  isKept: boolean,
): { outcome: Graded; report?: Report } {
  if (!('record' in report) || !report.record) {
    const reason = printable(report.reason ?? 'It has no record.', 1000);
    return { outcome: { isMet: false, results: [], reason, ms, attempt, isKept } };
  }
  const results = judge(report.record, rubric?.weigh);
  const scores = scoresOf(results);
  const shown = results.map(({ name, section, verdict }) => ({ name, section, verdict }));
  const changes = before && changesSince(before, results);
  return {
    outcome: { isMet: meetsLab(results), scores, ms, attempt, changes, isKept, results: shown },
    report: { ...report, rubric: rubric?.file, results, scores },
  };
}

/** An outcome in one line. */
export function summary({ isMet, scores, reason, ms, isKept }: Graded): string {
  if (!scores) return `not graded: ${reason}`;
  const { lab, robustness } = scores;
  const when = isKept ? 'as before' : `in ${duration(ms)}`;
  return `${isMet ? 'met' : 'not met'}, ${lab.passed} of ${lab.of}, robustness ${robustness.passed} of ${robustness.of}, ${when}`;
}
