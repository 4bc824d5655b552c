import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { removeAtExit } from '../stack/at-exit.ts';
import type { Trail } from './survivors.ts';

const WATCHER = fileURLToPath(new URL('watcher.ts', import.meta.url));

/** What a grade has made: processes, and what commands remove. */
export interface Made {
  trail?: Trail;
  commands?: string[][];
}

/**
 * Removes what was made when this process ends, by whatever signal: `remove` at an end that it notices, a process that
 * outlives it at one that it does not. Returns what to call once all of it is gone.
 */
export function leaveNothing(made: Made, remove: () => void): () => void {
  const watcher = spawn(process.execPath, [WATCHER, JSON.stringify(made)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true, // a signal to all of a process group must not end it
  });
  watcher.unref();
  const input = watcher.stdin;
  if ('unref' in input && typeof input.unref === 'function') input.unref();
  input.on('error', () => {});
  const forget = removeAtExit(remove);
  return () => {
    forget();
    input.end('gone\n');
  };
}
