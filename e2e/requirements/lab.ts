/** The lab's requirements, by the state of the world in which each is checked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { tryFor } from '../stack/until.ts';
import { lab, type Check } from './check.ts';
import { expectFailure, expectOk, expectText } from './expect.ts';
import { logsEachRequest, logsTheRequired, measures, PATHS_OF, shown } from './logging.ts';
import { word, type Pair } from './pair.ts';
import { Fault, tells, tellsOfFailure, tracesOf, type Exchange, type Name, type Recorded } from './record.ts';

/** A call whose message no service can guess. */
type Asked = Exchange & { msg: string };

async function callB(pair: Pair): Promise<Asked> {
  const msg = word();
  return { ...(await pair.call(msg)), msg };
}

function answersForHealth(name: Name): Check {
  return lab<Exchange>({
    name: `${name.toUpperCase()} answers /health with 200`,
    needs: [name],
    isHttp: name === 'a',
    why: 'Every tool that watches a service, from Compose to a load balancer, asks for /health and trusts the status code.',
    fix: 'Add a GET route /health that answers 200 by itself, without a call to another service.',
    act: (pair) => pair.ask(name, '/health'),
    judge: (_record, exchange) => expectOk(exchange),
  });
}

export const healthOf = { a: answersForHealth('a'), b: answersForHealth('b') };

export const echoes = lab<Asked>({
  name: 'A answers /echo with the message',
  needs: ['a'],
  isHttp: true,
  why: 'B makes its own answer from this one.',
  fix: 'Answer 200 with JSON such as {"echo": msg}, made by a JSON library and not by pasting strings.',
  async act(pair) {
    const msg = word();
    return { ...(await pair.ask('a', `/echo?msg=${msg}`)), msg };
  },
  judge: (_record, asked) => expectText(asked, asked.msg),
});

const callsThrough = lab<Asked>({
  name: "B answers /call-echo with A's answer in it",
  needs: ['a', 'b'],
  why: 'This is the purpose of B: it gets its answer from another service, over the network.',
  fix: "Call A's /echo with the message and put A's JSON into B's own; check the address that B has for A.",
  act: callB,
  judge: (_record, asked) => expectText(asked, asked.msg),
});

/** What B answered once A was back, and whether it was the same B as before. */
interface Recovery {
  last: Asked;
  isInTime: boolean;
  isSameLife: boolean;
}

const isSameLife = async (pair: Pair) => (await pair.stack.b.life()) === pair.lifeBefore;

async function waitForRecovery(pair: Pair): Promise<Recovery> {
  let last: Asked;
  const isBack = async () => {
    last = await callB(pair);
    return last.answer?.status === 200 && tells(last.answer, last.msg);
  };
  const isInTime = await tryFor(pair.limits.recoveryMs, isBack, 50);
  return { last: last!, isInTime: Boolean(isInTime), isSameLife: await isSameLife(pair) };
}

function recovers(name: string, since: string, act: (pair: Pair) => Promise<unknown>): Check {
  return lab<Recovery>({
    name,
    needs: ['a', 'b'],
    why: 'If a person must restart B after a failure of A, the two services do not fail independently.',
    fix: 'Keep nothing of a failed call: make a new call for each request, and let no failure end the process.',
    async act(pair) {
      await act(pair);
      return waitForRecovery(pair);
    },
    judge({ limits }, { last, isInTime, isSameLife }) {
      const expected = `200 and an answer that holds "${last.msg}", within ${limits.recoveryMs / 1000} s`;
      if (!isInTime) throw new Fault(`${last.sent}, ${since}`, last.received, expected);
      expectSameLife(isSameLife, since);
    },
  });
}

/** Throws when B was restarted since A failed: then it is not the B that was asked before. */
function expectSameLife(isSame: boolean, since: string) {
  if (!isSame) throw new Fault(since, 'B was restarted', 'the same B, without a restart');
}

/** Throws unless each call was answered with one of the `statuses` within `withinMs`. */
function expectFailures(record: Recorded, key: 'hang' | 'gone', when: string, withinMs: number, statuses: number[]) {
  for (const trace of tracesOf(record, key)) expectFailure(trace, when, withinMs, statuses);
}

export const timesOut = lab({
  name: 'B answers 503 while A hangs',
  needs: ['a', 'b'],
  why: "Without a timeout, B waits as long as A hangs, and so does B's caller: one hanging service becomes two.",
  fix: 'Give the call to A a timeout of a second or two, catch it, and answer 503.',
  statuses: [503],
  judge: (record, _seen, statuses) =>
    expectFailures(record, 'hang', 'while A is frozen', record.limits.answerMs, statuses),
});

export const recoversFromHang = recovers('B answers 200 again once A goes on', 'A no longer frozen', (pair) =>
  pair.resume(),
);

/** How long it may take until a service answers that something restarts. */
const LATER_MS = 4000;

/** What was answered for A after it was stopped. */
interface AfterStop {
  atOnce: Exchange;
  later?: Exchange;
}

export const isGone = lab<AfterStop>({
  name: 'A no longer answers once it is stopped',
  needs: ['a'],
  why: 'A service that keeps running after it was stopped cannot be replaced: the next one finds its port taken, and no one knows which of the two answers.',
  fix: 'Run the service in the foreground (no daemon, no setsid, no &): the person who starts it must be able to stop it.',
  async act(pair) {
    const atOnce = await pair.ask('a', '/health', 1000);
    if (atOnce.answer) return { atOnce };
    await sleep(Math.max(0, pair.stoppedAt.a! + LATER_MS - Date.now()));
    return { atOnce, later: await pair.ask('a', '/health', 1000) };
  },
  judge({ ends }, { atOnce, later }) {
    expectEnded(ends.a?.survivor, 'A');
    for (const { sent, answer, received } of [atOnce, ...(later ? [later] : [])])
      if (answer) throw new Fault(`${sent}, after A was stopped`, received, 'no answer');
  },
});

function expectEnded(survivor: string | undefined, service: string) {
  if (!survivor?.startsWith('still answered')) return;
  throw new Fault(
    `SIGTERM to service ${service}`,
    `after ${service} was stopped, something of it ${survivor}`,
    'no answer',
  );
}

export const survives = lab({
  name: 'B answers 503 while A is stopped',
  needs: ['a', 'b'],
  why: "503 says that it is not the caller's fault and may pass; a 500, a 200 or a closed connection says something else.",
  fix: 'Catch the failure of the call to A and answer 503 with a JSON body that says that A is unavailable.',
  statuses: [503],
  judge: (record, _seen, statuses) =>
    expectFailures(record, 'gone', 'while A is stopped', record.limits.goneMs, statuses),
});

export const logsTheError = lab({
  name: 'B logs an error while A is stopped',
  needs: ['a', 'b'],
  why: "When callers see 503, people look into B's log first.",
  fix: 'Log a line with level error, or an error field, where the failed call is caught.',
  judge(record) {
    const { sent, lines } = tracesOf(record, 'gone').at(-1)!;
    if (tellsOfFailure(record)) return;
    throw new Fault(
      `${sent}, while A is stopped`,
      shown(lines),
      'a log line that tells the error, and not only the status',
    );
  },
});

export const staysHealthy = lab<{ health: Exchange; isSameLife: boolean }>({
  name: "B's /health is still 200 while A is stopped",
  needs: ['a', 'b'],
  why: '/health is about B alone: otherwise a tool that restarts unhealthy services would restart B when A fails.',
  fix: "Do not ask A in B's /health, and do not let a failed call end or block B.",
  act: async (pair) => ({ health: await pair.ask('b', '/health'), isSameLife: await isSameLife(pair) }),
  judge(_record, { health, isSameLife }) {
    expectOk(health, ', while A is stopped');
    expectSameLife(isSameLife, 'A stopped, and calls to B');
  },
});

export const recoversFromStop = recovers(
  'B answers 200 again once A is started, without a restart of B',
  'A started again',
  async (pair) => {
    await pair.startA();
    pair.isAAway = false;
  },
);

export const isIndependent = lab<Exchange>({
  name: 'A answers while B is stopped',
  needs: ['a', 'b'],
  isHttp: true,
  why: 'Two services are two processes: one can be stopped, replaced or broken without the other.',
  fix: 'Start each with its own command or container, in the foreground, on its own port.',
  act: (pair) => pair.ask('a', `/echo?msg=${word()}`),
  judge({ ends }, exchange) {
    expectEnded(ends.b?.survivor, 'B');
    expectOk(exchange, ', while B is stopped');
  },
});

/** Two calls while the stand-in replaces A: it echoes one, and answers the other with another text. */
interface WithStandIn {
  echoed: Asked;
  targets: string[];
  changed: Asked;
  given: string;
}

export const asksA = lab<WithStandIn | undefined>({
  name: 'B asks A for each answer, and passes on what A says',
  needs: ['a', 'b'],
  why: 'If B answers without A, the two are not a distributed system: B never depends on another service.',
  fix: "Call A's /echo with the message in B's /call-echo, and answer with what A answered.",
  async act(pair) {
    if (!pair.record.hasFoundStandIn) return;
    await pair.requestsToStandIn();
    const echoed = await callB(pair);
    const { targets } = await pair.requestsToStandIn();
    const [given, msg] = [word(), word()];
    await pair.tellStandIn(`play?as=${given}&msg=${msg}`);
    return { echoed, targets, changed: { ...(await pair.call(msg)), msg }, given };
  },
  judge({ isGrpc }, seen) {
    if (!seen) {
      const what = "calls to B's /call-echo, with another server in A's place";
      throw new Fault(what, 'no request to A for /echo', 'a request to A for /echo');
    }
    const { echoed, targets, changed, given } = seen;
    if (!targets.some((target) => target.includes(echoed.msg))) {
      const received = `${echoed.received}, and no request to A with "${echoed.msg}"`;
      throw new Fault(echoed.sent, received, 'a request to A with the message');
    }
    // Over gRPC, the stand-in cannot write A's own messages, so its answer need not hold the text that B was asked for.
    if (!isGrpc) expectText(echoed, echoed.msg);
    // B may refuse an echo that differs from its message, but it must not invent one.
    const answer = changed.answer?.status === 200 ? changed.answer : undefined;
    if (answer && !tells(answer, given) && (!isGrpc || tells(answer, changed.msg))) {
      throw new Fault(
        `${changed.sent}, to which A answers with the echo of "${given}"`,
        changed.received,
        `"${given}" in the answer`,
      );
    }
  },
});

export const withBothUp = [
  healthOf.a,
  echoes,
  healthOf.b,
  callsThrough,
  ...PATHS_OF.a.map((path) => logsEachRequest('a', path)),
  logsTheRequired('a'),
  ...PATHS_OF.b.map((path) => logsEachRequest('b', path)),
  logsTheRequired('b'),
  measures,
];
