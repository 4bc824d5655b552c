import { MAX_CALLS, type Dot } from '../protocol.ts';

/** How much later than it began a call may be known, as it is once it has ended; in ms. */
export const LATE_MS = 12_000;

/** The last calls, in arrays that never grow: a call's place is its count modulo their length. */
export const n = new Float64Array(MAX_CALLS);
export const at = new Float64Array(MAX_CALLS);
export const ms = new Float32Array(MAX_CALLS);
export const kind = new Uint8Array(MAX_CALLS);
/** How many calls were ever added. */
export let count = 0;

export function add(dots: Dot[]) {
  for (const [number, began, took, outcome] of dots) {
    const place = count++ % MAX_CALLS;
    n[place] = number;
    at[place] = began;
    ms[place] = took;
    kind[place] = outcome;
  }
}

export function clear() {
  count = 0;
}

/** The places of the calls that began since `oldest`, the newest first; the first that is older ends the search. */
export function* placesSince(oldest: number): Generator<number> {
  for (let index = count - 1; index >= Math.max(0, count - MAX_CALLS); index--) {
    const place = index % MAX_CALLS;
    if (at[place]! < oldest) return;
    yield place;
  }
}

/** The last calls that are known, the newest first. */
export function lastDots(most: number): Dot[] {
  return [...placesSince(-Infinity).take(most)].map((place) => [n[place]!, at[place]!, ms[place]!, kind[place]!]);
}
