import { tryFor } from '../stack/until.ts';
import type { Situation } from './check.ts';
import * as lab from './lab.ts';
import { traceFailures, traceSuccess } from './logging.ts';
import { word, type Pair } from './pair.ts';
import { tells } from './record.ts';
import * as misbehaviour from './misbehaviour.ts';
import * as robustness from './robustness.ts';

const MAX_SAMPLE_CHARS = 2000; // it must fit into a URL

/** The one specification: our own tests require every check, and the grade measures other pairs by it. */
export const withBothUp: Situation = {
  name: 'with both up',
  needs: [],
  enter: traceSuccess,
  checks: [...lab.withBothUp, robustness.logsTheNumber('a'), robustness.logsTheNumber('b')],
  leave: async () => {},
};

export const whenAHangs: Situation = {
  name: 'when A hangs',
  needs: ['a', 'b'],
  async enter(pair) {
    pair.lifeBefore = await pair.stack.b.life();
    await pair.pause();
    await traceFailures(pair, 'hang');
  },
  checks: [lab.timesOut, robustness.namesTheTimeout, lab.recoversFromHang],
  leave: goOn,
};

async function goOn(pair: Pair) {
  await pair.resume().catch(() => {}); // it is already running
  await pair.restore();
}

export const whenAIsStopped: Situation = {
  name: 'when A is stopped',
  needs: ['a'],
  async enter(pair) {
    pair.lifeBefore = await pair.stack.b.life();
    await pair.stop('a');
    await traceFailures(pair, 'gone');
  },
  checks: [
    lab.survives,
    lab.logsTheError,
    lab.staysHealthy,
    lab.isGone,
    robustness.namesTheConnection,
    robustness.stopsCleanly('a'),
    lab.recoversFromStop,
  ],
  leave: (pair) => pair.restore(),
};

export const whenBIsStopped: Situation = {
  name: 'when B is stopped',
  needs: ['a', 'b'],
  enter: (pair: Pair) => pair.stop('b'),
  checks: [lab.isIndependent, robustness.stopsCleanly('b')],
  leave: (pair) => pair.restore(),
};

/** No check of the lab follows its first one: a pair that breaks here loses no points of the lab. */
export const whenAIsReplaced: Situation = {
  name: 'when A is replaced by one that misbehaves',
  needs: ['a', 'b'],
  async enter(pair) {
    const sample = await echoOfA(pair);
    pair.isAAway = true;
    await pair.replaceA();
    if (sample) await pair.tellStandIn(`speak?${new URLSearchParams(sample)}`);
    const { goneMs, recoveryMs } = pair.limits;
    const isFound = async () => {
      await pair.call(word(), 2000);
      return (await pair.requestsToStandIn()).targets.length > 0;
    };
    // A Java client remembers where a name led for 30 s. If B never asks the stand-in, nothing more is checked.
    const patienceMs = pair.hasAnswered('b') ? goneMs + recoveryMs : recoveryMs;
    pair.record.hasFoundStandIn = Boolean(await tryFor(patienceMs, isFound, 500));
  },
  checks: [lab.asksA, ...misbehaviour.whenAIsReplaced],
  async leave(pair) {
    await pair.putBackA();
    await pair.restore();
  },
};

/** One of A's own answers, which the stand-in imitates; undefined if it is no echo or too long. */
async function echoOfA(pair: Pair) {
  const msg = word();
  const { answer } = await pair.ask('a', `/echo?msg=${msg}`);
  if (answer?.status !== 200 || !tells(answer, msg) || answer.body.length > MAX_SAMPLE_CHARS) return undefined;
  return { msg, body: answer.body, type: /^content-type: *(.*)$/im.exec(answer.head)?.[1] ?? 'text/plain' };
}

export const givenOddInput: Situation = {
  name: 'given odd input',
  needs: ['a', 'b'],
  enter: async () => {},
  checks: [robustness.survivesA, robustness.takesOddInput],
  leave: (pair) => pair.restore(),
};

export const whenAHangsUnderLoad: Situation = {
  name: 'when A hangs under load',
  needs: ['a', 'b'],
  async enter(pair) {
    pair.isAAway = true;
    await pair.pause();
  },
  checks: [robustness.staysQuick],
  leave: goOn,
};

export const situations = [
  withBothUp,
  whenAHangs,
  whenAIsStopped,
  whenBIsStopped,
  whenAIsReplaced,
  givenOddInput,
  whenAHangsUnderLoad,
];
