import { printable } from '../stack/foreign-text.ts';
import type { Check, Situation } from './check.ts';
import { problemOf, type Pair } from './pair.ts';
import type { Entry } from './record.ts';
import { situations } from './situations.ts';

/**
 * Acts on a pair that was started, through all situations or `some`, and keeps in its record what was seen; nothing is judged. It
 * never rejects because of what the services do. Its caller takes the stack down.
 */
export async function examine(
  pair: Pair,
  onProgress: (done: number, of: number, what: string) => void,
  some: Situation[] = situations,
) {
  const of = some.flatMap(({ checks }) => checks).length;
  let done = 0;
  for (const situation of some) {
    const progress = (what: string) => onProgress(done, of, `${situation.name}: ${what}`);
    progress('preparing');
    const canEnter = situation.needs.every((name) => !pair.problems[name]);
    const obstacle = canEnter ? await problemOf(situation.enter(pair)) : 'Both services must run.';
    for (const check of situation.checks) {
      progress(check.name);
      pair.record.entries.push(await actOn(check, pair, situation, obstacle));
      done++;
      // A check must not fail because of what an earlier one broke.
      if (check.act && check.section === 'robustness') {
        await pair.revive('a');
        await pair.revive('b');
      }
    }
    progress('restoring the pair');
    if (canEnter) await problemOf(situation.leave(pair));
  }
  pair.record.isTogether = Boolean(pair.stack.b.partOf);
}

/** Acts for one check if the services that it needs are running, and resolves to what was seen. */
export async function actOn(check: Check, pair: Pair, { name }: Situation, obstacle?: string): Promise<Entry> {
  const entry: Entry = { situation: name, check: check.name, at: Date.now() };
  if (check.isHttp && pair.isGrpc) return entry;
  const missing = check.needs.find((service) => pair.problems[service]);
  const reason = missing ? pair.problems[missing] : obstacle;
  if (reason) return { ...entry, missing, obstacle: printable(reason, 1000) };
  try {
    return { ...entry, seen: await check.act?.(pair) };
  } catch (error) {
    return { ...entry, error: printable((error as Error).message) };
  }
}
