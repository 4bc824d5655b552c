import { spawn, type ChildProcess } from 'node:child_process';
import { ROOT } from '../paths.ts';
import { tied } from './enclosure.ts';

/** Runs a service of this repository from its source, in a process group of its own. */
export function spawnService(
  name: string,
  env: NodeJS.ProcessEnv,
  stdio: 'pipe' | 'inherit' | 'ignore' = 'pipe',
): ChildProcess {
  return spawn(...tied(process.execPath, [`${name}/src/main.ts`]), {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', stdio, stdio],
    detached: true,
  });
}
