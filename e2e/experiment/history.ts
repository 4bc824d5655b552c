/**
 * A history is a list of events: what was done to a pair while B was called, and what happened. As JSON Lines (UTF-8, one
 * JSON object on each line), its first line is `{"history":1}`, the version of this format; each other line is one `Event`.
 * An event is written when it ends, so a call follows what happened while it waited: sort by `at`.
 */
import { phaseOf, type Band, type State } from '../picture/states.ts';
import type { Call } from './calls.ts';

export type Name = 'a' | 'b';

/** Times `at` are in milliseconds since 1970, durations `ms` in milliseconds. */
export type Event =
  | ({ event: 'call' } & Call)
  /**
   * Something that was done and has ended: the name of a fault, or a command as it was typed; what it printed, if someone
   * needs that, and why it failed.
   */
  | { event: 'fault'; at: number; ms: number; command: string; output?: string; problem?: string }
  /**
   * The state that a service is in from now on. With a fake in A's place, `fake` is one of the stand-in's behaviours; if it
   * is empty, each message says what the fake does.
   */
  | { event: 'state'; at: number; service: Name; state: State; fake?: string | undefined }
  /** What a service answered when asked for its health, if that has changed. */
  | { event: 'health'; at: number; service: Name; health: string }
  | { event: 'log'; at: number; service: Name; line: string };

export type StateEvent = Event & { event: 'state' };

/** A command that runs or has ended. */
export interface Command {
  at: number;
  command: string;
  /** Undefined while it runs. */
  ms?: number;
  /** What went wrong, in one line. */
  problem?: string;
}

export const callsOf = (history: Event[]): Call[] => history.filter((event) => event.event === 'call');

export const commandsOf = (history: Event[]) => history.filter((event) => event.event === 'fault');

/** A stretch of time in which a service was in one state. */
export interface Phase {
  state: State;
  name: string;
  is: string;
  band?: Band;
  fake?: string | undefined;
  from: number;
  to: number;
}

/** Lists the phases of A, without gaps; the last one ends at `end`, or with the last event. */
export function phasesOf(history: Event[], end = endOf(history)): Phase[] {
  const states = history.filter((event): event is StateEvent => event.event === 'state' && event.service === 'a');
  return states.map(({ at, state, fake }, index) => {
    return { ...phaseOf(state), ...(fake !== undefined && { fake }), from: at, to: states[index + 1]?.at ?? end };
  });
}

const endOf = (history: Event[]) =>
  history.reduce((last, event) => Math.max(last, event.at + ('ms' in event ? event.ms : 0)), -Infinity);

/** Finds the calls that began in the phase, at least `after` ms after its start and more than `before` ms before its end. */
export function callsIn<C extends { at: number }>({ from, to }: Phase, calls: C[], after = 0, before = 0): C[] {
  return calls.filter(({ at }) => at >= from + after && at < to - before);
}

/** Lists the outcomes that at least a tenth of the calls had, the most frequent first. */
export function outcomesOf(calls: Pick<Call, 'outcome'>[]): string[] {
  const groups = Object.entries(Object.groupBy(calls, ({ outcome }) => outcome));
  const counts = groups.map(([outcome, own]) => ({ outcome, count: own!.length }));
  const frequent = counts.filter(({ count }) => count >= calls.length / 10);
  return frequent.sort((a, b) => b.count - a.count).map(({ outcome }) => outcome);
}
