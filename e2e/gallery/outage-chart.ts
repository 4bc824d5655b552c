import { drawCalls, type DrawnBand } from '../picture/calls-chart.ts';
import { outcomesIn, type Outage, type Phase } from './outage.ts';

const STATES: Record<Phase['name'], DrawnBand['state']> = {
  'A runs': 'runs',
  'A stops': 'stopped',
  'A stopped': 'stopped',
  'A starts': 'starting',
  'A paused': 'paused',
  'A recreated': 'stopped',
};

/** The outage as an SVG picture, whose description says what most calls of each phase met. `deadlineMs` is B's, where it is known. */
export function drawOutage({ calls, phases }: Outage, callsPerSecond: number, deadlineMs?: number): string {
  const { to } = phases.at(-1)!;
  const slowest = Math.round(Math.max(...calls.map(({ ms }) => ms)));
  const story = phases.map((phase) => `${phase.name}: ${outcomesIn(phase, calls).join(', ')}.`).join(' ');
  return drawCalls({
    title: 'How long service B takes to answer while service A fails',
    story: `${callsPerSecond} calls a second for ${Math.floor(to / 1000)} seconds. What B answered: ${story} The slowest answer took ${slowest} ms.`,
    heading: `How long B takes to answer while A fails: ${callsPerSecond} calls a second, each a mark`,
    calls,
    bands: phases.map((phase) => ({ ...phase, state: STATES[phase.name] })),
    from: 0,
    to,
    deadlineMs,
  });
}
