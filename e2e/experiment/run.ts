import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from '../picture/states.ts';
import { Caller, type Ask } from './calls.ts';
import type { Event } from './history.ts';

/** When a fault began and when it was over, as whoever did it saw it; in milliseconds since 1970. */
export interface Times {
  from?: number;
  to?: number;
}

/** What can be done to A. */
export interface Faults {
  [name: string]: {
    /** What A goes through until it is done, if that takes time, and where it is then. */
    during?: State;
    leaves: State;
    act: () => Promise<Times | void>;
  };
}

/** Waits for so many milliseconds, or does something to A. */
export type Step = number | string;

/** What `calls` makes of a service `b`, and how often. */
export interface Calls {
  perSecond: number;
  ask: Ask;
  maxWaiting?: number;
}

/** Acts out a script on a pair whose A is running, under steady calls. Resolves to the history, without logs. */
export async function run(script: Step[], faults: Faults, calls: Calls): Promise<Event[]> {
  const history: Event[] = [{ event: 'state', at: Date.now(), service: 'a', state: 'running' }];
  const enter = (state: State, at: number) => history.push({ event: 'state', at, service: 'a', state });
  const caller = new Caller({ ...calls, ended: (call) => history.push({ event: 'call', ...call }) });
  try {
    for (const step of script) {
      if (typeof step === 'number') {
        await sleep(step);
        continue;
      }
      const { during, leaves, act } = faults[step]!;
      const began = Date.now();
      const { from = began, to = Date.now() } = (await act()) ?? {};
      if (during) enter(during, from);
      enter(leaves, during ? to : from);
      history.push({ event: 'fault', at: began, ms: Date.now() - began, command: step });
    }
  } finally {
    caller.stop();
    await caller.done;
  }
  return history.sort((one, other) => one.at - other.at);
}
