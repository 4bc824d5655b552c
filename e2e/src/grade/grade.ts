import type { Check } from './check.ts';
import { Fault, NotApplicable, printable, type Pair } from './pair.ts';
import { situations } from './situations.ts';

/** How a check came out. `sent`, `came` and `expected` belong to a failure, `because` to what is not applicable. */
export interface Result {
  section: Check['section'];
  situation: string;
  name: string;
  verdict: 'pass' | 'fail' | 'not applicable';
  sent?: string;
  came?: string;
  expected?: string;
  because?: string;
  why: string;
  mend: string;
}

/** Starts both services and runs every check. Never rejects over what the services do; leaves the stack to be taken down. */
export async function grade(
  pair: Pair,
  onProgress: (done: number, of: number, what: string) => void,
): Promise<Result[]> {
  const of = situations.flatMap(({ checks }) => checks).length;
  const results: Result[] = [];
  onProgress(0, of, 'starting A and B');
  await pair.start('a');
  await pair.start('b');
  for (const situation of situations) {
    const progress = (what: string) => onProgress(results.length, of, `${situation.name}: ${what}`);
    progress('getting there');
    const isRunning = !pair.problems.a && !pair.problems.b;
    const obstacle =
      situation === situations[0] || isRunning ? await reasonFor(situation.enter(pair)) : 'Both services must run.';
    for (const check of situation.checks) {
      progress(check.name);
      results.push({ ...(await verdictOf(check, pair, obstacle)), situation: situation.name });
    }
    progress('putting all back');
    if (isRunning) await reasonFor(situation.leave(pair));
  }
  return results;
}

async function verdictOf(check: Check, pair: Pair, obstacle: string | undefined) {
  const { name, section, why, mend } = check;
  const about = { name, section, why, mend };
  const failed = (sent: string, came: string, expected: string) =>
    ({ ...about, verdict: 'fail', sent, came: printable(came), expected }) as const;

  const missing = check.needs.find((service) => pair.problems[service]);
  const came = missing ? pair.problems[missing]! : obstacle;
  if (came && section === 'robustness')
    return { ...about, verdict: 'not applicable', because: printable(came) } as const;
  if (came)
    return failed(missing ? `the start of service ${missing.toUpperCase()}` : 'nothing yet', came, 'a running service');

  try {
    await check.run(pair);
    return { ...about, verdict: 'pass' } as const;
  } catch (error) {
    if (error instanceof NotApplicable) return { ...about, verdict: 'not applicable', because: error.message } as const;
    if (error instanceof Fault) return failed(error.sent, error.came, error.expected);
    return failed('what the check needs', (error as Error).message, 'no error');
  }
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

/** Of what is applicable. */
export function score(results: Result[]): Score {
  const passed = results.filter(({ verdict }) => verdict === 'pass').length;
  return { passed, of: passed + results.filter(({ verdict }) => verdict === 'fail').length };
}
