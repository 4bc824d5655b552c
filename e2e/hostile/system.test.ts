import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { docker, startContainers } from '../stack/containers.ts';
import { describeWithDocker } from '../stack/describe-with-docker.ts';
import { get } from '../stack/http.ts';
import { startProcesses } from '../stack/processes.ts';
import { hasProc, resourcesOf } from '../stack/resources.ts';
import { jsonLogs, type Service } from '../stack/service.ts';
import { until } from '../stack/until.ts';

const IDLE_MS = 1000; // what B keeps an unused connection to A for

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

(hasProc ? describe : describe.skip)('When B can open no more files', function () {
  this.timeout(60_000);

  it('does not blame A, and serves again when it can', async () => {
    await using stack = await startProcesses();
    const call = callOf(stack.b);
    const pid = await stack.b.life();
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
