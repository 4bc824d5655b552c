import type { Name, Pair } from './pair.ts';

/** One requirement, and what a person is told who does not meet it. */
export interface Check {
  name: string;
  section: 'lab' | 'robustness';
  /** Which services must run for it to say anything. */
  needs: Name[];
  /** What it is worth; 1 where nothing is said. */
  points?: number;
  /** Whether it asks A, or stands in for it, over HTTP: what speaks gRPC instead cannot be judged by it. */
  isHttp?: boolean;
  /** One sentence each: why it matters, and how such a thing is usually fixed. */
  why: string;
  fix: string;
  /** Rejects with a `Fault` or `Unjudged`; with anything else, that too is a fault. */
  run(pair: Pair): Promise<void>;
}

/** A state of the world, and what must hold in it. */
export interface Situation {
  name: string;
  /** Which services must run for it to be entered. */
  needs: Name[];
  enter(pair: Pair): Promise<void>;
  checks: Check[];
  leave(pair: Pair): Promise<void>;
}

export const lab = (check: Omit<Check, 'section'>): Check => ({ section: 'lab', ...check });
export const robust = (check: Omit<Check, 'section'>): Check => ({ section: 'robustness', ...check });
