import { truncate } from '../stack/foreign-text.ts';
import type { Call } from './calls.ts';

const MAX_CHARS = 16 * 1024 * 1024;
const MAX_LINE_CHARS = 4000;
const LINE_CHARS = 100; // what the shortest line takes: one that is empty is still kept
const MAX_FOUND = 20;
const EARLY_MS = 20;
const LATE_MS = 300;

interface Line {
  at: number;
  text: string;
}

/** What a service has written lately: some 16 MB of it, the oldest of which goes first. */
export class LogLines {
  readonly #ids: RegExp;
  #lines: Line[] = [];
  #chars = 0;
  /** The lines in which a request's id stands; empty where the service logs none. */
  #byId = new Map<string, Line[]>();
  #hasIds = false;

  /** `prefix` is what the ids of the requests begin with; a number follows. */
  constructor(prefix: string) {
    this.#ids = new RegExp(`${prefix}\\d+(?!-)`, 'g');
  }

  add(line: string) {
    const entry = { at: Date.now(), text: truncate(line, MAX_LINE_CHARS) };
    this.#lines.push(entry);
    this.#file(entry);
    this.#hasIds ||= this.#byId.size > 0;
    this.#chars += sizeOf(entry);
    if (this.#chars <= MAX_CHARS) return;
    this.#lines = this.#lines.slice(Math.ceil(this.#lines.length / 4));
    this.#chars = this.#lines.reduce((sum, line) => sum + sizeOf(line), 0);
    this.#byId = new Map();
    for (const kept of this.#lines) this.#file(kept);
  }

  #file(line: Line) {
    for (const id of new Set(line.text.match(this.#ids))) {
      const known = this.#byId.get(id);
      if (known) known.push(line);
      else this.#byId.set(id, [line]);
    }
  }

  /** All that are kept. */
  all(): readonly Line[] {
    return this.#lines;
  }

  /** The lines of a call: by its id where this service logs ids, and else whatever was written in its time. */
  of({ id, at, ms }: Pick<Call, 'id' | 'at' | 'ms'>): { lines: string[]; by: 'id' | 'time' } {
    const found = this.#hasIds ? (this.#byId.get(id) ?? []) : this.#around(at, at + ms);
    return { lines: found.slice(0, MAX_FOUND).map(({ text }) => text), by: this.#hasIds ? 'id' : 'time' };
  }

  /** Whether a call that has ended can have no more lines: one with its id is there, or its time is over. */
  isSettled({ id, at, ms }: Pick<Call, 'id' | 'at' | 'ms'>): boolean {
    return this.#hasIds ? this.#byId.has(id) : Date.now() > at + ms + LATE_MS;
  }

  /** Those nearest to the end of a call, which is when most services write. */
  #around(from: number, to: number): Line[] {
    const first = this.#lines.findLastIndex(({ at }) => at < from - EARLY_MS) + 1;
    const lines = this.#lines.slice(first).filter(({ at }) => at <= to + LATE_MS);
    const nearest = lines.toSorted((one, other) => Math.abs(one.at - to) - Math.abs(other.at - to));
    return nearest.slice(0, MAX_FOUND).sort((one, other) => one.at - other.at);
  }
}

const sizeOf = ({ text }: Line) => text.length + LINE_CHARS;
