import { faultsOf } from '../experiment/outage.ts';
import { askB } from '../experiment/calls.ts';
import type { Event } from '../experiment/history.ts';
import { run, type Faults, type Step } from '../experiment/run.ts';
import { docker } from '../stack/docker/engine.ts';
import { startContainers } from '../stack/docker/containers.ts';
import type { ContainerService } from '../stack/docker/container-service.ts';
import { jsonLogs } from '../stack/service.ts';

export const CALLS_PER_SECOND = 50;
const SCRIPT: Step[] = [2500, 'stop', 3000, 'start', 2500, 'pause', 3500, 'resume', 2500, 'recreate', 2500];

/**
 * Acts out the outage on a pair of its own, which takes some 20 s. A is running from when it listens or is resumed until the
 * engine signals or freezes it; after the signal it stops, and it is stopped once `docker compose stop` has returned.
 */
export async function actOutOutage(): Promise<Event[]> {
  await using stack = await startContainers({}, 'e2e/gallery/outage.yml');
  const { a, b } = stack;
  const { stop, start, pause, resume } = faultsOf(stack);
  const faults: Faults = {
    stop: { ...stop, act: async () => ({ from: await timeOf('kill', a, stop.act) }) },
    start: { ...start, act: async () => ({ to: await start.act().then(() => timeOfListening(a)) }) },
    pause: { ...pause, act: async () => ({ from: await timeOf('pause', a, pause.act) }) },
    resume: { ...resume, act: async () => ({ from: await timeOf('unpause', a, resume.act) }) },
    recreate: {
      during: 'recreated',
      leaves: 'running',
      act: async () => ({ from: await timeOf('kill', a, () => a.recreate()), to: await timeOfListening(a) }),
    },
  };
  return await run(SCRIPT, faults, { perSecond: CALLS_PER_SECOND, ask: (id, msg) => askB(b.url, id, msg) });
}

/** When the engine did `event` to the service's container in the course of `action`, in milliseconds since 1970. */
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
