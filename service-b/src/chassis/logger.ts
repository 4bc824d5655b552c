import type { Writable } from 'node:stream';
import { pino, stdTimeFunctions, type Logger } from 'pino';

const MAX_WAITING_BYTES = 1024 * 1024; // for a slow reader of standard output; lines beyond that are dropped

/**
 * One JSON line per event. It never waits for a reader: lines for which there is no room are dropped, and the next one
 * that is written says how many, in `dropped_lines`.
 */
export function createLogger(service: string, output: Writable = process.stdout): Logger {
  let dropped = 0;
  // Node writes to a terminal, and on Windows to a pipe, until the reader has taken all (its documentation, "A note on
  // process I/O"), and has no public way to change that. Ctrl-S in the terminal would stop the whole service.
  (output as any)._handle?.setBlocking?.(false);
  output.on('error', () => {}); // when its reader has left, the service continues
  function write(line: string) {
    if (output.writableLength > MAX_WAITING_BYTES) return dropped++;
    dropped = 0;
    output.write(line);
  }
  const mixin = () => (dropped > 0 ? { dropped_lines: dropped } : {});
  const formatters = { level: (level: string) => ({ level }) };
  return pino({ base: { service }, timestamp: stdTimeFunctions.isoTime, formatters, mixin }, { write });
}
