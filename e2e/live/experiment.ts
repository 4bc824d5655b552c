import { randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { askB, Caller } from '../experiment/calls.ts';
import { faultOf, FAULTS } from '../experiment/faults.ts';
import { quoted } from '../stack/shell.ts';
import { BEHAVIOURS } from '../stack/stand-in.ts';
import { explain } from '../experiment/explain.ts';
import { GrowingHistory } from '../experiment/growing-history.ts';
import type { Controls } from './controls.ts';
import { phaseOf } from '../picture/states.ts';
import { BOTH, Watch } from './watch.ts';
import { bandsOf, MAX_CALLS, Refused, type CallView, type ServiceView, type View } from './protocol.ts';
import { phasesOf, type Command, type Event, type Name } from '../experiment/history.ts';

const LINES_MS = 1000;
const AROUND_MS = 10_000; // how long before a call an event may still matter to it
const IDLE_MS = 1000; // B may be closing a connection that is idle for longer
const MAX_WAITING = 2048; // calls that wait at once
const MAX_BEHIND_MS = 1000; // after its computer slept, the caller does not catch up
const SHOWN_COMMANDS = 30;
const SHOWN_BANDS = 300;

interface Settings {
  /** Called with each event. */
  record?: (event: Event) => void;
  isOwn: boolean;
  deadlineMs: number;
  callsPerSecond: number;
}

/** Calls a pair steadily, causes faults on it, and keeps the history of both. */
export class Experiment {
  readonly settings: Settings;
  readonly controls: Controls;
  readonly caller: Caller;
  readonly history: GrowingHistory;
  /** A number that grows with each change of the view. */
  version = 1;
  readonly #watch: Watch;
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  readonly #ends: (() => void)[] = [];
  #behaviour = Object.keys(BEHAVIOURS)[0]!;
  #busy = '';
  /** The service that a command is starting. */
  #starting: Name | undefined;

  private constructor(controls: Controls, settings: Settings) {
    this.controls = controls;
    this.settings = settings;
    const prefix = `live-${randomBytes(2).toString('hex')}-`;
    this.history = new GrowingHistory(prefix, MAX_CALLS);
    this.caller = new Caller({
      perSecond: settings.callsPerSecond,
      ask: (id, msg) => askB(controls.stack.b.url, id, msg, this.#agent),
      ended: (call) => this.#record({ event: 'call', ...call }),
      ...{ prefix, maxWaiting: MAX_WAITING, maxBehindMs: MAX_BEHIND_MS },
    });
    this.caller.isResting = true; // until the status of both services is known
    this.#watch = new Watch(
      controls,
      (at) => this.#change(at),
      (event) => this.#record(event),
    );
  }

  static async begin(controls: Controls, settings: Settings) {
    const experiment = new Experiment(controls, settings);
    for (const service of BOTH) {
      const keep = (line: string) => experiment.#record({ event: 'log', at: Date.now(), service, line });
      experiment.#ends.push(controls.follow(service, keep));
    }
    await experiment.#watch.begin();
    experiment.caller.isResting = false;
    return experiment;
  }

  end() {
    this.#watch.end();
    this.caller.stop();
    this.#agent.destroy();
    for (const end of this.#ends) end();
  }

  #record(event: Event) {
    this.history.add(event);
    this.settings.record?.(event);
  }

  #service(name: Name): ServiceView & { isCutOff: boolean } {
    const { url, note, isCutOff, health, fake } = this.#watch.status(name);
    const state = this.#starting === name ? 'starting' : this.#watch.state(name);
    const notes: Partial<Record<string, string>> = { starting: '', replaced: fakeDoes(fake) };
    const said = this.#watch.isCutOff(name) ? 'cut off from the network' : (notes[state] ?? note);
    const port = new URL(url).port || '80';
    return {
      state,
      note: said,
      port,
      health: state === 'replaced' ? 'not asked, as a fake is there' : health,
      isCutOff,
    };
  }

  #change(at: number) {
    for (const service of BOTH) {
      const [state, { fake }] = [this.#watch.phase(service), this.#watch.status(service)];
      const last = this.history.states.findLast((event) => event.service === service);
      if (state === last?.state && fake === last.fake) continue;
      this.#record({
        event: 'state',
        at: Math.max(at, last?.at ?? 0),
        service,
        state,
        ...(fake !== undefined && { fake }),
      });
    }
    this.changed();
  }

  /** Makes all pages show what has changed. */
  changed() {
    this.version++;
  }

  /** Causes one of the faults. Rejects with a `Refused` while another command runs, and when it cannot be done now. */
  async cause(id: string, behaviour = this.#behaviour) {
    const fault = faultOf(id);
    const command = this.controls.command(id, behaviour);
    if (!fault || !command || !Object.hasOwn(BEHAVIOURS, behaviour)) throw new Refused('There is no such fault.');
    if (this.caller.isResting) throw new Refused('The tour is at work on A; leave it first.');
    if (!fault.isPossible(this.#service(fault.target))) {
      const { is } = phaseOf(this.#watch.phase(fault.target));
      throw new Refused(`${fault.target.toUpperCase()} is ${is}: ${fault.label} cannot be done now.`);
    }
    this.#behaviour = behaviour;
    await this.force(id, behaviour);
  }

  /** Undoes every fault, so that both services run again. */
  async restore() {
    const { a, b } = { a: this.#service('a'), b: this.#service('b') };
    if (a.state === 'paused') await this.force('resume-a');
    if (a.state === 'replaced') await this.force('put-back-a');
    if (a.state === 'stopped') await this.force('start-a');
    if (a.isCutOff) await this.force('reconnect-a');
    if (b.state === 'stopped') await this.force('start-b');
  }

  /** Causes a fault whether or not it is possible now. */
  async force(id: string, behaviour = '') {
    const { target, during } = faultOf(id)!;
    const work = () => this.controls.run(id, behaviour);
    return this.run(this.controls.command(id, behaviour)!, work, during === 'starting' ? target : undefined);
  }

  /**
   * Runs a command on the pair and records it; `starting` names the service that it starts. A failure is recorded and not
   * thrown: resolves to a line that says what went wrong, if anything did.
   */
  async run(command: string, work: () => Promise<unknown>, starting?: Name): Promise<string | undefined> {
    if (this.#busy) throw new Refused(`Wait for the end of: ${this.#busy}`);
    this.#busy = command;
    this.#starting = starting;
    const entry: Command = { at: Date.now(), command };
    this.history.begin(entry);
    this.#change(entry.at);
    try {
      await work();
    } catch (error) {
      const { message, stderr } = error as Error & { stderr?: string };
      entry.problem = (stderr || message).trim().split('\n').at(-1)!.slice(0, 300);
    }
    entry.ms = Date.now() - entry.at;
    this.#record({ event: 'fault', ...entry, ms: entry.ms });
    this.#busy = '';
    await this.#watch.poll(Date.now());
    this.#starting = undefined;
    this.#change(Date.now());
    return entry.problem;
  }

  /** Whether A and B are running, as far as the page can see. */
  isRunning(): boolean {
    return BOTH.every((name) => this.#watch.phase(name) === 'running');
  }

  setRate(callsPerSecond: number) {
    this.caller.perSecond = callsPerSecond;
    this.changed();
  }

  /** Everything that a page shows except the calls and the tour. */
  view(): Omit<View, 'tour'> {
    const services = { a: this.#service('a'), b: this.#service('b') };
    const { isOwn, deadlineMs } = this.settings;
    const isFree = !this.#busy && !this.caller.isResting;
    return {
      ...{ pair: this.controls.title, lacks: this.controls.lacks, isOwn, deadlineMs, services },
      faults: Object.keys(FAULTS).flatMap((id) => {
        const { label, target, during, isPossible } = faultOf(id)!;
        const command = this.controls.command(id, this.#behaviour);
        const fault = { id, label, target, isStart: during === 'starting' };
        return command ? [{ ...fault, command, isPossible: isFree && isPossible(services[target]) }] : [];
      }),
      ...{ behaviours: WHAT_IT_DOES, behaviour: this.#behaviour, busy: this.#busy },
      ...{ callsPerSecond: this.caller.perSecond, isResting: this.caller.isResting },
      bands: bandsOf(this.history.states).slice(-SHOWN_BANDS),
      commands: this.history.commands.slice(-SHOWN_COMMANDS),
    };
  }

  /** Resolves to the `callView` of a call, after its log lines had time to arrive. */
  async settledCallView(n: number): Promise<CallView | undefined> {
    const call = this.history.callOf(n);
    const isSettled = (name: Name) =>
      this.#watch.status(name).state === 'stopped' || this.history.logs[name].isSettled(call!);
    while (call && !BOTH.every(isSettled) && Date.now() < call.at + call.ms + LINES_MS) await sleep(50);
    return this.callView(n);
  }

  /** Everything that is known about a call; undefined if it is too old or was never made. */
  callView(n: number): CallView | undefined {
    const call = this.history.callOf(n);
    if (!call) return undefined;
    const { id, msg, at, ms, status, outcome, body = '', error } = call;
    const phases = phasesOf(this.history.states, Infinity).filter(({ to }) => to > at - AROUND_MS);
    const { fake } = phases.find(({ from, to, fake }) => fake !== undefined && from <= at + ms && to > at) ?? {};
    const logs = { a: this.history.logs.a.of(call), b: this.history.logs.b.of(call) };
    const port = this.#service('b').port;
    return {
      ...{ n, id, at, ms, outcome },
      command: `curl -i -G -H 'x-request-id: ${id}-again' --data-urlencode ${quoted(`msg=${msg}`)} localhost:${port}/call-echo`,
      answer: status === undefined ? `No answer after ${ms} ms: ${error}` : `${status} after ${ms} ms`,
      body,
      ...explain(call, { phases, fake: fakeDoes(fake, msg) }, logs),
    };
  }
}

/** The words for each behaviour of the stand-in that follow "A" in a sentence. */
const WHAT_IT_DOES = Object.fromEntries(Object.entries(BEHAVIOURS).map(([name, { what }]) => [name, what]));

function fakeDoes(behaviour: string | undefined, msg = ''): string {
  const name = behaviour || msg;
  return Object.hasOwn(WHAT_IT_DOES, name) ? WHAT_IT_DOES[name]! : 'does what each message says';
}
