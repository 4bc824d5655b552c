/** What a pair's log lines must tell, and how they are collected. */
import { setTimeout as sleep } from 'node:timers/promises';
import { duration } from '../stack/duration.ts';
import { printable } from '../stack/foreign-text.ts';
import { lab, type Check } from './check.ts';
import {
  apart,
  CALL_ECHO,
  failureWords,
  latencyPlaces,
  namesEndpoint,
  requestsIn,
  tellsFailure,
  tellsLatency,
  tellsStatus,
  tellsStatusCode,
} from './log-line.ts';
import { tellsService } from './service-name.ts';
import { word, type Pair } from './pair.ts';
import { Fault, linesOfSuccess, loggedOf, tracesOf, Unjudged, type Name, type Recorded } from './record.ts';

export const PATHS_OF = { a: ['/echo', '/health'], b: [CALL_ECHO, '/health'] } as const;
const REQUESTS = 5; // of each kind, so that lines about them differ from lines that come without a request
const MAX_LINES = 200; // for some five requests
const FAILURES = 3; // so that a B is found that answers only its first failure well
/** How long A is made to hang for a call, in milliseconds: the number that moves along is the latency. */
const CAUSED_MS = [0, 0, 100, 220];

/** Makes the first calls of a situation in which A fails. One of them repeats a message that was answered before. */
export async function traceFailures(pair: Pair, key: 'hang' | 'gone') {
  pair.isAAway = true;
  pair.record.traces[key] = [];
  const { answerMs, goneMs } = pair.limits;
  const [known] = tracesOf(pair.record, 'slow');
  const usual = loggedOf(pair.record, 'slow');
  for (let count = 0; count < FAILURES; count++) {
    const msg = count === 1 && known ? known.msg : word();
    const call = async () => ({ ...(await pair.call(msg, key === 'hang' ? answerMs : goneMs)), msg });
    const isEnough = (lines: string[]) =>
      lines.some((line) => namesEndpoint(line, CALL_ECHO)) &&
      tellsFailure([{ msg, status: 503, ms: 0, causedMs: 0, lines }], usual);
    if ((await pair.trace(key, 'b', call, isEnough)).isLate) return; // the next ones would be, too
  }
}

/** Makes requests to each endpoint in turn, and calls that A makes slow, and records their log lines. */
export async function traceSuccess(pair: Pair) {
  await pair.listenToSilence();
  for (const name of ['a', 'b'] as const) {
    if (pair.problems[name] || (name === 'a' && pair.isGrpc)) continue;
    for (const path of PATHS_OF[name]) {
      const requests = async () => {
        for (let count = 1; ; count++) {
          const msg = word();
          const exchange = await pair.ask(name, path === '/health' ? path : `${path}?msg=${msg}`);
          if (count === REQUESTS) return { ...exchange, msg };
        }
      };
      await pair.trace(`${name}${path}`, name, requests, (lines) => linesFor(lines, path).length >= REQUESTS);
    }
  }
  if (!pair.problems.a && !pair.problems.b) for (const ms of CAUSED_MS) await traceSlow(pair, ms);
}

/** Makes a call while A is paused for `causedMs`; a call that B gives up is kept apart. */
async function traceSlow(pair: Pair, causedMs: number) {
  const msg = word();
  const slowly = async () => {
    if (causedMs > 0) await pair.pause();
    const call = pair.call(msg);
    await sleep(causedMs);
    if (causedMs > 0) await pair.resume();
    return { ...(await call), msg, causedMs };
  };
  const trace = await pair.trace('slow', 'b', slowly, (lines) => lines.some((line) => namesEndpoint(line, CALL_ECHO)));
  if (trace.answer?.status !== 200) (pair.record.traces.late ??= []).push(pair.record.traces.slow!.pop()!);
}

/** A line for /health gives fewer points, because the lab's own starter code writes none. */
export function logsEachRequest(name: Name, path: string): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service} logs a line for each request to ${path}`,
    needs: [name],
    points: path === '/health' ? 0.5 : 1,
    isHttp: name === 'a',
    why: 'A request without a line cannot be found when someone asks what happened.',
    fix: 'Log in one place around all routes (middleware, a wrapper, after_request), so that no route is left out.',
    judge(record) {
      const { sent, answer, received, lines } = tracesOf(record, name + path)[0]!;
      const own = linesFor(lines, path);
      const late = record.lateMs[name];
      if (own.length >= REQUESTS) return late ? `they come up to ${duration(late)} late: flush each` : undefined;
      if (answer?.status === 404) throw new Unjudged(`${service} has no route ${path}: ${received}.`);
      const seen = own.length > 0 ? `${own.length} for ${REQUESTS} requests: ${shown(own)}` : shown(lines);
      throw new Fault(sent, seen, `a log line for each that names ${path}`);
    },
  });
}

const formOf = (name: Name) =>
  `such as: service=service-${name} endpoint=${PATHS_OF[name][0]} status=200 latency_ms=12`;

export function logsTheRequired(name: Name): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service}'s log lines tell service, endpoint, status and latency`,
    needs: [name],
    isHttp: name === 'a',
    why: 'With two services in one log, these four tell which of them is slow or broken.',
    fix: `Write the line once the answer is known, from the actual status and a clock read before and after, ${formOf(name)}.`,
    judge(record) {
      const places = latencyPlaces(loggedOf(record, 'slow'));
      const moving = places.length > 0 ? places : undefined; // if none moves, another check reports it
      const other = name === 'a' ? 'b' : 'a';
      const ofPaths = PATHS_OF[name].map((path) => linesFor(tracesOf(record, name + path)[0]?.lines ?? [], path));
      for (const path of PATHS_OF[name]) {
        const { sent, answer, lines } = tracesOf(record, name + path)[0]!;
        const own = linesFor(lines, path);
        if (own.length === 0 && path === '/health') continue; // another check counts this
        if (own.length === 0) throw new Fault(sent, shown(lines), `a log line that tells all four, ${formOf(name)}`);
        const others = tracesOf(record, `${other}/health`)[0]?.lines ?? linesOfSuccess(record, other);
        const isNamed = tellsService(name, own, others, ofPaths);
        const lacks = own.map((line) => {
          const parts = {
            'its service': isNamed(line),
            'the status': tellsStatus(line, answer?.status ?? 200),
            'the latency': tellsLatency(line, name === 'b' && path === CALL_ECHO ? moving : undefined, places),
          };
          return { line, lacking: Object.entries(parts).flatMap(([part, isThere]) => (isThere ? [] : [part])) };
        });
        const [best] = lacks.sort((x, y) => x.lacking.length - y.lacking.length);
        if (best!.lacking.length === 0) continue;
        const expected = `a log line that also tells ${best!.lacking.join(' and ')}`;
        throw new Fault(sent, `"${printable(best!.line)}"`, expected, adviceFor(best!.lacking, best!.line, name));
      }
      if (name === 'b') expectOwnStatus(record);
    },
  });
}

function adviceFor(lacking: string[], line: string, name: Name): string {
  if (lacking.length === 1 && lacking[0] === 'its service')
    return 'Put a field such as service=service-a into each line, with another name in each service; the path of the request does not say who wrote it.';
  if (lacking.includes('the latency') && /\d\.\d|\d ?m?s\b/.test(line))
    return `No number in the line grows with the time that a call takes: read a clock before and after, and write the difference, ${formOf(name)}.`;
  return `Write the service's own line for each request, ${formOf(name)}.`;
}

/** Throws when B logs a success for a call that failed. */
function expectOwnStatus(record: Recorded) {
  const usual = linesFor(tracesOf(record, 'b/call-echo')[0]?.lines ?? [], CALL_ECHO);
  for (const { sent, answer, lines } of tracesOf(record, 'gone')) {
    const own = linesFor(lines, CALL_ECHO);
    if (!answer || answer.status === 200 || own.length === 0) continue;
    const isTold = own.some((line) => tellsStatus(line, answer.status));
    const isAlways = usual.length > 0 && usual.every((line) => tellsStatusCode(line, answer.status));
    if (own.some((line) => tellsStatus(line, 200)) && (!isTold || isAlways))
      throw new Fault(`${sent}, while A is stopped`, shown(own), `a log line with ${answer.status} in it`);
  }
}

export const measures = lab({
  name: "The latency in B's log lines is the time that the request took",
  needs: ['a', 'b'],
  why: 'A latency that does not grow when A is slow hides the one thing that it is there to show.',
  fix: 'Read a monotonic clock when the request arrives and again when its answer is known, and log the difference.',
  judge(record) {
    const slow = tracesOf(record, 'slow');
    const last = slow.at(-1);
    if (!last) throw new Unjudged('No call succeeded while A was slow.');
    if (linesFor(last.lines, CALL_ECHO).length === 0) throw new Unjudged('No line tells a latency.');
    if ((last.answer?.ms ?? Infinity) < last.causedMs / 2) throw new Unjudged('B did not wait for A.');
    if (latencyPlaces(loggedOf(record, 'slow')).length > 0) return;
    const own = slow.flatMap(({ lines }) => linesFor(lines, CALL_ECHO));
    if (!own.some((line) => tellsLatency(line, undefined, []))) throw new Unjudged('No line tells a latency.');
    const took = slow.map(
      ({ answer, lines }) => `${Math.round(answer?.ms ?? 0)} ms: ${shown(linesFor(lines, CALL_ECHO))}`,
    );
    throw new Fault(
      `${slow.length} calls, ${slow.filter(({ causedMs }) => causedMs > 0).length} of them while A was frozen for a moment`,
      took.join(' · '),
      'a number in the lines that tells how long each took',
    );
  },
});

/** The lines about `path`, one for each request: lines with the same id are joined. */
export const linesFor = (lines: string[], path: string) =>
  apart(
    requestsIn(lines).filter((line) => namesEndpoint(line, path)),
    path,
  ).slice(0, MAX_LINES);

export const shown = (lines: string[]) =>
  lines.length === 0
    ? 'no log line'
    : lines
        .slice(-3)
        .map((line) => `"${printable(line)}"`)
        .join(' ');

/** The words in the lines of all calls of a state that are in no line of a call that succeeds or fails in the other way. */
export const wordsInAll = (record: Recorded, key: 'hang' | 'gone', other: 'hang' | 'gone') =>
  failureWords(
    loggedOf(record, key),
    (['slow', other] as const).flatMap((one) => loggedOf(record, one)),
  );

/** The words in the lines of each call of a state that are in no line of the states `beside`, call by call. */
export const wordsOfFailure = (record: Recorded, key: 'hang' | 'gone', beside: ('slow' | 'hang' | 'gone')[]) => {
  const usual = beside.flatMap((other) => loggedOf(record, other));
  return loggedOf(record, key).map((call) => failureWords([call], usual));
};
