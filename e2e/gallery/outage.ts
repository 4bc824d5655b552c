import { performOn } from '../experiment/outage.ts';
import { askB } from '../experiment/calls.ts';
import type { Event } from '../experiment/history.ts';
import { run, type Script } from '../experiment/run.ts';
import { docker } from '../stack/docker/engine.ts';
import { startContainers } from '../stack/docker/containers.ts';
import type { ContainerService } from '../stack/docker/container-service.ts';
import { jsonLogs } from '../stack/service.ts';

export const CALLS_PER_SECOND = 50;
const SCRIPT: Script = [
  ...[2500, 'stop-a', 3000, 'start-a', 2500],
  ...['pause-a', 3500, 'resume-a', 2500, 'recreate-a', 2500],
];
/** The name of the engine's event when a fault begins. */
const EVENTS: Record<string, string> = {
  'stop-a': 'kill',
  'pause-a': 'pause',
  'resume-a': 'unpause',
  'recreate-a': 'kill',
};

/**
 * Acts out the outage on a pair of its own, in about 20 s. A is running from when it listens or is resumed until the engine
 * signals or freezes it; after the signal it is stopping, and it is stopped when `docker compose stop` has returned.
 */
export async function actOutOutage(): Promise<Event[]> {
  await using stack = await startContainers({}, 'e2e/gallery/outage.yml');
  const { a, b } = stack;
  const perform = performOn(stack);
  const act = (fault: string) => (fault === 'recreate-a' ? a.recreate() : perform(fault));
  const timed = async (fault: string) => {
    const event = EVENTS[fault];
    const from = event ? await timeOf(event, a, () => act(fault)) : void (await act(fault));
    return { from, to: /^(?:start|recreate)/.test(fault) ? await timeOfListening(a) : undefined };
  };
  return await run(SCRIPT, timed, { perSecond: CALLS_PER_SECOND, ask: (id, msg) => askB(b.url, id, msg) });
}

/** Runs `action` and finds when the engine did `event` to the service's container, in milliseconds since 1970. */
async function timeOf(event: string, service: ContainerService, action: () => Promise<unknown>): Promise<number> {
  const id = (await service.inspect()).Id;
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
