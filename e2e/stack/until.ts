import { setTimeout as sleep } from 'node:timers/promises';

type Attempt<T> = () => T | undefined | false | Promise<T | undefined | false>;

/** Does the same as `tryFor`, but rejects after `ms` milliseconds without success. */
export async function until<T>(what: string, attempt: Attempt<T>, ms = 15_000, everyMs = 20): Promise<T> {
  const result = await tryFor(ms, attempt, everyMs);
  if (result !== undefined) return result;
  throw new Error(`Waited ${ms / 1000} s for ${what}, without success.`);
}

/**
 * Asks `attempt` every `everyMs` milliseconds until it gives something other than undefined or false, and resolves to
 * that, or to undefined after `ms` milliseconds. Rejects as soon as `attempt` does.
 */
export async function tryFor<T>(ms: number, attempt: Attempt<T>, everyMs = 20): Promise<T | undefined> {
  const end = performance.now() + ms;
  do {
    const result = await attempt();
    if (result !== undefined && result !== false) return result;
    await sleep(everyMs);
  } while (performance.now() < end);
  return undefined;
}
