import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createReplicas } from '../src/replicas.ts';
import { createServiceA } from '../src/service-a-client.ts';

const DEADLINE_MS = 500;

describe('Several replicas of A, each at an address of its own', function () {
  this.timeout(20_000);
  const servers: Server[] = [];
  let port: number;
  let addresses: string[];
  let frozen: string | undefined;
  let calls: Record<string, number>;

  beforeEach(() => {
    [port, addresses, frozen, calls] = [0, [], undefined, {}];
  });

  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections();
  });

  async function addReplica(address: string) {
    const server = createServer((request, response) => {
      calls[address] = (calls[address] ?? 0) + 1;
      if (address === frozen) return; // its connections are accepted, and never answered
      response.end(JSON.stringify({ echo: new URL(request.url!, 'http://a').searchParams.get('msg') }));
    });
    servers.push(server.listen(port, address));
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    addresses.push(address);
  }

  const newServiceA = () => {
    const find = async () => addresses.map((address) => ({ address, family: 4 }));
    return createServiceA(`http://service-a:${port}`, DEADLINE_MS, createReplicas(find));
  };

  /** Calls A again and again for `ms`, and resolves to the reasons of the calls that failed. */
  async function callFor(serviceA: ReturnType<typeof newServiceA>, ms: number): Promise<string[]> {
    const reasons: string[] = [];
    for (const end = performance.now() + ms; performance.now() < end; await sleep(5)) {
      const answer = await serviceA.echo('x', { requestId: 'id', signal: new AbortController().signal });
      if ('reason' in answer) reasons.push(answer.reason);
    }
    return reasons;
  }

  it('share the calls, in whatever order DNS lists them', async () => {
    for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) await addReplica(address);
    expect(await callFor(newServiceA(), 6500)).to.deep.equal([]);
    const total = Object.values(calls).reduce((sum, count) => sum + count);
    for (const address of addresses) expect(calls[address], JSON.stringify(calls)).to.be.above(total / 6);
  });

  it('get calls soon after they start', async () => {
    await addReplica('127.0.0.1');
    const serviceA = newServiceA();
    await callFor(serviceA, 500);
    await addReplica('127.0.0.2');
    expect(await callFor(serviceA, 3000)).to.deep.equal([]);
    expect(calls['127.0.0.2'], JSON.stringify(calls)).to.be.above(calls['127.0.0.1']! / 5);
  });

  it('cost one call when one of them freezes, and none more while it stays frozen', async () => {
    for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3']) await addReplica(address);
    const serviceA = newServiceA();
    frozen = '127.0.0.2';
    expect(await callFor(serviceA, 6000)).to.deep.equal(['timeout']);
  });

  it('are asked even when the only one was silent, and B has its answers as soon as it answers again', async () => {
    await addReplica('127.0.0.1');
    const serviceA = newServiceA();
    frozen = '127.0.0.1';
    expect(await callFor(serviceA, 100)).to.deep.equal(['timeout']);
    frozen = undefined;
    expect(await callFor(serviceA, 100)).to.deep.equal([]);
  });
});
