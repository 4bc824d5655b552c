import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { getContainerRuntimeClient } from 'testcontainers';
import { tied } from '../process/enclosure.ts';
import { listenersIn, TABLES } from '../process/listeners.ts';
import { ROOT } from '../paths.ts';

export const BASE_IMAGE = 'node:26-trixie-slim';
export const OPTIONS = { cwd: ROOT, maxBuffer: 256 * 1024 * 1024, timeout: 120_000 };
export const run = promisify(execFile);

/** Why containers cannot be run here, in one line; undefined when a Docker Engine with Compose answers. */
export function dockerProblem(): string | undefined {
  for (const args of [
    ['version', '--format', '{{.Server.Version}}'],
    ['compose', 'version'],
  ]) {
    const { error, status, stderr } = spawnSync('docker', args, { encoding: 'utf8', timeout: 20_000 });
    if (error || status !== 0) return (error?.message ?? stderr).trim().split('\n')[0];
  }
  return undefined;
}

/** Runs `docker …` from the repository's root and resolves to what it printed. Rejects with its error output. */
export async function docker(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return runDocker(args, { ...process.env, ...env });
}

export async function runDocker(args: string[], env: NodeJS.ProcessEnv, timeout = OPTIONS.timeout): Promise<string> {
  const { stdout } = await run(...tied('docker', args), { ...OPTIONS, timeout, env });
  return stdout.trim();
}

/** What listens on which port in a container that runs. */
export async function listenersInside(container: string) {
  return listenersIn(await docker(['exec', container, 'sh', '-c', `cat ${TABLES.join(' ')} 2>/dev/null; true`]));
}

export async function publishedUrl(container: string, port: number): Promise<string> {
  const [address] = (await docker(['port', container, String(port)])).split('\n');
  return `http://${address!.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]')}`;
}

/** The ports of this host that containers have, or take again when they are started: a stopped one listens on none. */
export async function portsOfContainers(): Promise<number[]> {
  const ids = await docker(['ps', '--all', '--quiet']);
  if (!ids) return [];
  const format = '{{json .HostConfig.PortBindings}}';
  // `docker inspect` fails for a container that has just ended, but prints what it found about the others first.
  const told = await docker(['inspect', '--format', format, ...ids.split('\n')]).catch(({ stdout }) => String(stdout));
  return [...told.matchAll(/"HostPort":"(\d+)"/g)].map(([, port]) => Number(port));
}

type Dockerode = Awaited<ReturnType<typeof getContainerRuntimeClient>>['container']['dockerode'];
/** What `docker inspect` tells of a container. */
export type Inspected = Awaited<ReturnType<ReturnType<Dockerode['getContainer']>['inspect']>>;

/** What the engine knows of a container, by its name or its id. */
export async function inspectContainer(container: string): Promise<Inspected> {
  return JSON.parse(await docker(['inspect', container]))[0];
}

/** The addresses that a container has in its networks. */
export const addressesOf = ({ NetworkSettings }: Inspected): string[] =>
  Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);

/** Every name that a container has, by network. */
export const namesOf = ({ NetworkSettings }: Inspected): Record<string, string[]> =>
  Object.fromEntries(Object.entries(NetworkSettings.Networks).map(([name, { Aliases }]) => [name, Aliases ?? []]));
