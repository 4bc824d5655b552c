import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { killAtExit } from '../stack/process/at-exit.ts';
import { isHealthy } from '../stack/health.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { spawnService } from '../stack/process/spawn-service.ts';
import { hasProc, resourcesOf, type Resources } from '../stack/process/resources.ts';
import { until } from '../stack/until.ts';

const START_PATIENCE_MS = 20_000;

export const VARIANTS = ['product', 'plain', 'floor'] as const;
/** `product` is this repository's service, `plain` and `floor` are what it is measured against. */
export type Variant = (typeof VARIANTS)[number];

/** A service as a process of its own whose log goes to /dev/null, whichever variant it is. */
export interface Server {
  url: string;
  /** Milliseconds from the process's start to its first 200. */
  startMs: number;
  signal(signal: NodeJS.Signals): void;
  /** Undefined where there is no /proc. */
  resources(): Promise<Resources | undefined>;
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
  const forget = killAtExit(child.pid!);
  const closed = once(child, 'close');
  const name = `the ${variant} service ${service.toUpperCase()}`;
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended before it listened.`);
    return isHealthy(url);
  };
  await until(`${name} to be healthy`, isUp, START_PATIENCE_MS, 2);
  return {
    url,
    startMs: performance.now() - start,
    signal: (signal) => child.kill(signal),
    resources: async () => (hasProc ? resourcesOf(child.pid!) : undefined),
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
  return spawn(process.execPath, [`${ROOT}e2e/bench/${variant}-${service}.ts`], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
    detached: true,
  });
}
