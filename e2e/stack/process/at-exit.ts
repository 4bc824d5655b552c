import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { signal } from './state.ts';

const TERM_PATIENCE_MS = 60_000; // for a command, or a worker of Mocha's, that removes containers of its own
const WORKER = /\/mocha\/lib\/nodejs\/worker\./;
const groups = new Set<number>();
const removals = new Set<() => void>();
let isInstalled = false;

/** Kills the process group of `pid` when this process ends before the function that is returned was called. */
export function killAtExit(pid: number): () => void {
  return keep(groups, pid);
}

/** Runs `remove` when this process ends before the function that is returned was called. `remove` must be synchronous. */
export function removeAtExit(remove: () => void): () => void {
  return keep(removals, remove);
}

// Mocha runs these before the first test (see .mocharc.mjs), as a test may start processes that it cannot register here:
// the first in its own process, the second in each worker of `--parallel`, too.
export const mochaGlobalSetup = install;
export const mochaHooks = { beforeAll: install };

/** `spawnSync` for removals: the command has its own process group, so that a second Ctrl-C does not reach it. */
export function runToEnd(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const detached = { detached: true }; // Node takes it; its types leave it out
  return spawnSync(command, args, { ...options, ...detached, encoding: 'utf8', timeout: 60_000 });
}

export function sleepSync(ms: number) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function keep<T>(leftovers: Set<T>, leftover: T): () => void {
  install();
  leftovers.add(leftover);
  return () => leftovers.delete(leftover);
}

function install() {
  if (isInstalled) return;
  isInstalled = true;
  let isInterrupted = false;
  const interrupt = (code: number) => {
    isInterrupted = true;
    process.exit(code);
  };
  // A signal by default ends the process without its `exit` listeners. These run synchronously, so that nothing else is
  // started during the cleanup and a second signal changes nothing.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => interrupt(128 + constants.signals[name]));
  }
  process.on('exit', () => {
    if (isInterrupted || groups.size + removals.size > 0) cleanUp();
  });
  onceParentEnds(() => interrupt(128 + constants.signals.SIGTERM));
}

/** Runs `stop` once npm's shell has ended: the shell gets a SIGTERM from npm, and does not pass it on. */
export function onceParentEnds(stop: () => void) {
  if (!process.env.npm_lifecycle_event) return; // not run by npm: a shell may end and leave its commands running
  const parent = process.ppid;
  // If the shell has ended before, this process already has a parent that is not in npm's process group.
  const groups =
    runToEnd('ps', ['-o', 'pgid=', '-p', `${process.pid},${parent}`])
      .stdout?.trim()
      .split(/\s+/) ?? [];
  if (groups.length === 2 && groups[0] !== groups[1]) return stop();
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, 200).unref();
}

function cleanUp() {
  for (const pid of groups) signal(-pid, 'SIGKILL');
  // A command that still runs, such as a `docker compose up`, would continue to create what is being removed.
  const descendants = descendantsOf(process.pid);
  for (const pid of descendants) if (signal(pid, 'SIGTERM')) signal(pid, 'SIGCONT');
  const end = performance.now() + TERM_PATIENCE_MS;
  while (performance.now() < end && areRunning(descendants)) sleepSync(50);
  for (const pid of descendants) signal(pid, 'SIGKILL');
  for (const remove of removals) remove();
}

/** The processes of this machine that have not ended. (Node cannot reap its own children while it ends.) */
function runningProcesses() {
  const { pid: own, stdout } = runToEnd('ps', ['-eww', '-o', 'pid=,ppid=,stat=,args=']);
  return (stdout ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([pid, , state]) => state && !state.startsWith('Z') && Number(pid) !== own)
    .map(([pid, parent, , ...args]) => ({
      pid: Number(pid),
      parent: Number(parent),
      isWorker: WORKER.test(args.join(' ')),
    }));
}

/** Leaves out what a worker has started: a signal would interrupt the worker's own cleanup. */
function descendantsOf(ancestor: number): number[] {
  const running = runningProcesses();
  const childrenOf = (parent: number): number[] =>
    running
      .filter((each) => each.parent === parent)
      .flatMap(({ pid, isWorker }) => (isWorker ? pid : [pid, ...childrenOf(pid)]));
  return childrenOf(ancestor);
}

function areRunning(pids: number[]): boolean {
  return runningProcesses().some(({ pid }) => pids.includes(pid));
}
