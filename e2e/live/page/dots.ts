import { OUTCOME_NAMES } from '../../picture/outcomes.ts';
import type { DrawnCall } from '../../picture/calls-chart.ts';
import { MAX_CALLS, type Dot } from '../protocol.ts';

const LATE_MS = 12_000; // a call is known only when it has ended, at most this long after it began

export type Call = DrawnCall & { n: number };

/** The last calls, in the order of their ends. */
export const calls: Call[] = [];

/** Adds calls to the known ones, or replaces these; if there are too many, the oldest are dropped. */
export function add(dots: Dot[], isAll: boolean) {
  if (isAll) calls.length = 0;
  for (const [n, at, ms, outcome] of dots) calls.push({ n, at, ms, outcome: OUTCOME_NAMES[outcome]! });
  calls.splice(0, calls.length - MAX_CALLS);
}

/** Finds the calls that began in this time, in the order of their ends. */
export function callsIn(from: number, to: number): Call[] {
  const found: Call[] = [];
  for (let index = calls.length - 1; index >= 0 && calls[index]!.at >= from - LATE_MS; index--) {
    const { at } = calls[index]!;
    if (at >= from && at < to) found.push(calls[index]!);
  }
  return found.reverse();
}

/** Returns the last known calls, the newest first. */
export const lastCalls = (most: number): Call[] => calls.slice(-most).reverse();
