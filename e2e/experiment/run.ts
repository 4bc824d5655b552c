import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from '../picture/states.ts';
import { Caller, type Ask } from './calls.ts';
import { FAULTS } from './faults.ts';
import type { Event } from './history.ts';

/** When a fault began and when it was over, as the one who did it knows; in milliseconds since 1970. */
export interface Times {
  from?: number;
  to?: number;
}

/** Does one of the `FAULTS` to a pair, and resolves once it is done. */
export type Perform = (fault: string) => Promise<Times | void>;

/** What is done to A: one of the `FAULTS`, or nothing for so many milliseconds. */
export type Script = (string | number)[];

/** How B is called meanwhile. */
export interface Calls {
  perSecond: number;
  ask: Ask;
  maxWaiting?: number;
}

/** Acts out a script on a pair whose A is running, under steady calls. Resolves to the history, without logs. */
export async function run(script: Script, perform: Perform, calls: Calls): Promise<Event[]> {
  const history: Event[] = [{ event: 'state', at: Date.now(), service: 'a', state: 'running' }];
  const enter = (state: State, at: number) => history.push({ event: 'state', at, service: 'a', state });
  const caller = new Caller({ ...calls, ended: (call) => history.push({ event: 'call', ...call }) });
  try {
    for (const step of script) {
      if (typeof step === 'number') {
        await sleep(step);
        continue;
      }
      const { during, leaves } = FAULTS[step]!;
      const at = Date.now();
      const { from = at, to = Date.now() } = (await perform(step)) ?? {};
      if (during) enter(during, from);
      enter(leaves, during ? to : from);
      history.push({ event: 'fault', at, ms: Date.now() - at, command: step });
    }
  } finally {
    caller.stop();
    await caller.done;
  }
  return history.sort((one, other) => one.at - other.at);
}
