/** The lab's requirements, by the state of the world in which each is checked. */
import { get } from '../stack/http.ts';
import { tryFor } from '../stack/until.ts';
import { lab, type Check } from './check.ts';
import { latencies, namesLatency } from './log-line.ts';
import { Fault, type Exchange, type Name, type Pair, tells, Unjudged, word } from './pair.ts';
import {
  expect503,
  expectSuccess,
  linesFor,
  logsEachRequest,
  logsTheRequired,
  shown,
  traceSlow,
  SLOW_MS,
} from './logging.ts';

function answersForHealth(name: Name): Check {
  const service = name.toUpperCase();
  return lab({
    name: `${service} answers /health with 200`,
    needs: [name],
    isHttp: name === 'a',
    why: 'Whatever watches over a service, from Compose to a load balancer, asks this and believes the status code.',
    fix: 'Add a GET route /health that answers 200 by itself, without asking anybody else.',
    async run(pair) {
      const { sent, answer, received } = await pair.ask(name, '/health');
      if (answer?.status !== 200) throw new Fault(sent, received, '200');
    },
  });
}

const echoes = lab({
  name: 'A answers /echo with the message',
  needs: ['a'],
  isHttp: true,
  why: 'This is the answer that B is built on.',
  fix: 'Answer 200 with JSON such as {"echo": msg}, made by a JSON library and not by pasting strings.',
  async run(pair) {
    const msg = word();
    const { sent, answer, received } = await pair.ask('a', `/echo?msg=${msg}`);
    if (answer?.status !== 200 || !tells(answer, msg))
      throw new Fault(sent, received, `200 and an answer that holds "${msg}"`);
  },
});

const callsThrough = lab({
  name: "B answers /call-echo with A's answer in it",
  needs: ['a', 'b'],
  why: 'It is what B is for: one service that gets its answer from another, over the network.',
  fix: "Call A's /echo with the message and put A's JSON into B's own; look at where B believes A to be.",
  async run(pair) {
    await expectSuccess(pair);
  },
});

const measures = lab({
  name: "The latency in B's log lines is the time that the request took",
  needs: ['a', 'b'],
  why: 'A latency that does not grow when A is slow hides the one thing that it is there to show.',
  fix: 'Read a monotonic clock when the request arrives and again when its answer is known, and log the difference.',
  async run(pair) {
    if (!linesFor(pair.linesOfSuccess('b'), '/call-echo').some(namesLatency)) throw new Unjudged('No line tells any.');
    for (let attempt = 1; ; attempt++) {
      const { sent, answer, lines } = await traceSlow(pair);
      const own = linesFor(lines, '/call-echo');
      const took = answer?.ms ?? pair.limits.answerMs;
      const least = 0.8 * Math.min(SLOW_MS, took); // the rest may have been spent on the way
      if (own.flatMap(latencies).some((ms) => ms > least && ms < 1.1 * took + 20)) return;
      if (attempt < 3) continue; // on a busy machine, B may have received it when the moment was over
      if (took < SLOW_MS / 2) throw new Unjudged('B did not wait for A.');
      const expected = `a log line with a latency of ${Math.round(least)} to ${Math.round(took)} ms`;
      throw new Fault(`${sent}, with A paused for a moment`, shown(own), expected);
    }
  },
});

/** Rejects when B has begun another life since A failed: whatever it answers now, it is not the B that was asked before. */
async function expectSameLife(pair: Pair, since: string) {
  if ((await pair.stack.b.life()) !== pair.lifeBefore)
    throw new Fault(since, 'B was restarted', 'B to go on as it was');
}

async function expectRecovery(pair: Pair, since: string) {
  const { answerMs, recoveryMs } = pair.limits;
  let last: Exchange;
  const isBack = async () => {
    const msg = word();
    last = await pair.call(msg, answerMs);
    return last.answer?.status === 200 && tells(last.answer, msg);
  };
  const isInTime = await tryFor(recoveryMs, isBack, 50);
  if (!isInTime) throw new Fault(`${last!.sent}, ${since}`, last!.received, `200 within ${recoveryMs / 1000} s`);
  pair.traces.back = { ...last!, lines: [] };
  await expectSameLife(pair, since);
}

const RECOVERY = {
  why: 'A failure that needs a person to restart the others is not an independent one.',
  fix: 'Keep nothing about a failed call: make a new one for each request, and never end the process over one.',
};

const timesOut = lab({
  name: 'B answers 503 while A hangs',
  needs: ['a', 'b'],
  why: "Without a timeout B waits as long as A does, and so does B's caller: one hanging service has become two.",
  fix: 'Give the call to A a timeout of a second or two, catch it, and answer 503.',
  async run(pair) {
    if (pair.traces.hang!.isLate) pair.waits = 'B has no timeout at all.';
    expect503(pair.traces.hang!, 'while A is frozen', pair.limits.answerMs);
  },
});

const recoversFromHang = lab({
  name: 'B answers 200 again once A goes on',
  needs: ['a', 'b'],
  ...RECOVERY,
  async run(pair) {
    await pair.stack.a.resume();
    await expectRecovery(pair, 'A no longer frozen');
  },
});

const isGone = lab({
  name: 'A no longer answers once it is stopped',
  needs: ['a'],
  why: 'What goes on after it was stopped cannot be replaced: the next one finds its port taken, and nobody knows which of them answers.',
  fix: 'Run the service in the foreground (no daemon, no setsid, no &): whoever starts it must be able to stop it.',
  async run(pair) {
    const survivor = pair.ends.a?.survivor;
    if (survivor?.startsWith('still answered')) {
      throw new Fault('SIGTERM to service A', `after A was stopped, something of it ${survivor}`, 'nothing to answer');
    }
    const { sent, answer, received } = await pair.ask('a', '/health', 1000);
    if (answer) throw new Fault(`${sent}, after A was stopped`, received, 'nobody to answer');
  },
});

const survives = lab({
  name: 'B answers 503 while A is stopped',
  needs: ['a', 'b'],
  why: "503 says that it is not the caller's fault and may pass; a 500, a 200 or a closed connection says something else.",
  fix: 'Catch the failure of the call to A and answer 503 with a JSON body that says that A is unavailable.',
  async run(pair) {
    expect503(pair.traces.gone!, 'while A is stopped', pair.limits.goneMs);
  },
});

const logsTheError = lab({
  name: 'B logs an error while A is stopped',
  needs: ['a', 'b'],
  why: "When callers see 503, B's log is where somebody looks first.",
  fix: 'Log a line with level error, or an error field, where the failed call is caught.',
  async run(pair) {
    const { sent, lines } = pair.traces.gone!;
    if (!lines.some((line) => pair.tellsOfFailure(line)))
      throw new Fault(
        `${sent}, while A is stopped`,
        shown(lines),
        'a log line that tells of the error, in more than the status of the answer',
      );
  },
});

const staysHealthy = lab({
  name: "B's /health is still 200 while A is stopped",
  needs: ['a', 'b'],
  why: 'Health is about B alone: were it not, whatever restarts unhealthy services would restart B for a failure of A.',
  fix: "Do not ask A in B's /health, and do not let a failed call end or block B.",
  async run(pair) {
    const { sent, answer, received } = await pair.ask('b', '/health');
    if (answer?.status !== 200) throw new Fault(`${sent}, while A is stopped`, received, '200');
    await expectSameLife(pair, 'A stopped, and one call to B');
  },
});

const recovers = lab({
  name: 'B answers 200 again once A is started, without a restart of B',
  needs: ['a', 'b'],
  ...RECOVERY,
  async run(pair) {
    await pair.stack.a.start();
    pair.isAAway = false;
    await expectRecovery(pair, 'A started again');
  },
});

const isIndependent = lab({
  name: 'A answers while B is stopped',
  needs: ['a', 'b'],
  isHttp: true,
  why: 'Two services are two processes: one can be stopped, replaced or broken without the other.',
  fix: 'Start each with a command or container of its own, in the foreground, on a port of its own.',
  async run(pair) {
    const survivor = pair.ends.b?.survivor;
    if (survivor?.startsWith('still answered')) {
      throw new Fault('SIGTERM to service B', `after B was stopped, something of it ${survivor}`, 'nothing to answer');
    }
    const msg = word();
    const { sent, answer, received } = await pair.ask('a', `/echo?msg=${msg}`);
    if (answer?.status !== 200) throw new Fault(`${sent}, while B is stopped`, received, '200');
  },
});

const asksA = lab({
  name: 'B asks A for each answer, and passes on what A says',
  needs: ['a', 'b'],
  why: 'A B that answers by itself is one service with two ports: nothing is distributed, and nothing can fail.',
  fix: "Call A's /echo with the message in B's /call-echo, and answer with what A answered.",
  async run(pair) {
    if (!pair.standIn) {
      const expected = 'a request to A for /echo';
      throw new Fault(
        "calls to B's /call-echo, with another server in A's place",
        'no request to A for /echo',
        expected,
      );
    }
    const msg = word();
    await get(`${pair.standIn.url}/asked`);
    const { sent, answer, received } = await pair.call(msg);
    const asked: string[] = (await get(`${pair.standIn.url}/asked`)).json.targets;
    if (!asked.some((target) => target.includes(msg))) {
      throw new Fault(sent, `${received}, and no request to A with "${msg}"`, 'a request to A with the message');
    }
    // What the stand-in says over gRPC may be nothing in the words of A's own messages; it has no text that B was asked for.
    if (!pair.isGrpc && (answer?.status !== 200 || !tells(answer, msg))) {
      throw new Fault(sent, received, `200 and an answer that holds A's echo of "${msg}"`);
    }
    const other = word();
    const changed = word();
    await get(`${pair.standIn.url}/play?as=${other}&msg=${changed}`);
    const second = await pair.call(changed);
    // One that compares the echo with what it asked for may refuse another; nobody may make one up.
    const given = second.answer?.status === 200 ? second.answer : undefined;
    if (given && !tells(given, other) && (!pair.isGrpc || tells(given, changed))) {
      throw new Fault(
        `${second.sent}, to which A answers with the echo of "${other}"`,
        second.received,
        `"${other}" in the answer`,
      );
    }
  },
});

export const withBothUp = [
  answersForHealth('a'),
  echoes,
  answersForHealth('b'),
  callsThrough,
  logsEachRequest('a', '/echo', 1),
  logsEachRequest('a', '/health', 0.5),
  logsTheRequired('a'),
  logsEachRequest('b', '/call-echo', 1),
  logsEachRequest('b', '/health', 0.5),
  logsTheRequired('b'),
  measures,
];
export const whenAHangs = [timesOut];
export const onceAGoesOn = [recoversFromHang];
export const whenAIsStopped = [isGone, survives, logsTheError, staysHealthy];
export const onceAIsStarted = [recovers];
export const whenBIsStopped = [isIndependent];
export const whenAIsReplaced = [asksA];
