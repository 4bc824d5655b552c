import { setTimeout as sleep } from 'node:timers/promises';
import { get } from './http.ts';

/** One of the two services, wherever it runs. What starts or stops it resolves once that has happened. */
export interface Service {
  /** Where it is reached from here, such as `http://127.0.0.1:32768`; may change with each start. */
  url: string;
  /** Resolves once the service answers `/health`; rejects when it ends instead, or does not answer within 30 s. */
  start(): Promise<void>;
  /** SIGTERM, with the substrate's patience (10 s) and then SIGKILL. Resolves to the exit code, 128 + n for signal n. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Freezes the process as it is: connections to it are taken, and never answered. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** All that it has written to standard output and standard error, over all its lives, one entry a line. */
  logs(): Promise<string[]>;
  /** A different text for each life of the process. */
  life(): Promise<string>;
}

/** Services A and B, started together, failing separately. */
export interface Stack {
  a: Service;
  b: Service;
  /** Stops A at once and lets `stand-in.ts` answer at its address, until it is put back. */
  replaceA(): Promise<StandIn>;
  /** Removes whatever the stack was made of, in whatever state it is. */
  down(): Promise<void>;
}

export interface StandIn {
  /** Where it is reached from here. */
  url: string;
  /** Resolves once A answers again. */
  putBack(): Promise<void>;
}

/** The log lines that are JSON objects; what is not (a warning of the runtime's) is left out. */
export async function jsonLogs(service: Service): Promise<Record<string, any>[]> {
  const lines = await service.logs();
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}

/** Tries until `attempt` gives something other than undefined or false, at most `ms` milliseconds long. */
export async function until<T>(what: string, attempt: () => Promise<T | undefined | false>, ms = 15_000): Promise<T> {
  const end = performance.now() + ms;
  do {
    const result = await attempt();
    if (result !== undefined && result !== false) return result;
    await sleep(20);
  } while (performance.now() < end);
  throw new Error(`Waited ${ms} ms in vain for ${what}.`);
}

export async function isHealthy(url: string): Promise<boolean> {
  const answer = await get(`${url}/health`).catch(() => undefined);
  return answer?.status === 200;
}

/**
 * Resolves once `/health` of the service at `url` answers 200, or has answered something else, be it no HTTP, for 3 s:
 * what it answers is for others to judge. Rejects with the reason when `ended` gives one, or after 30 s.
 */
export async function untilUp(name: string, url: string, ended: () => Promise<string | undefined>): Promise<void> {
  let firstAnswer = Infinity;
  const isUp = async () => {
    const answer = await get(`${url}/health`, {}, { timeoutMs: 3000 }).catch((error: NodeJS.ErrnoException) => error);
    const isAnswer = !(answer instanceof Error);
    if (isAnswer && answer.status === 200) return true;
    if (isAnswer || answer.code?.startsWith('HPE_')) firstAnswer = Math.min(firstAnswer, performance.now());
    if (performance.now() - firstAnswer > 3000) return true;
    const end = await ended();
    if (end) throw new Error(end);
    return false;
  };
  await until(`${name} to answer ${url}/health`, isUp, 30_000);
}

const leftovers = new Set<() => void>();

/** Runs `remove` when this process ends before the function that is returned was called. `remove` must be synchronous. */
export function removeAtExit(remove: () => void): () => void {
  if (leftovers.size === 0) {
    process.on('exit', removeLeftovers);
    process.on('SIGTERM', exitByDefault).on('SIGHUP', exitByDefault);
  }
  leftovers.add(remove);
  return () => {
    leftovers.delete(remove);
    if (leftovers.size > 0) return;
    process.off('exit', removeLeftovers);
    process.off('SIGTERM', exitByDefault).off('SIGHUP', exitByDefault);
  };
}

function removeLeftovers() {
  for (const remove of leftovers) remove();
}

/** A signal's own end of the process would pass over the listeners of `exit`. */
function exitByDefault() {
  process.exit(1);
}
