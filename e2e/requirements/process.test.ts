import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { isHealthy } from '../stack/health.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { hasProc, resourcesOf } from '../stack/process/resources.ts';
import { until } from '../stack/until.ts';
import { NO_A, processesOf } from './service-process.ts';

const SERVICES = ['service-a', 'service-b'] as const;

describe('The chassis of the two services', () => {
  it('is the same files twice, so that what holds for one holds for both', () => {
    const [a, b] = SERVICES.map((name) => {
      const folder = `${ROOT}${name}/src/chassis/`;
      return readdirSync(folder).map((file) => [file, readFileSync(folder + file, 'utf8')]);
    });
    expect(a).to.deep.equal(b);
  });
});

for (const name of SERVICES) {
  describe(`The process of ${name}`, () => {
    const { launch, launchHealthy } = processesOf(name);

    it('is started in its image as it is by npm', () => {
      const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
      const dockerfile = readFileSync(`${ROOT}${name}/Dockerfile`, 'utf8');
      expect(scripts[name]).to.equal(`node ${name}/src/main.ts`);
      expect(JSON.parse(/^CMD (.*)/m.exec(dockerfile)![1]!).join(' ')).to.equal(scripts[name]);
    });

    describe('given a setting that makes no sense', () => {
      it('ends with exit code 1 and one sentence', async () => {
        const { code, stderr, lines } = await launch({ PORT: 'http' }).ended();
        expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
        expect(lines).to.have.length(1);
        expect(lines[0]).to.have.all.keys('level', 'time', 'service', 'error');
        const error = 'PORT is "http"; it must be a whole number from 0 to 65535.';
        expect(lines[0]).to.include({ level: 'fatal', service: name, error });
      });

      it('says so even when the log is to be silent', async () => {
        const { code, lines } = await launch({ LOG_LEVEL: 'silent', PORT: 'x' }).ended();
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
        expect((await ended()).lines).to.be.empty;
      });
    });

    describe('when its port is taken', () => {
      it('ends with exit code 1 and one sentence', async () => {
        const other = createServer().listen(0);
        await once(other, 'listening');
        const { port } = other.address() as AddressInfo;
        const { code, stderr, lines } = await launch({ PORT: String(port) }).ended();
        other.close();
        expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
        expect(lines).to.have.length(1);
        expect(lines[0]!.error).to.equal(
          `Cannot listen on port ${port} (EADDRINUSE); stop what uses it, or set PORT to another.`,
        );
      });
    });

    /** Makes calls on 8 connections; each is answered before the next is sent on its connection. */
    async function call(port: number, path: string, status: number, count: number) {
      let left = count;
      const caller = async () => {
        const socket = connect(port);
        while (left-- > 0) {
          socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
          const [answer] = await once(socket, 'data');
          expect(String(answer).split(' ', 2)).to.deep.equal(['HTTP/1.1', String(status)]);
        }
        socket.destroy();
      };
      await Promise.all(Array.from({ length: 8 }, caller));
    }
    const LINES = 5000; // far more than the pipe and the service keep for a reader

    describe('when no one reads its log', () => {
      const longPath = `/${'x'.repeat(12_000)}`;

      (hasProc ? it : it.skip)('answers within 150 MiB, and tells how many lines it dropped', async function () {
        this.timeout(120_000);
        const { child, ended, port } = await launchHealthy();
        await call(port, longPath, 404, LINES);
        expect((await resourcesOf(child.pid!)).memoryMiB).to.be.below(150);

        const end = ended(); // from now on its output is read
        await sleep(500);
        await call(port, longPath, 404, 1);
        child.kill('SIGTERM');
        const { lines } = await end;
        const dropped = lines.reduce((sum, line) => sum + (line.dropped_lines ?? 0), 0);
        expect(dropped).to.be.above(0);
        expect(lines.filter(({ status }) => status === 404).length + dropped).to.be.within(LINES + 1, LINES + 100);
      });

      it('stops when it is told to, with exit code 0', async function () {
        this.timeout(120_000);
        const { child, exited, port } = await launchHealthy();
        await call(port, `/${'x'.repeat(200)}`, 404, LINES);
        child.kill('SIGTERM');
        const patience = sleep(6000, 'still running', { ref: false });
        expect(await Promise.race([exited, patience])).to.deep.equal([0, null]);
      });
    });

    (process.platform === 'linux' ? describe : describe.skip)('in a terminal that is stopped, as by Ctrl-S', () => {
      it('answers', async function () {
        this.timeout(60_000);
        const port = await freePort();
        const command = `exec ${process.execPath} ${name}/src/main.ts`;
        // Its output is a terminal. `script` stops reading the terminal once no one reads the output of `script`.
        const terminal = spawn('script', ['--quiet', '--command', command, '/dev/null'], {
          cwd: ROOT,
          env: { ...process.env, SERVICE_A_URL: NO_A, PORT: String(port) },
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        try {
          await until(`${name} to be healthy`, () => isHealthy(`http://127.0.0.1:${port}`));
          await call(port, '/health', 200, LINES);
        } finally {
          terminal.kill('SIGKILL');
        }
        await until(`${name} to be stopped`, async () => !(await isHealthy(`http://127.0.0.1:${port}`)));
      });
    });
  });
}
