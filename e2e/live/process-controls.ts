import { readFileSync } from 'node:fs';
import { paste } from '../docs/shell.ts';
import { faultOf } from '../experiment/faults.ts';
import type { Name } from '../experiment/history.ts';
import { attempt } from '../stack/process/attempt.ts';
import { ownersOf } from '../stack/process/listeners.ts';
import { signal, stateOf } from '../stack/process/state.ts';
import type { Stack, StandIn } from '../stack/service.ts';
import { tryFor } from '../stack/until.ts';
import { behaviourIn, type Controls, type Status } from './controls.ts';

const LOOK_EVERY_MS = 300;
const END_MS = 10_000;

/** Controls a pair that runs as two process groups. `starts` has the command that starts each, ready to paste. */
export function processControls(stack: Stack, title: string, starts: Record<Name, string>): Controls {
  const groups: Record<Name, number | undefined> = { a: undefined, b: undefined };
  const lives: Record<Name, string> = { a: '', b: '' };
  /** Finds other processes on a service's port: one that was started in a terminal, or the stand-in. */
  const others: Record<Name, number[]> = { a: [], b: [] };
  let standIn: (StandIn & { behaviour: string }) | undefined;

  const portOf = (name: Name) => new URL(stack[name].url).port;
  const listeners = (name: Name) => ownersOf(Number(portOf(name)));
  const send = (pids: number[], what: NodeJS.Signals) => pids.forEach((pid) => signal(pid, what));

  async function status(name: Name): Promise<Status> {
    const { pid, url } = stack[name];
    const life = await stack[name].life();
    // A service that stops no longer listens before it has ended: that is not a new life.
    if (life !== String(pid) || groups[name] !== pid) lives[name] = life;
    groups[name] = pid;
    const state = pid ? await stateOf(pid) : 'stopped';
    others[name] = state === 'stopped' ? listeners(name) : [];
    const [other] = others[name];
    const seen = { url, isCutOff: false, note: '' };
    if (other) return { ...seen, state: await stateOf(other), life: String(other), fake: fakeOf(other) };
    const fake = name === 'a' && state === 'stopped' ? standIn?.behaviour : undefined;
    return { ...seen, state, life: lives[name], fake };
  }

  /** Ends the service and every other process on its port. */
  async function end(name: Name, how: 'stop' | 'kill') {
    await stack[name][how]();
    send(listeners(name), how === 'stop' ? 'SIGTERM' : 'SIGKILL');
    await tryFor(END_MS, () => listeners(name).length === 0);
    send(listeners(name), 'SIGKILL');
  }

  // These do what the shown command does, and know when it is done; all other commands are run as they are shown.
  const acts: Record<string, (name: Name, behaviour: string) => Promise<unknown>> = {
    stop: (name) => end(name, 'stop'),
    kill: (name) => end(name, 'kill'),
    pause: (name) => stack[name].pause().then(() => send(others[name], 'SIGSTOP')),
    resume: (name) => stack[name].resume().then(() => send(others[name], 'SIGCONT')),
    start: (name) => stack[name].start(),
    restart: (name) => end(name, 'stop').then(() => stack[name].start()),
    async replace(name, behaviour) {
      await end(name, 'kill');
      standIn = { ...(await stack.replaceA(behaviour)), behaviour };
    },
    async 'put-back'(name) {
      await end(name, 'kill');
      const putBack = standIn?.putBack ?? (() => stack[name].start());
      standIn = undefined;
      await putBack();
    },
  };
  const kill = (signal: string, name: Name) =>
    `kill -${signal} ${others[name].join(' ') || `-${groups[name] ?? 'PID'}`}`;
  const command = (fault: string, behaviour: string) =>
    faultOf(fault)
      ?.processes?.({ kill, start: starts, port: portOf('a') }, behaviour)
      .replace(/^kill -\w+ -PID; /, ''); // nothing is running, so nothing must end first

  return {
    stack,
    title,
    lacks: 'These are processes: there is no network of their own to cut.',
    poll: async () => ({ a: await status('a'), b: await status('b') }),
    watch(onChange) {
      const timer = setInterval(() => onChange(Date.now()), LOOK_EVERY_MS);
      return () => clearInterval(timer);
    },
    follow: (name, onLine) => stack[name].follow(onLine),
    command,
    async run(fault, behaviour) {
      const act = acts[fault.slice(0, -'-a'.length)];
      if (act) await act(faultOf(fault)!.target, behaviour);
      else await paste(command(fault, behaviour)!, { env: process.env }, true);
    },
  };
}

/** Reads the behaviour of the stand-in that runs as this process; undefined if it is another program. */
function fakeOf(pid: number): string | undefined {
  const read = (file: string) => attempt(() => readFileSync(`/proc/${pid}/${file}`, 'utf8'), '');
  return read('cmdline').includes('stand-in.ts') ? behaviourIn(read('environ').split('\0')) : undefined;
}
