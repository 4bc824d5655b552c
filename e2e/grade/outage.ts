import { askB } from '../experiment/calls.ts';
import { drawOutage, faultsOf } from '../experiment/outage.ts';
import { run, type Step } from '../experiment/run.ts';
import type { Stack } from '../stack/service.ts';

const CALLS_PER_SECOND = 10;
/** What answers calls one by one would be busy with more for minutes. */
const MAX_WAITING = 16;
const SCRIPT: Step[] = [1500, 'stop', 2500, 'start', 1500, 'pause', 2500, 'resume', 1500];

/** How B answers while A is running, stopped, started, paused and resumed, as an SVG picture. Takes some 12 s. */
export async function pictureOfOutage(stack: Stack): Promise<string> {
  const calls = { perSecond: CALLS_PER_SECOND, maxWaiting: MAX_WAITING };
  const ask = (id: string, msg: string) => askB(stack.b.url, id, msg);
  return drawOutage(await run(SCRIPT, faultsOf(stack), { ...calls, ask }), CALLS_PER_SECOND);
}
