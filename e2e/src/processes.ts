import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isHealthy, removeAtExit, until, type Service, type Stack } from './stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STOP_PATIENCE_MS = 10_000; // Docker's own

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
  #launch: () => ChildProcess;
  #child: ChildProcess | undefined;
  #output = '';
  #forget = () => {};

  constructor(url: string, launch: () => ChildProcess) {
    this.url = url;
    this.#launch = launch;
  }

  async start() {
    const child = (this.#child = this.#launch());
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk));
    }
    this.#forget = removeAtExit(() => child.kill('SIGKILL'));
    await until(`${this.url} to be healthy`, async () => {
      if (child.exitCode !== null) throw new Error(`It ended with code ${child.exitCode}:\n${this.#output}`);
      return isHealthy(this.url);
    });
  }

  async stop() {
    const patience = setTimeout(() => this.#signal('SIGKILL'), STOP_PATIENCE_MS);
    const code = await this.#end('SIGTERM');
    clearTimeout(patience);
    return code;
  }

  async kill() {
    await this.#end('SIGKILL');
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

  #signal(signal: NodeJS.Signals) {
    this.#child?.kill(signal);
  }

  /** Also of a process that has ended already. Output that it left behind is read to its end. */
  async #end(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child;
    if (!child) return 0;
    if (child.exitCode === null && child.signalCode === null) {
      const closed = once(child, 'close');
      this.#signal(signal);
      await closed;
    }
    this.#forget();
    return child.exitCode ?? 128;
  }
}

/** The two services as two plain processes on free ports: stop is SIGTERM, pause is SIGSTOP. No Docker needed. */
export async function startProcesses(env: NodeJS.ProcessEnv = {}): Promise<Stack> {
  const [portA, portB] = [await freePort(), await freePort()];
  const [urlA, urlB] = [`http://127.0.0.1:${portA}`, `http://127.0.0.1:${portB}`];
  const a = new ProcessService(urlA, () => spawnService('service-a', { ...env, PORT: String(portA) }));
  const b = new ProcessService(urlB, () =>
    spawnService('service-b', { ...env, PORT: String(portB), SERVICE_A_URL: urlA }),
  );
  const stack: Stack = {
    a,
    b,
    async down() {
      await Promise.all([a.kill(), b.kill()]);
    },
  };
  await Promise.all([a.start(), b.start()]);
  return stack;
}
