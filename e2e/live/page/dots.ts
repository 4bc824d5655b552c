import { OUTCOME_NAMES } from '../../picture/outcomes.ts';
import type { DrawnCall } from '../../picture/calls-chart.ts';
import { MAX_CALLS, type Dot } from '../protocol.ts';

const LATE_MS = 12_000; // how much later than it began a call may be known, as it is once it has ended

export type Call = DrawnCall & { n: number };

/** The last calls, in the order in which they ended. */
export const calls: Call[] = [];

/** Adds calls to those that are known, or forgets these first; the oldest go once there are too many. */
export function add(dots: Dot[], isAll: boolean) {
  if (isAll) calls.length = 0;
  for (const [n, at, ms, outcome] of dots) calls.push({ n, at, ms, outcome: OUTCOME_NAMES[outcome]! });
  calls.splice(0, calls.length - MAX_CALLS);
}

/** The calls that began in this time, in the order in which they ended. */
export function callsIn(from: number, to: number): Call[] {
  const found: Call[] = [];
  for (let index = calls.length - 1; index >= 0 && calls[index]!.at >= from - LATE_MS; index--) {
    const { at } = calls[index]!;
    if (at >= from && at < to) found.push(calls[index]!);
  }
  return found.reverse();
}

/** The last calls that are known, the newest first. */
export const lastCalls = (most: number): Call[] => calls.slice(-most).reverse();
