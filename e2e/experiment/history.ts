/**
 * What was done to a pair while B was called, and what came of it: a list of events. As JSON Lines (one JSON object a line,
 * UTF-8), the first line is `{"history":1}`, the version of this format; each other line is one `Event`. Events are
 * written when they are known, so a call stands behind what happened while it waited: sort by `at`.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { phaseOf, type Band, type State } from '../picture/states.ts';
import type { Call } from './calls.ts';

export type Name = 'a' | 'b';

/** Times `at` are in milliseconds since 1970, durations `ms` in milliseconds. */
export type Event =
  | ({ event: 'call' } & Call)
  /**
   * What was done, once it has ended: the name of a fault, or a command as it was typed; what it printed, where that is of
   * interest, and why it failed.
   */
  | { event: 'fault'; at: number; ms: number; command: string; output?: string; problem?: string }
  /** The state that a service is in from now on. */
  | { event: 'state'; at: number; service: Name; state: State }
  /** What a service answered for its health, when that is news. */
  | { event: 'health'; at: number; service: Name; health: string }
  | { event: 'log'; at: number; service: Name; line: string };

const FORMAT = 1;
const MAX_FILE_BYTES = 256 * 1024 ** 2;

/** Writes events to a file, each at once: a process that is killed loses none that it has written. */
export class HistoryFile {
  readonly #path: string;
  readonly #file: number;
  #bytes = 0;
  #isFull = false;

  /** Throws when the file exists, or cannot be made. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'wx');
    this.#write({ history: FORMAT });
  }

  /** Writes no more once the file would be longer than 256 MiB, or after an error of the disk, and says so. */
  add(event: Event) {
    this.#write(event);
  }

  #write(value: object) {
    if (this.#isFull) return;
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    if (this.#bytes + line.length > MAX_FILE_BYTES) return this.#end('it has 256 MiB');
    try {
      const written = writeSync(this.#file, line);
      this.#bytes += written;
      if (written < line.length) this.#end('the disk is full');
    } catch (error) {
      this.#end((error as Error).message);
    }
  }

  #end(why: string) {
    this.#isFull = true;
    console.error(`${this.#path} is written no further: ${why}.`);
  }

  close() {
    closeSync(this.#file);
  }
}

/** The events of a file, in the order of their times. A last line that is not whole is left out. Throws when it is no history. */
export function readHistory(path: string): Event[] {
  const [first, ...lines] = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  if (first !== JSON.stringify({ history: FORMAT })) throw new Error(`${path} is no history of version ${FORMAT}.`);
  return lines.map((line): Event => JSON.parse(line)).sort((one, other) => one.at - other.at);
}

export const callsOf = (history: Event[]): Call[] => history.filter((event) => event.event === 'call');

export const commandsOf = (history: Event[]) => history.filter((event) => event.event === 'fault');

/** A stretch of time in which a service was in one state. */
export interface Phase {
  state: State;
  name: string;
  is: string;
  band?: Band;
  from: number;
  to: number;
}

/** The phases of A, which follow each other without gaps; the last one ends with the last event. */
export function phasesOf(history: Event[]): Phase[] {
  const states = history.filter((event) => event.event === 'state' && event.service === 'a') as {
    at: number;
    state: State;
  }[];
  const end = history.reduce((last, event) => Math.max(last, event.at + ('ms' in event ? event.ms : 0)), -Infinity);
  return states.map(({ at, state }, index) => ({ ...phaseOf(state), from: at, to: states[index + 1]?.at ?? end }));
}

/** The calls that began in the phase: at least `after` ms into it and more than `before` ms from its end. */
export function callsIn<C extends { at: number }>({ from, to }: Phase, calls: C[], after = 0, before = 0): C[] {
  return calls.filter(({ at }) => at >= from + after && at < to - before);
}

/** The outcomes of at least a tenth of the calls, the most frequent first. */
export function outcomesOf(calls: Pick<Call, 'outcome'>[]): string[] {
  const groups = Object.entries(Object.groupBy(calls, ({ outcome }) => outcome));
  const counts = groups.map(([outcome, own]) => ({ outcome, count: own!.length }));
  const frequent = counts.filter(({ count }) => count >= calls.length / 10);
  return frequent.sort((a, b) => b.count - a.count).map(({ outcome }) => outcome);
}
