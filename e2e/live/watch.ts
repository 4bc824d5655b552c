import { setTimeout as sleep } from 'node:timers/promises';
import type { Event, Name } from '../experiment/history.ts';
import type { State } from '../picture/states.ts';
import { get } from '../stack/http.ts';
import type { Controls, Status } from './controls.ts';
import type { ServiceView } from './protocol.ts';

const HEALTH_EVERY_MS = 1000;
const HEALTH_STARTING_MS = 100;
const HEALTH_PATIENCE_MS = 1000;
export const BOTH: Name[] = ['a', 'b'];

/** Everything that is known about one service. */
interface Known extends Status {
  health: string;
  /** The life in which it last gave a health answer. */
  healthyLife: string;
  /** Whether it was cut off and has not answered since. */
  isOut: boolean;
}

const NO_STATUS: Status = { state: 'stopped', life: '', url: '', isCutOff: false, fake: undefined, note: '' };
const UNKNOWN: Known = { ...NO_STATUS, health: 'not asked yet', healthyLife: '', isOut: false };

/** Follows the status of both services, from their engine and from their health answers. */
export class Watch {
  readonly #controls: Controls;
  readonly #changed: (at: number) => void;
  readonly #record: (event: Event) => void;
  readonly #known: Record<Name, Known> = { a: { ...UNKNOWN }, b: { ...UNKNOWN } };
  #presentPoll = Promise.resolve();
  #nextPoll: Promise<void> | undefined;
  #end = () => {};
  #isBegun = false;
  #isClosed = false;

  /** `changed` is called with the time of each change. */
  constructor(controls: Controls, changed: (at: number) => void, record: (event: Event) => void) {
    this.#controls = controls;
    this.#changed = changed;
    this.#record = record;
  }

  /** Resolves when the first status and health of both are known; `changed` is not called before that. */
  async begin() {
    await this.poll(Date.now());
    await Promise.all(BOTH.map((name) => this.#askHealth(name)));
    this.#isBegun = true;
    this.#changed(Date.now());
    for (const name of BOTH) void this.#keepAsking(name);
    this.#end = this.#controls.watch((at) => void this.poll(at));
  }

  end() {
    this.#isClosed = true;
    this.#end();
  }

  /** Polls the status. Only one poll runs at a time; changes that are reported during it cause one more. */
  poll(at: number): Promise<void> {
    return (this.#nextPoll ??= this.#presentPoll.then(() => this.#pollNow(at)));
  }

  async #pollNow(at: number) {
    this.#presentPoll = this.#nextPoll!;
    this.#nextPoll = undefined;
    const statuses = await this.#controls.poll().catch(() => undefined); // the engine may not answer for a moment
    if (!statuses || this.#isClosed) return;
    const seen = (name: Name) => ({ ...statuses[name], isOut: this.#known[name].isOut || statuses[name].isCutOff });
    this.#learn({ a: seen('a'), b: seen('b') }, at);
  }

  #learn(news: { [name in Name]?: Partial<Known> }, at = Date.now()) {
    const old = JSON.stringify(this.#known);
    for (const name of BOTH) Object.assign(this.#known[name], news[name]);
    if (this.#isBegun && JSON.stringify(this.#known) !== old) this.#changed(at);
  }

  async #askHealth(name: Name) {
    const known = this.#known[name];
    const asked = known.life;
    const answer = await get(`${known.url}/health`, {}, { timeoutMs: HEALTH_PATIENCE_MS }).catch((error) => error);
    const isAnswer = !(answer instanceof Error);
    const isUp = isAnswer && answer.status < 500;
    const health = isAnswer ? `${answer.status} in ${Math.max(1, Math.round(answer.ms))} ms` : silence(answer);
    if (health !== known.health) this.#record({ event: 'health', at: Date.now(), service: name, health });
    const isOfThisLife = isUp && known.life === asked && known.state === 'running';
    this.#learn({ [name]: { health, ...(isOfThisLife && { healthyLife: asked, isOut: known.isCutOff }) } });
    return isUp;
  }

  async #keepAsking(name: Name) {
    while (!this.#isClosed) {
      const isUp = await this.#askHealth(name);
      const isWaitedFor = !isUp || this.state(name) === 'starting' || this.#known[name].isOut;
      await sleep(isWaitedFor ? HEALTH_STARTING_MS : HEALTH_EVERY_MS, undefined, { ref: false });
    }
  }

  /** The state that the page shows. */
  state(name: Name): ServiceView['state'] {
    const { state, fake, life, healthyLife } = this.#known[name];
    if (fake !== undefined) return 'replaced';
    return state === 'running' && healthyLife !== life ? 'starting' : state;
  }

  status(name: Name): Status & { health: string } {
    return this.#known[name];
  }

  isCutOff(name: Name): boolean {
    return this.#known[name].isOut && ['running', 'starting'].includes(this.state(name));
  }

  phase(name: Name): State {
    return this.isCutOff(name) ? 'cut off' : this.state(name);
  }
}

function silence({ name, code }: NodeJS.ErrnoException): string {
  if (name === 'AbortError' || name === 'TimeoutError') return `no answer within ${HEALTH_PATIENCE_MS / 1000} s`;
  if (code === 'ECONNREFUSED') return 'no answer: refused';
  return code === 'ECONNRESET' ? 'no answer: the connection was reset' : 'no answer';
}
