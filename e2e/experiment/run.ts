import { setTimeout as sleep } from 'node:timers/promises';
import type { State } from '../picture/states.ts';
import { Caller, type Ask } from './calls.ts';
import { faultOf } from './faults.ts';
import type { Event } from './history.ts';

/** When a command took effect and when it was done, in milliseconds since 1970, and what it printed. */
interface Effect {
  from?: number;
  to?: number;
  output?: string;
}

/** Runs a command and resolves when it is done. */
export type Perform = (command: string) => Promise<Effect | void>;

/** The steps, in their order: the name of one of the `FAULTS`, another command, or a number of milliseconds to wait. */
export type Script = (string | number)[];

/** How B is called while the script runs. */
interface Calls {
  perSecond: number;
  ask: Ask;
  maxWaiting?: number;
}

const SILENCE: Calls = { perSecond: 0, ask: () => Promise.reject(new Error('No one calls.')) };

/**
 * Runs a script while B is called. If the script has a fault, A must be running, and the history has A's states. Resolves to
 * the history, without logs; rejects when a command does.
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
