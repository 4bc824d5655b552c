import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Situation } from './check.ts';
import { actOn } from './examine.ts';
import { traceFailures } from './logging.ts';
import { Pair } from './pair.ts';
import {
  givenOddInput,
  whenAHangs,
  whenAHangsUnderLoad,
  whenAIsReplaced,
  whenAIsStopped,
  whenBIsStopped,
  withBothUp,
} from './situations.ts';
import { get } from '../stack/http.ts';
import { isHealthy } from '../stack/health.ts';
import { jsonLogs, type Stack } from '../stack/service.ts';
import { until } from '../stack/until.ts';

const DEADLINE_MS = 1000;
/** What a busy machine may add to an answer. A second attempt at A, or a longer deadline, would add 1 s or more. */
const LATE_MS = 800;
const IN_TIME_MS = DEADLINE_MS + LATE_MS;
const LIMITS = { answerMs: IN_TIME_MS, goneMs: IN_TIME_MS, healthMs: LATE_MS, recoveryMs: 3000 };

/** The tests of what must hold wherever the two services run; `running` gives the pair. */
export function specification(running: () => Stack) {
  let stack: Stack;
  let pair: Pair;

  before(() => {
    stack = running();
    pair = new Pair(stack, LIMITS);
  });

  afterEach(async function () {
    if (!this.currentTest?.isFailed()) return;
    for (const name of ['a', 'b'] as const) {
      console.error(`\nThe last lines of service ${name.toUpperCase()}'s log:`);
      console.error((await stack[name].logs()).slice(-30).join('\n'));
    }
  });

  const call = (msg: string, headers = {}) => get(`${stack.b.url}/call-echo?msg=${encodeURIComponent(msg)}`, headers);

  async function expectSuccess() {
    const msg = `${randomUUID()} & # + % "👋`;
    const { status, json } = await call(msg);
    expect({ status, json }).to.deep.equal({ status: 200, json: { service_b: 'ok', service_a: { echo: msg } } });
  }

  /** A call that A does not answer: what B tells the caller, and what its log then tells about the same request. */
  async function expectFailure(...reasons: string[]) {
    const id = randomUUID();
    const { status, headers, json, ms } = await call('hello', { 'x-request-id': id });
    expect(status).to.equal(503);
    expect(headers['x-request-id']).to.equal(id);
    expect(json).to.have.all.keys('service_b', 'service_a', 'error', 'reason');
    expect(json).to.include({ service_b: 'ok', service_a: 'unavailable' });
    expect(json.reason).to.be.oneOf(reasons);

    const [line] = await linesOf('b', id);
    expect(line).to.include({ level: 'error', status: 503, endpoint: '/call-echo' });
    expect(line).to.include({ reason: json.reason, error: json.error });
    expect(line!.upstream_latency_ms).to.be.a('number');
    return ms;
  }

  async function expectFailureByDeadline() {
    expect(await expectFailure('dns', 'refused')).to.be.below(IN_TIME_MS);
  }

  async function linesOf(name: 'a' | 'b', id: string) {
    return until(`a line for ${id} in the log of service ${name}`, async () => {
      const lines = (await jsonLogs(stack[name])).filter((line) => line.request_id === id);
      return lines.length > 0 && lines;
    });
  }

  const recovered = async () => (await call('back?')).status === 200;

  /** The checks of the grade. Some of them change the situation, so they come last, in their order. */
  const itMeets = (situation: Situation, checks = situation.checks) => {
    for (const check of checks) {
      it(check.name, async () => {
        const { obstacle, error, seen } = await actOn(check, pair, situation);
        expect({ obstacle, error }).to.deep.equal({ obstacle: undefined, error: undefined });
        check.judge(pair.record, seen, check.statuses ?? []);
      });
    }
  };

  describe('with both up', () => {
    before(() => withBothUp.enter(pair));
    after(() => withBothUp.leave(pair));

    it('brings a message through B to A and back', expectSuccess);

    it('answers for the health of each', async () => {
      for (const { url } of [stack.a, stack.b]) {
        expect(await get(`${url}/health`)).to.deep.include({ status: 200, json: { status: 'ok' } });
      }
    });

    it('lets A be asked directly', async () => {
      expect(await get(`${stack.a.url}/echo?msg=hello`)).to.deep.include({ status: 200, json: { echo: 'hello' } });
    });

    it('logs one line for the call in each service, under one request id', async () => {
      const id = randomUUID();
      await call('hello', { 'x-request-id': id });
      const inA = await linesOf('a', id);
      const inB = await linesOf('b', id);
      expect([inA.length, inB.length]).to.deep.equal([1, 1]);
      expect(inA[0]).to.include({ service: 'service-a', level: 'info', endpoint: '/echo', status: 200 });
      expect(inB[0]).to.include({ service: 'service-b', level: 'info', endpoint: '/call-echo', status: 200 });
      expect(inA[0]!.latency_ms).to.be.at.most(inB[0]!.upstream_latency_ms);
      expect(inB[0]!.upstream_latency_ms).to.be.at.most(inB[0]!.latency_ms);
    });

    itMeets(withBothUp);
  });

  for (const time of ['once', 'a second time']) {
    describe(`when A is stopped ${time}`, () => {
      before(() => whenAIsStopped.enter(pair));
      after(() => whenAIsStopped.leave(pair));

      it('answers 503 with the reason, by the deadline, and logs why', expectFailureByDeadline);
      it('ended with exit code 0', () => expect(pair.record.ends.a!.code).to.equal(0));
      itMeets(whenAIsStopped);
    });
  }

  describe('when A is killed', () => {
    before(async () => {
      pair.lifeBefore = await stack.b.life();
      await stack.a.kill();
      await traceFailures(pair, 'gone');
    });
    after(() => whenAIsStopped.leave(pair));

    it('answers 503 with the reason, by the deadline, and logs why', expectFailureByDeadline);
    itMeets(
      whenAIsStopped,
      whenAIsStopped.checks.filter(({ section }) => section === 'lab'),
    );
  });

  describe('when A hangs', () => {
    before(() => whenAHangs.enter(pair));
    after(() => whenAHangs.leave(pair));

    it('answers 503 at the deadline', async () => {
      expect(await expectFailure('timeout')).to.be.within(DEADLINE_MS - 10, DEADLINE_MS + LATE_MS);
    });

    itMeets(whenAHangs);
  });

  describe('when A is replaced by one that misbehaves', () => {
    before(() => whenAIsReplaced.enter(pair));
    after(() => whenAIsReplaced.leave(pair));

    itMeets(whenAIsReplaced);
  });

  describe('when B is stopped', () => {
    before(() => whenBIsStopped.enter(pair));
    after(() => whenBIsStopped.leave(pair));

    it('ended with exit code 0', () => expect(pair.record.ends.b!.code).to.equal(0));
    itMeets(whenBIsStopped);
  });

  for (const situation of [givenOddInput, whenAHangsUnderLoad]) {
    describe(situation.name, () => {
      before(() => situation.enter(pair));
      after(() => situation.leave(pair));

      itMeets(situation);
    });
  }

  describe('when B is started while A is stopped', () => {
    before(async () => {
      await Promise.all([stack.a.stop(), stack.b.stop()]);
      await stack.b.start();
    });

    it('is healthy', async () => {
      expect(await isHealthy(stack.b.url)).to.equal(true);
    });

    it('answers 503 until A is started, and then 200', async () => {
      await expectFailure('dns', 'refused');
      await stack.a.start();
      await until('B to answer 200', recovered, LIMITS.recoveryMs);
      await expectSuccess();
    });
  });

  describe('when B is told to stop while a call is in flight', () => {
    it('answers the call, ends with exit code 0, and leaves A alone', async () => {
      await stack.a.pause();
      const inFlight = call('hello');
      await sleep(300);
      const stopped = stack.b.stop();
      const { status, headers, json } = await inFlight;
      expect(status).to.equal(503);
      expect(json.reason).to.equal('timeout');
      expect(headers.connection).to.equal('close');
      expect(await stopped).to.equal(0);
      await stack.a.resume();
      expect(await isHealthy(stack.a.url)).to.equal(true);
      await stack.b.start();
      await expectSuccess();
    });

    it('logs its end in the form of every other line', async () => {
      const lines = await jsonLogs(stack.b);
      for (const event of ['listening', 'stopping', 'stopped']) {
        const line = lines.find(({ msg }) => msg === event);
        expect(line, event).to.include({ level: 'info', service: 'service-b' });
        expect(line!.time).to.match(/^\d{4}-.*Z$/);
      }
    });
  });
}
