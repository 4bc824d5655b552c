import { setTimeout as sleep } from 'node:timers/promises';
import { acts, type Act, type Expectation } from '../gallery/acts.ts';
import { faultOf } from '../experiment/faults.ts';
import { nameOf, OUTCOME_NAMES } from '../picture/outcomes.ts';
import { callSteadily, slowest, type Call, type Caller } from '../experiment/calls.ts';
import { get } from '../stack/http.ts';
import type { Controls } from './controls.ts';
import { WAITS, waitOf, type Prediction, type Question, type TourView, type Verdict } from './protocol.ts';

const MEANWHILE_PER_SECOND = 20;
const HEALTH_PER_SECOND = 20;
const RECOVERY_MS = 20_000;

/** Something else is being done to the pair, or this cannot be done now. */
export class Refused extends Error {}

interface Turn {
  act: Act;
  /** Absent when the question is about the calls that are made while the breaking commands run. */
  call?: Expectation;
  isFirst: boolean;
  isLast: boolean;
}

/** What the tour needs of the page's experiment. */
interface Stage {
  controls: Controls;
  caller: Caller;
  settings: { isOwn: boolean };
  run(command: string, work: () => Promise<unknown>): Promise<void>;
  force(id: string): Promise<void>;
  restore(): Promise<void>;
  isRunning(): boolean;
  changed(): void;
}

/** The gallery's acts, played on the pair of the page: predict what B will answer, and see. */
export class Tour {
  readonly #experiment: Stage;
  readonly #turns: Turn[];
  readonly #acts: Act[];
  #at = -1;
  #verdicts: Verdict[] = [];
  /** Something of an act is being done right now. */
  isRunning = false;
  /** A is broken by an act that has more to ask. */
  isInAct = false;

  constructor(experiment: Stage) {
    this.#experiment = experiment;
    const { type, command } = experiment.controls;
    this.#acts = acts.filter(({ fault }) => type || (fault && command(fault, '')));
    this.#turns = this.#acts.flatMap((act): Turn[] => {
      if (act.calls.length === 0) return [{ act, isFirst: true, isLast: true }];
      const last = act.calls.length - 1;
      return act.calls.map((call, index) => ({ act, call, isFirst: index === 0, isLast: index === last }));
    });
  }

  view(): TourView {
    const turn = this.#turns[this.#at];
    return {
      acts: this.#acts.length,
      allActs: acts.length,
      questions: this.#turns.length,
      at: this.#at,
      isRunning: this.isRunning,
      question: turn && this.#question(turn),
      verdicts: this.#verdicts,
    };
  }

  #question({ act, call, isFirst }: Turn): Question {
    const { type, own, command } = this.#experiment.controls;
    const { prepares = [], breaks, fault } = act;
    const typed = [...(isFirst ? [...prepares, ...breaks] : []), ...(call?.breaks ?? [])];
    const commands =
      type && own ? (typed.length > 0 ? [own(typed.join('\n'))] : []) : isFirst ? [command(fault!, '')!] : [];
    return {
      act: act.title,
      commands,
      what: call?.what ?? 'is restarted, and B is called meanwhile',
    };
  }

  /** Begins again from the first question, with A and B running. */
  async start() {
    await this.#play(async () => {
      await this.#restore();
      this.#at = 0;
      this.#verdicts = [];
    });
  }

  /** Acts out the present question, and compares what B answers with the prediction. */
  async run(predicted: Prediction) {
    const turn = this.#turns[this.#at];
    if (!turn || this.#verdicts.length > this.#at) throw new Refused('There is nothing to predict now.');
    if (!OUTCOME_NAMES.includes(predicted.outcome) || !Object.hasOwn(WAITS, predicted.wait)) {
      throw new Refused('Predict what B will answer, and after how long.');
    }
    await this.#play(async () => {
      if (turn.isFirst && !this.#experiment.controls.type) await this.#restore(); // the gallery's acts build on each other
      this.#experiment.caller.isResting = true;
      this.isInAct = true;
      if (turn.isFirst) await this.#do(turn.act.prepares ?? []);
      const [calls, delayMs] = turn.call ? await this.#one(turn, turn.call) : await this.#meanwhile(turn);
      this.#verdicts.push(verdictOf(turn, calls, delayMs, predicted, this.#experiment.controls.type !== undefined));
      if (turn.isLast) await this.#fix(turn.act);
    });
  }

  next() {
    if (this.isRunning || this.#verdicts.length <= this.#at) throw new Refused('First predict, then run it.');
    this.#at++;
    this.#experiment.changed();
  }

  async leave() {
    await this.#play(async () => {
      if (this.isInAct) await this.#fix(this.#turns[this.#at]!.act);
      await this.#restore();
      this.#at = -1;
    });
  }

  async #play(work: () => Promise<void>) {
    if (this.isRunning) throw new Refused('An act is being played; wait for its end.');
    this.isRunning = true;
    this.#experiment.changed();
    try {
      await work();
    } finally {
      this.isRunning = false;
      if (!this.isInAct) this.#experiment.caller.isResting = false;
      this.#experiment.changed();
    }
  }

  async #one({ act, isFirst }: Turn, call: Expectation): Promise<[Call[], delayMs: number]> {
    if (isFirst) await this.#experiment.caller.send('before'); // B has a connection to A, as after any other call
    if (isFirst) await this.#do(act.breaks, act.fault);
    if (call.breaks) await this.#do(call.breaks);
    using health = this.#askHealth();
    const made = await this.#experiment.caller.send(call.msg);
    return [[made], this.#delay(await health.stop())];
  }

  async #meanwhile({ act }: Turn): Promise<[Call[], delayMs: number]> {
    using health = this.#askHealth();
    const { caller } = this.#experiment;
    const made: Promise<Call>[] = [];
    using steady = callSteadily(MEANWHILE_PER_SECOND, () => {
      made.push(caller.send('meanwhile'));
      return made.at(-1)!;
    });
    await this.#do(act.breaks, act.fault);
    await steady.stop();
    return [await Promise.all(made), this.#delay(await health.stop())];
  }

  #askHealth() {
    return callSteadily(HEALTH_PER_SECOND, () => get(`${this.#experiment.controls.stack.b.url}/health`));
  }

  /** What a busy machine adds to every answer of B, which waits for nothing to say that it is healthy: if it is this repository's. */
  #delay(health: { ms: number }[]): number {
    return this.#experiment.settings.isOwn ? slowest(health) : 0;
  }

  async #fix(act: Act) {
    await this.#do(act.fixes, act.fault && faultOf(act.fault)!.undoneBy);
    const end = performance.now() + RECOVERY_MS;
    while ((await this.#experiment.caller.send('back')).outcome !== '200' && performance.now() < end) await sleep(200);
    this.isInAct = false;
  }

  async #type(commands: string) {
    const { type, own } = this.#experiment.controls;
    const shown = own!(commands);
    await this.#experiment.run(shown, () => type!(shown));
  }

  /** By the gallery's own commands where this is its pair; else by the page's actions, and calls in the place of curl's. */
  async #do(commands: string[], fault?: string) {
    if (this.#experiment.controls.type) {
      const typed = commands.join('\n');
      if (typed) await this.#type(typed);
      return;
    }
    for (const command of commands) {
      const [, msg] = /^curl .*msg=(\w+)/.exec(command) ?? [];
      if (msg) await this.#experiment.caller.send(msg);
    }
    if (fault) await this.#experiment.force(fault);
  }

  /** Brings A and B back to where the first act begins, whatever was done to them. */
  async #restore() {
    await this.#experiment.restore();
    if (this.#experiment.controls.type) {
      const typedInActs = acts.flatMap(({ prepares = [], breaks }) => [...prepares, ...breaks]);
      const left = typedInActs.flatMap((command) => /--name (\S+)/.exec(command)?.[1] ?? []);
      const typed = `docker rm --force ${left.join(' ')}\ndocker compose up --wait`;
      await this.#type(typed);
    }
    const end = performance.now() + RECOVERY_MS;
    while (!this.#experiment.isRunning() && performance.now() < end) await sleep(50);
  }
}

/** `isGallerys` says that the pair is the one that the acts explain. Of several calls, those that failed are judged: a prediction is right when one of them went that way. */
function verdictOf(
  { act, call }: Turn,
  calls: Call[],
  delayMs: number,
  predicted: Prediction,
  isGallerys: boolean,
): Verdict {
  const failed = calls.filter(({ outcome }) => outcome !== '200');
  const judged = failed.length > 0 ? failed : calls;
  const waits = ({ ms }: Call) => [waitOf(ms), waitOf(ms - delayMs)];
  const isSame = (made: Call) => made.outcome === predicted.outcome && waits(made).includes(predicted.wait);
  const shown = judged.find(isSame) ?? judged.find(({ outcome }) => outcome === predicted.outcome) ?? judged[0]!;
  const counts = Object.entries(Object.groupBy(calls, ({ outcome }) => outcome)).map(
    ([outcome, some]) => `${some!.length} × ${nameOf(outcome)}`,
  );
  const { outcome, ms, n } = shown;
  const expected = call?.outcomes ?? act.meanwhile ?? [];
  const one = `B answered ${nameOf(outcome)} after ${Math.round(ms)} ms.`;
  return {
    act: act.title,
    what: call?.what ?? 'is restarted',
    predicted,
    outcome,
    wait: waitOf(ms),
    isRight: isSame(shown),
    sentence: call ? one : `B's answers: ${counts.join(', ')}.`,
    why: (isGallerys && expected.includes(outcome) && (call ?? act).why) || '',
    n,
  };
}
