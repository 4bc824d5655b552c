import { Agent, request, type IncomingMessage } from 'node:http';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { outcomeOf } from '../picture/outcomes.ts';
import { copy } from './log-lines.ts';

const PATIENCE_MS = 10_000;
const MAX_IN_FLIGHT = 2048;
const MAX_BODY_BYTES = 64 * 1024;
const MAX_KEPT_CHARS = 2000; // of a body
const IDLE_MS = 1000; // a connection that is idle for longer may be one that B is closing

/** One call on B that has ended. */
export interface Call {
  n: number;
  id: string;
  msg: string;
  /** When it began, in milliseconds since 1970. */
  at: number;
  ms: number;
  /** One of those that have a mark in the picture: `200`, a reason, `503` without one, `none`, `other`. */
  outcome: string;
  status?: number;
  body: string;
  /** Why there was no whole answer. */
  error?: string;
}

type Answer = { status?: number; reason?: string; body?: string; error?: string };

/** Calls B steadily, on kept connections, whether or not it has answered before; and once on request. */
export class Caller {
  /** What the ids of all its requests begin with. */
  readonly prefix = `live-${randomBytes(2).toString('hex')}-`;
  /** Calls a second; 0 for none. */
  rate: number;
  isResting = false;
  readonly #urlOfB: () => string;
  readonly #ended: (call: Call) => void;
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  #count = 0;
  #inFlight = 0;
  #isClosed = false;

  constructor(rate: number, urlOfB: () => string, ended: (call: Call) => void) {
    this.rate = rate;
    this.#urlOfB = urlOfB;
    this.#ended = ended;
    void this.#run();
  }

  async #run() {
    let due = performance.now();
    while (!this.#isClosed) {
      const now = performance.now();
      if (this.isResting || this.rate === 0) due = now;
      else if (due <= now) {
        due = Math.max(due, now - 1000) + 1000 / this.rate;
        if (this.#inFlight < MAX_IN_FLIGHT) void this.send('hello');
        continue;
      }
      await sleep(Math.min(due - now, 50) || 50); // a new rate is seen soon
    }
  }

  async send(msg: string): Promise<Call> {
    const n = ++this.#count;
    const id = `${this.prefix}${n}`;
    const at = Date.now();
    const start = performance.now();
    this.#inFlight++;
    const answer: Answer = await this.#ask(msg, id).catch((error) => ({ error: inWords(error) }));
    this.#inFlight--;
    const ms = Math.round((performance.now() - start) * 100) / 100;
    const call = { n, id, msg, at, ms, body: '', ...answer, outcome: outcomeOf(answer) };
    call.body = copy(call.body, MAX_KEPT_CHARS);
    this.#ended(call);
    return call;
  }

  async #ask(msg: string, id: string): Promise<Answer> {
    const call = request(`${this.#urlOfB()}/call-echo?msg=${encodeURIComponent(msg)}`, {
      agent: this.#agent,
      headers: { 'x-request-id': id },
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).end();
    const [response]: IncomingMessage[] = await once(call, 'response');
    let body = '';
    for await (const chunk of response!.setEncoding('utf8')) {
      body += chunk;
      if (body.length > MAX_BODY_BYTES) throw new Error('The answer is longer than 64 KiB.');
    }
    return { status: response!.statusCode!, reason: /"reason"\s*:\s*"(\w+)"/.exec(body)?.[1], body };
  }

  close() {
    this.#isClosed = true;
    this.#agent.destroy();
  }
}

function inWords({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'AbortError' || name === 'TimeoutError') return `no answer within ${PATIENCE_MS / 1000} s`;
  return code === 'ECONNREFUSED' ? 'B refused the connection' : message;
}
