import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { get, type Answer } from '../http.ts';
import type { StandIn, Stack } from '../stack.ts';

/** How long what may take, in milliseconds. */
export interface Limits {
  /** Until B has answered a call while A hangs. */
  answerMs: number;
  /** Until B has answered a call while A is gone: a name that no longer resolves can take a resolver long. */
  goneMs: number;
  /** Until B answers for its health while calls wait. */
  healthMs: number;
  /** Until B answers 200 again once A is back. */
  recoveryMs: number;
}

/** What was asked, and what came: an answer, or the reason why there was none. */
export interface Exchange {
  sent: string;
  answer?: Answer;
  came: string;
}

/** A requirement that is not met. */
export class Fault extends Error {
  readonly sent: string;
  readonly came: string;
  readonly expected: string;

  constructor(sent: string, came: string, expected: string) {
    super(`Sent: ${sent}. Came: ${came}. Expected: ${expected}.`);
    this.sent = sent;
    this.came = came;
    this.expected = expected;
  }
}

/** Why a check says nothing about this pair. */
export class NotApplicable extends Error {}

/** A message and the log lines that a request for it left behind. */
export interface Trace extends Exchange {
  lines: string[];
}

const LOG_PATIENCE_MS = 2000;

/** A stack under examination: what was asked of it, and what came of it. */
export class Pair {
  readonly stack: Stack;
  readonly limits: Limits;
  /** Why a service did not start. */
  readonly problems: { a?: string; b?: string } = {};
  /** Every call that B answered with a failure. */
  readonly failures: Exchange[] = [];
  /** How each service ended when it was told to stop. */
  readonly ends: { a?: { code: number; ms: number }; b?: { code: number; ms: number } } = {};
  /** The calls and log lines of a success and a failure, as they really were. */
  readonly traces: Record<string, Trace> = {};
  /** What is in the place of A, if anything is; and the same once B has found it. */
  replacement: StandIn | undefined;
  standIn: StandIn | undefined;
  /** Why B waits without end, once that is known: what would fail for the same reason is not told again. */
  waits: string | undefined;

  constructor(stack: Stack, limits: Limits) {
    this.stack = stack;
    this.limits = limits;
  }

  /** Starts a service; why it does not start is kept in `problems`. */
  async start(name: 'a' | 'b') {
    delete this.problems[name];
    await this.stack[name].start().catch(({ message }: Error) => {
      this.problems[name] = message;
    });
  }

  /** Stops a service and keeps how it ended. */
  async stop(name: 'a' | 'b') {
    const start = performance.now();
    const code = await this.stack[name].stop();
    this.ends[name] = { code, ms: performance.now() - start };
  }

  /** One request to a service, never rejected. */
  async ask(name: 'a' | 'b', path: string, timeoutMs = this.limits.answerMs, method = 'GET'): Promise<Exchange> {
    const url = `${this.stack[name].url}${path}`;
    const sent = `${method} ${url}`;
    try {
      const answer = await get(url, {}, { timeoutMs, method });
      const body = printable(answer.body) || 'an empty body';
      return { sent, answer, came: `${answer.status} after ${Math.round(answer.ms)} ms: ${body}` };
    } catch (error) {
      const { name, message } = error as Error;
      const isLate = name === 'AbortError' || name === 'TimeoutError';
      return { sent, came: isLate ? `no answer within ${timeoutMs / 1000} s` : `no answer: ${printable(message)}` };
    }
  }

  /** One call through B. */
  async call(msg: string, timeoutMs?: number): Promise<Exchange> {
    const exchange = await this.ask('b', `/call-echo?msg=${encodeURIComponent(msg)}`, timeoutMs);
    if (exchange.answer && exchange.answer.status >= 500) this.failures.push(exchange);
    return exchange;
  }

  /** The lines that a service has written since `count` of them: as soon as `isEnough`, or after 2 s. */
  async newLines(name: 'a' | 'b', count: number, isEnough: (lines: string[]) => boolean): Promise<string[]> {
    const end = performance.now() + LOG_PATIENCE_MS;
    for (;;) {
      const lines = (await this.stack[name].logs()).slice(count);
      const isLast = isEnough(lines) || performance.now() > end;
      await sleep(isLast ? 100 : 50); // one that is on its way through the other stream still counts
      if (isLast) return (await this.stack[name].logs()).slice(count);
    }
  }

  /** What `request` came to, with the lines that a service wrote meanwhile and up to 2 s later. */
  async trace(
    name: 'a' | 'b',
    request: () => Promise<Exchange>,
    isEnough: (lines: string[]) => boolean,
  ): Promise<Trace> {
    const { length } = await this.stack[name].logs();
    const exchange = await request();
    return { ...exchange, lines: await this.newLines(name, length, isEnough) };
  }

  /** Brings both services back, whatever a check has left behind; one that does not come back gets its line in `problems`. */
  async restore() {
    if (this.problems.a || this.problems.b) return;
    if (!(await this.ask('a', '/health', 1000)).answer) {
      await this.stack.a.kill().catch(() => {});
      await this.start('a');
    }
    if ((await this.call('back', 2000)).answer?.status === 200) return;
    await this.stack.b.kill().catch(() => {});
    await this.start('b');
  }
}

/** In one line, short and without what would confuse a terminal. */
export function printable(text: string): string {
  const line = stripVTControlCharacters(text).replace(/\s+/g, ' ').replace(/\p{C}/gu, '').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** Whether a JSON value holds a text anywhere: as a value, in one, or in JSON that is the text of one. */
export function holds(json: unknown, text: string): boolean {
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
