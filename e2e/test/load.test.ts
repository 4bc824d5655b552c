import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { expect } from 'chai';
import { askRaw, burst, type Outcome } from '../src/burst.ts';
import { startContainers, type ContainerService } from '../src/containers.ts';
import { startProcesses } from '../src/processes.ts';
import { jsonLogs } from '../src/stack.ts';
import { describeWithDocker } from './with-docker.ts';

const DEADLINE_MS = 1000;
const IDLE_MS = 1000; // what B keeps an unused connection to A for

describeWithDocker('Two services in two containers, under load', function () {
  this.timeout(180_000);
  let stack: Awaited<ReturnType<typeof startContainers>>;
  const callUrl = () => `${stack.b.url}/call-echo?msg=hello`;

  before(async () => {
    stack = await startContainers();
    for (let round = 0; round < 40; round++) await burst(callUrl(), 50); // warm, so that memory is compared with memory
  });

  after(() => stack?.down());

  describe('with 2,000 calls at once while A hangs', () => {
    const ROUNDS = 3;
    const rounds: { answers: Outcome[]; probes: Outcome[] }[] = [];
    let first: Footprint;
    let last: Footprint;

    before(async () => {
      await stack.a.pause();
      for (let round = 0; round < ROUNDS; round++) {
        const probes: Promise<Outcome>[] = [];
        const timer = setInterval(() => probes.push(askRaw(`${stack.b.url}/health`)), 10);
        const answers = await burst(callUrl(), 2000);
        clearInterval(timer);
        rounds.push({ answers, probes: await Promise.all(probes) });
        last = await footprint(stack.b);
        if (round === 0) first = last;
      }
      await stack.a.resume();
    });

    it('answers every one with 503, as timed out or shed', () => {
      for (const { answers } of rounds) {
        expect(answers).to.have.length(2000);
        for (const { status, body } of answers) {
          expect(status).to.equal(503);
          expect(JSON.parse(body).reason).to.be.oneOf(['timeout', 'overloaded']);
        }
      }
    });

    // From outside, through Docker's forwarding of ports, by a caller who shares two cores with all of it: the best round
    // counts, and half of the half second is theirs.
    it('answers every one within the deadline and half a second', () => {
      const slowest = rounds.map(({ answers }) => Math.max(...answers.map(({ ms }) => ms)));
      expect(Math.min(...slowest), `the slowest answers of each round: ${slowest.map(Math.round)}`).to.be.at.most(
        DEADLINE_MS + 500,
      );
    });

    it('answers for its health all the while', () => {
      for (const { probes } of rounds) for (const { status } of probes) expect(status).to.equal(200);
    });

    it('serves again at once, and keeps neither memory nor connections', async () => {
      expect((await askRaw(callUrl())).status).to.equal(200);
      expect(last.rssKiB).to.be.at.most(first.rssKiB * 1.2);
      expect(last.files).to.be.at.most(first.files + 10);
    });
  });

  describe('with 20,000 calls while A is down', () => {
    it('answers each, and keeps neither memory nor connections', async () => {
      await stack.a.stop();
      const calls = async (amount: number) => {
        const { statusCodeStats } = await autocannon({ url: callUrl(), connections: 50, amount });
        expect(statusCodeStats).to.deep.equal({ 503: { count: amount } });
      };
      await calls(5000);
      const early = await footprint(stack.b);
      await calls(15_000);
      const late = await footprint(stack.b);
      await stack.a.start();
      expect(late.rssKiB).to.be.at.most(early.rssKiB * 1.2);
      expect(late.files).to.be.at.most(early.files + 10);
    });
  });

  describe('with more calls than B can serve', () => {
    it('goes on answering, sheds with an honest 503, and recovers', async () => {
      const end = performance.now() + 4000;
      const answers: Outcome[] = [];
      const caller = async () => {
        while (performance.now() < end) answers.push(await askRaw(callUrl()));
      };
      await Promise.all(Array.from({ length: 1500 }, caller));
      const reasons = answers.map(({ status, body }) => (status === 200 ? 'served' : JSON.parse(body).reason));
      expect(reasons).to.include('served');
      for (const reason of new Set(reasons)) expect(reason).to.be.oneOf(['served', 'overloaded', 'timeout']);
      const { status, ms } = await askRaw(callUrl());
      expect(status).to.equal(200);
      expect(ms).to.be.below(250);
    });
  });

  describe('when B is told to stop with 200 calls in flight', () => {
    it('answers all 200 and ends with exit code 0, inside the grace period', async () => {
      await stack.a.pause();
      const answers = burst(callUrl(), 200);
      await sleep(500);
      const start = performance.now();
      expect(await stack.b.stop()).to.equal(0);
      expect(performance.now() - start).to.be.below(5000);
      for (const { status, body } of await answers) {
        expect(status).to.equal(503);
        expect(JSON.parse(body).reason).to.equal('timeout');
      }
      await stack.a.resume();
      await stack.b.start();
    });
  });

  describe('when A is restarted under 200 calls a second', () => {
    it('loses no call but those that began while A was not listening', async () => {
      const asked: Promise<Outcome>[] = [];
      const timer = setInterval(() => asked.push(askRaw(callUrl())), 5);
      await sleep(1000);
      await stack.a.stop();
      await stack.a.start();
      await sleep(1000);
      clearInterval(timer);
      await Promise.all(asked);

      const linesOfA = await jsonLogs(stack.a);
      const stopping = Date.parse(linesOfA.findLast(({ msg }) => msg === 'stopping')!.time);
      const listening = Date.parse(linesOfA.findLast(({ msg }) => msg === 'listening')!.time);
      const began = (line: Record<string, any>) => Date.parse(line.time) - line.latency_ms;
      const calls = (await jsonLogs(stack.b)).filter(({ endpoint }) => endpoint === '/call-echo').slice(-asked.length);
      const failed = calls.filter(({ status }) => status !== 200);
      expect(failed).to.not.be.empty;
      for (const line of failed) {
        expect(began(line), JSON.stringify(line)).to.be.within(stopping - 5, listening + 100);
      }
    });
  });
});

describe('Connections that B keeps alive', function () {
  this.timeout(180_000);

  it('cost none of 20,000 calls with pauses around the idle limit', async () => {
    const stack = await startProcesses({ LOG_LEVEL: 'error' });
    try {
      let calls = 0;
      const caller = async () => {
        for (let call = 0; call < 50; call++) {
          await sleep(IDLE_MS - 30 + Math.random() * 60);
          const { status, body } = await askRaw(`${stack.b.url}/call-echo?msg=hello`);
          expect(status, body).to.equal(200);
          calls++;
        }
      };
      await Promise.all(Array.from({ length: 400 }, caller));
      expect(calls).to.equal(20_000);
    } finally {
      await stack.down();
    }
  });
});

type Footprint = { rssKiB: number; files: number };

/** The memory and the open files of the Node process in a container, once it has had three seconds of rest. */
async function footprint(service: ContainerService): Promise<Footprint> {
  await sleep(3000);
  // Neither the init, which has the service's command line too, nor a probe of the health check.
  const find = 'grep -lzx "service-[ab]/src/server.ts" /proc/[0-9]*/cmdline | grep -v "^/proc/1/"';
  const printed = await service.exec('sh', '-c', `cd $(dirname $(${find})) && grep VmRSS status && ls fd | wc -l`);
  const [rss, files] = printed.match(/\d+/g)!;
  return { rssKiB: Number(rss), files: Number(files) };
}
