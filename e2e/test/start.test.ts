import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { get } from '../src/http.ts';
import { freePort } from '../src/processes.ts';
import { isHealthy, until } from '../src/stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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
    await until('both services to be gone', async () => !(await isHealthy(a)) && !(await isHealthy(b)));
  });

  it('runs both services, B finding A', async () => {
    expect(await get(`${b}/call-echo?msg=hello`)).to.deep.include({
      status: 200,
      json: { service_b: 'ok', service_a: { echo: 'hello' } },
    });
  });

  it('lets the other run on when one dies', async () => {
    process.kill(pidOf('service-a'), 'SIGKILL');
    await until('A to be gone', async () => !(await isHealthy(a)));
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

  /** The process of a service, among all that descend from npm. */
  function pidOf(name: string): number {
    const processes = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const family = new Set([String(npm.pid)]);
    for (const [pid, parent] of processes) if (family.has(parent!)) family.add(pid!);
    const found = processes.find(([pid, , ...args]) => family.has(pid!) && args.includes(`${name}/src/server.ts`));
    return Number(found![0]);
  }
});
