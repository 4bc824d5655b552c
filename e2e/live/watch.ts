import { setTimeout as sleep } from 'node:timers/promises';
import type { Event, Name } from '../experiment/history.ts';
import type { State } from '../picture/states.ts';
import { get } from '../stack/http.ts';
import type { Controls, Sight } from './controls.ts';
import type { ServiceView } from './protocol.ts';

const HEALTH_EVERY_MS = 1000;
const HEALTH_STARTING_MS = 100;
const HEALTH_PATIENCE_MS = 1000;
export const BOTH: Name[] = ['a', 'b'];

/** What is known of one service. */
interface Known extends Sight {
  health: string;
  /** The life in which it answered for its health. */
  healthyLife: string;
  /** Cut off, and not heard of since. */
  isOut: boolean;
}

const UNSEEN: Sight = { state: 'stopped', life: '', url: '', isCutOff: false, fake: undefined, note: '' };
const UNKNOWN: Known = { ...UNSEEN, health: 'not asked yet', healthyLife: '', isOut: false };

/** What both services are doing, as their engine and their own answers for their health tell. */
export class Watch {
  readonly #controls: Controls;
  readonly #changed: (at: number) => void;
  readonly #record: (event: Event) => void;
  readonly #known: Record<Name, Known> = { a: { ...UNKNOWN }, b: { ...UNKNOWN } };
  #presentLook = Promise.resolve();
  #nextLook: Promise<void> | undefined;
  #end = () => {};
  #isBegun = false;
  #isClosed = false;

  /** `changed` is told when something is different, and since when. */
  constructor(controls: Controls, changed: (at: number) => void, record: (event: Event) => void) {
    this.#controls = controls;
    this.#changed = changed;
    this.#record = record;
  }

  /** Resolves once both have been looked at, and asked for their health; nothing is told before. */
  async begin() {
    await this.look(Date.now());
    await Promise.all(BOTH.map((name) => this.#askHealth(name)));
    this.#isBegun = true;
    this.#changed(Date.now());
    for (const name of BOTH) void this.#keepAsking(name);
    this.#end = this.#controls.watch((at) => void this.look(at));
  }

  end() {
    this.#isClosed = true;
    this.#end();
  }

  /** One look at a time, and one more for all that is reported during it. */
  look(at: number): Promise<void> {
    return (this.#nextLook ??= this.#presentLook.then(() => this.#lookNow(at)));
  }

  async #lookNow(at: number) {
    this.#presentLook = this.#nextLook!;
    this.#nextLook = undefined;
    const sights = await this.#controls.look().catch(() => undefined); // the engine may not answer for a moment
    if (!sights || this.#isClosed) return;
    const seen = (name: Name) => ({ ...sights[name], isOut: this.#known[name].isOut || sights[name].isCutOff });
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

  /** As it is seen from outside. */
  state(name: Name): ServiceView['state'] {
    const { state, fake, life, healthyLife } = this.#known[name];
    if (fake !== undefined) return 'replaced';
    return state === 'running' && healthyLife !== life ? 'starting' : state;
  }

  sight(name: Name): Sight & { health: string } {
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
