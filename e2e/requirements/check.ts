import type { Pair } from './pair.ts';
import type { Name, Recorded } from './record.ts';

/** One requirement, and what a person is told who does not meet it. */
export interface Check<Seen = any> {
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
  /** The statuses with which B may say that A failed, of a check that is about them. */
  statuses?: number[];
  /** Does what is to be judged and resolves to what was seen, as JSON. Absent where the situation's own record is enough. */
  act?(pair: Pair): Promise<Seen>;
  /**
   * A pure function; `statuses` are the check's, or an instructor's. Returns what is worth to be known though the requirement
   * is met, if anything is. Throws a `Fault`, or an `Unjudged`, when it is not.
   */
  judge(record: Recorded, seen: Seen, statuses: number[]): string | void;
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

export const lab = <Seen>(check: Omit<Check<Seen>, 'section'>): Check => ({ section: 'lab', ...check });
export const robust = <Seen>(check: Omit<Check<Seen>, 'section'>): Check => ({ section: 'robustness', ...check });
