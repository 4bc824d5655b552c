import { askB } from '../experiment/calls.ts';
import { drawOutage, performOn } from '../experiment/outage.ts';
import { run, type Script } from '../experiment/run.ts';
import type { Stack } from '../stack/service.ts';

const CALLS_PER_SECOND = 10;
/** What answers calls one by one would be busy with more for minutes. */
const MAX_WAITING = 16;
const SCRIPT: Script = [1500, 'stop-a', 2500, 'start-a', 1500, 'pause-a', 2500, 'resume-a', 1500];

/** How B answers while A is running, stopped, started, paused and resumed, as an SVG picture. Takes some 12 s. */
export async function pictureOfOutage(stack: Stack): Promise<string> {
  const calls = { perSecond: CALLS_PER_SECOND, maxWaiting: MAX_WAITING };
  const ask = (id: string, msg: string) => askB(stack.b.url, id, msg);
  return drawOutage(await run(SCRIPT, performOn(stack), { ...calls, ask }), CALLS_PER_SECOND);
}
