import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { processesOf } from './service-process.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof SIGNALS)[number];

/** Makes one test of a promise that holds for both signals: each gets a process of its own, at the same time. */
const onEither = (test: (signal: Signal) => Promise<void>) => () => Promise.all(SIGNALS.map(test));

/** Opens a connection, and sends the first half of a request on it. */
async function sendHalf(port: number) {
  const socket = connect(port).on('error', () => {});
  await once(socket, 'connect');
  socket.write('GET /health HTTP/1.1\r\nHost:');
  return socket;
}

for (const name of ['service-a', 'service-b']) {
  describe(`The process of ${name}, told to stop`, () => {
    const { launchHealthy } = processesOf(name);

    it('resets none of 40 callers who call without a pause: 20 keep their connections, 20 open one for each call', async function () {
      this.timeout(60_000);
      for (let round = 0; round < 3; round++) {
        const { child, ended, port } = await launchHealthy({ LOG_LEVEL: 'error' });
        let hasEnded = false;
        const callers = [true, false].map(async (keepAlive) => {
          const agent = new Agent({ keepAlive, maxSockets: 20 });
          const codes: Record<string, number> = {};
          const caller = async () => {
            while (!hasEnded) {
              const answer = once(get({ port, path: '/health', agent }), 'response');
              const code = await answer.then(
                ([response]) => text(response).then(() => 200),
                (error) => error.code,
              );
              codes[code] = (codes[code] ?? 0) + 1;
              if (code === 'ECONNREFUSED') await sleep(5);
            }
          };
          await Promise.all(Array.from({ length: 20 }, caller));
          agent.destroy();
          expect(codes, keepAlive ? 'connections that are kept' : 'a connection for each call').to.have.all.keys(
            '200',
            'ECONNREFUSED',
          );
        });
        await sleep(200);
        child.kill('SIGTERM');
        const { code } = await ended();
        hasEnded = true;
        await Promise.all(callers);
        expect(code).to.equal(0);
      }
    });

    it(
      'ends with exit code 0, logs its start and its stop, and does not wait for connections that are kept alive, silent or in the middle of a request',
      onEither(async (signal) => {
        const { child, ended, port } = await launchHealthy();
        const agent = new Agent({ keepAlive: true });
        const [response] = await once(get({ port, path: '/health', agent }), 'response');
        await text(response);
        const silent = connect(port).on('error', () => {});
        await once(silent, 'connect');
        const half = await sendHalf(port);
        await sleep(50);
        const start = performance.now();
        child.kill(signal);
        const { code, stderr, lines } = await ended();
        expect(performance.now() - start).to.be.below(4500); // drained in 2 s; by its own limits, a connection stays 5
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
        expect(lines.at(0)).to.include({ msg: 'listening', level: 'info', service: name, port });
        expect(lines.at(-2)).to.include({ msg: 'stopping', level: 'info', service: name, signal });
        expect(lines.at(-1)).to.include({ msg: 'stopped', level: 'info', service: name });
        for (const socket of [silent, half]) socket.destroy();
        agent.destroy();
      }),
    );

    it(
      'answers those who wait to be accepted at the moment when it stops listening',
      onEither(async (signal) => {
        const { child, ended, port } = await launchHealthy();
        const stopping = new Promise<void>((resolve) => {
          child.stdout!.on('data', (chunk) => String(chunk).includes('"stopping"') && resolve());
        });
        child.kill(signal);
        await stopping;
        child.kill('SIGSTOP'); // until it is late for what it does next
        const answers = Array.from({ length: 20 }, async () => {
          const socket = connect({ port }, () =>
            socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
          );
          return (await text(socket)).split('\r\n')[0];
        });
        await sleep(500);
        child.kill('SIGCONT');
        for (const answer of await Promise.all(answers)) expect(answer).to.equal('HTTP/1.1 200 OK');
        expect((await ended()).code).to.equal(0);
      }),
    );

    it(
      'ends at once when told a second time right behind the first, by another signal',
      onEither(async (signal) => {
        const { child, exited, port } = await launchHealthy();
        const half = await sendHalf(port);
        await sleep(50);
        child.kill(signal);
        child.kill(signal === 'SIGTERM' ? 'SIGINT' : 'SIGTERM');
        const start = performance.now();
        expect((await exited)[1]).to.be.oneOf(SIGNALS);
        expect(performance.now() - start).to.be.below(1000);
        half.destroy();
      }),
    );

    it(
      'ends at once when told a second time',
      onEither(async (signal) => {
        const { child, exited, port } = await launchHealthy();
        const half = await sendHalf(port);
        await sleep(50);
        child.kill(signal);
        await sleep(100);
        expect(child.exitCode, 'still finishing').to.equal(null);
        child.kill(signal);
        expect((await exited)[1]).to.equal(signal);
        half.destroy();
      }),
    );
  });
}
