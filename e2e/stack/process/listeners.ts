/** Who listens on which port of this machine, as Linux shows it in /proc (proc_pid_fd(5), proc_net(5)); elsewhere, nothing is found. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { attempt } from './attempt.ts';

interface Listener {
  port: number;
  /** The number of its socket, which no other socket has. */
  inode: string;
}

/** What listens, in the text of a table like /proc/net/tcp. */
export function listenersIn(table: string): Listener[] {
  const rows = table.split('\n').map((row) => row.trim().split(/\s+/));
  const listening = rows.filter(([, , , state]) => state === '0A');
  return listening.map((row) => ({ port: parseInt(row[1]!.split(':').at(-1)!, 16), inode: row[9]! }));
}

export const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
const listeners = () => TABLES.flatMap((table) => listenersIn(attempt(() => readFileSync(table, 'latin1'), '')));
const inodesOn = (port: number, all = listeners()) => all.flatMap((each) => (each.port === port ? [each.inode] : []));

/** A text that differs each time a program begins to listen on the port; empty while none listens. */
export const listenerOn = (port: number, all = listeners()) => inodesOn(port, all).sort().join(' ');

/** The ports that some processes listen on. */
export function portsOf(pids: number[]): number[] {
  const sockets = new Set(pids.flatMap(socketsOf));
  return [...new Set(listeners().flatMap(({ port, inode }) => (sockets.has(inode) ? [port] : [])))];
}

/** Finds the processes that listen on a port, among the given ones or, without `among`, among all visible ones. */
export function ownersOf(port: number, among?: number[]): number[] {
  const inodes = inodesOn(port);
  if (inodes.length === 0) return [];
  return (among ?? allPids()).filter((pid) => socketsOf(pid).some((inode) => inodes.includes(inode)));
}

const allPids = () =>
  attempt(() => readdirSync('/proc'), [])
    .map(Number)
    .filter((pid) => pid > 1);

function socketsOf(pid: number): string[] {
  const files = attempt(() => readdirSync(`/proc/${pid}/fd`), []);
  const links = files.map((file) => attempt(() => readlinkSync(`/proc/${pid}/fd/${file}`), ''));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}
