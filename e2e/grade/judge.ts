/** The verdict on each check, from what was recorded. Nothing runs here. */
import type { Check } from '../requirements/check.ts';
import { Fault, Unjudged, type Entry, type Recorded } from '../requirements/record.ts';
import { situations } from '../requirements/situations.ts';
import { printable } from '../stack/foreign-text.ts';

/**
 * How a check ended. A failure has `sent`, `received` and `expected`; or `because`, when there was nothing to judge or
 * another failure is the reason. A check that is not applicable has `because`, too, and no points; so has a pass about which
 * something is worth to be known.
 */
export interface Result {
  section: Check['section'];
  situation: string;
  name: string;
  points: number;
  verdict: 'pass' | 'fail' | 'not applicable';
  sent?: string;
  received?: string;
  expected?: string;
  because?: string;
  why: string;
  fix: string;
}

/** What an instructor makes of a check: another name, other points, other statuses, or nothing at all. */
export type Weigh = (check: Check) => Pick<Check, 'name' | 'points' | 'statuses'> | undefined;

const TOGETHER =
  'Both services are in one process, so whatever happens to A happens to B: start each with a command of its own.';

const UNRECORDED = { verdict: 'fail', because: 'The record has nothing about it: grade the pair again.' } as const;

/** Judges every check that was recorded, as far as `weigh` does not leave it out. */
export function judge(record: Recorded, weigh: Weigh = (check) => check): Result[] {
  const told = new Set<string>(); // the services whose reason for not running has been said
  return situations.flatMap(({ name: situation, checks }) =>
    checks.flatMap((check) => {
      const entry = record.entries.find((one) => one.check === check.name && one.situation === situation);
      const weighed = weigh(check);
      if (!weighed) return [];
      const { points = 1, name, statuses } = weighed;
      const { section, why, fix } = check;
      const verdict = entry ? verdictOn({ ...check, statuses }, entry, record, told) : UNRECORDED;
      return [{ section, situation, name, points, why, fix, ...verdict }];
    }),
  );
}

type Verdict = Pick<Result, 'verdict' | 'sent' | 'received' | 'expected' | 'because'> & { fix?: string };

function verdictOn(
  check: Check,
  { situation, missing, obstacle, error, seen }: Entry,
  record: Recorded,
  told: Set<string>,
): Verdict {
  if (check.isHttp && record.isGrpc) return { verdict: 'not applicable', because: 'A speaks gRPC' };
  if (missing && told.has(missing))
    return { verdict: 'fail', because: `Service ${missing.toUpperCase()} does not run.` };
  if (obstacle && check.section === 'robustness') return { verdict: 'fail', because: obstacle };
  if (missing) told.add(missing);
  if (obstacle) {
    const sent = missing ? `the start of service ${missing.toUpperCase()}` : 'nothing yet';
    return { verdict: 'fail', sent, received: obstacle, expected: 'a running service', fix: adviceToStart(obstacle) };
  }
  if (error) return { verdict: 'fail', sent: 'what the check needs', received: error, expected: 'no error' };
  try {
    const because = check.judge(record, seen, check.statuses ?? []);
    return { verdict: 'pass', ...(because && { because }) };
  } catch (error) {
    if (error instanceof Unjudged) return { verdict: 'fail', because: error.message };
    if (!(error instanceof Fault)) throw error;
    const { sent, received, expected } = error;
    const isTogether = record.isTogether && situation !== situations[0]!.name && check.needs.includes('b');
    const fix = isTogether ? TOGETHER : (error.fix ?? check.fix);
    return { verdict: 'fail', sent, received: printable(received, 1000), expected, fix };
  }
}

function adviceToStart(reason: string): string {
  if (/listens on port \d+.* instead/.test(reason))
    return 'Listen on the port in PORT, or give the URL where it listens (--a-url, --b-url).';
  if (/syntax ?error|unexpected (?:token|indent|end)|IndentationError/i.test(reason))
    return 'Correct the error in the source that the last lines name.';
  if (/No module named|Cannot find (?:module|package)|no required module|ClassNotFound/i.test(reason)) {
    return 'Install what the program needs before it is started (--setup), or start it with the interpreter that has it.';
  }
  if (/ended with code|exit code/.test(reason))
    return 'Start it by hand with the same command, and go by the last lines that it wrote.';
  return 'Start it by hand with the same command, and ask it for /health.';
}

export interface Score {
  passed: number;
  of: number;
}

/** Sums the points. Checks that are not applicable count in neither sum. */
export function score(results: Result[]): Score {
  // The sum of points such as 0.1 and 0.2 must be 0.3.
  const pointsOf = (some: Result[]) => Math.round(some.reduce((sum, { points }) => sum + points, 0) * 1e6) / 1e6;
  const applicable = results.filter(({ verdict }) => verdict !== 'not applicable');
  return { passed: pointsOf(applicable.filter(({ verdict }) => verdict === 'pass')), of: pointsOf(applicable) };
}
