import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { paste } from '../docs/shell.ts';
import { faultOf } from '../experiment/faults.ts';
import type { Name } from '../experiment/history.ts';
import { ownersOf } from '../stack/process/listeners.ts';
import { hasProc } from '../stack/process/resources.ts';
import type { FollowedStack, StandIn } from '../stack/service.ts';
import { tryFor } from '../stack/until.ts';
import { lineReader, type Controls, type Sight } from './controls.ts';

const LOOK_EVERY_MS = 300;
const END_MS = 10_000;

/** Controls a pair that runs as two process groups. `starts` is how each is started, fit to be typed. */
export function processControls(stack: FollowedStack, title: string, starts: Record<Name, string>): Controls {
  const groups: Record<Name, string> = { a: '', b: '' };
  const lives: Record<Name, string> = { a: '', b: '' };
  /** Who else listens in a service's place: what somebody has typed into a terminal, or the stand-in. */
  const others: Record<Name, number[]> = { a: [], b: [] };
  let standIn: (StandIn & { behaviour: string }) | undefined;

  const othersOf = (name: Name) => ownersOf(Number(new URL(stack[name].url).port));

  async function sight(name: Name): Promise<Sight> {
    const pid = String(stack[name].pid ?? '');
    const told = await stack[name].life();
    // A service that stops listens no longer before it has ended: that is no other life.
    if (told !== pid || groups[name] !== pid) lives[name] = told;
    const life = lives[name];
    groups[name] = pid;
    const state = groups[name] ? await stateOf(groups[name]) : 'stopped';
    const seen = { state, life, url: stack[name].url, isCutOff: false, note: '' };
    others[name] = state === 'stopped' ? othersOf(name) : [];
    const [other] = others[name];
    if (!other) return { ...seen, fake: name === 'a' && state === 'stopped' ? standIn?.behaviour : undefined };
    const [command, env] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${other}/${file}`, 'utf8').catch(() => '')),
    );
    const fake = command!.includes('stand-in.ts') ? (/\0BEHAVIOUR=(\w*)/.exec(`\0${env}`)?.[1] ?? '') : undefined;
    return { ...seen, state: await stateOf(String(other)), life: String(other), fake };
  }

  const kill = (signal: string, name: Name) =>
    `kill -${signal} ${others[name].join(' ') || `-${groups[name] || 'PID'}`}`;

  async function end(name: Name, signal: NodeJS.Signals) {
    signalAll(othersOf(name), signal);
    await tryFor(END_MS, () => othersOf(name).length === 0);
    signalAll(othersOf(name), 'SIGKILL');
  }

  // These do what is typed, and know when it is done; what they do not know is run as it is typed.
  const acts: Record<string, (name: Name, behaviour: string) => Promise<unknown>> = {
    async stop(name) {
      await stack[name].stop();
      await end(name, 'SIGTERM');
    },
    async kill(name) {
      await stack[name].kill();
      await end(name, 'SIGKILL');
    },
    async pause(name) {
      await stack[name].pause();
      signalAll(others[name], 'SIGSTOP');
    },
    async resume(name) {
      await stack[name].resume();
      signalAll(others[name], 'SIGCONT');
    },
    start: (name) => stack[name].start(),
    async restart(name) {
      await acts.stop!(name, '');
      await stack[name].start();
    },
    async replace(name, behaviour) {
      await acts.kill!(name, '');
      standIn = { ...(await stack.replaceA(behaviour)), behaviour };
    },
    async 'put-back'() {
      await end('a', 'SIGKILL');
      const [putBack, start] = [standIn?.putBack, stack.a.start.bind(stack.a)];
      standIn = undefined;
      await (putBack ?? start)();
    },
  };
  const port = new URL(stack.a.url).port;
  const command = (fault: string, behaviour: string) =>
    faultOf(fault)?.processes?.({ kill, start: starts, port }, behaviour);

  return {
    stack,
    title,
    lacks: 'These are processes: there is no network of their own to cut.',
    async look() {
      const [a, b] = await Promise.all([sight('a'), sight('b')]);
      return { a, b };
    },
    watch(onChange) {
      const timer = setInterval(() => onChange(Date.now()), LOOK_EVERY_MS);
      return () => clearInterval(timer);
    },
    follow: (name, onLine) => stack[name].follow(lineReader(onLine)),
    command,
    async run(fault, behaviour) {
      const act = acts[fault.slice(0, -'-a'.length)];
      if (act) await act(faultOf(fault)!.target, behaviour);
      else await paste(command(fault, behaviour)!, { env: process.env }, true);
    },
  };
}

async function stateOf(pid: string): Promise<Sight['state']> {
  const letter = hasProc ? await letterInProc(pid) : await letterByPs(pid);
  if (!letter || letter === 'Z') return 'stopped';
  return letter === 'T' ? 'paused' : 'running';
}

/** The state of a process, as proc_pid_stat(5) has it: behind the command, which stands in brackets. */
async function letterInProc(pid: string) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat[stat.lastIndexOf(')') + 2];
}

async function letterByPs(pid: string) {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', pid]).catch(() => ({ stdout: '' }));
  return stdout.trim()[0];
}

/** Sends a signal to each; one that has ended meanwhile is no error. */
function signalAll(pids: number[], signal: NodeJS.Signals) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it is gone
    }
  }
}
