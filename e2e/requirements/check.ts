import type { Pair } from './pair.ts';
import type { Name, Recorded } from './record.ts';

/** One requirement, and the advice for a person who does not meet it. */
export interface Check<Seen = any> {
  name: string;
  section: 'lab' | 'robustness';
  /** The services that must run for this check. */
  needs: Name[];
  /** Its points; 1 if it has none here. */
  points?: number;
  /** Whether it asks A, or replaces A, over HTTP: it cannot judge an A that speaks gRPC. */
  isHttp?: boolean;
  /** Why it matters, and how such a fault is usually fixed: one sentence each. */
  why: string;
  fix: string;
  /** The statuses with which B may say that A failed, if the check is about statuses. */
  statuses?: number[];
  /** Acts on the pair, and resolves to what it saw, as JSON. It is absent where the situation's own record is enough. */
  act?(pair: Pair): Promise<Seen>;
  /**
   * Judges the record; a pure function. `statuses` are the check's, or an instructor's. Returns a note if there is something
   * to say although the requirement is met. Throws a `Fault` if it is not met, and an `Unjudged` if that cannot be told.
   */
  judge(record: Recorded, seen: Seen, statuses: number[]): string | void;
}

/** A state of the world, and what must hold in it. */
export interface Situation {
  name: string;
  /** The services that must run before it can be entered. */
  needs: Name[];
  enter(pair: Pair): Promise<void>;
  checks: Check[];
  leave(pair: Pair): Promise<void>;
}

export const lab = <Seen>(check: Omit<Check<Seen>, 'section'>): Check => ({ section: 'lab', ...check });
export const robust = <Seen>(check: Omit<Check<Seen>, 'section'>): Check => ({ section: 'robustness', ...check });
