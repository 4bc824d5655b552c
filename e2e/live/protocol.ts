/** What the server and the page say to each other: the types, and the few numbers that both need. */

import type { Seen } from '../experiment/faults.ts';
import type { Name } from '../experiment/history.ts';
import type { Band as BandColour } from '../picture/states.ts';

/** One service as the page shows it. */
export interface ServiceView {
  state: Seen['state'];
  /** What else is to be said of it, such as its exit code; often empty. */
  note: string;
  port: string;
  /** Its own answer to `/health` a moment ago. */
  health: string;
}

/** Something that a button does. */
export interface ActionView {
  id: string;
  label: string;
  target: Name;
  /** What it runs at present, fit to be typed. */
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

/** A command that was run, by whichever page. */
export interface Entry {
  at: number;
  command: string;
  /** Undefined while it runs. */
  ms?: number;
  /** What went wrong, in one line. */
  problem?: string;
}

/** Something to predict: one call, or the calls that are made while a command runs. */
export interface Question {
  act: string;
  /** The commands that are run before the call. */
  commands: string[];
  /** What A does, as the end of a sentence that begins with "A". */
  what: string;
}

export interface Prediction {
  outcome: string;
  wait: string;
}

export interface Verdict extends Prediction {
  act: string;
  what: string;
  predicted: Prediction;
  isRight: boolean;
  /** What B answered, in a sentence, and why; the latter is empty for a pair that the gallery is not about. */
  sentence: string;
  why: string;
  /** The call to follow. */
  n?: number;
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
  /** The higher, the newer. */
  version: number;
  /** Which pair it is, in a few words. */
  pair: string;
  /** What this kind of pair cannot do, in a sentence; often empty. */
  lacks: string;
  isOwn: boolean;
  deadlineMs: number;
  services: Record<Name, ServiceView>;
  actions: ActionView[];
  /** The stand-in's behaviours, by their names. */
  behaviours: Record<string, string>;
  behaviour: string;
  /** The command that runs now, or empty. */
  busy: string;
  callsPerSecond: number;
  /** Automatic calls pause during a question of the tour. */
  isResting: boolean;
  bands: Band[];
  history: Entry[];
  tour: TourView;
}

/** A call as the chart needs it: its number, when it began, how long it took, and the place of its outcome in `OUTCOME_NAMES`. */
export type Dot = [n: number, at: number, ms: number, outcome: number];

/** One call with all that is known of it. */
export interface CallView {
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
  explanation: string;
  logs: Record<Name, { lines: string[]; remark: string }>;
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
