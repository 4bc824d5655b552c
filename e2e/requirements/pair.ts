import { randomInt } from 'node:crypto';
import { connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { callsOf } from '../experiment/history.ts';
import { truncate, printable } from '../stack/foreign-text.ts';
import { outcomeOf } from '../picture/outcomes.ts';
import type { State } from '../picture/states.ts';
import { get } from '../stack/http.ts';
import type { StandIn, Stack } from '../stack/service.ts';
import { tryFor } from '../stack/until.ts';
import { shape } from './log-line.ts';
import {
  RECORD_VERSION,
  tracesOfSuccess,
  type Exchange,
  type Limits,
  type Name,
  type Recorded,
  type Trace,
} from './record.ts';

const LOG_PATIENCE_MS = 2000;
const FIRST_LOG_PATIENCE_MS = 6000; // some frameworks hold their lines back so long
const LATE_MS = 1000;
const MAX_BODY_CHARS = 10_000;
const QUIET_MS = 1000;

interface Requests {
  targets: string[];
  connections: string[];
  /** How many connections the system has refused or reset, for all programs; undefined where it does not count them. */
  resets?: number;
}

/** A stack that is examined: acts on it, and records what was sent, received and logged. */
export class Pair {
  readonly stack: Stack;
  readonly limits: Limits;
  readonly record: Recorded;
  /** Why a service does not run now. */
  readonly problems: { a?: string; b?: string } = {};
  /** A is stopped, paused or replaced, on purpose. */
  isAAway = false;
  /** B's life before A failed. */
  lifeBefore = '';
  /** The stand-in that replaces A, if there is one. */
  standIn: StandIn | undefined;
  /** Why B waits without end, once a call has shown that it does: each further call would last until its time limit. */
  waits: string | undefined;
  /** When each service was stopped, in milliseconds since 1970. */
  readonly stoppedAt: { a?: number; b?: number } = {};
  /** How long its lines are waited for: the first ones longest, and then as late as those came. */
  readonly #patienceMs = { a: FIRST_LOG_PATIENCE_MS, b: FIRST_LOG_PATIENCE_MS };
  /** How many lines of each kind a service writes in a second without being asked anything. */
  #noise: Record<Name, Map<string, number>> = { a: new Map(), b: new Map() };

  constructor(stack: Stack, limits: Limits) {
    this.stack = stack;
    this.limits = limits;
    const flags = { isGrpc: false, isTogether: false, hasFoundStandIn: false };
    this.record = {
      version: RECORD_VERSION,
      limits,
      ...flags,
      ends: {},
      traces: {},
      failures: [],
      lateMs: {},
      history: [],
      typed: { stop: '', start: '' },
      entries: [],
    };
  }

  get isGrpc() {
    return this.record.isGrpc;
  }

  /** Starts a service; the reason why it does not start is kept in `problems`. */
  async start(name: Name) {
    delete this.problems[name];
    const service = this.stack[name];
    const problem = await problemOf(service.start());
    if (name === 'a' && (problem || !(await this.ask('a', '/health', 1000)).answer)) {
      this.record.isGrpc = service.url !== '' && (await speaksHttp2(service.url)); // a container that has ended has no URL
    }
    const isGrpcB = name === 'b' && problem && service.url !== '' && (await speaksHttp2(service.url));
    if (isGrpcB) this.problems.b = 'B speaks HTTP/2 alone, as gRPC does: it must answer over HTTP/1.1.';
    else if (problem && !(name === 'a' && this.isGrpc)) this.problems[name] = problem;
    else this.#enter(name, 'running');
  }

  /** Stops a service and keeps how it ended. */
  async stop(name: Name) {
    const start = performance.now();
    const { typed } = this.stack[name];
    if (name === 'a') this.record.typed = typed;
    this.#enter(name, 'stopping');
    const code = await this.stack[name].stop();
    this.#enter(name, 'stopped');
    this.stoppedAt[name] = Date.now();
    this.record.ends[name] = { code, ms: performance.now() - start, survivor: this.stack[name].survivor };
  }

  /** One request to a service, never rejected. */
  async ask(name: Name, path: string, timeoutMs = this.limits.answerMs, method = 'GET'): Promise<Exchange> {
    const url = `${this.stack[name].url}${path}`;
    const [sent, at] = [`${method} ${url}`, Date.now()];
    try {
      const { status, head, body: text, ms } = await get(url, {}, { timeoutMs, method });
      const answer = { status, head, body: truncate(text, MAX_BODY_CHARS), ms };
      const body = printable(text) || 'an empty body';
      return { sent, at, answer, received: `${answer.status} after ${Math.round(answer.ms)} ms: ${body}` };
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'AbortError' && name !== 'TimeoutError') {
        return { sent, at, received: `no answer: ${printable(message)}` };
      }
      return { sent, at, received: `no answer within ${timeoutMs / 1000} s`, isLate: true };
    }
  }

  /** One call through B. */
  async call(msg: string, timeoutMs?: number): Promise<Exchange> {
    const exchange = await this.ask('b', `/call-echo?msg=${encodeURIComponent(msg)}`, timeoutMs);
    const { answer, at, received } = exchange;
    if (answer && answer.status >= 500) this.record.failures.push(exchange);
    const ms = Math.round(10 * (answer?.ms ?? Date.now() - at)) / 10;
    const reason = /"reason"\s*:\s*"(\w+)"/.exec(answer?.body ?? '')?.[1];
    const result = answer ? { status: answer.status, ...(reason && { reason }) } : { error: received };
    const outcome = outcomeOf({ status: answer?.status, reason });
    const n = callsOf(this.record.history).length + 1;
    this.record.history.push({ event: 'call', n, id: '', msg, at, ms, outcome, ...result });
    return exchange;
  }

  #enter(service: Name, state: State) {
    const states = this.record.history.filter((event) => event.event === 'state');
    if (states.findLast((event) => event.service === service)?.state === state) return;
    this.record.history.push({ event: 'state', at: Date.now(), service, state });
  }

  async pause() {
    await this.stack.a.pause();
    this.#enter('a', 'paused');
  }

  async resume() {
    await this.stack.a.resume();
    this.#enter('a', 'running');
  }

  /** Starts A again after it was stopped. Rejects when it does not start. */
  async startA() {
    this.#enter('a', 'starting');
    await this.stack.a.start();
    this.#enter('a', 'running');
  }

  /** Puts a server in A's place, whose behaviour can be chosen. */
  async replaceA() {
    this.standIn = await this.stack.replaceA();
    this.#enter('a', 'replaced');
  }

  tellStandIn(what: string) {
    return get(`${this.standIn!.url}/${what}`);
  }

  /** Resolves to what has come to the stand-in since the last time. */
  async requestsToStandIn(): Promise<Requests> {
    return (await this.tellStandIn('asked')).json;
  }

  async putBackA() {
    await this.standIn?.putBack();
    this.standIn = undefined;
    this.#enter('a', 'running');
  }

  /**
   * Learns which lines the services write without a request. Only lines that come more than once count, because a line about
   * an earlier request may come late.
   */
  async listenToSilence() {
    const names = (['a', 'b'] as const).filter((name) => !this.problems[name]);
    const heard = [await this.#kindsHeard(names), await this.#kindsHeard(names)];
    for (const [index, name] of names.entries()) {
      const [first, second] = heard.map((ofAll) => ofAll[index]!);
      for (const [kind, count] of first!)
        this.#noise[name].set(kind, (2 * Math.min(count, second!.get(kind) ?? 0) * 1000) / QUIET_MS);
    }
  }

  /** Counts the lines of each kind that each service writes in half of the silence. */
  async #kindsHeard(names: Name[]): Promise<Map<string, number>[]> {
    const positions = await Promise.all(names.map((name) => this.stack[name].mark()));
    await sleep(QUIET_MS / 2);
    const lines = await Promise.all(names.map((name, index) => this.#lines(name, positions[index]!)));
    return lines.map((own) => new Map([...Map.groupBy(own, shape)].map(([kind, { length }]) => [kind, length])));
  }

  /**
   * Resolves to the lines that a service has written since `position`, without the lines that it also writes without a request:
   * as soon as `isEnough`, or after 2 s, or later for a service whose lines come late.
   */
  async newLines(name: Name, position: string, isEnough: (lines: string[]) => boolean): Promise<string[]> {
    const start = performance.now();
    const isThere = async () => isEnough(await this.#spoken(name, position));
    const hasCome = await tryFor(this.#patienceMs[name], isThere, 50);
    const ms = performance.now() - start;
    if (hasCome && ms > LATE_MS) this.record.lateMs[name] = Math.max(ms, this.record.lateMs[name] ?? 0);
    if (!hasCome || ms < LATE_MS)
      this.#patienceMs[name] = Math.max(LOG_PATIENCE_MS, 2 * (this.record.lateMs[name] ?? 0));
    await sleep(100); // a line that is still on its way through the other stream counts, too
    return this.#spoken(name, position);
  }

  async #spoken(name: Name, position: string): Promise<string[]> {
    const lines = await this.#lines(name, position);
    return lines.filter((line) => (this.#noise[name].get(shape(line)) ?? 0) < 2);
  }

  /** Reads the log without colours: Werkzeug puts them in the middle of the words that matter. */
  async #lines(name: Name, position: string): Promise<string[]> {
    return (await this.stack[name].logs(position)).map(stripVTControlCharacters);
  }

  /** Makes a request, and records its answer with the lines that a service wrote during it and up to 2 s later. */
  async trace(
    key: string,
    name: Name,
    request: () => Promise<Exchange & { msg: string; causedMs?: number }>,
    isEnough: (lines: string[]) => boolean,
  ): Promise<Trace> {
    const other = name === 'a' ? 'b' : 'a';
    const [position, ofOther] = await Promise.all([this.stack[name].mark(), this.stack[other].mark()]);
    const exchange = await request();
    const lines = await this.newLines(name, position, isEnough);
    const trace = { causedMs: 0, ...exchange, lines, others: await this.#spoken(other, ofOther) };
    (this.record.traces[key] ??= []).push(trace);
    return trace;
  }

  /** Whether a service gave any answer while both were up. */
  hasAnswered = (name: Name): boolean => tracesOfSuccess(this.record, name).some(({ answer }) => answer);

  /** Starts a service again that no longer answers, after it had answered before. */
  async revive(name: Name) {
    if (this.problems[name] || !this.hasAnswered(name) || (name === 'a' && (this.isAAway || this.isGrpc))) return;
    if ((await this.ask(name, '/health', 2000)).answer) return;
    await this.stack[name].kill().catch(() => {});
    await this.start(name);
  }

  /** Makes both services answer again after any check; if one does not, `problems` says why. */
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

/** Resolves to why something failed, or to undefined. */
export const problemOf = (step: Promise<unknown>): Promise<string | undefined> =>
  step.then(
    () => undefined,
    ({ message }: Error) => message,
  );

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

/** Makes a text that no one can guess: letters that are not a word. */
export const word = () => Array.from({ length: 12 }, () => 'bcdfghjklmnpqrstvwxz'[randomInt(20)]).join('');
