import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from '../picture/states.ts';
import { Caller, type Ask } from './calls.ts';
import { faultOf } from './faults.ts';
import type { Event } from './history.ts';

/** What came of a command, as the one who ran it knows: when it took effect and when that was over, in milliseconds since 1970. */
interface Effect {
  from?: number;
  to?: number;
  output?: string;
}

/** Runs a command, and resolves once it is done. */
export type Perform = (command: string) => Promise<Effect | void>;

/** What is done, one after the other: one of the `FAULTS`, another command, or nothing for so many milliseconds. */
export type Script = (string | number)[];

/** How B is called meanwhile. */
interface Calls {
  perSecond: number;
  ask: Ask;
  maxWaiting?: number;
}

const SILENCE: Calls = { perSecond: 0, ask: () => Promise.reject(new Error('No one calls.')) };

/**
 * Acts out a script, under steady calls if any. With a fault in it, A must be running, and the history has its states. Resolves
 * to the history, without logs; rejects when a command does.
 */
export async function run(script: Script, perform: Perform, calls = SILENCE): Promise<Event[]> {
  const history: Event[] = [];
  const enter = (state: State, at: number) => history.push({ event: 'state', at, service: 'a', state });
  if (script.some((step) => faultOf(String(step)))) enter('running', Date.now());
  const caller = new Caller({ ...calls, ended: (call) => history.push({ event: 'call', ...call }) });
  try {
    for (const step of script) {
      if (typeof step === 'number') {
        await sleep(step);
        continue;
      }
      const { during, leaves } = faultOf(step) ?? {};
      const at = Date.now();
      const { from = at, to = Date.now(), output } = (await perform(step)) ?? {};
      if (during) enter(during, from);
      if (leaves) enter(leaves, during ? to : from);
      history.push({ event: 'fault', at, ms: Date.now() - at, command: step, ...(output !== undefined && { output }) });
    }
  } finally {
    caller.stop();
    await caller.done;
  }
  return history.sort((one, other) => one.at - other.at);
}
