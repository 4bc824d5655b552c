import { duration } from '../../stack/duration.ts';
import type { Stage } from '../evidence.ts';
import { score, type Result, type Score } from '../grade.ts';
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
  sources?: Sources;
  proof?: Proof;
}

export interface Proof {
  /** What was typed and written; or why nothing was. */
  steps: Stage[] | string;
  /** How B answers during an outage of A, as an SVG picture; or why there is none. */
  picture: { svg: string } | string;
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
