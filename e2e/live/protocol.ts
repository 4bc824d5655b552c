/** What the server and the page tell each other: the types, and the few numbers and functions that both need. */

import type { Explained } from '../experiment/explain.ts';
import type { Seen } from '../experiment/faults.ts';
import { phasesOf, type Command, type Event, type Name, type StateEvent } from '../experiment/history.ts';
import { OUTCOME_NAMES } from '../picture/outcomes.ts';
import type { Band as BandColour } from '../picture/states.ts';

/** Something else is being done to the pair, or this cannot be done now. */
export class Refused extends Error {}

/** One service as the page shows it. */
export interface ServiceView {
  state: Seen['state'];
  /** Something more about it, such as its exit code; often empty. */
  note: string;
  port: string;
  /** Its own answer to `/health` a moment ago. */
  health: string;
}

/** A fault that a button causes, or what undoes one. */
export interface FaultView {
  id: string;
  label: string;
  target: Name;
  /** What it runs now, ready to be pasted. */
  command: string;
  isPossible: boolean;
  isStart: boolean;
}

/** A stretch of time in which A did not simply run; still going on when `to` is absent. Times in milliseconds since 1970. */
export interface Band {
  name: string;
  colour: BandColour;
  from: number;
  to?: number;
}

/** The bands of A's states, which come in the order of their times. */
export const bandsOf = (states: StateEvent[]): Band[] =>
  phasesOf(states, Infinity).flatMap(({ name, band, from, to }) =>
    band ? [{ name, colour: band, from, ...(to < Infinity && { to }) }] : [],
  );

/** Something to predict: one call, or the calls that are made while a command runs. */
export interface Question {
  act: string;
  /** The commands that are run before the call. */
  commands: string[];
  /** What A does, as the end of a sentence that begins with "A". */
  what: string;
  /** Why B answers with one of `outcomes`, in a sentence; empty for a pair that the gallery is not about. */
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
  /** How many acts this pair can play, and of how many in all. */
  acts: number;
  allActs: number;
  /** How many questions there are in all, and which one it is: from 0, as many as there are at the end; -1 before the start. */
  questions: number;
  at: number;
  isRunning: boolean;
  question?: Question;
  verdicts: Verdict[];
}

/** All that a page shows, but for the calls. */
export interface View {
  /** Which pair it is, in a few words. */
  pair: string;
  /** What this kind of pair cannot do, in a sentence; often empty. */
  lacks: string;
  isOwn: boolean;
  /** B's; 0 where it is not known. */
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

/** What has changed since a page asked last. */
export interface News {
  /** What to say when asking again: the version of the view and how many calls have ended. */
  version: number;
  ended: number;
  /** Absent when the page has it already. */
  view?: View;
  calls: Dot[];
  /** These are all calls that are kept, not only the new ones. */
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
  /** What was sent, as it could be typed. */
  command: string;
  /** What was received, in one line, and the body. */
  answer: string;
  body: string;
}

/** What the recorded page holds: the tour of a pair, as it went. */
export interface Recording {
  pair: string;
  deadlineMs: number;
  ports: Record<Name, string>;
  events: (Event & { event: 'state' | 'health' | 'fault' })[];
  calls: CallView[];
  acts: number;
  questions: Question[];
  /** For each question, when it was played, in milliseconds since 1970, and what came of it. */
  plays: (Played & { from: number; to: number })[];
}

/** What came of a question: the calls, and what a busy machine added to each, in ms. */
export interface Played {
  calls: { n: number; ms: number; outcome: string }[];
  delayMs: number;
}

/** Calls are kept, here and on the page, for three minutes at the highest rate; the oldest go first. */
export const MAX_RATE = 200;
export const MAX_CALLS = 3 * 60 * MAX_RATE;

/** How long an answer takes, in the words of a prediction. */
export const WAITS: Record<string, string> = {
  'at once': 'at once: in less than half a second',
  'after a wait': 'after a wait: half a second to 1.5 s',
  longer: 'after more than 1.5 s',
};

export function waitOf(ms: number): string {
  if (ms < 500) return 'at once';
  return ms <= 1500 ? 'after a wait' : 'longer';
}
