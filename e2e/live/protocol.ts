/** The messages between the server and the page, and the few numbers and functions that both need. */

import type { Explained } from '../experiment/explain.ts';
import type { Seen } from '../experiment/faults.ts';
import { phasesOf, type Command, type Event, type Name, type StateEvent } from '../experiment/history.ts';
import { OUTCOME_NAMES } from '../picture/outcomes.ts';
import type { Band as BandColour } from '../picture/states.ts';

/** Thrown when another command is running on the pair, or this one is not possible now. */
export class Refused extends Error {}

/** One service as the page shows it. */
export interface ServiceView {
  state: Seen['state'];
  /** A remark, such as its exit code; often empty. */
  note: string;
  port: string;
  /** Its last answer to `/health`. */
  health: string;
}

/** A fault that a button causes or undoes. */
export interface FaultView {
  id: string;
  label: string;
  target: Name;
  /** Its present command, ready to paste. */
  command: string;
  isPossible: boolean;
  isStart: boolean;
}

/** A stretch of time in which A did not simply run. Without `to`, it has not ended. Times are milliseconds since 1970. */
export interface Band {
  name: string;
  colour: BandColour;
  from: number;
  to?: number;
}

/** Makes the bands from A's states, which are in the order of their times. */
export const bandsOf = (states: StateEvent[]): Band[] =>
  phasesOf(states, Infinity).flatMap(({ name, band, from, to }) =>
    band ? [{ name, colour: band, from, ...(to < Infinity && { to }) }] : [],
  );

/** One question of the tour: about one call, or about the calls that are made while a command runs. */
export interface Question {
  act: string;
  /** The commands that are run before the call. */
  commands: string[];
  /** What A does: the words that follow "A" in a sentence. */
  what: string;
  /** Why B answers with one of `outcomes`, in a sentence; empty for another pair than the gallery's. */
  why: string;
  outcomes: string[];
  /** Whether the question is about one call, and not about the calls that are made while A restarts. */
  isOne: boolean;
}

export interface Prediction {
  outcome: string;
  wait: string;
}

export interface Verdict {
  what: string;
  predicted: Prediction;
  isRight: boolean;
  /** What B answered, and why, in a sentence each. */
  sentence: string;
  why: string;
  /** The call to follow. */
  n: number;
}

export interface TourView {
  /** How many acts this pair can play, and how many there are. */
  acts: number;
  allActs: number;
  /** How many questions there are, and the index of the present one: -1 before the start, `questions` after the last. */
  questions: number;
  at: number;
  isRunning: boolean;
  question?: Question;
  verdicts: Verdict[];
}

/** Everything that a page shows except the calls. */
export interface View {
  /** The pair in a few words. */
  pair: string;
  /** What this kind of pair cannot do, in a sentence; often empty. */
  lacks: string;
  isOwn: boolean;
  /** B's deadline; 0 if it is not known. */
  deadlineMs: number;
  services: Record<Name, ServiceView>;
  faults: FaultView[];
  /** The stand-in's behaviours, by their names. */
  behaviours: Record<string, string>;
  behaviour: string;
  /** The command that runs now, or empty. */
  busy: string;
  callsPerSecond: number;
  /** The automatic calls pause during a question. */
  isResting: boolean;
  bands: Band[];
  commands: Command[];
  tour: TourView;
}

/** Everything that has changed since a page asked last. */
export interface News {
  /** The page sends these when it asks again: the version of the view, and how many calls have ended. */
  version: number;
  ended: number;
  /** Absent when the page has it already. */
  view?: View;
  calls: Dot[];
  /** Whether these are all kept calls and not only the new ones. */
  isAll: boolean;
  /** The server's clock, in milliseconds since 1970. */
  now: number;
}

/** A call as the chart needs it: its number, when it began, how long it took, and the place of its outcome in `OUTCOME_NAMES`. */
export type Dot = [n: number, at: number, ms: number, outcome: number];

export const dotOf = ({ n, at, ms, outcome }: Pick<CallView, 'n' | 'at' | 'ms' | 'outcome'>): Dot => {
  return [n, at, ms, OUTCOME_NAMES.indexOf(outcome)];
};

/** One call and everything that is known about it. */
export interface CallView extends Explained {
  n: number;
  id: string;
  at: number;
  ms: number;
  outcome: string;
  /** The request as a command. */
  command: string;
  /** The answer in one line, and its body. */
  answer: string;
  body: string;
}

/** The content of the recorded page: one tour of a pair. */
export interface Recording {
  pair: string;
  deadlineMs: number;
  ports: Record<Name, string>;
  events: (Event & { event: 'state' | 'health' | 'fault' })[];
  calls: CallView[];
  acts: number;
  questions: Question[];
  /** The time at which each question was played, in milliseconds since 1970, and its result. */
  plays: (Played & { from: number; to: number })[];
}

/** The result of a question: its calls, and the delay that a busy machine added to each, in ms. */
export interface Played {
  calls: { n: number; ms: number; outcome: string }[];
  delayMs: number;
}

/** How many calls the server and the page keep: three minutes at the highest rate. The oldest are dropped first. */
export const MAX_RATE = 200;
export const MAX_CALLS = 3 * 60 * MAX_RATE;

/** Names the time of an answer in the words of a prediction. */
export const WAITS: Record<string, string> = {
  'at once': 'at once: in less than half a second',
  'after a wait': 'after a wait: half a second to 1.5 s',
  longer: 'after more than 1.5 s',
};

export function waitOf(ms: number): string {
  if (ms < 500) return 'at once';
  return ms <= 1500 ? 'after a wait' : 'longer';
}
