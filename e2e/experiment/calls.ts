/** Makes calls at a fixed rate, whether or not earlier ones have been answered, and single calls. */
import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { outcomeOf } from '../picture/outcomes.ts';
import { truncate } from '../stack/foreign-text.ts';
import { get } from '../stack/http.ts';

const PATIENCE_MS = 10_000;
const MAX_BODY_CHARS = 2000;
const MAX_REASON_CHARS = 100;
const POLL_MS = 50; // how soon a new rate takes effect

/** What a steady call sends. */
export const STEADY = 'hello';

interface Answer {
  status?: number;
  body?: string;
  /** The parsed body, if it is JSON. */
  json?: any;
}

/** One call that has ended. */
export interface Call {
  /** Its number, from 1. */
  n: number;
  /** Its request id. */
  id: string;
  msg: string;
  /** When it was due, in milliseconds since 1970. */
  at: number;
  /** Milliseconds from when the call was due until its answer or its error: a stall shows in every call that it delays. */
  ms: number;
  /** One of `OUTCOMES`. */
  outcome: string;
  /** Undefined when no whole answer arrived; `error` then says why. */
  status?: number;
  /** The `reason` in the answer, if there is one. It may be any text, cut after 100 characters. */
  reason?: string;
  /** The answer, cut after 2,000 characters. */
  body?: string;
  error?: string;
}

/** Makes one call. */
export type Ask = (id: string, msg: string) => Promise<Answer>;

interface CallerOptions {
  /** How many calls are due in a second; 0 for none. */
  perSecond: number;
  ask: Ask;
  /** Called with each call that has ended. */
  ended: (call: Call) => void;
  /** What the request ids begin with; the call's number follows. */
  prefix?: string;
  /** The largest number of calls that are made. */
  most?: number;
  /** The largest number of calls that may wait at once; the caller skips calls that are due while it is reached. */
  maxWaiting?: number;
  /** After a stall of its own, the caller makes the calls that were due in the last `maxBehindMs` and skips older ones. */
  maxBehindMs?: number;
}

export class Caller {
  perSecond: number;
  isResting = false;
  readonly prefix: string;
  /** Resolves when the caller was stopped or has made `most` calls, and all of its steady calls have ended. */
  readonly done: Promise<void>;
  readonly #options: CallerOptions;
  #count = 0;
  #waiting = 0;
  #isStopped = false;

  /** Throws when the rate is no finite number of at least 0. */
  constructor(options: CallerOptions) {
    if (!(options.perSecond >= 0 && options.perSecond < Infinity))
      throw new Error(`No one can make ${options.perSecond} calls a second.`);
    this.#options = options;
    this.perSecond = options.perSecond;
    this.prefix = options.prefix ?? 'call-';
    this.done = this.#run();
  }

  async #run() {
    const { most = Infinity, maxWaiting = Infinity, maxBehindMs = Infinity } = this.#options;
    const waiting = new Set<Promise<Call>>();
    let due = performance.now();
    while (!this.#isStopped && this.#count < most) {
      const now = performance.now();
      if (this.isResting || this.perSecond === 0) due = now + POLL_MS;
      if (due > now) {
        await sleep(Math.min(due - now, POLL_MS));
        continue;
      }
      due = Math.max(due, now - maxBehindMs);
      if (this.#waiting < maxWaiting) {
        const call = this.#call(STEADY, due);
        waiting.add(call);
        void call.finally(() => waiting.delete(call));
      }
      due += 1000 / this.perSecond;
    }
    await Promise.all(waiting);
  }

  /** Makes one more call, now. Never rejects. */
  send(msg: string): Promise<Call> {
    return this.#call(msg, performance.now());
  }

  async #call(msg: string, due: number): Promise<Call> {
    const n = ++this.#count;
    const id = `${this.prefix}${n}`;
    const at = Date.now() - (performance.now() - due);
    this.#waiting++;
    const result: Pick<Call, 'status' | 'reason' | 'body' | 'error'> = await this.#options.ask(id, msg).then(
      ({ status, body = '', json }) => {
        const given: unknown = json?.reason ?? /"reason"\s*:\s*"(\w+)"/.exec(body)?.[1]; // finds it in a body that is not quite JSON, too
        const reason = typeof given === 'string' ? truncate(given, MAX_REASON_CHARS) : '';
        return { status, body: truncate(body, MAX_BODY_CHARS), ...(reason && { reason }) };
      },
      (error) => ({ error: inWords(error) }),
    );
    this.#waiting--;
    const ms = Math.round((performance.now() - due) * 100) / 100;
    const call = { n, id, msg, at, ms, outcome: outcomeOf(result), ...result };
    this.#options.ended(call);
    return call;
  }

  /** Starts no further steady call. */
  stop() {
    this.#isStopped = true;
  }
}

/** Calls B once for an echo. Rejects when no whole answer comes within 10 s. */
export function askB(urlOfB: string, id: string, msg: string, agent?: Agent): Promise<Answer> {
  const url = `${urlOfB}/call-echo?msg=${encodeURIComponent(msg)}`;
  return get(url, { 'x-request-id': id }, { timeoutMs: PATIENCE_MS, agent });
}

function inWords({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'AbortError' || name === 'TimeoutError') return 'no answer in time';
  return code === 'ECONNREFUSED' ? 'the connection was refused' : message;
}

/** Keeps all of its steady calls. `using` stops them at the end of a block. */
interface SteadyCalls extends Disposable {
  /** The calls that have ended so far, in the order of their ends. */
  calls: readonly Call[];
  /** Starts no further call, and resolves to all calls, in the order in which they were due. */
  stop(): Promise<Call[]>;
  /** Resolves to the same once `most` calls have ended. */
  done: Promise<Call[]>;
}

/** Calls `perSecond` times a second until it is stopped or has made `most` calls. */
export function callSteadily(perSecond: number, ask: Ask, most?: number): SteadyCalls {
  const calls: Call[] = [];
  const caller = new Caller({ perSecond, ask, ended: (call) => calls.push(call), most });
  const done = caller.done.then(() => calls.toSorted((one, other) => one.n - other.n));
  const stop = () => {
    caller.stop();
    return done;
  };
  return { calls, stop, done, [Symbol.dispose]: stop };
}

/** Finds the longest time of the calls; it is -Infinity if there are none. */
export const slowest = (calls: { ms: number }[]) => calls.reduce((most, { ms }) => Math.max(most, ms), -Infinity);
