/** A history as a file, in the format that history.ts describes. */
import { closeSync, lstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { Unusable } from '../stack/command.ts';
import type { Event } from './history.ts';

const HEAD = JSON.stringify({ history: 1 });
const MAX_FILE_BYTES = 256 * 1024 ** 2;

/** Writes events to a file, each at once: a process that is killed loses none that it has written. */
export class HistoryFile {
  readonly #path: string;
  readonly #file: number;
  #bytes = 0;
  #isFull = false;

  /** Throws when the file exists, or cannot be made. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'wx');
    this.#write(HEAD);
  }

  /** Writes no more once the file would be longer than 256 MiB, or after an error of the disk, and says so. */
  add(event: Event) {
    this.#write(JSON.stringify(event));
  }

  #write(text: string) {
    if (this.#isFull) return;
    const line = Buffer.from(`${text}\n`);
    if (this.#bytes + line.length > MAX_FILE_BYTES) return this.#end('it has 256 MiB');
    try {
      const written = writeSync(this.#file, line);
      this.#bytes += written;
      if (written < line.length) this.#end('the disk is full');
    } catch (error) {
      this.#end((error as Error).message);
    }
  }

  #end(why: string) {
    this.#isFull = true;
    console.error(`${this.#path} is written no further: ${why}.`);
  }

  close() {
    closeSync(this.#file);
  }
}

/** A file that was not there before; `option` is what named it. Throws an `Unusable` when it cannot be made. */
export function newHistoryFile(file: string, option: string): HistoryFile {
  try {
    return new HistoryFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new Unusable(`${file} cannot be written (${code}); give another place (${option}).`);
    const what = lstatSync(file).isDirectory() ? 'directory' : 'file';
    throw new Unusable(`There is a ${what} ${file} already; give another name (${option}).`);
  }
}

/** The whole text of a file with these events. */
export const historyText = (events: Event[]) =>
  `${[HEAD, ...events.map((event) => JSON.stringify(event))].join('\n')}\n`;

/** The events of a file, in the order of their times. A last line that is not whole is left out. Throws when it is no history. */
export function readHistory(path: string): Event[] {
  const [first, ...lines] = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  if (first !== HEAD) throw new Error(`${path} is no history of version 1.`);
  return lines.map((line): Event => JSON.parse(line)).sort((one, other) => one.at - other.at);
}
