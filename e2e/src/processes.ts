import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { removeAtExit, until, untilUp, type Service, type Stack } from './stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STAND_IN = fileURLToPath(new URL('stand-in.ts', import.meta.url));
const STOP_PATIENCE_MS = 10_000; // Docker's own
const KILL_PATIENCE_MS = 5000;
const MAX_OUTPUT_CHARS = 16 * 1024 * 1024;

/** A port of the loopback interface that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs a service of this repository from its source, in a process group of its own. */
export function spawnService(
  name: string,
  env: NodeJS.ProcessEnv,
  stdio: 'pipe' | 'inherit' | 'ignore' = 'pipe',
): ChildProcess {
  return spawn(process.execPath, [`${name}/src/server.ts`], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdio, stdio],
    detached: true,
  });
}

class ProcessService implements Service {
  readonly url: string;
  #name: string;
  #launch: () => ChildProcess;
  #child: ChildProcess | undefined;
  #output = '';
  #forget = () => {};

  constructor(name: string, url: string, launch: () => ChildProcess) {
    this.#name = name;
    this.url = url;
    this.#launch = launch;
  }

  async start() {
    if (this.#child && exitCode(this.#child) === undefined) return this.#untilUp(this.#child);
    const child = (this.#child = this.#launch());
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        if (this.#output.length < MAX_OUTPUT_CHARS) this.#output += chunk; // the rest is read, so that nobody waits for us
      });
    }
    this.#forget = removeAtExit(() => this.#signal('SIGKILL'));
    await this.#untilUp(child);
  }

  async #untilUp(child: ChildProcess) {
    await untilUp(this.#name, this.url, async () => {
      const code = exitCode(child);
      if (code === undefined) return;
      return `${this.#name} ended with code ${code} before it listened; it said: ${this.#output.slice(-2000) || 'nothing'}`;
    });
  }

  async stop() {
    return this.#end('SIGTERM', STOP_PATIENCE_MS);
  }

  async kill() {
    await this.#end('SIGKILL', 0);
  }

  async pause() {
    this.#signal('SIGSTOP');
  }

  async resume() {
    this.#signal('SIGCONT');
  }

  async logs() {
    return this.#output.split('\n').filter(Boolean);
  }

  async life() {
    return String(this.#child?.pid);
  }

  /** To the whole process group: a command may have started others. False when nothing is left of it. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      return this.#child?.pid !== undefined && process.kill(-this.#child.pid, signal);
    } catch {
      return false;
    }
  }

  /** Also of a process that has ended by itself. Output that it left behind is read to its end. */
  async #end(signal: NodeJS.Signals, patienceMs: number): Promise<number> {
    const child = this.#child;
    if (!child) return 0;
    let isClosed = child.stdout!.closed && child.stderr!.closed;
    child.once('close', () => (isClosed = true));
    const isGone = async () => exitCode(child) !== undefined && (isClosed || !this.#signal(0));
    const wait = (ms: number) =>
      until(`${this.#name} to end`, isGone, ms).then(
        () => true,
        () => false,
      );
    this.#signal(signal);
    const hasObeyed = patienceMs > 0 && (await wait(patienceMs));
    this.#signal('SIGKILL'); // whatever the first process of the group left behind
    if (!hasObeyed) await wait(KILL_PATIENCE_MS);
    if (!isClosed) await Promise.race([once(child, 'close'), sleep(200)]);
    this.#forget();
    this.#child = undefined; // its number may soon be another's
    return patienceMs > 0 && !hasObeyed ? 128 + constants.signals.SIGKILL : (exitCode(child) ?? 128);
  }
}

/** As a shell gives it: 128 + n for a process that signal n ended. Undefined while it runs. */
function exitCode({ exitCode, signalCode }: ChildProcess): number | undefined {
  return exitCode ?? (signalCode ? 128 + constants.signals[signalCode] : undefined);
}

/** The stack of A and B as processes, neither of them started. */
function processStack(a: ProcessService, b: ProcessService): Stack {
  let standIn: ProcessService | undefined;
  return {
    a,
    b,
    async replaceA() {
      await a.kill();
      const { port } = new URL(a.url);
      const env = { ...process.env, PORT: port, HOSTS: '127.0.0.1 ::1' };
      standIn = new ProcessService('the stand-in for service A', a.url, () =>
        spawn(process.execPath, [STAND_IN], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
      );
      await standIn.start();
      return {
        url: a.url,
        async putBack() {
          await standIn?.kill();
          standIn = undefined;
          await a.start();
        },
      };
    },
    async down() {
      await Promise.all([a.kill(), b.kill(), standIn?.kill()]);
    },
  };
}

/** The two services as two plain processes on free ports: stop is SIGTERM, pause is SIGSTOP. No Docker needed. */
export async function startProcesses(env: NodeJS.ProcessEnv = {}): Promise<Stack> {
  const [portA, portB] = [await freePort(), await freePort()];
  const [urlA, urlB] = [`http://127.0.0.1:${portA}`, `http://127.0.0.1:${portB}`];
  const stack = processStack(
    new ProcessService('service A', urlA, () => spawnService('service-a', { ...env, PORT: String(portA) })),
    new ProcessService('service B', urlB, () =>
      spawnService('service-b', { ...env, PORT: String(portB), SERVICE_A_URL: urlA }),
    ),
  );
  await Promise.all([stack.a.start(), stack.b.start()]);
  return stack;
}

/** Somebody's service: a command for the shell, the directory to run it in, and where it then listens. */
export interface Command {
  command: string;
  dir: string;
  url: string;
}

/**
 * Anybody's pair as two processes, neither of them started. Each is told its port as PORT, and B where A is as
 * SERVICE_A_URL; those that know it by heart need not look.
 */
export function commandStack(a: Command, b: Command): Stack {
  const launch =
    ({ command, dir, url }: Command, env: NodeJS.ProcessEnv) =>
    () =>
      spawn(command, {
        shell: '/bin/sh',
        cwd: dir,
        // Python keeps what it prints to itself when nobody seems to watch.
        env: { ...process.env, PYTHONUNBUFFERED: '1', PORT: new URL(url).port, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
  return processStack(
    new ProcessService('service A', a.url, launch(a, {})),
    new ProcessService('service B', b.url, launch(b, { SERVICE_A_URL: a.url })),
  );
}

/** Whether something on this machine already listens on `port`. */
export async function isTaken(port: number): Promise<boolean> {
  for (const host of ['::', '0.0.0.0']) {
    const server = createServer().listen(port, host);
    const code = await once(server, 'listening').then(
      () => undefined,
      (error) => error.code,
    );
    if (code === 'EADDRINUSE') return true;
    if (!code) await once(server.close(), 'close');
  }
  return false;
}
