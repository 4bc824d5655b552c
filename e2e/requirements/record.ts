/**
 * The record of a pair: everything that was sent, received and logged, with its time. It is plain JSON, so a record on disk
 * can be judged again, by another rubric or by better judges, without running anything.
 */
import type { Event } from '../experiment/history.ts';
import { tellsFailure, type Logged } from './log-line.ts';

export type Name = 'a' | 'b';

/** How long each of these may take, in milliseconds. */
export interface Limits {
  /** B's answer to a call while A hangs. */
  answerMs: number;
  /** B's answer to a call while A is gone: a resolver can take long to say that a name no longer exists. */
  goneMs: number;
  /** B's health answer while calls wait. */
  healthMs: number;
  /** The time until B answers 200 again when A is back. */
  recoveryMs: number;
}

/** What a service answered. */
export interface Received {
  status: number;
  /** The status line and the headers, a line each. */
  head: string;
  /** Its first 10,000 characters. */
  body: string;
  /** The time from sending the request to the last byte of the answer, in milliseconds. */
  ms: number;
}

/** A request, and its answer or the reason why there was none. */
export interface Exchange {
  sent: string;
  /** When, in milliseconds since 1970. */
  at: number;
  answer?: Received;
  /** The answer in one line. */
  received: string;
  /** Whether no answer came within its time limit. */
  isLate?: boolean;
}

/** Requests and the log lines that they left behind; the exchange is the last one's. */
export interface Trace extends Exchange {
  lines: string[];
  /** The lines that the other service wrote during this time. */
  others: string[];
  msg: string;
  /** How many milliseconds A was made to hang for it, at least. */
  causedMs: number;
}

/** How a service ended: its exit code, how long that took, and what of it still ran afterwards. */
export interface End {
  code: number;
  ms: number;
  survivor: string | undefined;
}

/** What became of one check. */
export interface Entry {
  situation: string;
  check: string;
  at: number;
  /** Which service did not run, or what else was in the way, and why; then nothing was seen. */
  missing?: Name;
  obstacle?: string;
  /** What went wrong while acting, through no fault of what was judged. */
  error?: string;
  seen?: unknown;
}

/** It gets another number when judges need something that an older record lacks. */
export const RECORD_VERSION = 1;

export interface Recorded {
  version: number;
  limits: Limits;
  /** Whether A speaks only HTTP/2, as gRPC does. */
  isGrpc: boolean;
  /** Whether both services are in one process. */
  isTogether: boolean;
  /** Whether B asked the stand-in that replaced A. */
  hasFoundStandIn: boolean;
  /** How each service ended when it was told to stop. */
  ends: { a?: End; b?: End };
  /**
   * The requests of each situation with their lines, by `a/health` and the like; `slow` are calls that A answered late, and
   * `late` are calls that B gave up before A answered.
   */
  traces: Record<string, Trace[]>;
  /** Every call that B answered with a failure. */
  failures: Exchange[];
  /** How long after an answer a service's lines came, at most, where that was more than a second. */
  lateMs: { a?: number; b?: number };
  /** The calls on B, and the states of A. */
  history: Event[];
  /** How a person would stop and start A. */
  typed: { stop: string; start: string };
  entries: Entry[];
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

export const tracesOf = (record: Recorded, key: string): Trace[] => record.traces[key] ?? [];

/** The requests that were made to a service with both up. */
export const tracesOfSuccess = ({ traces }: Recorded, name: Name): Trace[] =>
  Object.entries(traces).flatMap(([key, own]) => (key.startsWith(`${name}/`) ? own : []));

/** The lines that a service wrote about them. */
export const linesOfSuccess = (record: Recorded, name: Name): string[] =>
  tracesOfSuccess(record, name).flatMap(({ lines }) => lines);

/** The calls of a key, as the judges of log lines look at them. */
export function loggedOf(record: Recorded, key: string): Logged[] {
  return tracesOf(record, key).map(({ msg, answer, causedMs, lines }) => {
    return { msg, status: answer?.status ?? 0, ms: answer?.ms ?? record.limits.answerMs, causedMs, lines };
  });
}

/** Whether B's lines about all calls while A was stopped tell that they failed. */
export const tellsOfFailure = (record: Recorded) =>
  tellsFailure(loggedOf(record, 'gone'), loggedOf(record, 'b/call-echo'));

/** Why B waits without end, once a call has shown that it does. Checks that would fail for the same reason are not judged. */
export function waitsOf(record: Recorded): string | undefined {
  return tracesOf(record, 'hang').some(({ isLate }) => isLate) ? 'B has no timeout at all.' : undefined;
}

/** Whether an answer holds a text, in JSON or in plain text. Text that looks like JSON but is not valid holds nothing. */
export function tells({ body, head }: Received, text: string): boolean {
  const json = parse(body);
  if (holds(json, text)) return true;
  const isJson = typeof json === 'object' || /^content-type:.*json/im.test(head) || /^\s*[{[]/.test(body);
  return !isJson && body.includes(text);
}

/** Whether a JSON value holds a text anywhere: in a string, or in JSON that a string contains. */
function holds(json: unknown, text: string): boolean {
  if (typeof json === 'string') {
    if (json.includes(text)) return true;
    const inner = parse(json);
    return typeof inner === 'object' && holds(inner, text);
  }
  return typeof json === 'object' && json !== null && Object.values(json).some((value) => holds(value, text));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
