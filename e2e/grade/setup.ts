import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../spec/pair.ts';
import { environment } from './environment.ts';
import { leaveNothing } from './leave-nothing.ts';
import { Ungradable } from './options.ts';
import { lastWords, Output } from './output.ts';
import { duration } from './report.ts';
import { endSurvivors, MARK, signalAll } from './survivors.ts';

/**
 * Runs a command of the shell in `dir`, with the environment of a graded service, and then ends whatever of it still runs.
 * Throws as `endOfSetup` does.
 */
export async function setUp(command: string, dir: string, limitMs: number) {
  const trail = { mark: randomUUID(), ports: [], dirs: [] };
  const removed = leaveNothing({ trail }, () => endSurvivors(trail));
  const env = { ...environment(), [MARK]: trail.mark };
  const child = spawn(command, { shell: '/bin/sh', cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const endAll = () => {
    signalAll([-child.pid!], 'SIGKILL');
    endSurvivors(trail);
  };
  await endOfSetup(child, limitMs, endAll).finally(removed);
}

/**
 * Waits for the end of a setup, or for its limit, and then calls `endAll`. Throws an `Ungradable` with the end of what it
 * wrote when it failed or was not finished.
 */
export async function endOfSetup(
  child: ChildProcessByStdio<null, Readable, Readable>,
  limitMs: number,
  endAll: () => void,
) {
  const output = new Output();
  output.read(child.stdout);
  output.read(child.stderr);
  const timer = new AbortController();
  const end: unknown = await Promise.race([
    once(child, 'exit').then(([code, signal]) => (signal ? `ended by ${signal}` : `ended with code ${code}`)),
    sleep(limitMs, `was not finished after ${duration(limitMs)}`, { signal: timer.signal }),
  ]);
  timer.abort();
  endAll();
  await Promise.race([once(child, 'close'), sleep(100)]); // for the last of its output
  child.stdout.destroy();
  child.stderr.destroy();
  if (end === 'ended with code 0') return;
  throw new Ungradable(`The setup ${end}; it said: ${printable(lastWords(output.since(0)), 1000)}`);
}
