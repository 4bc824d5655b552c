import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { docker } from '../stack/docker/engine.ts';
import { startContainers } from '../stack/docker/containers.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { get } from '../stack/http.ts';
import { startProcesses } from '../pairs/commands.ts';
import { hasProc, resourcesOf } from '../stack/process/resources.ts';
import { jsonLogs, type Service } from '../stack/service.ts';
import { until } from '../stack/until.ts';

const IDLE_MS = 1000; // how long B keeps an unused connection to A

const callOf = (b: Service) => () => get(`${b.url}/call-echo?msg=hello`, {}, { timeoutMs: 40_000 });

/** B's last line of a failed call. */
const failureIn = (b: Service) =>
  until('its line', async () => (await jsonLogs(b)).findLast(({ status }) => status === 503));

describeWithDocker('When the network goes dark during a call, with a deadline of 30 s', function () {
  this.timeout(300_000);

  it('A is unreachable, and B has no bug', async () => {
    await using stack = await startContainers({}, 'e2e/hostile/short-network.yml');
    const call = callOf(stack.b);
    expect((await call()).status).to.equal(200);
    const [network] = Object.keys(await stack.a.names());
    await docker(['network', 'disconnect', network!, await stack.a.id()]); // B still has its connection to A
    const { status, json } = await call();
    expect(status).to.equal(503);
    expect(json).to.include({ service_a: 'unavailable', reason: 'unreachable' });
    const line = await failureIn(stack.b);
    expect(line).to.include({ reason: 'unreachable' }).and.not.to.have.property('stack');
    expect(line.code).to.be.oneOf(['ETIMEDOUT', 'EHOSTUNREACH']);
  });
});

describeWithDocker('When A has an IPv6 address, and B has no IPv6', function () {
  this.timeout(300_000);

  it('A is unreachable, and B has room for other calls', async () => {
    await using stack = await startContainers({}, 'e2e/hostile/no-ipv6.yml');
    const { status, json } = await callOf(stack.b)();
    expect(status).to.equal(503);
    expect(json).to.include({ service_b: 'ok', service_a: 'unavailable', reason: 'unreachable' });
    expect(await failureIn(stack.b)).to.include({ code: 'EADDRNOTAVAIL', upstream_address: '::1' });
  });
});

describeWithDocker('When 10,000 callers send 15 kB of a head each, and never its end', function () {
  this.timeout(300_000);

  it('B answers others during this, ends the oldest of them and then all, and serves as before', async () => {
    await using stack = await startContainers({ LOG_LEVEL: 'error' });
    const life = await stack.b.life();
    const [address] = await stack.b.addresses();
    const head = `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(15_000)}`;
    let open = 0;
    for (let count = 0; count < 10_000; count++) {
      const socket = connect(8081, address)
        .on('error', () => {})
        .resume();
      socket.once('connect', () => socket.write(head)).once('close', () => open--);
      open++;
      if (count % 100 === 99) await sleep(10); // longer than it takes to fill the queue of connections to be accepted
    }
    const { status } = await get(`${stack.b.url}/health`);
    expect(status).to.equal(200);
    expect(open, 'callers that B still waits for').to.be.within(1000, 4096);
    await until('all of them to be cut off', async () => open === 0, 15_000);
    expect((await callOf(stack.b)()).status).to.equal(200);
    expect(await stack.b.life()).to.equal(life);
  });
});

(hasProc ? describe : describe.skip)('When B can open no more files', function () {
  this.timeout(60_000);

  it('does not blame A, and serves again when it can', async () => {
    await using stack = await startProcesses();
    const call = callOf(stack.b);
    const pid = String(stack.b.pid);
    const { files } = await resourcesOf(pid);
    execFileSync('prlimit', ['--pid', pid, `--nofile=${files + 4}`]);
    const callers: Socket[] = [];
    // Silent callers take what is left, one by one, until there is a file for the next caller and none for a call to A.
    const failure = await until('a call for which there is no file', async () => {
      const answer = await call();
      if (answer.status === 503) return answer;
      callers.push(connect(Number(new URL(stack.b.url).port), '127.0.0.1').on('error', () => {}));
      await sleep(IDLE_MS + 200);
    });
    expect(failure.json).to.include({ service_b: 'overloaded', service_a: 'not asked', reason: 'overloaded' });
    const line = await failureIn(stack.b);
    expect(line).to.include({ code: 'EMFILE' });
    for (const caller of callers) caller.destroy();
    await until('B to answer 200', async () => (await call()).status === 200, 3000);
  });
});

describe('When Node is told not to try the addresses of both families', () => {
  it('B asks A as before', async () => {
    await using stack = await startProcesses({ NODE_OPTIONS: '--no-network-family-autoselection' });
    expect((await callOf(stack.b)()).status).to.equal(200);
  });
});
