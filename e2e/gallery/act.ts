import type { FaultName } from '../experiment/faults.ts';

/** One call during an act, and what B may answer. */
export interface Expectation {
  /** Commands that make A fail this call, if the act's own commands do not. */
  breaks?: string[];
  msg: string;
  /** What A does: the words that follow "A" in a sentence. */
  what: string;
  /** What B may answer: `200`, or the reasons of its 503. */
  outcomes: string[];
  /** The longest that B's answer may take, in milliseconds. */
  atMostMs: number;
  /** Why B gives this answer after this time: one plain sentence. */
  why: string;
}

/** One way in which A fails: how to cause it, what B answers, and how to fix it. */
export interface Act {
  title: string;
  story: string;
  /** The fault that does the same on any kind of pair; without one, only this repository's pair can play the act. */
  fault?: FaultName;
  /** Commands that come first, from the state that the act before left. */
  prepares?: string[];
  breaks: string[];
  calls: Expectation[];
  fixes: string[];
  /** The reasons that B may give to calls made while the commands that break A still run; without it, no calls are made. */
  reasonsDuringBreak?: string[];
  /** Why B gives these reasons, in one plain sentence. */
  why?: string;
  /** Whether the A that fixes it has no port on this host. */
  hasNoPort?: boolean;
}
