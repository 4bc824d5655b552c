import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { attempt } from './attempt.ts';
import { hasProc } from './resources.ts';

/** The fields of /proc/PID/stat after the command, the state first (proc_pid_stat(5)); none where there is no such file. */
export function statOf(pid: number): string[] {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), '');
  return stat ? stat.slice(stat.lastIndexOf(')') + 2).split(' ') : [];
}

/** The state of a process of this machine. One that has ended is stopped, whether it has been waited for or not. */
export async function stateOf(pid: number): Promise<'running' | 'paused' | 'stopped'> {
  const letter = hasProc ? statOf(pid)[0] : await letterByPs(pid);
  if (!letter || letter === 'Z') return 'stopped';
  return letter === 'T' ? 'paused' : 'running';
}

async function letterByPs(pid: number) {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', `${pid}`]).catch(() => ({ stdout: '' }));
  return stdout.trim()[0];
}

/** Sends a signal to a process, or to a group by its negative number. False when it has ended, or may not be sent one. */
export const signal = (pid: number, name: NodeJS.Signals): boolean => attempt(() => process.kill(pid, name), false);
