import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { OUTCOME_NAMES } from '../picture/outcomes.ts';
import { phaseOf, type State } from '../picture/states.ts';
import { askB, Caller, type Call } from '../experiment/calls.ts';
import { faultOf, FAULTS } from '../experiment/faults.ts';
import { LogLines } from '../experiment/log-lines.ts';
import { quoted } from '../stack/shell.ts';
import { BEHAVIOURS } from '../stack/stand-in.ts';
import { explain } from './explain.ts';
import type { Controls } from './controls.ts';
import { BOTH, Watch } from './watch.ts';
import { MAX_CALLS, type Band, type CallView, type Dot, type Entry, type ServiceView, type View } from './protocol.ts';
import type { Event, Name, Phase } from '../experiment/history.ts';
import { Refused, Tour } from './tour.ts';

const LINES_MS = 1000;
const AROUND_MS = 10_000; // of what happened before a call that may matter to it
const IDLE_MS = 1000; // a connection that is idle for longer may be one that B is closing
const MAX_CHARS = 32 * 1024 * 1024; // of all messages and answers that are kept
const MAX_WAITING = 2048; // calls at once
const MAX_BEHIND_MS = 1000; // a computer that was asleep has nothing to make up for
const MAX_PHASES = 600;
const MAX_HISTORY = 500;
const SHOWN_HISTORY = 30;

interface Settings {
  /** Is told of all that happens. */
  record?: (event: Event) => void;
  isOwn: boolean;
  deadlineMs: number;
  callsPerSecond: number;
}

/**
 * A pair under steady calls, that can be broken: what it does, what is done to it, and what came of each call, for the
 * last three minutes at 200 calls a second. Emits `calls` with the dots of those that have ended, and `change`.
 */
export class Experiment extends EventEmitter<{ calls: [Dot[]]; change: [] }> {
  readonly settings: Settings;
  readonly controls: Controls;
  readonly caller: Caller;
  readonly tour: Tour;
  readonly calls: Call[] = [];
  /** What A went through, and what the fake in its place did then. The last one has no end yet. */
  readonly #phases: (Phase & { fake?: string | undefined })[] = [];
  readonly history: Entry[] = [];
  readonly #logs: Record<Name, LogLines>;
  readonly #watch: Watch;
  readonly #states: Partial<Record<Name, State>> = {};
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  readonly #ends: (() => void)[] = [];
  #behaviour = Object.keys(BEHAVIOURS)[0]!;
  #busy = '';
  /** The service that a command is starting. */
  #starting: Name | undefined;
  #version = 0;
  #chars = 0;

  private constructor(controls: Controls, settings: Settings) {
    super();
    this.setMaxListeners(0); // one for each page, of which the server allows a few
    this.controls = controls;
    this.settings = settings;
    const ended = (call: Call) => this.#keep(call);
    const ask = (id: string, msg: string) => askB(controls.stack.b.url, id, msg, this.#agent);
    const prefix = `live-${randomBytes(2).toString('hex')}-`;
    const bounds = { maxWaiting: MAX_WAITING, maxBehindMs: MAX_BEHIND_MS };
    this.caller = new Caller({ perSecond: settings.callsPerSecond, ask, ended, prefix, ...bounds });
    this.#logs = { a: new LogLines(prefix), b: new LogLines(prefix) };
    this.#watch = new Watch(
      controls,
      (at) => this.#change(at),
      (event) => settings.record?.(event),
    );
    this.tour = new Tour(this);
  }

  static async begin(controls: Controls, settings: Settings) {
    const experiment = new Experiment(controls, settings);
    for (const name of BOTH) {
      const keep = (line: string) => {
        experiment.#logs[name].add(line);
        settings.record?.({ event: 'log', at: Date.now(), service: name, line });
      };
      experiment.#ends.push(controls.follow(name, keep));
    }
    await experiment.#watch.begin();
    return experiment;
  }

  end() {
    this.#watch.end();
    this.caller.stop();
    this.#agent.destroy();
    for (const end of this.#ends) end();
  }

  #keep(call: Call) {
    this.settings.record?.({ event: 'call', ...call });
    this.calls.push(call);
    this.#chars += charsOf(call);
    if (this.calls.length > MAX_CALLS * 1.1 || this.#chars > MAX_CHARS) {
      const dropped = this.calls.splice(0, Math.ceil(this.calls.length / 11));
      this.#chars -= dropped.reduce((sum, old) => sum + charsOf(old), 0);
    }
    this.emit('calls', [dotOf(call)]);
  }

  /** The dots of all calls that are kept. */
  dots(): Dot[] {
    return this.calls.map(dotOf);
  }

  #service(name: Name): ServiceView & { isCutOff: boolean } {
    const { url, note, isCutOff, health, fake } = this.#watch.sight(name);
    const state = this.#starting === name ? 'starting' : this.#watch.state(name);
    const port = new URL(url).port || '80';
    const said = this.#watch.isCutOff(name) ? 'cut off from the network' : state === 'replaced' ? fakeDoes(fake) : note;
    return { state, note: said, port, health, isCutOff };
  }

  #change(at: number) {
    for (const name of BOTH) {
      const state = this.#watch.phase(name);
      const { fake } = this.#watch.sight(name);
      const last = this.#phases.at(-1);
      if (name === 'a' && (state !== last?.state || fake !== last.fake)) this.#enter(state, at, fake);
      if (state === this.#states[name]) continue;
      this.#states[name] = state;
      this.settings.record?.({ event: 'state', at, service: name, state });
    }
    this.changed();
  }

  #enter(state: State, at: number, fake: string | undefined) {
    const last = this.#phases.at(-1);
    const from = Math.max(at, last?.from ?? at);
    if (last) last.to = from;
    this.#phases.push({ ...phaseOf(state), from, to: Infinity, fake });
    if (this.#phases.length > MAX_PHASES) this.#phases.shift();
  }

  get bands(): Band[] {
    return this.#phases.flatMap(({ name, band, from, to }) =>
      band ? [{ name, colour: band, from, ...(to < Infinity && { to }) }] : [],
    );
  }

  /** Has all pages shown what is different now. */
  changed() {
    this.#version++;
    this.emit('change');
  }

  /** Does one of the faults. Rejects with a `Refused` that says why it cannot be done now. */
  async act(id: string, behaviour = this.#behaviour) {
    const fault = faultOf(id);
    const command = this.controls.command(id, behaviour);
    if (!fault || !command || !Object.hasOwn(BEHAVIOURS, behaviour)) throw new Refused('There is no such fault.');
    if (this.tour.isRunning || this.tour.isInAct) throw new Refused('The tour is at work on A; leave it first.');
    if (!fault.isPossible(this.#service(fault.target))) {
      const { is } = phaseOf(this.#watch.phase(fault.target));
      throw new Refused(`${fault.target.toUpperCase()} is ${is}: ${fault.label} cannot be done now.`);
    }
    this.#behaviour = behaviour;
    await this.force(id, behaviour);
  }

  /** Brings both services back from whatever was done to them by faults. */
  async restore() {
    const { a, b } = { a: this.#service('a'), b: this.#service('b') };
    if (a.state === 'paused') await this.force('resume-a');
    if (a.state === 'replaced') await this.force('put-back-a');
    if (a.state === 'stopped') await this.force('start-a');
    if (a.isCutOff) await this.force('reconnect-a');
    if (b.state === 'stopped') await this.force('start-b');
  }

  /** Does a fault, whatever state its target is in. */
  async force(id: string, behaviour = '') {
    const { target, during } = faultOf(id)!;
    const work = () => this.controls.run(id, behaviour);
    await this.run(this.controls.command(id, behaviour)!, work, during === 'starting' ? target : undefined);
  }

  /**
   * Does something to the pair, which may be to start one of the two, and writes it down. What fails is written down too,
   * and not thrown.
   */
  async run(command: string, work: () => Promise<unknown>, starting?: Name) {
    if (this.#busy) throw new Refused(`Wait for the end of: ${this.#busy}`);
    this.#busy = command;
    this.#starting = starting;
    const entry: Entry = { at: Date.now(), command };
    this.history.push(entry);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    this.#change(entry.at);
    try {
      await work();
    } catch (error) {
      const { message, stderr } = error as Error & { stderr?: string };
      entry.problem = (stderr || message).trim().split('\n').at(-1)!.slice(0, 300);
    }
    entry.ms = Date.now() - entry.at;
    const { ms, problem } = entry;
    this.settings.record?.({ event: 'fault', at: entry.at, ms, command, ...(problem && { problem }) });
    this.#busy = '';
    await this.#watch.look(Date.now());
    this.#starting = undefined;
    this.#change(Date.now());
  }

  /** Whether A and B are running, as far as the page can see. */
  isRunning(): boolean {
    return BOTH.every((name) => this.#watch.phase(name) === 'running');
  }

  setRate(callsPerSecond: number) {
    this.caller.perSecond = callsPerSecond;
    this.changed();
  }

  view(): View {
    const services = { a: this.#service('a'), b: this.#service('b') };
    const { isOwn, deadlineMs } = this.settings;
    const isFree = !this.#busy && !this.tour.isRunning && !this.tour.isInAct;
    return {
      version: this.#version,
      pair: this.controls.title,
      lacks: this.controls.lacks,
      isOwn,
      deadlineMs,
      services,
      actions: Object.keys(FAULTS).flatMap((id) => {
        const { label, target, during, isPossible } = faultOf(id)!;
        const command = this.controls.command(id, this.#behaviour);
        const action = { id, label, target, isStart: during === 'starting' };
        return command ? [{ ...action, command, isPossible: isFree && isPossible(services[target]) }] : [];
      }),
      behaviours: WHAT_IT_DOES,
      behaviour: this.#behaviour,
      busy: this.#busy,
      callsPerSecond: this.caller.perSecond,
      isResting: this.caller.isResting,
      bands: this.bands,
      history: this.history.slice(-SHOWN_HISTORY),
      tour: this.tour.view(),
    };
  }

  /** The same as `callView`, once the lines of a call that has just ended had time to arrive. */
  async settledCallView(n: number): Promise<CallView | undefined> {
    const call = this.#callOf(n);
    const isSettled = (name: Name) => this.#watch.sight(name).state === 'stopped' || this.#logs[name].isSettled(call!);
    while (call && !BOTH.every(isSettled) && Date.now() < call.at + call.ms + LINES_MS) await sleep(50);
    return this.callView(n);
  }

  #callOf(n: number): Call | undefined {
    return this.calls.findLast((call) => call.n === n);
  }

  /** What is known of a call; undefined when it is too old, or was never made. */
  callView(n: number): CallView | undefined {
    const call = this.#callOf(n);
    if (!call) return undefined;
    const { id, msg, at, ms, status, outcome, body = '', error } = call;
    const logs = { a: this.#logs.a.of(call), b: this.#logs.b.of(call) };
    const phases = this.#phases.slice(this.#phases.findIndex(({ to }) => to > at - AROUND_MS));
    const { fake } = phases.find(({ from, to, fake }) => fake !== undefined && from <= at + ms && to > at) ?? {};
    const port = this.#service('b').port;
    return {
      n,
      id,
      at,
      ms,
      outcome,
      command: `curl -i -G -H 'x-request-id: ${id}' --data-urlencode ${quoted(`msg=${msg}`)} localhost:${port}/call-echo`,
      answer: status === undefined ? `No answer after ${ms} ms: ${error}` : `${status} after ${ms} ms`,
      body,
      ...explain(call, { phases, fake: fakeDoes(fake, msg) }, logs),
    };
  }
}

/** What each behaviour of the stand-in is, as the end of a sentence that begins with "A". */
const WHAT_IT_DOES = Object.fromEntries(Object.entries(BEHAVIOURS).map(([name, { what }]) => [name, what]));

function fakeDoes(behaviour: string | undefined, msg = ''): string {
  const name = behaviour || msg;
  return Object.hasOwn(WHAT_IT_DOES, name) ? WHAT_IT_DOES[name]! : 'does what each message says';
}

const charsOf = ({ msg, body = '', reason = '' }: Call) => msg.length + body.length + reason.length;

const dotOf = ({ n, at, ms, outcome }: Call): Dot => [n, at, ms, OUTCOME_NAMES.indexOf(outcome)];
