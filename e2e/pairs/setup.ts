import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../stack/foreign-text.ts';
import { Enclosed } from '../stack/process/enclosure.ts';
import { environment } from './environment.ts';
import { Ungradable } from './ungradable.ts';
import { lastWords, Output } from '../stack/output.ts';
import { duration } from '../stack/duration.ts';

/** Runs a command of the shell in `dir`, with the environment of a graded service. Throws as `endOfSetup` does. */
export async function setUp(command: string, dir: string, limitMs: number) {
  const enclosed = new Enclosed(command, { cwd: dir, env: environment() });
  await endOfSetup(enclosed, limitMs, () => enclosed.end());
}

/** A setup that runs, and its exit code. */
interface Running {
  stdout: Readable;
  stderr: Readable;
  ended: Promise<number>;
}

/**
 * Waits for the end of a setup, or for its limit, and then calls `endAll` to end what it left. Throws an `Ungradable` with
 * the end of what it wrote when it failed or was not finished.
 */
export async function endOfSetup({ stdout, stderr, ended }: Running, limitMs: number, endAll: () => Promise<unknown>) {
  const output = new Output();
  output.read(stdout);
  output.read(stderr);
  const timer = new AbortController();
  const code = await Promise.race([ended, sleep(limitMs, undefined, { signal: timer.signal })]);
  timer.abort();
  await Promise.all([endAll(), Promise.race([once(stdout, 'close'), sleep(100)])]); // for the last of its output
  stdout.destroy();
  stderr.destroy();
  if (code === 0) return;
  const end = code === undefined ? `was not finished after ${duration(limitMs)}` : `ended with code ${code}`;
  throw new Ungradable(`The setup ${end}; it said: ${printable(lastWords(output.since(0)), 1000)}`);
}
