import { setTimeout as sleep } from 'node:timers/promises';
import type { Act, Expectation } from '../gallery/act.ts';
import { acts } from '../gallery/acts.ts';
import { faultOf } from '../experiment/faults.ts';
import { callSteadily, slowest, type Call } from '../experiment/calls.ts';
import { get } from '../stack/http.ts';
import type { Experiment } from './experiment.ts';
import { tryFor } from '../stack/until.ts';
import { Refused, type Played, type Question } from './protocol.ts';
import type { Stage } from './tour.ts';

const RESTARTING_PER_SECOND = 20;
const HEALTH_PER_SECOND = 20;
const RECOVERY_MS = 20_000;
const SEEN_MS = 3000; // how long the page may need to see that both run

interface Turn {
  act: Act;
  /** Absent if the question is about the calls that are made while the commands run that break A. */
  call?: Expectation;
  isFirst: boolean;
  isLast: boolean;
}

/** Plays the gallery's acts on the pair of the experiment, as far as that pair allows it. */
export class Acting implements Stage {
  readonly #experiment: Experiment;
  readonly #turns: Turn[];
  readonly acts: number;
  readonly allActs = acts.length;
  /** The act that has broken A and has more questions. */
  #present: Act | undefined;

  constructor(experiment: Experiment) {
    this.#experiment = experiment;
    const { type, command } = experiment.controls;
    const playable = acts.filter(({ fault }) => type || (fault && command(fault, '')));
    this.acts = playable.length;
    this.#turns = playable.flatMap((act): Turn[] => {
      if (act.calls.length === 0) return [{ act, isFirst: true, isLast: true }];
      const last = act.calls.length - 1;
      return act.calls.map((call, index) => ({ act, call, isFirst: index === 0, isLast: index === last }));
    });
  }

  /** The questions with their present commands: a process has a new id after each start. */
  get questions(): Question[] {
    return this.#turns.map((turn) => this.#question(turn));
  }

  #question({ act, call, isFirst }: Turn): Question {
    const { type, own, command } = this.#experiment.controls;
    const typed = [...(isFirst ? [...(act.prepares ?? []), ...act.breaks] : []), ...(call?.breaks ?? [])];
    const commands = type && typed.length > 0 ? [own!(typed.join('\n'))] : [];
    return {
      act: act.title,
      what: call?.what ?? 'is restarted while B is called',
      ...{ why: type ? (call ?? act).why! : '', outcomes: call?.outcomes ?? act.reasonsDuringBreak! },
      commands: type || !isFirst ? commands : [command(act.fault!, '')!],
      isOne: call !== undefined,
    };
  }

  async play(index: number): Promise<Played> {
    const turn = this.#turns[index]!;
    const { act, call, isFirst, isLast } = turn;
    // The gallery's acts build on each other; what others did to the pair since the last one is undone.
    const { type } = this.#experiment.controls;
    const isReady = !isFirst || (type && (await tryFor(SEEN_MS, () => this.#experiment.isRunning())));
    if (!isReady) await this.restore();
    this.#experiment.caller.isResting = true;
    this.#present = act;
    if (isFirst) await this.#break(act.prepares ?? []);
    const made = call ? await this.#one(turn, call) : await this.#duringBreak(act);
    if (isLast) await this.#fix(act);
    return made;
  }

  async #one({ act, isFirst }: Turn, call: Expectation): Promise<Played> {
    if (isFirst) await this.#experiment.caller.send('before'); // B has a connection to A, as after any other call
    if (isFirst) await this.#break(act.breaks, act.fault);
    if (call.breaks) await this.#break(call.breaks);
    using health = this.#askHealth();
    const made = await this.#experiment.caller.send(call.msg);
    return { calls: [made], delayMs: this.#delay(await health.stop()) };
  }

  async #duringBreak(act: Act): Promise<Played> {
    using health = this.#askHealth();
    const made: Promise<Call>[] = [];
    using steady = callSteadily(RESTARTING_PER_SECOND, () => {
      made.push(this.#experiment.caller.send('restarting'));
      return made.at(-1)!;
    });
    await this.#break(act.breaks, act.fault);
    await steady.stop();
    return { calls: await Promise.all(made), delayMs: this.#delay(await health.stop()) };
  }

  #askHealth() {
    return callSteadily(HEALTH_PER_SECOND, () => get(`${this.#experiment.controls.stack.b.url}/health`));
  }

  /** Estimates what a busy machine adds to each answer: B's health answers wait for nothing. Only for this repository's B. */
  #delay(health: { ms: number }[]): number {
    return this.#experiment.settings.isOwn ? slowest(health) : 0;
  }

  async #fix(act: Act) {
    const { caller } = this.#experiment;
    await this.#do(act.fixes, act.fault && faultOf(act.fault)!.undoneBy);
    const end = performance.now() + RECOVERY_MS;
    while ((await caller.send('back')).outcome !== '200' && performance.now() < end) await sleep(200);
    this.#present = undefined;
    caller.isResting = false;
  }

  async restore() {
    const experiment = this.#experiment;
    if (this.#present) await this.#fix(this.#present);
    await experiment.restore();
    if (experiment.controls.type) {
      const typed = acts.flatMap(({ prepares = [], breaks }) => [...prepares, ...breaks]);
      const left = typed.flatMap((command) => /--name (\S+)/.exec(command)?.[1] ?? []);
      await this.#type(`docker rm --force ${[...new Set(left)].join(' ')}\ndocker compose up --wait`);
    }
    const end = performance.now() + RECOVERY_MS;
    while (!experiment.isRunning() && performance.now() < end) await sleep(50);
  }

  /** Rejects with a `Refused` when A could not be broken: then there is nothing to predict. */
  async #break(commands: string[], fault?: string) {
    const problem = await this.#do(commands, fault);
    if (problem) throw new Refused(`A could not be broken, so run the question again: ${problem}`);
  }

  /** Types the gallery's commands if this is its pair; on any other pair, causes the fault and makes the calls of curl. */
  async #do(commands: string[], fault?: string) {
    if (this.#experiment.controls.type) return this.#type(commands.join('\n'));
    for (const command of commands) {
      const [, msg] = /^curl .*msg=(\w+)/.exec(command) ?? [];
      if (msg) await this.#experiment.caller.send(msg);
    }
    return fault && this.#experiment.force(fault);
  }

  async #type(commands: string) {
    if (!commands) return;
    const { type, own } = this.#experiment.controls;
    const shown = own!(commands);
    return this.#experiment.run(shown, () => type!(shown));
  }
}
