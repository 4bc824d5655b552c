/** The lab's requirements, by the state of the world in which each is checked. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Check } from './check.ts';
import { isServersOwn, namesEndpoint, namesLatency, namesService, namesStatus, tellsOfFailure } from './log-line.ts';
import { Fault, holds, NotApplicable, type Exchange, type Pair, printable } from './pair.ts';

const lab = (check: Omit<Check, 'section'>): Check => ({ section: 'lab', ...check });

const PATHS = { a: ['/health', '/echo'], b: ['/health', '/call-echo'] } as const;

/** Rejects unless B answered 503 within `withinMs`. */
export function expect503({ sent, answer, came }: Exchange, when: string, withinMs: number) {
  const expected = `503 within ${withinMs / 1000} s`;
  if (answer?.status !== 503 || answer.ms > withinMs) throw new Fault(`${sent}, ${when}`, came, expected);
}

/** The call that each situation of failure makes first; the checks in it then judge what came of it. */
export async function traceFailure(pair: Pair, key: 'hang' | 'gone') {
  const limit = key === 'hang' ? pair.limits.answerMs : pair.limits.goneMs;
  const isEnough = (lines: string[]) => lines.some((line) => tellsOfFailure(line) && namesEndpoint(line, '/call-echo'));
  pair.traces[key] = await pair.trace('b', () => pair.call('hello', limit), isEnough);
}

/** One request to each endpoint, one after the other, with the log lines that it left behind. */
export async function traceSuccess(pair: Pair) {
  for (const name of ['a', 'b'] as const) {
    if (pair.problems[name]) continue;
    for (const path of PATHS[name]) {
      const request = () => pair.ask(name, path === '/health' ? path : `${path}?msg=hello`);
      pair.traces[name + path] = await pair.trace(name, request, (lines) =>
        lines.some((line) => namesEndpoint(line, path) && namesLatency(line) && namesStatus(line, 200)),
      );
    }
  }
}

function isHealthy(name: 'a' | 'b'): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service} answers /health with 200`,
    needs: [name],
    why: 'Whatever watches over a service, from Compose to a load balancer, asks this and believes the status code.',
    mend: 'Add a GET route /health that answers 200 by itself, without asking anybody else.',
    async run(pair) {
      const { sent, answer, came } = await pair.ask(name, '/health');
      if (answer?.status !== 200) throw new Fault(sent, came, '200');
    },
  });
}

function logsEveryRequest(name: 'a' | 'b'): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service} logs a line for every request`,
    needs: [name],
    why: 'A request that left no line cannot be found again when somebody asks what happened.',
    mend: 'Log in one place around all routes (middleware, a wrapper, after_request), so that no route is left out.',
    async run(pair) {
      for (const path of PATHS[name]) {
        const { sent, lines } = pair.traces[name + path]!;
        if (linesFor(lines, path).length === 0) throw new Fault(sent, shown(lines), `a log line that names ${path}`);
      }
    },
  });
}

function logsTheRequired(name: 'a' | 'b'): Check {
  const service = name.toUpperCase();
  const other = name === 'a' ? 'b' : 'a';
  return lab({
    name: `${service}'s log lines tell service, endpoint, status and latency`,
    needs: [name],
    why: 'With two services in one log, these four are what tells a slow service from a broken one, and which of the two.',
    mend: 'Write the line once the answer is known, from the actual status and a clock read before and after.',
    async run(pair) {
      const foreign = pair.traces[`${other}/health`]?.lines.filter((line) => namesEndpoint(line, '/health')) ?? [];
      let isJudged = false;
      for (const path of PATHS[name]) {
        const { sent, answer, lines } = pair.traces[name + path]!;
        const lacks = linesFor(lines, path).map((line) => ({
          line,
          lacking: lacking(line, answer?.status ?? 200, foreign),
        }));
        const [best] = lacks.sort((x, y) => x.lacking.length - y.lacking.length);
        if (!best) continue;
        isJudged = true;
        if (best.lacking.length > 0) {
          throw new Fault(
            sent,
            `"${printable(best.line)}"`,
            `a log line that also tells ${best.lacking.join(' and ')}`,
          );
        }
      }
      if (!isJudged) throw new NotApplicable('There are no lines to judge.');
    },
  });
}

/** The service's own lines about a request for `path`. */
export const linesFor = (lines: string[], path: string) =>
  lines.filter((line) => namesEndpoint(line, path) && !isServersOwn(line));

function lacking(line: string, status: number, foreign: string[]): string[] {
  return Object.entries({
    'its service': namesService(line, foreign),
    'the status': namesStatus(line, status),
    'the latency': namesLatency(line),
  }).flatMap(([part, isThere]) => (isThere ? [] : [part]));
}

export const shown = (lines: string[]) =>
  lines.length === 0
    ? 'no log line'
    : lines
        .slice(-3)
        .map((line) => `"${printable(line)}"`)
        .join(' ');

const echoes = lab({
  name: 'A answers /echo with the message',
  needs: ['a'],
  why: 'This is the answer that B is built on.',
  mend: 'Answer 200 with JSON such as {"echo": msg}, made by a JSON library and not by pasting strings.',
  async run(pair) {
    const { sent, answer, came } = await pair.ask('a', '/echo?msg=hello');
    if (answer?.status !== 200 || !holds(answer.json, 'hello'))
      throw new Fault(sent, came, '200 and JSON that holds "hello"');
  },
});

const callsThrough = lab({
  name: "B answers /call-echo with A's answer in it",
  needs: ['a', 'b'],
  why: 'It is what B is for: one service that gets its answer from another, over the network.',
  mend: "Call A's /echo with the message and put A's JSON into B's own; look at where B believes A to be.",
  async run(pair) {
    await expectSuccess(pair);
  },
});

export async function expectSuccess(pair: Pair) {
  const msg = `hello-${randomUUID()}`;
  const { sent, answer, came } = await pair.call(msg);
  if (answer?.status !== 200 || !holds(answer.json, msg)) {
    throw new Fault(sent, came, `200 and JSON that holds A's echo of "${msg}"`);
  }
}

async function expectRecovery(pair: Pair, since: string, life?: string) {
  const end = performance.now() + pair.limits.recoveryMs;
  for (;;) {
    const { sent, answer, came } = await pair.call('back', pair.limits.answerMs);
    if (answer?.status === 200 && holds(answer.json, 'back')) {
      pair.traces.back = { sent, answer, came, lines: [] };
      break;
    }
    if (performance.now() > end)
      throw new Fault(`${sent}, ${since}`, came, `200 within ${pair.limits.recoveryMs / 1000} s`);
    await sleep(50);
  }
  if (life && (await pair.stack.b.life()) !== life) throw new Fault(since, 'B was restarted', 'B to go on as it was');
}

const RECOVERY = {
  why: 'A failure that needs a person to restart the others is not an independent one.',
  mend: 'Keep nothing about a failed call: make a new one for each request, and never end the process over one.',
};

const timesOut = lab({
  name: 'B answers 503 while A hangs',
  needs: ['a', 'b'],
  why: "Without a timeout B waits as long as A does, and so does B's caller: one hanging service has become two.",
  mend: 'Give the call to A a timeout of a second or two, catch it, and answer 503.',
  async run(pair) {
    if (!pair.traces.hang!.answer) pair.waits = 'B has no timeout at all.';
    expect503(pair.traces.hang!, 'while A is frozen', pair.limits.answerMs);
  },
});

const recoversFromHang = lab({
  name: 'B answers 200 again once A goes on',
  needs: ['a', 'b'],
  ...RECOVERY,
  async run(pair) {
    const life = await pair.stack.b.life();
    await pair.stack.a.resume();
    await expectRecovery(pair, 'A no longer frozen', life);
  },
});

const survives = lab({
  name: 'B answers 503 while A is stopped',
  needs: ['a', 'b'],
  why: "503 says that it is not the caller's fault and may pass; a 500, a 200 or a closed connection says something else.",
  mend: 'Catch the failure of the call to A and answer 503 with a JSON body that says that A is unavailable.',
  async run(pair) {
    expect503(pair.traces.gone!, 'while A is stopped', pair.limits.goneMs);
  },
});

const logsTheError = lab({
  name: 'B logs an error while A is stopped',
  needs: ['a', 'b'],
  why: "When callers see 503, B's log is where somebody looks first.",
  mend: 'Log a line with level error, or an error field, where the failed call is caught.',
  async run(pair) {
    const { sent, lines } = pair.traces.gone!;
    if (!lines.some(tellsOfFailure))
      throw new Fault(`${sent}, while A is stopped`, shown(lines), 'a log line that tells of the error');
  },
});

const staysHealthy = lab({
  name: "B's /health is still 200 while A is stopped",
  needs: ['a', 'b'],
  why: 'Health is about B alone: were it not, whatever restarts unhealthy services would restart B for a failure of A.',
  mend: "Do not ask A in B's /health, and do not let a failed call end or block B.",
  async run(pair) {
    const { sent, answer, came } = await pair.ask('b', '/health');
    if (answer?.status !== 200) throw new Fault(`${sent}, while A is stopped`, came, '200');
  },
});

const recovers = lab({
  name: 'B answers 200 again once A is started, without a restart of B',
  needs: ['a', 'b'],
  ...RECOVERY,
  async run(pair) {
    const life = await pair.stack.b.life();
    await pair.stack.a.start();
    await expectRecovery(pair, 'A started again', life);
  },
});

const isIndependent = lab({
  name: 'A answers while B is stopped',
  needs: ['a', 'b'],
  why: 'Two services are two processes: one can be stopped, replaced or broken without the other.',
  mend: 'Start each with a command or container of its own, on a port of its own.',
  async run(pair) {
    const { sent, answer, came } = await pair.ask('a', '/echo?msg=hello');
    if (answer?.status !== 200) throw new Fault(`${sent}, while B is stopped`, came, '200');
  },
});

export const withBothUp = [
  isHealthy('a'),
  echoes,
  isHealthy('b'),
  callsThrough,
  logsEveryRequest('a'),
  logsTheRequired('a'),
  logsEveryRequest('b'),
  logsTheRequired('b'),
];
export const whenAHangs = [timesOut];
export const onceAGoesOn = [recoversFromHang];
export const whenAIsStopped = [survives, logsTheError, staysHealthy];
export const onceAIsStarted = [recovers];
export const whenBIsStopped = [isIndependent];
