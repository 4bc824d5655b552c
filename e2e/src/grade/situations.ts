import { setTimeout as sleep } from 'node:timers/promises';
import { get } from '../http.ts';
import type { Situation } from './check.ts';
import * as lab from './lab.ts';
import { traceFailure, traceSuccess } from './lab.ts';
import type { Pair } from './pair.ts';
import * as robustness from './robustness.ts';

const REPLACED_PATIENCE_MS = 35_000; // a Java client remembers where a name led for 30 s

/** One specification: our own suite demands all of it of our own stack, the grade measures anybody's by it. */
export const withBothUp: Situation = {
  name: 'with both up',
  enter: traceSuccess,
  checks: [...lab.withBothUp, ...robustness.withBothUp],
  leave: async () => {},
};

export const whenAHangs: Situation = {
  name: 'when A hangs',
  async enter(pair) {
    await pair.stack.a.pause();
    await traceFailure(pair, 'hang');
  },
  checks: [...lab.whenAHangs, ...robustness.whenAHangs, ...lab.onceAGoesOn],
  async leave(pair) {
    await pair.stack.a.resume().catch(() => {}); // it goes on already
    await pair.restore();
  },
};

export const whenAIsStopped: Situation = {
  name: 'when A is stopped',
  async enter(pair) {
    await pair.stop('a');
    await traceFailure(pair, 'gone');
  },
  checks: [...lab.whenAIsStopped, ...robustness.whenAIsStopped, ...lab.onceAIsStarted],
  leave: (pair) => pair.restore(),
};

export const whenAIsReplaced: Situation = {
  name: 'when A is replaced by one that misbehaves',
  async enter(pair) {
    const standIn = (pair.replacement = await pair.stack.replaceA());
    const end = performance.now() + REPLACED_PATIENCE_MS;
    for (;;) {
      await pair.call('found', 2000);
      const isFound = (await get(`${standIn.url}/requests`)).json.length > 0;
      if (isFound) pair.standIn = standIn;
      if (isFound || performance.now() > end) return;
      await sleep(500);
    }
  },
  checks: robustness.whenAIsReplaced,
  async leave(pair) {
    pair.standIn = undefined;
    await pair.replacement?.putBack();
    pair.replacement = undefined;
    await pair.restore();
  },
};

export const whenBIsStopped: Situation = {
  name: 'when B is stopped',
  enter: (pair: Pair) => pair.stop('b'),
  checks: [...lab.whenBIsStopped, ...robustness.whenBIsStopped],
  leave: (pair) => pair.restore(),
};

export const situations = [withBothUp, whenAHangs, whenAIsStopped, whenAIsReplaced, whenBIsStopped];
