import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, Agent, get } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { freePort, spawnService } from '../src/processes.ts';
import { isHealthy, until } from '../src/stack.ts';

const NO_A = 'http://127.0.0.1:1';

describe('The access log of the two services', () => {
  it('is the same file twice, so that what holds for one holds for both', () => {
    const [a, b] = ['service-a', 'service-b'].map((name) =>
      readFileSync(new URL(`../../${name}/src/access-log.ts`, import.meta.url), 'utf8'),
    );
    expect(a).to.equal(b);
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

    describe('given a setting that makes no sense', () => {
      const port = 'a whole number from 0 to 65535';
      const ms = 'a whole number from 1 to 60000';
      const url = 'like http://service-a:8080';
      const levels = 'one of trace, debug, info, warn, error, fatal, silent';
      const settings: [variable: string, value: string, allowed: string][] = [
        ...['http', '65536', '-1', '80.5', '1e3', '0x50', ' 80', '8080a', '٣'].map((value) => ['PORT', value, port]),
        ...['loud', 'INFO', '30', 'toString'].map((value) => ['LOG_LEVEL', value, levels]),
      ] as [string, string, string][];
      if (name === 'service-b') {
        settings.push(
          ...(['0', '-5', '60001', '1s', '1.5', 'Infinity', 'NaN'].map((value) => [
            'SERVICE_A_TIMEOUT_MS',
            value,
            ms,
          ]) as [string, string, string][]),
          ...([
            'service-a:8080',
            'service-a',
            'ftp://service-a',
            'https://a',
            'http:a',
            'http:///a',
            'http://u:p@a',
            'http://',
            'http://a/path',
            'http://a?q',
          ].map((value) => ['SERVICE_A_URL', value, url]) as [string, string, string][]),
        );
      }
      for (const [variable, value, allowed] of settings) {
        it(`ends with exit code 1 and one sentence about ${variable}=${value}`, async () => {
          const { code, stderr, lines } = await launch({ PORT: '0', [variable]: value }).ended;
          expect(code).to.equal(1);
          expect(stderr).to.equal('');
          expect(lines).to.have.length(1);
          expect(lines[0]).to.include({ level: 'fatal', service: name });
          expect(lines[0]!.error).to.equal(`${variable} is ${JSON.stringify(value)}; it must be ${allowed}.`);
          expect(lines[0]).to.have.all.keys('level', 'time', 'service', 'error');
        });
      }

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
          expect(performance.now() - start).to.be.below(3000);
          for (const socket of [silent, half]) socket.destroy();
          agent.destroy();
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
          expect((await ended).code).to.equal(signal === 'SIGTERM' ? 143 : 130);
          half.destroy();
        });
      });
    }
  });
}
