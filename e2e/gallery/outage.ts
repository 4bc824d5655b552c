import { setTimeout as sleep } from 'node:timers/promises';
import { outcomeOf } from '../picture/outcomes.ts';
import { docker, startContainers, type ContainerService } from '../stack/containers.ts';
import { callSteadily, type Outcome } from '../stack/callers.ts';
import { get } from '../stack/http.ts';
import { jsonLogs } from '../stack/service.ts';

export const CALLS_PER_SECOND = 50;

/** One call on B. */
export interface OutageCall {
  /** When it began, in milliseconds since the start of the measurement. */
  at: number;
  /** How long B took to answer, in milliseconds. */
  ms: number;
  outcome: string;
}

/** What A went through, in milliseconds since the start of the measurement. */
export interface Phase {
  name: 'A runs' | 'A stops' | 'A stopped' | 'A starts' | 'A paused' | 'A recreated';
  from: number;
  to: number;
}

export interface Outage {
  calls: OutageCall[];
  /** The phases follow each other without gaps, from the first call to the last. */
  phases: Phase[];
}

/** Starts a pair of its own for the measurement. */
export async function actOutOutage(): Promise<Outage> {
  await using stack = await startContainers({}, 'e2e/gallery/outage.yml');
  return await measureOutage(stack.a, stack.b);
}

/**
 * Stops, starts, pauses, resumes and recreates A, while B gets 50 calls a second whether or not it has answered those
 * before. This takes some 20 s. A runs from when it listens or is resumed until the engine signals or freezes it; after the
 * signal it stops, and it is stopped once `docker compose stop` has returned.
 */
async function measureOutage(a: ContainerService, b: ContainerService): Promise<Outage> {
  const start = Date.now();
  const calls = callSteadily(CALLS_PER_SECOND, () => get(`${b.url}/call-echo?msg=hello`));
  const phases: Phase[] = [];
  const enter = (name: Phase['name'], time: number) => {
    if (phases.length > 0) phases.at(-1)!.to = time - start;
    phases.push({ name, from: time - start, to: Infinity });
  };

  try {
    enter('A runs', start);
    await sleep(2500);
    enter('A stops', await timeOf('kill', a, () => a.stop()));
    enter('A stopped', Date.now());
    await sleep(3000);
    enter('A starts', Date.now());
    await a.start();
    enter('A runs', await timeOfListening(a));
    await sleep(2500);
    enter('A paused', await timeOf('pause', a, () => a.pause()));
    await sleep(3500);
    enter('A runs', await timeOf('unpause', a, () => a.resume()));
    await sleep(2500);
    enter('A recreated', await timeOf('kill', a, () => a.recreate()));
    enter('A runs', await timeOfListening(a));
    await sleep(2500);
    phases.at(-1)!.to = Date.now() - start;
  } finally {
    await calls.stop();
  }
  return { calls: (await calls.done).map(named), phases };
}

const named = ({ at, ms, status, reason }: Outcome): OutageCall => ({ at, ms, outcome: outcomeOf({ status, reason }) });

/** When the engine did `event` to the service's container in the course of `action`, in milliseconds of the epoch. */
async function timeOf(event: string, service: ContainerService, action: () => Promise<unknown>): Promise<number> {
  const id = await service.inspect('{{.Id}}');
  const since = Date.now();
  await action();
  const period = ['--since', String(since / 1000), '--until', String(Date.now() / 1000)];
  const filters = ['--filter', `container=${id}`, '--filter', `event=${event}`];
  const [nanoseconds] = (await docker(['events', ...period, ...filters, '--format', '{{.TimeNano}}'])).split('\n');
  return Number(nanoseconds) / 1e6;
}

async function timeOfListening(service: ContainerService): Promise<number> {
  const lines = await jsonLogs(service);
  return Date.parse(lines.findLast(({ msg }) => msg === 'listening')!.time);
}

/** The calls that began in the phase: at least `after` ms into it and more than `before` ms from its end. */
export function callsIn({ from, to }: Phase, calls: OutageCall[], after = 0, before = 0): OutageCall[] {
  return calls.filter(({ at }) => at >= from + after && at < to - before);
}

/** The outcomes of at least a tenth of the phase's calls, the most frequent first. */
export function outcomesIn(phase: Phase, calls: OutageCall[]): string[] {
  const begun = Object.groupBy(callsIn(phase, calls), ({ outcome }) => outcome);
  const counts = Object.entries(begun).map(([outcome, calls]) => ({ outcome, count: calls!.length }));
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  return counts
    .filter(({ count }) => count >= total / 10)
    .sort((a, b) => b.count - a.count)
    .map(({ outcome }) => outcome);
}
