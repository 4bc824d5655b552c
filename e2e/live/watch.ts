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

/** What both services are doing, as their engine and their own answers for their health tell. */
export class Watch {
  readonly #controls: Controls;
  readonly #changed: (at: number) => void;
  readonly #record: (event: Event) => void;
  readonly #sights: Partial<Record<Name, Sight>> = {};
  /** The life in which each service answered for its health. */
  readonly #healthyLives: Record<Name, string> = { a: '', b: '' };
  readonly #health: Record<Name, string> = { a: 'not asked yet', b: 'not asked yet' };
  /** Cut off, and not heard of since. */
  readonly #isOut: Record<Name, boolean> = { a: false, b: false };
  #presentLook: Promise<void> | undefined;
  #nextLook: Promise<void> | undefined;
  #end = () => {};
  #isClosed = false;

  /** `changed` is told when something is different, and since when. */
  constructor(controls: Controls, changed: (at: number) => void, record: (event: Event) => void) {
    this.#controls = controls;
    this.#changed = changed;
    this.#record = record;
  }

  /** Resolves once both have been looked at. */
  async begin() {
    await this.look(Date.now());
    for (const name of BOTH) void this.#askHealth(name);
    this.#end = this.#controls.watch((at) => void this.look(at));
  }

  end() {
    this.#isClosed = true;
    this.#end();
  }

  /** One look at a time, and one more for all that is reported during it. */
  look(at: number): Promise<void> {
    this.#nextLook ??= this.#lookAfter(this.#presentLook, at);
    return this.#nextLook;
  }

  async #lookAfter(before: Promise<void> | undefined, at: number) {
    await before;
    this.#presentLook = this.#nextLook;
    this.#nextLook = undefined;
    const sights = await this.#controls.look().catch(() => undefined); // the engine may not answer for a moment
    if (!sights || this.#isClosed) return;
    const old = JSON.stringify(this.#sights);
    Object.assign(this.#sights, sights);
    for (const name of BOTH) this.#isOut[name] ||= sights[name].isCutOff;
    if (JSON.stringify(this.#sights) !== old) this.#changed(at);
  }

  async #askHealth(name: Name) {
    while (!this.#isClosed) {
      const sight = this.#sights[name]!;
      const answer = await get(`${sight.url}/health`, {}, { timeoutMs: HEALTH_PATIENCE_MS }).catch((error) => error);
      const isAnswer = !(answer instanceof Error);
      const isUp = isAnswer && answer.status < 500;
      const health = isAnswer ? `${answer.status} in ${Math.max(1, Math.round(answer.ms))} ms` : silence(answer);
      const { life, state, isCutOff } = this.#sights[name]!;
      const isOfThisLife = isUp && life === sight.life && state === 'running';
      const isNews = isOfThisLife && (this.#healthyLives[name] !== life || this.#isOut[name] !== isCutOff);
      const isNew = health !== this.#health[name] || isNews;
      if (health !== this.#health[name]) this.#record({ event: 'health', at: Date.now(), service: name, health });
      this.#health[name] = health;
      if (isOfThisLife) {
        this.#healthyLives[name] = life;
        this.#isOut[name] = isCutOff;
      }
      if (isNew) this.#changed(Date.now());
      const isWaitedFor = !isUp || this.state(name) === 'starting' || this.#isOut[name];
      await sleep(isWaitedFor ? HEALTH_STARTING_MS : HEALTH_EVERY_MS, undefined, { ref: false });
    }
  }

  /** As it is seen from outside. */
  state(name: Name): ServiceView['state'] {
    const { state, fake, life } = this.#sights[name]!;
    if (fake !== undefined) return 'replaced';
    return state === 'running' && this.#healthyLives[name] !== life ? 'starting' : state;
  }

  sight(name: Name): Sight & { health: string } {
    return { ...this.#sights[name]!, health: this.#health[name] };
  }

  isCutOff(name: Name): boolean {
    const state = this.state(name);
    return this.#isOut[name] && (state === 'running' || state === 'starting');
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
