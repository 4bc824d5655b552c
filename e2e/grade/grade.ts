import type { Check, Situation } from '../requirements/check.ts';
import { Fault, Unjudged, type Pair } from '../requirements/pair.ts';
import { printable } from '../stack/foreign-text.ts';
import { situations } from '../requirements/situations.ts';

/**
 * How a check ended. A failure has `sent`, `received` and `expected`; or `because`, when there was nothing to judge or
 * another failure is the reason. What is not applicable has `because` too, and counts for nothing.
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

/** What an instructor makes of a check: another name, other points, or nothing at all. */
export type Weigh = (check: Check) => Pick<Check, 'name' | 'points'> | undefined;

const TOGETHER =
  'Both services are in one process, so whatever happens to A happens to B: start each with a command of its own.';

/**
 * Runs every check on a pair that was started, as far as it starts. Never rejects over what the services do; leaves the
 * stack to be taken down.
 */
export async function grade(
  pair: Pair,
  onProgress: (done: number, of: number, what: string) => void,
  weigh: Weigh = (check) => check,
): Promise<Result[]> {
  const of = situations.flatMap(({ checks }) => checks.filter(weigh)).length;
  const results: Result[] = [];
  for (const situation of situations) {
    if (situation !== situations[0] && !situation.checks.some(weigh)) continue; // the first traces what others judge by
    const progress = (what: string) => onProgress(results.length, of, `${situation.name}: ${what}`);
    progress('getting there');
    const canEnter = situation.needs.every((name) => !pair.problems[name]);
    const obstacle = canEnter ? await reasonFor(situation.enter(pair)) : 'Both services must run.';
    for (const check of situation.checks) {
      const weighed = weigh(check);
      if (!weighed) continue;
      progress(weighed.name);
      const { points = 1, name } = weighed;
      const result = await verdictOf(check, pair, obstacle, situation);
      results.push({ section: check.section, situation: situation.name, name, points, ...result });
      if (result.verdict === 'fail' && check.section === 'robustness') await revive(pair);
    }
    progress('putting all back');
    if (canEnter) await reasonFor(situation.leave(pair));
  }
  return results;
}

/** What one probe broke is not the next one's to report. */
async function revive(pair: Pair) {
  await pair.revive('a');
  await pair.revive('b');
}

type Verdict = Omit<Result, 'section' | 'situation' | 'name' | 'points'>;

async function verdictOf(
  check: Check,
  pair: Pair,
  obstacle: string | undefined,
  { name }: Situation,
): Promise<Verdict> {
  const { why, fix, section } = check;
  if (check.isHttp && pair.isGrpc) {
    return { verdict: 'not applicable', because: 'A speaks gRPC', why, fix };
  }
  const missing = check.needs.find((service) => pair.problems[service]);
  const reason = missing ? pair.problems[missing]! : obstacle;
  if (reason && section === 'robustness') return { verdict: 'fail', because: printable(reason, 1000), why, fix };
  if (reason) {
    const sent = missing ? `the start of service ${missing.toUpperCase()}` : 'nothing yet';
    const received = printable(reason, 1000);
    return { verdict: 'fail', sent, received, expected: 'a running service', why, fix: adviceToStart(reason) };
  }
  try {
    await check.run(pair);
    return { verdict: 'pass', why, fix };
  } catch (error) {
    if (error instanceof Unjudged) return { verdict: 'fail', because: error.message, why, fix };
    const isTogether = pair.stack.b.partOf && name !== 'with both up' && check.needs.includes('b');
    if (error instanceof Fault) {
      const { sent, received, expected } = error;
      const advice = isTogether ? TOGETHER : (error.fix ?? fix);
      return { verdict: 'fail', sent, received: printable(received, 1000), expected, why, fix: advice };
    }
    const { message } = error as Error;
    return {
      verdict: 'fail',
      sent: 'what the check needs',
      received: printable(message),
      expected: 'no error',
      why,
      fix,
    };
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

async function reasonFor(step: Promise<void>): Promise<string | undefined> {
  return step.then(
    () => undefined,
    ({ message }: Error) => message,
  );
}

export interface Score {
  passed: number;
  of: number;
}

/** In points. What is not applicable is in neither figure: it is for others to count. */
export function score(results: Result[]): Score {
  // Of points such as 0.1 and 0.2, the sum is 0.3.
  const pointsOf = (some: Result[]) => Math.round(some.reduce((sum, { points }) => sum + points, 0) * 1e6) / 1e6;
  const applicable = results.filter(({ verdict }) => verdict !== 'not applicable');
  return { passed: pointsOf(applicable.filter(({ verdict }) => verdict === 'pass')), of: pointsOf(applicable) };
}
