import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { killAtExit } from './at-exit.ts';
import { tied } from './enclosure.ts';
import { untilUp } from '../health.ts';
import { ROOT, STAND_IN } from '../paths.ts';
import { freePort } from './ports.ts';
import { CONTROL_KEY, standInAt, type Followed, type Stack } from '../service.ts';
import { tryFor } from '../until.ts';

const STOP_PATIENCE_MS = 10_000; // Docker's own
const KILL_PATIENCE_MS = 5000;
const MAX_OUTPUT_CHARS = 16 * 1024 * 1024;

/** Runs a service of this repository from its source, in a process group of its own. */
export function spawnService(
  name: string,
  env: NodeJS.ProcessEnv,
  stdio: 'pipe' | 'inherit' | 'ignore' = 'pipe',
): ChildProcess {
  return spawn(...tied(process.execPath, [`${name}/src/main.ts`]), {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdio, stdio],
    detached: true,
  });
}

class ProcessService implements Followed {
  readonly url: string;
  #name: string;
  #launch: () => ChildProcess;
  #child: ChildProcess | undefined;
  #output = '';
  readonly #followers = new Set<(piece: string) => void>();
  #forget = () => {};

  constructor(name: string, url: string, launch: () => ChildProcess) {
    this.#name = name;
    this.url = url;
    this.#launch = launch;
  }

  get pid() {
    return this.#child?.pid;
  }

  async start() {
    if (this.#child && exitCode(this.#child) === undefined) return this.#untilUp(this.#child);
    const child = (this.#child = this.#launch());
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        for (const onOutput of this.#followers) onOutput(chunk);
        if (this.#output.length < MAX_OUTPUT_CHARS) this.#output += chunk; // the rest is read, so that nobody waits for us
      });
    }
    if (child.pid) this.#forget = killAtExit(child.pid); // it has none when there is no such directory
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

  async mark() {
    return String((await this.logs()).length);
  }

  async logs(since = '0') {
    return this.#output.split('\n').filter(Boolean).slice(Number(since));
  }

  follow(onOutput: (piece: string) => void) {
    this.#followers.add(onOutput);
    return () => this.#followers.delete(onOutput);
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
    const wait = async (ms: number) => (await tryFor(ms, isGone)) ?? false;
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
function processStack(a: ProcessService, b: ProcessService) {
  let standIn: ProcessService | undefined;
  const down = async () => {
    await Promise.all([a.kill(), b.kill(), standIn?.kill()]);
  };
  return {
    a,
    b,
    async replaceA(behaviour = '') {
      await standIn?.kill();
      await a.kill();
      const { port } = new URL(a.url);
      const control = String(await freePort());
      const own = { HOSTS: '127.0.0.1 ::1', CONTROL_PORT: control, CONTROL_KEY, BEHAVIOUR: behaviour };
      const env = { ...process.env, PORT: port, ...own };
      standIn = new ProcessService('the stand-in for service A', a.url, () =>
        spawn(...tied(process.execPath, [STAND_IN]), { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
      );
      await standIn.start();
      const endStandIn = async () => {
        await standIn?.kill();
        standIn = undefined;
      };
      return standInAt(`http://127.0.0.1:${control}`, 2, endStandIn, a);
    },
    down,
    [Symbol.asyncDispose]: down,
  } satisfies Stack;
}

/** The two services as two plain processes on free ports: stop is SIGTERM, pause is SIGSTOP. No Docker needed. */
export async function startProcesses(env: NodeJS.ProcessEnv = {}) {
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
