import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { callSteadily } from '../experiment/calls.ts';
import { startContainers } from '../stack/docker/containers.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { get } from '../stack/http.ts';
import { until } from '../stack/until.ts';
import type { Names } from './resolver.ts';

const NO_HOSTS = '127.0.0.1 localhost\n';
const NO_ROUTE = '2001:db8:0:0:0:0:0:1'; // for documentation (RFC 3849): no machine has it
const IDLE_MS = 1000; // how long B keeps an unused connection to A
const DEADLINE_MS = 1000; // how long B waits for a resolver, as for everything else
const LATE_MS = 800; // what a busy machine may add

describeWithDocker('The lookup of the name of A', function () {
  this.timeout(60_000);
  let folder: string;
  let stack: Awaited<ReturnType<typeof startContainers>>;
  let address: string;

  before(async function () {
    this.timeout(300_000);
    folder = await mkdtemp(join(tmpdir(), 'two-services-'));
    await write({ addresses: {} });
    stack = await startContainers({ LOOKUP: folder }, 'e2e/hostile/name-lookup.yml');
    [address = ''] = await stack.a.addresses();
    await write({ addresses: { 'service-a': [address] } });
    await until('the resolver to answer', async () => (await call()).status === 200);
  });

  after(async () => {
    await stack?.down();
    await rm(folder, { recursive: true });
  });

  const call = () => get(`${stack.b.url}/call-echo?msg=hello`);

  /** What the resolver knows, and the lines of B's resolv.conf and hosts file besides the usual ones. */
  async function write(names: Names, resolvConf = 'nameserver 127.0.0.53\n', hosts = NO_HOSTS) {
    await writeFile(join(folder, 'names.json'), JSON.stringify(names));
    await writeFile(join(folder, 'resolv.conf'), resolvConf);
    await writeFile(join(folder, 'hosts'), hosts);
  }

  async function given(...files: Parameters<typeof write>) {
    await write(...files);
    await sleep(IDLE_MS + 500); // B has then closed its connections
  }

  const expectAnswer = async () =>
    expect((await call()).json).to.deep.equal({ service_b: 'ok', service_a: { echo: 'hello' } });

  it('finds A at its other address when the first one has no route', async () => {
    await given({ addresses: { 'service-a': [NO_ROUTE, address] } });
    await expectAnswer();
  });

  it('goes through the search domains in their order, as the system does, even where a later one knows every name', async () => {
    const search = 'search one.test two.test\noptions ndots:5\nnameserver 127.0.0.53\n';
    await given({ addresses: { 'service-a.two.test': [address], 'service-a': ['127.0.0.99'] } }, search);
    await expectAnswer();
    await given({ addresses: { 'service-a.one.test': [address], '*.two.test': ['127.0.0.99'] } }, search);
    await expectAnswer();
  });

  it('reads the hosts file, in any case', async () => {
    await given({ addresses: {} }, undefined, `${NO_HOSTS}${address} Service-A\n`);
    await expectAnswer();
  });

  it('reads a resolv.conf that has changed', async () => {
    await given({ addresses: { 'service-a': [address] } }, 'nameserver 127.0.0.54\n');
    expect((await call()).json).to.include({ reason: 'dns' });
    await given({ addresses: { 'service-a': [address] } });
    await expectAnswer();
  });

  describe('while the resolver is silent', () => {
    let answers: Awaited<ReturnType<typeof call>>[];
    let health: Awaited<ReturnType<typeof get>>;

    before(async () => {
      await given({ addresses: { 'service-a': [address] }, silent: ['*'] });
      const calls = Array.from({ length: 64 }, call);
      await sleep(100);
      health = await get(`${stack.b.url}/health`);
      answers = await Promise.all(calls);
    });

    it('fails each of 64 calls at once with dns, at the deadline', () => {
      for (const { status, json, ms } of answers) {
        expect(status).to.equal(503);
        expect(json.reason).to.equal('dns');
        expect(ms).to.be.within(DEADLINE_MS - 10, DEADLINE_MS + LATE_MS);
      }
    });

    it('does not delay the answer for the health of B, which is asked during these calls', () => {
      expect(health.status).to.equal(200);
      expect(health.ms).to.be.below(DEADLINE_MS - 200); // it would be late if it waited for the end of their lookups
    });

    it('lets calls succeed at most 1.1 s after it answers again', async () => {
      const calls = callSteadily(100, call);
      await sleep(1500);
      const back = Date.now();
      await writeFile(join(folder, 'names.json'), JSON.stringify({ addresses: { 'service-a': [address] } }));
      await sleep(3000);
      const made = await calls.stop();
      const firstSuccess = made.find(({ status }) => status === 200)!;
      expect(firstSuccess.at + firstSuccess.ms - back).to.be.below(1100 + LATE_MS);
      for (const { at, status } of made) if (at > firstSuccess.at) expect(status).to.equal(200);
    });
  });
});
