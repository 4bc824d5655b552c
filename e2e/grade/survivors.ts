/**
 * Finds the processes of a graded command, wherever they have put themselves: a daemon leaves its process group, its session
 * and its parent, but keeps the mark in its environment or listens on the pair's port. Without /proc, nothing is found.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** How the processes of a command are known: by the mark that they carry; by a port and a directory when they lost it. */
export interface Trail {
  mark: string;
  ports: number[];
  dirs: string[];
}

/** The variable that carries the mark. */
export const MARK = 'TWO_SERVICES_GRADE';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // gone, or another user's
  }
};

const link = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** What already ran when this process began is nobody's of a pair. */
const earlier = new Set(list('/proc'));

const pids = () =>
  list('/proc')
    .filter((name) => !earlier.has(name))
    .map(Number)
    .filter((pid) => pid > 1);

/** When a process started, in ticks since the machine did; undefined of one that has ended. */
function startOf(pid: number | 'self'): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat && state !== 'Z' ? Number(rest[18]) : undefined;
}

/** The processes whose mark begins with `mark`. */
const marked = (mark: string) =>
  pids().filter((pid) => `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${MARK}=${mark}`));

/** The sockets that listen on a port, as the system numbers them, in a table like /proc/net/tcp. */
export function listenersIn(table: string, port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) && state === '0A')
    .map((columns) => columns[9]!);
}

const socketsOn = (port: number) =>
  ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listenersIn(read(table), port));

/** Another text each time that somebody begins to listen on the port; undefined while nobody does. */
export const listenerOn = (port: number) => socketsOn(port).sort().join(' ') || undefined;

/** Which of some processes listen on a port. */
export function ownersOf(port: number, among = pids()): number[] {
  const sockets = socketsOn(port).map((inode) => `socket:[${inode}]`);
  if (sockets.length === 0) return [];
  return among.filter((pid) => list(`/proc/${pid}/fd`).some((fd) => sockets.includes(link(`/proc/${pid}/fd/${fd}`))));
}

/** The ports that processes with this mark listen on. */
export function portsOf(mark: string): number[] {
  const sockets = new Set(
    marked(mark).flatMap((pid) => list(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`))),
  );
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => read(table).split('\n'));
  const columns = rows.map((row) => row.trim().split(/\s+/));
  const own = columns.filter(([, , , state, ...rest]) => state === '0A' && sockets.has(`socket:[${rest[5]}]`));
  return [...new Set(own.map(([, address]) => parseInt(address!.split(':').at(-1)!, 16)))];
}

/** Whether a port of the pair's is not the pair's, because another program listens on it. */
export function isStrangers(port: number, trail: Trail): boolean {
  if (socketsOn(port).length === 0 || ownersOf(port, marked(trail.mark)).length > 0) return false;
  return !ownersOf(port).some((pid) => hasLostItsMark(pid, trail));
}

/** A daemon without its environment: nobody's child, begun after this process, in the same control group and in a directory of the pair's. */
function hasLostItsMark(pid: number, { dirs }: Trail): boolean {
  const cwd = link(`/proc/${pid}/cwd`);
  const isNear = cwd === '/' || dirs.some((dir) => cwd === dir || cwd.startsWith(`${dir}/`));
  const isOrphan = /^PPid:\s+(?:0|1)$/m.test(read(`/proc/${pid}/status`));
  const isLater = (startOf(pid) ?? 0) >= startOf('self')!;
  return isNear && isOrphan && isLater && read(`/proc/${pid}/cgroup`) === read('/proc/self/cgroup');
}

/** All that is left of a command. */
export function survivors(trail: Trail): number[] {
  const onPorts = trail.ports.flatMap((port) => ownersOf(port)).filter((pid) => hasLostItsMark(pid, trail));
  return [...new Set([...marked(trail.mark), ...onPorts])].filter((pid) => startOf(pid) !== undefined);
}

export const commandOf = (pid: number) => read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim().slice(0, 80);

/** Sends a signal to each; one that has ended meanwhile is no error. */
export function signalAll(targets: number[], signal: NodeJS.Signals) {
  for (const pid of targets) {
    try {
      process.kill(pid, signal);
    } catch {
      // it is gone
    }
  }
}

/** Ends all survivors, for good: frozen first, so that none starts another while the others end. Synchronous. */
export function endSurvivors(trail: Trail) {
  for (let round = 0; round < 50; round++) {
    const frozen = new Set<number>();
    for (let found = survivors(trail); found.some((pid) => !frozen.has(pid)); found = survivors(trail)) {
      signalAll(found, 'SIGSTOP');
      for (const pid of found) frozen.add(pid);
    }
    if (frozen.size === 0) return;
    signalAll([...frozen], 'SIGKILL');
  }
}
