import { readFile, stat } from 'node:fs/promises';
import { Unusable } from '../../stack/command.ts';
import { duration } from '../../stack/duration.ts';
import { score, type Result, type Score } from '../judge.ts';
import type { Recorded } from '../../requirements/record.ts';
import type { Sources } from '../../pairs/sources.ts';

/** All that is known about the grade of one pair: what `--json` writes, and what every other output is made of. */
export interface Report {
  name?: string;
  /** How the services were started, by the names of the options. */
  pair: { setup?: string; compose?: string; a?: string; b?: string; 'a-dir'?: string; 'b-dir'?: string };
  /** The file with the instructor's points and names, where there is one. */
  rubric?: string;
  /** When the grade began, as ISO 8601 in UTC. */
  when: string;
  /** How long it took. */
  ms: number;
  /** Why the pair has no grade: it could not be started at all. */
  reason?: string;
  scores: Record<'lab' | 'robustness' | 'all', Score>;
  results: Result[];
  /** What the results were judged from; absent where there is no grade. */
  record?: Recorded;
  sources?: Sources;
}

const MAX_REPORT_BYTES = 64 * 1024 * 1024;

/** A report that `--json` wrote, or the one that a class kept. Throws an `Unusable` when it is none, or longer than 64 MiB. */
export async function readReport(file: string): Promise<Report> {
  try {
    if ((await stat(file)).size > MAX_REPORT_BYTES) throw new Error('it is longer than 64 MiB');
    const written = JSON.parse(await readFile(file, 'utf8')) ?? {};
    const report = written.report ?? written;
    if (typeof report.when !== 'string' || typeof report.pair !== 'object')
      throw new Error('it is no report of --json');
    return report;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Unusable(`The report ${file} cannot be read: ${code ?? message}.`);
  }
}

export function scoresOf(results: Result[]): Report['scores'] {
  const of = (section: Result['section']) => score(results.filter((result) => result.section === section));
  return { lab: of('lab'), robustness: of('robustness'), all: score(results) };
}

/** Whether all of the lab's requirements are met; those of an A over HTTP do not apply to one that speaks gRPC. */
export const meetsLab = (results: Result[]) =>
  results.every(({ section, verdict }) => section !== 'lab' || verdict !== 'fail');

/** What stands at the top of a proof, by its label. */
export function facts({ name, pair, rubric, when, ms, scores, sources }: Report): [label: string, fact: string][] {
  const { lab, robustness } = scores;
  const started = (['a', 'b'] as const).flatMap((service): [string, string][] => {
    const [command, dir] = [pair[service], pair[`${service}-dir`]];
    return command ? [[`Service ${service.toUpperCase()}`, dir ? `${command} (in ${dir})` : command]] : [];
  });
  return [
    ...(name ? [['Name', name] as [string, string]] : []),
    ['Graded', `${when.replace('T', ' ').replace(/\.\d+Z/, '')} UTC, in ${duration(ms)}`],
    ...(rubric ? [['Rubric', rubric] as [string, string]] : []),
    ...(pair.setup ? [['Setup', pair.setup] as [string, string]] : []),
    ...(pair.compose ? [['Compose file', pair.compose] as [string, string]] : started),
    ["The lab's requirements", `${lab.passed} of ${lab.of}`],
    ['Robustness', `${robustness.passed} of ${robustness.of}`],
    ['Commit', sources?.commit ?? 'none: the folder is no Git repository of its own'],
    ['Sources', sources ? `SHA-256 ${sources.hash} over ${count(sources.files, 'file')}` : 'not looked at'],
  ];
}

export const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
