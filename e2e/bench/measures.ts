import { setTimeout as sleep } from 'node:timers/promises';
import { docker } from '../stack/docker/engine.ts';
import { newProject } from '../stack/docker/containers.ts';
import { get } from '../stack/http.ts';
import { until } from '../stack/until.ts';
import type { Figures, Target } from './figures.ts';
import { callMany, closedLoop, openLoop, type Latencies } from '../experiment/load.ts';
import { startServer, VARIANTS, type Server, type Variant } from './servers.ts';

const DEADLINE_MS = 1000;

/** Tells people what is being measured now. */
export type Progress = (step: string) => void;
type Servers = Record<Variant, Server>;

/** One round of several, over which the variants take turns. */
export interface Round {
  figures: Figures;
  variants: Variant[];
  progress: Progress;
}

const PATHS = { a: '/echo?msg=hello', b: '/call-echo?msg=hello' };
const LABELS = { a: 'A /echo', b: 'B /call-echo' };
const CPU_TARGETS: Record<'a' | 'b', Target> = { a: { floor: 1.7 }, b: { plain: 0.65, floor: 2.2 } };

/**
 * Starts every variant of a service, and makes `calls` calls of each, so that what is measured later is compiled code. (A
 * number of calls, not of seconds: the code of a slow machine must be as well compiled as that of a fast one.)
 */
export async function startWarm(
  service: 'a' | 'b',
  serviceAUrl: string | undefined,
  calls: number,
  progress: Progress,
): Promise<Servers> {
  const servers = {} as Servers;
  for (const variant of VARIANTS) {
    progress(`service ${service.toUpperCase()}: starting and warming up ${variant}`);
    servers[variant] = await startServer(service, variant, serviceAUrl ? { SERVICE_A_URL: serviceAUrl } : {});
    await callMany(servers[variant].url + PATHS[service], calls);
  }
  return servers;
}

/** Calls that succeed: closed-loop at each number of connections, for `seconds` each and variant. */
export async function callsAtConnections(
  { figures, variants, progress }: Round,
  service: 'a' | 'b',
  servers: Servers,
  connections: number[],
  seconds: number,
) {
  for (const count of connections) {
    const at = `${LABELS[service]}, ${count} ${count === 1 ? 'connection' : 'connections'}`;
    for (const variant of variants) {
      progress(`${at}: ${variant}`);
      const { latencies, cpuMs } = await withCpu(servers[variant], (url) =>
        closedLoop(url + PATHS[service], count, seconds),
      );
      const isMain = count === 32;
      if (isMain) figures.add(`${at}: CPU per call`, 'ms', variant, cpuMs, CPU_TARGETS[service]);
      figures.add(`${at}: calls per second`, '', variant, latencies.perSecond);
      figures.add(`${at}: p50`, 'ms', variant, latencies.p50);
      figures.add(`${at}: p99`, 'ms', variant, latencies.p99, isMain && service === 'b' ? { plain: 0.6 } : {});
      figures.add(`${at}: p99.9`, 'ms', variant, latencies.p999);
    }
  }
}

/** Calls that succeed, at a fixed rate a second, whatever the answers do. */
export async function callsAtRate(
  { figures, variants, progress }: Round,
  service: 'a' | 'b',
  servers: Servers,
  rate: number,
  seconds: number,
) {
  const at = `${LABELS[service]}, open loop`;
  for (const variant of variants) {
    progress(`${at}: ${variant}`);
    const latencies = await openLoop(servers[variant].url + PATHS[service], rate, seconds);
    figures.add(`${at}: p50`, 'ms', variant, latencies.p50);
    figures.add(`${at}: p99`, 'ms', variant, latencies.p99, service === 'b' ? { floor: 2 } : {});
  }
}

/** Calls while A hangs. A call takes one second, so `inFlight` calls a second keep as many in flight. */
export async function hangingCalls({ figures, variants, progress }: Round, servers: Servers, inFlight: number[]) {
  const limits: Record<number, number> = { 256: 20, 2000: 50 };
  for (const count of inFlight) {
    const at = `A hangs, ${count} in flight`;
    for (const variant of variants) {
      progress(`${at}: ${variant}`);
      const late = await openLoop(servers[variant].url + PATHS.b, count, 2, 503);
      const limit = limits[count];
      figures.add(`${at}: p50 past the deadline`, 'ms', variant, late.p50 - DEADLINE_MS);
      figures.add(`${at}: p99 past the deadline`, 'ms', variant, late.p99 - DEADLINE_MS, limit ? { limit } : {});
      figures.add(`${at}: worst past the deadline`, 'ms', variant, late.worst - DEADLINE_MS);
      figures.add(`${at}: B's memory`, 'MiB', variant, (await servers[variant].resources())?.memoryMiB);
    }
  }
}

/** Calls while A is stopped: 32 connections take the 503s as fast as they can. */
export async function refusedCalls({ figures, variants, progress }: Round, servers: Servers, seconds: number) {
  for (const variant of variants) {
    progress(`A is stopped: ${variant}`);
    const { latencies, cpuMs } = await withCpu(servers[variant], (url) => closedLoop(url + PATHS.b, 32, seconds, 503));
    figures.add('A is stopped, 32 connections: answers per second', '', variant, latencies.perSecond);
    figures.add('A is stopped, 32 connections: CPU per answer', 'ms', variant, cpuMs);
  }
}

/** Measures the time from A's first 200 after a start to B's, to the millisecond. A must be stopped. */
export async function returnOfA(
  { figures, variants, progress }: Round,
  servers: Servers,
  startA: () => Promise<Server>,
) {
  for (const variant of variants) {
    progress(`A's return: ${variant}`);
    const b = firstSuccess(servers[variant].url + PATHS.b);
    const a = await startA();
    const returned = performance.now();
    figures.add("A's return to B's first 200", 'ms', variant, Math.max(1, (await b) - returned));
    await a.end();
  }
}

/** The product's memory: idle, and after 10,000 and 100,000 calls of a process of its own. */
export async function memory(figures: Figures, serviceAUrl: string, progress: Progress) {
  const server = await startServer('b', 'product', { SERVICE_A_URL: serviceAUrl });
  await sleep(500);
  figures.add("B's memory, idle", 'MiB', 'product', (await server.resources())?.memoryMiB);
  const grow = async (calls: number) => {
    await callMany(server.url + PATHS.b, calls);
    return (await server.resources())?.memoryMiB;
  };
  progress("B's memory: 10,000 calls");
  const after10k = await grow(10_000);
  progress("B's memory: 100,000 calls");
  const after100k = await grow(90_000);
  figures.add("B's memory, after 10,000 calls", 'MiB', 'product', after10k);
  figures.add("B's memory, after 100,000 calls", 'MiB', 'product', after100k);
  const growth = after10k && after100k && after100k / after10k;
  figures.add("B's memory, 100,000 calls over 10,000", 'times', 'product', growth, { limit: 1.1 });
  await server.end();
}

/** Measures the time from the start of a process to its first 200. */
export async function processStarts({ figures, variants, progress }: Round) {
  for (const service of ['a', 'b'] as const) {
    for (const variant of variants) {
      progress(`start of service ${service.toUpperCase()}: ${variant}`);
      const server = await startServer(service, variant, { SERVICE_A_URL: 'http://127.0.0.1:1' });
      figures.add(`${service.toUpperCase()}: process start to first 200`, 'ms', variant, server.startMs);
      await server.end();
    }
  }
}

/** `docker compose up --wait` from built images, and what the images add to their base. */
export async function containers(figures: Figures, rounds: number, progress: Progress) {
  await using own = newProject();
  progress('docker compose build');
  await docker(['compose', 'build'], own.env);
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}: docker compose up`);
    const start = performance.now();
    await docker(['compose', 'up', '--wait'], own.env);
    figures.add('docker compose up, to healthy', 's', 'product', (performance.now() - start) / 1000, { limit: 1.5 });
    await docker(['compose', 'down', '--timeout', '1'], own.env);
  }
  for (const service of ['a', 'b'] as const) {
    const name = `Image of ${service.toUpperCase()} beyond its base`;
    const megabytes = await sizeBeyondBase(`two-services/service-${service}:${own.project}`);
    figures.add(name, 'MB', 'product', megabytes, { limit: 12 });
  }
}

/** Sums the layers of our Dockerfile, in MB. `docker history` lists the newest layer first. */
async function sizeBeyondBase(image: string) {
  const format = ['--human=false', '--no-trunc', '--format', '{{.Size}} {{.CreatedBy}}'];
  const layers = (await docker(['history', ...format, image])).split('\n');
  const own = layers.slice(0, layers.findIndex((layer) => layer.includes('WORKDIR /app')) + 1);
  return own.reduce((sum, layer) => sum + Number.parseInt(layer), 0) / 1e6;
}

async function withCpu(server: Server, load: (url: string) => Promise<Latencies>) {
  const before = await server.resources();
  const latencies = await load(server.url);
  const after = await server.resources();
  return { latencies, cpuMs: before && after && (after.cpuMs - before.cpuMs) / latencies.calls };
}

/** When the first 200 was received. Rejects after 15 s without one. */
async function firstSuccess(url: string) {
  const isSuccess = async () => (await get(url).catch(() => undefined))?.status === 200;
  await until(`${url} to answer 200`, isSuccess, 15_000, 1);
  return performance.now();
}
