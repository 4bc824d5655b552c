import { truncate } from '../stack/foreign-text.ts';
import type { Call } from './calls.ts';

const MAX_CHARS = 16 * 1024 * 1024;
const MAX_LINE_CHARS = 4000;
const LINE_CHARS = 100; // each line counts for this many more: an empty line takes memory, too
const MAX_FOUND = 20;
const EARLY_MS = 20;
const LATE_MS = 300;

interface Line {
  at: number;
  text: string;
}

/** The newest lines that a service has written, up to 16 MB: the oldest are dropped first. */
export class LogLines {
  readonly #ids: RegExp;
  #lines: Line[] = [];
  #chars = 0;
  /** The lines with each request id; empty if the service logs no ids. */
  #byId = new Map<string, Line[]>();
  #hasIds = false;

  /** Each request id is `prefix` followed by a number. */
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

  /** All kept lines. */
  all(): readonly Line[] {
    return this.#lines;
  }

  /** The lines of a call: the lines with its id, or, if this service logs no ids, the lines of its time. */
  of({ id, at, ms }: Pick<Call, 'id' | 'at' | 'ms'>): { lines: string[]; by: 'id' | 'time' } {
    const found = this.#hasIds ? (this.#byId.get(id) ?? []) : this.#around(at, at + ms);
    return { lines: found.slice(0, MAX_FOUND).map(({ text }) => text), by: this.#hasIds ? 'id' : 'time' };
  }

  /** Whether no more lines of an ended call can come: one with its id has come, or its time is over. */
  isSettled({ id, at, ms }: Pick<Call, 'id' | 'at' | 'ms'>): boolean {
    return this.#hasIds ? this.#byId.has(id) : Date.now() > at + ms + LATE_MS;
  }

  /** Finds the lines nearest to the end of a call, when most services write. */
  #around(from: number, to: number): Line[] {
    const first = this.#lines.findLastIndex(({ at }) => at < from - EARLY_MS) + 1;
    const lines = this.#lines.slice(first).filter(({ at }) => at <= to + LATE_MS);
    const nearest = lines.toSorted((one, other) => Math.abs(one.at - to) - Math.abs(other.at - to));
    return nearest.slice(0, MAX_FOUND).sort((one, other) => one.at - other.at);
  }
}

const sizeOf = ({ text }: Line) => text.length + LINE_CHARS;
