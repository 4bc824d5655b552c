import type { Pair } from './pair.ts';

/** One requirement, and what a person is told who does not meet it. */
export interface Check {
  name: string;
  section: 'lab' | 'robustness';
  /** Which services must run for it to say anything. */
  needs: ('a' | 'b')[];
  /** One sentence each: why it matters, and how such a thing is usually mended. */
  why: string;
  mend: string;
  /** Rejects with a `Fault` or `NotApplicable`; with anything else, that too is a fault. */
  run(pair: Pair): Promise<void>;
}

/** A state of the world, and what must hold in it. */
export interface Situation {
  name: string;
  enter(pair: Pair): Promise<void>;
  checks: Check[];
  leave(pair: Pair): Promise<void>;
}
