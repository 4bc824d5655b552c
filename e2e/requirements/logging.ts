/** What is asked of a pair's log lines, and how they are collected. */
import { setTimeout as sleep } from 'node:timers/promises';
import { lab, type Check } from './check.ts';
import { isServersOwn, namesEndpoint, namesLatency, namesService, namesStatus } from './log-line.ts';
import { Fault, type Exchange, type Name, type Pair, tells, word } from './pair.ts';
import { printable } from '../stack/foreign-text.ts';

const PATHS = { a: ['/health', '/echo'], b: ['/health', '/call-echo'] } as const;
const REQUESTS = 5; // of each kind, so that lines about them can be told from lines that come by themselves
export const SLOW_MS = 150;

/** Rejects unless B answered 503 within `withinMs`. */
export function expect503({ sent, answer, received, isLate }: Exchange, when: string, withinMs: number) {
  if (answer?.status === 503 && answer.ms <= withinMs) return;
  const isUncaught = answer?.status === 500 || (!answer && !isLate);
  throw new Fault(
    `${sent}, ${when}`,
    received,
    `503 within ${withinMs / 1000} s`,
    isUncaught
      ? 'A failure of the call to A is not caught, and ends the request or B itself: catch all of them, and answer 503.'
      : answer && answer.status !== 503
        ? 'B answered without an answer of A: call A for each request, and answer 503 when the call fails.'
        : undefined,
  );
}

/** The call that each situation of failure makes first; the checks in it then judge what it led to. */
export async function traceFailure(pair: Pair, key: 'hang' | 'gone') {
  pair.isAAway = true;
  const limit = key === 'hang' ? pair.limits.answerMs : pair.limits.goneMs;
  const isEnough = (lines: string[]) =>
    lines.some((line) => pair.tellsOfFailure(line) && namesEndpoint(line, '/call-echo'));
  pair.traces[key] = await pair.trace('b', () => pair.call(word(), limit), isEnough);
}

/** Some requests to each endpoint, one after the other, with the log lines that they left behind. */
export async function traceSuccess(pair: Pair) {
  await pair.listenToSilence();
  for (const name of ['a', 'b'] as const) {
    if (pair.problems[name] || (name === 'a' && pair.isGrpc)) continue;
    for (const path of PATHS[name]) {
      const request = () => pair.ask(name, path === '/health' ? path : `${path}?msg=${word()}`);
      const requests = async () => {
        for (let count = 1; count < REQUESTS; count++) await request();
        return request();
      };
      pair.traces[name + path] = await pair.trace(name, requests, (lines) => {
        const isWhole = (line: string) => namesEndpoint(line, path) && namesLatency(line) && namesStatus(line, 200);
        return lines.filter(isWhole).length >= REQUESTS;
      });
    }
  }
}

/** A call during which A is paused for a moment. */
export async function traceSlow(pair: Pair) {
  const slowly = async () => {
    await pair.stack.a.pause();
    const call = pair.call(word());
    await sleep(SLOW_MS);
    await pair.stack.a.resume();
    return call;
  };
  return pair.trace('b', slowly, (lines) =>
    lines.some((line) => namesEndpoint(line, '/call-echo') && namesLatency(line)),
  );
}

/** The log of /health is worth less: the lab's own starter leaves it out. */
export function logsEachRequest(name: Name, path: string, points: number): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service} logs a line for each request to ${path}`,
    needs: [name],
    points,
    isHttp: name === 'a',
    why: 'A request that left no line cannot be found again when somebody asks what happened.',
    fix: 'Log in one place around all routes (middleware, a wrapper, after_request), so that no route is left out.',
    async run(pair) {
      const { sent, lines } = pair.traces[name + path]!;
      const { length } = linesFor(lines, path);
      if (length >= REQUESTS) return;
      const seen = length > 0 ? `${length} for ${REQUESTS} requests: ${shown(linesFor(lines, path))}` : shown(lines);
      const own = lines.some(isServersOwn) ? ", and is the service's own, not its server's" : '';
      throw new Fault(sent, seen, `a log line for each that names ${path}${own}`);
    },
  });
}

export function logsTheRequired(name: Name): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service}'s log lines tell service, endpoint, status and latency`,
    needs: [name],
    isHttp: name === 'a',
    why: 'With two services in one log, these four are what tells a slow service from a broken one, and which of the two.',
    fix: 'Write the line once the answer is known, from the actual status and a clock read before and after.',
    async run(pair) {
      const others = pair.linesOfSuccess(name === 'a' ? 'b' : 'a').filter((line) => !isServersOwn(line));
      const own = PATHS[name].flatMap((path) => linesFor(pair.traces[name + path]!.lines, path));
      if (own.length === 0) {
        const { sent, lines } = pair.traces[name + PATHS[name][1]]!;
        throw new Fault(sent, shown(lines), "a log line of the service's own that tells all four");
      }
      for (const path of PATHS[name]) {
        const { sent, answer, lines } = pair.traces[name + path]!;
        const lacks = linesFor(lines, path).map((line) => {
          const parts = {
            'its service': namesService(line, name, own, others),
            'the status': namesStatus(line, answer?.status ?? 200),
            'the latency': namesLatency(line),
          };
          return { line, lacking: Object.entries(parts).flatMap(([part, isThere]) => (isThere ? [] : [part])) };
        });
        const [best] = lacks.sort((x, y) => x.lacking.length - y.lacking.length);
        if (!best || best.lacking.length === 0) continue;
        const expected = `a log line that also tells ${best.lacking.join(' and ')}`;
        throw new Fault(sent, `"${printable(best.line)}"`, expected, adviceFor(best.lacking, name, own, others));
      }
    },
  });
}

function adviceFor(lacking: string[], name: Name, own: string[], others: string[]): string | undefined {
  if (!lacking.includes('its service')) return undefined;
  const isTaken = own.some((line) => namesService(line, name, own, []) && others.length > 0);
  return isTaken
    ? "The name in the line is also in the other service's lines: give each service a name of its own."
    : 'Put a field such as service=service-a into each line; the path of the request does not say who wrote it.';
}

/** The service's own lines about a request for `path`. */
export const linesFor = (lines: string[], path: string) =>
  lines.filter((line) => namesEndpoint(line, path) && !isServersOwn(line));

export const shown = (lines: string[]) =>
  lines.length === 0
    ? 'no log line'
    : lines
        .slice(-3)
        .map((line) => `"${printable(line)}"`)
        .join(' ');

export async function expectSuccess(pair: Pair) {
  const msg = word();
  const { sent, answer, received } = await pair.call(msg);
  if (answer?.status !== 200 || !tells(answer, msg)) {
    throw new Fault(sent, received, `200 and an answer that holds A's echo of "${msg}"`);
  }
}
