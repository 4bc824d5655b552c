import { randomInt } from 'node:crypto';
import { connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { printable } from '../stack/foreign-text.ts';
import { get, type Answer } from '../stack/http.ts';
import type { StandIn, Stack } from '../stack/service.ts';
import { tryFor } from '../stack/until.ts';
import { shape, tellsOfFailure } from './log-line.ts';

/** How long what may take, in milliseconds. */
interface Limits {
  /** Until B has answered a call while A hangs. */
  answerMs: number;
  /** Until B has answered a call while A is gone: a name that no longer resolves can take a resolver long. */
  goneMs: number;
  /** Until B answers for its health while calls wait. */
  healthMs: number;
  /** Until B answers 200 again once A is back. */
  recoveryMs: number;
}

/** What was asked, and what was received: an answer, or the reason why there was none. */
export interface Exchange {
  sent: string;
  answer?: Answer;
  received: string;
  /** There was no answer within the time that it had. */
  isLate?: boolean;
}

/** A requirement that is not met. `fix` is advice that fits better than the check's own. */
export class Fault extends Error {
  readonly sent: string;
  readonly received: string;
  readonly expected: string;
  readonly fix: string | undefined;

  constructor(sent: string, received: string, expected: string, fix?: string) {
    super(`Sent: ${sent}. Received: ${received}. Expected: ${expected}.`);
    this.sent = sent;
    this.received = received;
    this.expected = expected;
    this.fix = fix;
  }
}

/** Why a check cannot be judged: what it would judge is missing. It counts as not met. */
export class Unjudged extends Error {}

/** Requests and the log lines that they left behind. */
interface Trace extends Exchange {
  lines: string[];
}

export type Name = 'a' | 'b';

const LOG_PATIENCE_MS = 2000;
const QUIET_MS = 1000;

/** A stack under examination: what was asked of it, and what it answered. */
export class Pair {
  readonly stack: Stack;
  readonly limits: Limits;
  /** Why a service did not start. */
  readonly problems: { a?: string; b?: string } = {};
  /** Every call that B answered with a failure. */
  readonly failures: Exchange[] = [];
  /** How each service ended when it was told to stop. */
  readonly ends: { a?: End; b?: End } = {};
  /** The calls and log lines of a success and a failure, as they really were. */
  readonly traces: Record<string, Trace> = {};
  /** A speaks HTTP/2 alone, as gRPC does. */
  isGrpc = false;
  /** A is stopped, paused or replaced, on purpose. */
  isAAway = false;
  /** Which life B was in before A failed. */
  lifeBefore = '';
  /** What is in the place of A, if anything is; and the same once B has found it. */
  replacement: StandIn | undefined;
  standIn: StandIn | undefined;
  /** Why B waits without end, once that is known: what would fail for the same reason is not reported again. */
  waits: string | undefined;
  /** How many lines of each kind a service writes in a second without being asked anything. */
  #noise: Record<Name, Map<string, number>> = { a: new Map(), b: new Map() };

  constructor(stack: Stack, limits: Limits) {
    this.stack = stack;
    this.limits = limits;
  }

  /** Starts a service; why it does not start is kept in `problems`. */
  async start(name: Name) {
    delete this.problems[name];
    const service = this.stack[name];
    const problem = await service.start().then(
      () => undefined,
      ({ message }: Error) => message,
    );
    if (name === 'a' && (problem || !(await this.ask('a', '/health', 1000)).answer)) {
      this.isGrpc = service.url !== '' && (await speaksHttp2(service.url)); // a container that has ended has none
    }
    if (problem && !(name === 'a' && this.isGrpc)) this.problems[name] = problem;
  }

  /** Stops a service and keeps how it ended. */
  async stop(name: Name) {
    const start = performance.now();
    const code = await this.stack[name].stop();
    this.ends[name] = { code, ms: performance.now() - start, survivor: this.stack[name].survivor };
  }

  /** One request to a service, never rejected. */
  async ask(name: Name, path: string, timeoutMs = this.limits.answerMs, method = 'GET'): Promise<Exchange> {
    const url = `${this.stack[name].url}${path}`;
    const sent = `${method} ${url}`;
    try {
      const answer = await get(url, {}, { timeoutMs, method });
      const body = printable(answer.body) || 'an empty body';
      return { sent, answer, received: `${answer.status} after ${Math.round(answer.ms)} ms: ${body}` };
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'AbortError' && name !== 'TimeoutError') {
        return { sent, received: `no answer: ${printable(message)}` };
      }
      return { sent, received: `no answer within ${timeoutMs / 1000} s`, isLate: true };
    }
  }

  /** One call through B. */
  async call(msg: string, timeoutMs?: number): Promise<Exchange> {
    const exchange = await this.ask('b', `/call-echo?msg=${encodeURIComponent(msg)}`, timeoutMs);
    if (exchange.answer && exchange.answer.status >= 500) this.failures.push(exchange);
    return exchange;
  }

  /** Learns what the services write without being asked anything: such lines are nobody's request. */
  async listenToSilence() {
    const names = (['a', 'b'] as const).filter((name) => !this.problems[name]);
    const marks = await Promise.all(names.map((name) => this.stack[name].mark()));
    await sleep(QUIET_MS);
    for (const [index, name] of names.entries()) {
      for (const line of await this.#lines(name, marks[index]!)) {
        const kind = shape(line);
        this.#noise[name].set(kind, (this.#noise[name].get(kind) ?? 0) + 1000 / QUIET_MS);
      }
    }
  }

  /**
   * The lines that a service has written since `mark`, without those that it also writes when nobody asks: as soon as
   * `isEnough`, or after 2 s.
   */
  async newLines(name: Name, mark: string, isEnough: (lines: string[]) => boolean): Promise<string[]> {
    const isThere = async () => isEnough(await this.#spoken(name, mark));
    await tryFor(LOG_PATIENCE_MS, isThere, 50);
    await sleep(100); // one that is on its way through the other stream still counts
    return this.#spoken(name, mark);
  }

  async #spoken(name: Name, mark: string): Promise<string[]> {
    const lines = await this.#lines(name, mark);
    return lines.filter((line) => (this.#noise[name].get(shape(line)) ?? 0) < 2);
  }

  /** Without colours: those of Werkzeug stand in the middle of what is looked for. */
  async #lines(name: Name, mark: string): Promise<string[]> {
    return (await this.stack[name].logs(mark)).map(stripVTControlCharacters);
  }

  /** What `request` received, with the lines that a service wrote meanwhile and up to 2 s later. */
  async trace(name: Name, request: () => Promise<Exchange>, isEnough: (lines: string[]) => boolean): Promise<Trace> {
    const mark = await this.stack[name].mark();
    const exchange = await request();
    return { ...exchange, lines: await this.newLines(name, mark, isEnough) };
  }

  /** Whether a line of B's tells of a failure, judged against the lines of its successes. */
  tellsOfFailure(line: string): boolean {
    return tellsOfFailure(line, this.linesOfSuccess('b'));
  }

  /** All that a service wrote about the requests that were made to it with both up. */
  linesOfSuccess(name: Name): string[] {
    return Object.entries(this.traces).flatMap(([key, { lines }]) => (key.startsWith(`${name}/`) ? lines : []));
  }

  /** Starts a service again that no longer answers, after it had answered before. */
  async revive(name: Name) {
    if (this.problems[name] || (name === 'a' && (this.isAAway || this.isGrpc))) return;
    if ((await this.ask(name, '/health', 2000)).answer) return;
    await this.stack[name].kill().catch(() => {});
    await this.start(name);
  }

  /** Brings both services back, whatever a check has left behind; one that does not come back gets its line in `problems`. */
  async restore() {
    this.isAAway = false;
    if (this.problems.a || this.problems.b) return;
    if (this.isGrpc ? !(await speaksHttp2(this.stack.a.url)) : !(await this.ask('a', '/health', 1000)).answer) {
      await this.stack.a.kill().catch(() => {});
      await this.start('a');
    }
    if ((await this.call(word(), 2000)).answer?.status === 200) return;
    await this.stack.b.kill().catch(() => {});
    await this.start('b');
  }
}

/** The exit code, how long it took, and what went on afterwards. */
interface End {
  code: number;
  ms: number;
  survivor: string | undefined;
}

/** Whether a server speaks HTTP/2 from the first byte on. */
async function speaksHttp2(url: string): Promise<boolean> {
  const session = connect(url);
  try {
    return await new Promise<boolean>((resolve) => {
      session.once('remoteSettings', () => resolve(true)).once('error', () => resolve(false));
      setTimeout(resolve, 1000, false);
    });
  } finally {
    session.destroy();
  }
}

/** A text that nobody could have known: letters that make no word. */
export const word = () => Array.from({ length: 12 }, () => 'bcdfghjklmnpqrstvwxz'[randomInt(20)]).join('');

/** Whether an answer holds a text, in JSON or in plain text. What looks like JSON and is none holds nothing. */
export function tells({ json, body, headers }: Answer, text: string): boolean {
  if (holds(json, text)) return true;
  const isJson = typeof json === 'object' || /json/i.test(String(headers['content-type'])) || /^\s*[{[]/.test(body);
  return !isJson && body.includes(text);
}

/** Whether a JSON value holds a text anywhere: as a value, in one, or in JSON that is the text of one. */
function holds(json: unknown, text: string): boolean {
  if (typeof json === 'string') {
    if (json.includes(text)) return true;
    try {
      const inner: unknown = JSON.parse(json);
      return typeof inner === 'object' && holds(inner, text);
    } catch {
      return false;
    }
  }
  return typeof json === 'object' && json !== null && Object.values(json).some((value) => holds(value, text));
}
