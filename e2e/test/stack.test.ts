import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startContainers } from '../src/containers.ts';
import type { Situation } from '../src/grade/check.ts';
import { traceFailure } from '../src/grade/lab.ts';
import { Pair } from '../src/grade/pair.ts';
import { whenAHangs, whenAIsReplaced, whenAIsStopped, whenBIsStopped, withBothUp } from '../src/grade/situations.ts';
import { get } from '../src/http.ts';
import { startProcesses } from '../src/processes.ts';
import { isHealthy, jsonLogs, until, type Stack } from '../src/stack.ts';
import { describeWithDocker } from './with-docker.ts';

const DEADLINE_MS = 1000;
const LIMITS = { answerMs: DEADLINE_MS + 500, goneMs: DEADLINE_MS + 500, healthMs: 250, recoveryMs: 1000 };

describe('Two services as two processes', () => specification(startProcesses));

describeWithDocker('Two services in two containers', () => specification(startContainers));

/** What must hold wherever the two services run. */
function specification(startStack: () => Promise<Stack>) {
  let stack: Stack;
  let pair: Pair;

  before(async function () {
    this.timeout(300_000);
    stack = await startStack();
    pair = new Pair(stack, LIMITS);
  });

  afterEach(async function () {
    if (!this.currentTest?.isFailed()) return;
    for (const name of ['a', 'b'] as const) {
      console.error(`\nThe last lines of service ${name.toUpperCase()}'s log:`);
      console.error((await stack[name].logs()).slice(-30).join('\n'));
    }
  });

  after(async function () {
    this.timeout(60_000);
    await stack?.down();
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

  async function linesOf(name: 'a' | 'b', id: string) {
    return until(`a line for ${id} in the log of service ${name}`, async () => {
      const lines = (await jsonLogs(stack[name])).filter((line) => line.request_id === id);
      return lines.length > 0 && lines;
    });
  }

  const recovered = async () => (await call('back?')).status === 200;

  /** What the grade demands of anybody's pair, and behind it what is ours alone. */
  function demand(
    { name, enter, checks, leave }: Situation,
    { ours = () => {}, as = name, by = enter }: { ours?: () => void; as?: string; by?: (pair: Pair) => Promise<void> },
  ) {
    describe(as, function () {
      this.timeout(60_000);
      before(() => by(pair));
      ours();
      for (const check of checks) it(check.name, () => check.run(pair));
      after(() => leave(pair));
    });
  }

  demand(withBothUp, {
    ours() {
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
    },
  });

  const failsAtOnce = () => {
    it('answers 503 with the reason, within the deadline, and logs why', async () => {
      expect(await expectFailure('dns', 'refused')).to.be.below(DEADLINE_MS + 50);
    });
  };

  for (const time of ['once', 'a second time']) {
    demand(whenAIsStopped, {
      as: `when A is stopped ${time}`,
      ours() {
        failsAtOnce();
        it('ended with exit code 0', () => expect(pair.ends.a!.code).to.equal(0));
      },
    });
  }

  const labOnly = whenAIsStopped.checks.filter(({ section }) => section === 'lab');
  demand(
    { ...whenAIsStopped, checks: labOnly },
    {
      as: 'when A is killed',
      by: async () => {
        await stack.a.kill();
        await traceFailure(pair, 'gone');
      },
      ours: failsAtOnce,
    },
  );

  demand(whenAHangs, {
    ours() {
      it('answers 503 at the deadline', async () => {
        expect(await expectFailure('timeout')).to.be.within(DEADLINE_MS - 10, DEADLINE_MS + 100);
      });
    },
  });

  demand(whenAIsReplaced, {});

  demand(whenBIsStopped, {
    ours() {
      it('ended with exit code 0', () => expect(pair.ends.b!.code).to.equal(0));
    },
  });

  describe('when B is started while A is away', () => {
    before(async function () {
      this.timeout(60_000);
      await Promise.all([stack.a.stop(), stack.b.stop()]);
      await stack.b.start();
    });

    it('is healthy', async () => {
      expect(await isHealthy(stack.b.url)).to.equal(true);
    });

    it('answers 503 until A is there, and then 200', async () => {
      await expectFailure('dns', 'refused');
      await stack.a.start();
      await until('B to answer 200', recovered, 1000);
      await expectSuccess();
    });
  });

  describe('when B is told to stop while a call is in flight', () => {
    it('answers the call, ends with exit code 0, and leaves A alone', async function () {
      this.timeout(60_000);
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
