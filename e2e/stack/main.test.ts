import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { isHealthy } from './health.ts';
import { get } from './http.ts';
import { ROOT } from './paths.ts';
import { freePort } from './process/ports.ts';
import { until } from './until.ts';

describe('npm start', () => {
  let npm: ChildProcess;
  let output: string;
  let a: string;
  let b: string;

  beforeEach(async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    [a, b] = [`http://127.0.0.1:${portA}`, `http://127.0.0.1:${portB}`];
    const env = { ...process.env, SERVICE_A_PORT: String(portA), SERVICE_B_PORT: String(portB) };
    output = '';
    npm = spawn('npm', ['start'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    const started = npm;
    npm.stdout!.setEncoding('utf8').on('data', (chunk) => (output += npm === started ? chunk : ''));
    await until('both services to be healthy', async () => (await isHealthy(a)) && (await isHealthy(b)));
  });

  afterEach(async () => {
    // its shell does not hand SIGTERM on, but both services notice
    if (npm.exitCode === null && npm.signalCode === null) npm.kill('SIGTERM');
    await until('both services to be stopped', async () => !(await isHealthy(a)) && !(await isHealthy(b)));
  });

  it('runs both services, B finding A', async () => {
    expect(await get(`${b}/call-echo?msg=hello`)).to.deep.include({
      status: 200,
      json: { service_b: 'ok', service_a: { echo: 'hello' } },
    });
  });

  it('lets the other run on when one is killed', async () => {
    process.kill(pidOf('service-a'), 'SIGKILL');
    await until('A to be stopped', async () => !(await isHealthy(a)));
    expect((await get(`${b}/call-echo`)).json).to.include({ reason: 'refused' });
    expect(await isHealthy(b)).to.equal(true);
  });

  it('stops both at Ctrl-C, which the whole process group gets, and lets them finish', async () => {
    process.kill(-npm.pid!, 'SIGINT');
    await once(npm, 'close');
    for (const name of ['service-a', 'service-b']) {
      expect(eventsOf(name)).to.deep.equal(['listening', 'stopping', 'stopped']);
    }
  });

  it('stops both when npm alone is told to', async () => {
    npm.kill('SIGTERM');
    await once(npm, 'close');
    for (const name of ['service-a', 'service-b']) expect(eventsOf(name)).to.include('stopped');
  });

  const eventsOf = (name: string): string[] =>
    output
      .split('\n')
      .filter((line) => line.includes(`"service":"${name}"`))
      .flatMap((line) => JSON.parse(line).msg ?? []);

  /** Finds the process of a service among the descendants of npm. */
  function pidOf(name: string): number {
    const processes = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const family = new Set([String(npm.pid)]);
    for (const [pid, parent] of processes) if (family.has(parent!)) family.add(pid!);
    const found = processes.find(([pid, , ...args]) => family.has(pid!) && args.includes(`${name}/src/main.ts`));
    return Number(found![0]);
  }
});

describe('npm start, when one of the two cannot start', () => {
  /** Its exit code and what it printed. */
  async function start(env: NodeJS.ProcessEnv) {
    const ports = { SERVICE_A_PORT: String(await freePort()), SERVICE_B_PORT: String(await freePort()) };
    const npm = spawn('npm', ['start'], { cwd: ROOT, env: { ...process.env, ...ports, ...env } });
    const [output, [code]] = await Promise.all([text(npm.stdout), once(npm, 'exit')]);
    return { code, output };
  }

  it('stops the other and reports the setting that makes no sense', async () => {
    const { code, output } = await start({ SERVICE_A_TIMEOUT_MS: 'soon' });
    expect(code).to.equal(1);
    expect(output).to.contain('SERVICE_A_TIMEOUT_MS is \\"soon\\"; it must be a whole number from 1 to 60000.');
  });

  it('names the variable to set when a port is taken, whatever PORT is', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, output } = await start({ SERVICE_B_PORT: String(port), PORT: '1' });
    other.close();
    expect(code).to.equal(1);
    expect(output).to.contain(
      `Cannot listen on port ${port} (EADDRINUSE); stop what uses it, or set SERVICE_B_PORT to`,
    );
  });

  it('says what to do when the packages are not installed', async () => {
    const clone = await mkdtemp(join(tmpdir(), 'two-services-'));
    await cp(`${ROOT}e2e/stack`, join(clone, 'e2e/stack'), { recursive: true });
    await cp(`${ROOT}package.json`, join(clone, 'package.json'));
    const npm = spawn('npm', ['start'], { cwd: clone });
    const [output, [code]] = await Promise.all([text(npm.stderr), once(npm, 'exit')]);
    await rm(clone, { recursive: true });
    expect(code).to.equal(1);
    expect(output).to.match(/^The packages of this project.* are not installed: run `npm ci` first\.$/m);
  });
});
