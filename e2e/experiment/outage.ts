import { drawCalls } from '../picture/calls-chart.ts';
import type { Stack } from '../stack/service.ts';
import { slowest } from './calls.ts';
import { callsIn, callsOf, outcomesOf, phasesOf, type Event } from './history.ts';
import type { Perform } from './run.ts';

/** Runs the faults of an outage on the A of any pair. */
export function performOn({ a }: Stack): Perform {
  const acts: Record<string, () => Promise<unknown>> = {
    'stop-a': () => a.stop(),
    'kill-a': () => a.kill(),
    'start-a': () => a.start(),
    'pause-a': () => a.pause(),
    'resume-a': () => a.resume(),
  };
  return async (fault) => {
    if (!acts[fault])
      throw new Error(`${fault} is not part of an outage; the parts are ${Object.keys(acts).join(', ')}.`);
    await acts[fault]();
  };
}

/** Draws an outage as SVG; its description lists the outcomes of each phase. `deadlineMs` is B's deadline, if it is known. */
export function drawOutage(history: Event[], callsPerSecond?: number, deadlineMs?: number): string {
  const [calls, phases] = [callsOf(history), phasesOf(history)];
  const [from, to] = [phases[0]!.from, phases.at(-1)!.to];
  const many = callsPerSecond ? `${callsPerSecond} calls a second` : `${calls.length} calls`;
  const story = phases.map((phase) => `${phase.name}: ${outcomesOf(callsIn(phase, calls)).join(', ')}.`).join(' ');
  return drawCalls({
    title: 'How long service B takes to answer while service A fails',
    story: `${many}${callsPerSecond ? ' for' : ' in'} ${Math.floor((to - from) / 1000)} seconds. What B answered: ${story} The slowest answer took ${Math.round(slowest(calls))} ms.`,
    heading: `How long B takes to answer while A fails: ${many}, each a mark`,
    calls,
    bands: phases,
    from,
    to,
    deadlineMs,
  });
}
