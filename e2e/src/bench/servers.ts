import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, spawnService } from '../processes.ts';
import { isHealthy, removeAtExit } from '../stack.ts';

const START_PATIENCE_MS = 20_000;
const CLOCK_TICK_MS = 10; // of /proc: 100 a second on every Linux that Node runs on

export const VARIANTS = ['product', 'plain', 'floor'] as const;
/** `product` is this repository's service, `plain` and `floor` are what it is measured against. */
export type Variant = (typeof VARIANTS)[number];

/** A service as a process of its own whose log goes to /dev/null, whichever variant it is. */
export interface Server {
  url: string;
  /** Milliseconds from the process's start to its first 200. */
  startMs: number;
  signal(signal: NodeJS.Signals): void;
  /** CPU time in milliseconds that all threads have taken so far. Undefined where there is no /proc. */
  cpuMs(): Promise<number | undefined>;
  /** Resident memory in MiB. Undefined where there is no /proc. */
  memoryMiB(): Promise<number | undefined>;
  /** Ends the process, stopped or not. */
  end(): Promise<void>;
}

/** Starts `service-a` or `service-b`. Rejects when it does not answer `/health` within 20 s. */
export async function startServer(
  service: 'a' | 'b',
  variant: Variant,
  env: { PORT?: string; SERVICE_A_URL?: string } = {},
): Promise<Server> {
  const PORT = env.PORT ?? String(await freePort());
  const url = `http://127.0.0.1:${PORT}`;
  const start = performance.now();
  const child = launch(service, variant, { SERVICE_A_TIMEOUT_MS: '1000', LOG_LEVEL: 'info', ...env, PORT });
  const forget = removeAtExit(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  while (!(await isHealthy(url))) {
    const isOver = child.exitCode !== null || performance.now() - start > START_PATIENCE_MS;
    if (isOver) throw new Error(`The ${variant} service ${service.toUpperCase()} did not start.`);
    await sleep(2);
  }
  return {
    url,
    startMs: performance.now() - start,
    signal: (signal) => child.kill(signal),
    cpuMs: () => cpuMs(child.pid!),
    memoryMiB: () => memoryMiB(child.pid!),
    async end() {
      child.kill('SIGKILL');
      await closed;
      forget();
    },
  };
}

/** Takes connections on `port` and never answers. (A stopped process does so too, but only until its backlog is full.) */
export async function hangOn(port: number): Promise<{ close(): void }> {
  const server = createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function launch(service: 'a' | 'b', variant: Variant, env: NodeJS.ProcessEnv): ChildProcess {
  if (variant === 'product') return spawnService(`service-${service}`, env, 'ignore');
  const file = fileURLToPath(new URL(`${variant}-${service}.ts`, import.meta.url));
  return spawn(process.execPath, [file], { env: { ...process.env, ...env }, stdio: 'ignore', detached: true });
}

async function cpuMs(pid: number) {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // proc_pid_stat(5): utime and stime are fields 14 and 15; the command before them, in brackets, may hold spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
}

async function memoryMiB(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const kiB = /^VmRSS:\s*(\d+) kB/m.exec(status)?.[1];
  return kiB === undefined ? undefined : Number(kiB) / 1024;
}
