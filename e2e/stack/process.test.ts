import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, Agent, get } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { isHealthy } from './health.ts';
import { ROOT } from './paths.ts';
import { freePort } from './ports.ts';
import { spawnService, startArgs } from './processes.ts';
import { hasProc, resourcesOf } from './resources.ts';
import { until } from './until.ts';

const NO_A = 'http://127.0.0.1:1';

describe('The chassis of the two services', () => {
  it('is the same files twice, so that what holds for one holds for both', () => {
    const [a, b] = ['service-a', 'service-b'].map((name) => {
      const folder = `${ROOT}${name}/src/chassis/`;
      return readdirSync(folder).map((file) => [file, readFileSync(folder + file, 'utf8')]);
    });
    expect(a).to.deep.equal(b);
  });
});

for (const name of ['service-a', 'service-b']) {
  describe(`The process of ${name}`, () => {
    const alive = new Set<ReturnType<typeof spawnService>>();

    afterEach(() => {
      for (const child of alive) child.kill('SIGKILL');
    });

    /** Resolves once the process has ended: its exit code, or the signal that ended it, and its log. */
    function launch(env: NodeJS.ProcessEnv) {
      const child = spawnService(name, { SERVICE_A_URL: NO_A, ...env });
      alive.add(child);
      child.once('exit', () => alive.delete(child));
      const output = Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit')]);
      const ended = output.then(([stdout, stderr, [code, signal]]) => ({ code, signal, stderr, lines: parse(stdout) }));
      return { child, ended };
    }

    const parse = (stdout: string): Record<string, any>[] =>
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));

    async function launchHealthy(env: NodeJS.ProcessEnv = {}) {
      const port = await freePort();
      const launched = launch({ PORT: String(port), ...env });
      await until(`${name} to be healthy`, () => isHealthy(`http://127.0.0.1:${port}`));
      return { ...launched, port };
    }

    it('is started in its image as it is by npm', () => {
      const dockerfile = readFileSync(`${ROOT}${name}/Dockerfile`, 'utf8');
      expect(JSON.parse(/^CMD (.*)/m.exec(dockerfile)![1]!)).to.deep.equal(['node', ...startArgs(name)]);
    });

    describe('given a setting that makes no sense', () => {
      it('ends with exit code 1 and one sentence', async () => {
        const { code, stderr, lines } = await launch({ PORT: 'http' }).ended;
        expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
        expect(lines).to.have.length(1);
        expect(lines[0]).to.have.all.keys('level', 'time', 'service', 'error');
        const error = 'PORT is "http"; it must be a whole number from 0 to 65535.';
        expect(lines[0]).to.include({ level: 'fatal', service: name, error });
      });

      it('says so even when the log is to be silent', async () => {
        const { code, lines } = await launch({ LOG_LEVEL: 'silent', PORT: 'x' }).ended;
        expect(code).to.equal(1);
        expect(lines[0]!.error).to.contain('PORT');
      });
    });

    describe('given settings', () => {
      it('takes an empty one for the default', async () => {
        const { child } = await launchHealthy({ LOG_LEVEL: '', SERVICE_A_TIMEOUT_MS: '', SERVICE_A_URL: '' });
        expect(child.exitCode).to.equal(null);
      });

      it('logs nothing below LOG_LEVEL', async () => {
        const { child, ended } = await launchHealthy({ LOG_LEVEL: 'warn' });
        child.kill('SIGTERM');
        expect((await ended).lines).to.be.empty;
      });
    });

    describe('when its port is taken', () => {
      it('ends with exit code 1 and one sentence', async () => {
        const other = createServer().listen(0);
        await once(other, 'listening');
        const { port } = other.address() as AddressInfo;
        const { code, stderr, lines } = await launch({ PORT: String(port) }).ended;
        other.close();
        expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
        expect(lines).to.have.length(1);
        expect(lines[0]!.error).to.equal(
          `Cannot listen on port ${port} (EADDRINUSE); stop what uses it, or set PORT to another.`,
        );
      });
    });

    describe('when nobody reads its log', () => {
      const LINES = 5000;

      /** Calls that all fail with a long path, each answered before the next is sent on its connection. */
      async function call(port: number, count: number) {
        const agent = new Agent({ keepAlive: true, maxSockets: 8 });
        let left = count;
        const caller = async () => {
          while (left-- > 0) {
            const [response] = await once(get({ port, path: `/${'x'.repeat(12_000)}`, agent }), 'response');
            expect(response.statusCode).to.equal(404);
            await text(response);
          }
        };
        await Promise.all(Array.from({ length: 8 }, caller));
        agent.destroy();
      }

      async function launchUnread() {
        const port = await freePort();
        const child = spawnService(name, { SERVICE_A_URL: NO_A, PORT: String(port) });
        alive.add(child);
        child.once('exit', () => alive.delete(child));
        await until(`${name} to be healthy`, () => isHealthy(`http://127.0.0.1:${port}`));
        return { child, port };
      }

      (hasProc ? it : it.skip)(
        'goes on answering within 150 MiB, and tells how many lines it dropped',
        async function () {
          this.timeout(120_000);
          const { child, port } = await launchUnread();
          await call(port, LINES);
          expect((await resourcesOf(child.pid!)).memoryMiB).to.be.below(150);

          const output = text(child.stdout!); // somebody reads it after all
          await sleep(500);
          await call(port, 1);
          child.kill('SIGTERM');
          const lines = parse(await output);
          const dropped = lines.reduce((sum, line) => sum + (line.dropped_lines ?? 0), 0);
          expect(dropped).to.be.above(0);
          expect(lines.filter(({ status }) => status === 404).length + dropped).to.be.within(LINES + 1, LINES + 100);
        },
      );

      it('stops when it is told to, with exit code 0', async function () {
        this.timeout(120_000);
        const { child, port } = await launchUnread();
        await call(port, LINES);
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        const patience = sleep(6000, 'still running', { ref: false });
        expect(await Promise.race([ended, patience])).to.deep.equal([0, null]);
      });
    });

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      describe(`told to stop by ${signal}`, () => {
        it('ends with exit code 0, and logs its start and its stop', async () => {
          const { child, ended, port } = await launchHealthy();
          child.kill(signal);
          const { code, stderr, lines } = await ended;
          expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
          expect(lines.at(0)).to.include({ msg: 'listening', level: 'info', service: name, port });
          expect(lines.at(-2)).to.include({ msg: 'stopping', level: 'info', service: name, signal });
          expect(lines.at(-1)).to.include({ msg: 'stopped', level: 'info', service: name });
        });

        it('is not held up by connections that are kept alive, silent or in the middle of a request', async function () {
          this.timeout(20_000);
          const { child, ended, port } = await launchHealthy();
          const agent = new Agent({ keepAlive: true });
          const [response] = await once(get({ port, path: '/health', agent }), 'response');
          await text(response);
          const silent = connect(port);
          const half = connect(port);
          await Promise.all([once(silent, 'connect'), once(half, 'connect')]);
          half.write('GET /health HTTP/1.1\r\nHost:');
          for (const socket of [silent, half]) socket.on('error', () => {});
          await sleep(50);
          const start = performance.now();
          child.kill(signal);
          const { code } = await ended;
          expect(code).to.equal(0);
          expect(performance.now() - start).to.be.below(4500); // drained in 2 s; by its own limits, a connection stays 5
          for (const socket of [silent, half]) socket.destroy();
          agent.destroy();
        });

        it('answers those who wait to be accepted at the moment when it stops listening', async () => {
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
          expect((await ended).code).to.equal(0);
        });

        it('ends at once when told a second time right behind the first, by another signal', async () => {
          const { child, ended, port } = await launchHealthy();
          const half = connect(port);
          await once(half, 'connect');
          half.on('error', () => {}).write('GET /health HTTP/1.1\r\nHost:');
          await sleep(50);
          child.kill(signal);
          child.kill(signal === 'SIGTERM' ? 'SIGINT' : 'SIGTERM');
          const start = performance.now();
          expect((await ended).signal).to.be.oneOf(['SIGINT', 'SIGTERM']);
          expect(performance.now() - start).to.be.below(1000);
          half.destroy();
        });

        it('ends at once when told a second time', async () => {
          const { child, ended, port } = await launchHealthy();
          const half = connect(port);
          await once(half, 'connect');
          half.on('error', () => {}).write('GET /health HTTP/1.1\r\nHost:');
          await sleep(50);
          child.kill(signal);
          await sleep(100);
          expect(child.exitCode, 'still finishing').to.equal(null);
          child.kill(signal);
          expect((await ended).signal).to.equal(signal);
          half.destroy();
        });
      });
    }
  });
}
