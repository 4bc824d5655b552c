import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

/** The resources that a process uses now. */
export interface Resources {
  /** Its resident memory, in MiB. */
  memoryMiB: number;
  /** Open files and sockets. */
  files: number;
  /** CPU time that all its threads have taken so far, in milliseconds. */
  cpuMs: number;
}

const CLOCK_TICK_MS = 10; // the unit of /proc: 100 a second on every Linux that Node runs on

/** Whether the resources of this machine's processes can be read: on Linux. */
export const hasProc = existsSync('/proc/self/fd');

/** Reads the resources of process `pid` on this machine, or where `sh` runs its scripts. Rejects without /proc. */
export async function resourcesOf(pid: string | number, sh: (script: string) => Promise<string> = here) {
  const printed = await sh(`cd /proc/${pid} && cat stat && grep VmRSS: status && ls fd | wc -l`);
  // proc_pid_stat(5): utime and stime are fields 14 and 15; the command before them, in brackets, may hold spaces.
  const ticks = printed.slice(printed.lastIndexOf(')') + 2).split(' ');
  const [, kB, files] = /VmRSS:\s*(\d+) kB\s+(\d+)/.exec(printed)!;
  const cpuMs = (Number(ticks[11]) + Number(ticks[12])) * CLOCK_TICK_MS;
  return { memoryMiB: Number(kB) / 1024, files: Number(files), cpuMs } satisfies Resources;
}

async function here(script: string) {
  return (await promisify(execFile)('sh', ['-c', script])).stdout;
}
