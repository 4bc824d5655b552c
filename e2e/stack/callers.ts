import { setTimeout as sleep } from 'node:timers/promises';

/** The result of one call of a steady stream. */
export interface Outcome {
  /** When it was due, in milliseconds since the first. */
  at: number;
  /** From when it was due to the end of its answer, or to the error, in milliseconds. */
  ms: number;
  /** Undefined when there was no whole answer; `error` then says why. */
  status?: number;
  /** The `reason` in the answer's JSON body, if there is one. */
  reason?: string;
  error?: string;
}

/** `using` stops them at the end of a block, however that ends. */
export interface SteadyCalls extends Disposable {
  /** What has ended so far, in the order in which it ended. */
  outcomes: readonly Outcome[];
  /** Begins no further call, and resolves to all outcomes, in the order in which they were due. */
  stop(): Promise<Outcome[]>;
  /** The same, once `most` calls have been made. */
  done: Promise<Outcome[]>;
}

/**
 * Calls `perSecond` times a second, whether or not earlier calls have been answered, until it is stopped or has made
 * `most` calls. Each is timed from when it was due, so that a stall is seen by every call that it delays.
 */
export function callSteadily(
  perSecond: number,
  call: () => Promise<{ status: number; json?: any }>,
  most = Infinity,
): SteadyCalls {
  const outcomes: Outcome[] = [];
  const calls: Promise<Outcome>[] = [];
  const start = performance.now();
  let isStopped = false;

  async function outcomeOf(due: number): Promise<Outcome> {
    const result = await call().then(
      ({ status, json }) => ({ status, ...(json?.reason && { reason: String(json.reason) }) }),
      (error) => ({ error: String(error) }),
    );
    const outcome = { at: due - start, ms: performance.now() - due, ...result };
    outcomes.push(outcome);
    return outcome;
  }

  async function run() {
    while (!isStopped && calls.length < most) {
      const due = start + (calls.length * 1000) / perSecond;
      const early = due - performance.now();
      if (early > 0) await sleep(early);
      else calls.push(outcomeOf(due));
    }
    return Promise.all(calls);
  }

  const done = run();
  const stop = () => {
    isStopped = true;
    return done;
  };
  return { outcomes, stop, done, [Symbol.dispose]: stop };
}
