/** Anybody's pair as two commands of the shell. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { get } from '../stack/http.ts';
import { untilUp } from '../stack/health.ts';
import { STAND_IN } from '../stack/paths.ts';
import { freePort } from '../stack/ports.ts';
import { standInAt, type Followed, type FollowedStack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';
import { tryFor } from '../stack/until.ts';
import { environment } from './environment.ts';
import { leaveNothing } from './leave-nothing.ts';
import { lastWords, Output } from './output.ts';
import {
  commandOf,
  endSurvivors,
  listenerOn,
  MARK,
  portsOf,
  signalAll,
  isStrangers,
  survivors,
  type Trail,
} from './survivors.ts';

const STOP_PATIENCE_MS = 10_000; // Docker's own
const DAEMON_PATIENCE_MS = 3000; // one that has lost its mark is known once it listens

/** A command for the shell, the directory to run it in, and where it then listens. */
export interface Command {
  command: string;
  dir: string;
  url: string;
}

class CommandService implements Followed {
  readonly url: string;
  /** What went on after the service was stopped, and had to be killed. */
  survivor: string | undefined;
  partOf = false;
  readonly #name: string;
  readonly #trail: Trail;
  readonly #typed: string;
  readonly #launch: (mark: string) => ChildProcess;
  readonly #output = new Output();
  #child: ChildProcess | undefined;

  /** `typed` is what `launch` does, as a person would type it. */
  constructor(name: string, url: string, trail: Trail, typed: string, launch: (mark: string) => ChildProcess) {
    this.#name = name;
    this.url = url;
    this.#trail = trail;
    this.#typed = typed;
    this.#launch = launch;
  }

  get typed() {
    return { start: this.#typed, stop: `kill -TERM -- -${this.#child?.pid}` };
  }

  get #port() {
    return Number(new URL(this.url).port || 80);
  }

  async start() {
    if (!this.#child || this.#hasEnded(this.#child)) {
      this.#child = this.#launch(this.#trail.mark);
      this.#child.on('error', () => {}); // a shell that cannot be started ends at once
      this.#output.read(this.#child.stdout!);
      this.#output.read(this.#child.stderr!);
    }
    const child = this.#child;
    let endedAt = Infinity;
    await untilUp(this.#name, this.url, async () => {
      if (!this.#hasEnded(child)) return;
      endedAt = Math.min(endedAt, performance.now());
      if (exitCode(child) === 0 && performance.now() - endedAt < DAEMON_PATIENCE_MS) return;
      await sleep(50); // for the last of its output
      return `${this.#name} ended with code ${exitCode(child)} before it listened; it said: ${lastWords(this.#output.since(0))}`;
    }).catch((error: Error) => {
      if (!error.message.startsWith('Waited')) throw error;
      const elsewhere = portsOf(this.#trail.mark);
      const where = elsewhere.length > 0 && ` It listens on port ${elsewhere.join(' and ')} instead.`;
      throw new Error(`${error.message}${where || ` It said: ${lastWords(this.#output.since(0))}`}`);
    });
    if (!isStrangers(this.#port, this.#trail)) return;
    this.partOf = !isStrangers(this.#port, { ...this.#trail, mark: this.#trail.mark.split('/')[0]! });
    if (!this.partOf) throw new Error(`${this.#name} does not have port ${this.#port}: another program listens on it.`);
  }

  /** Nothing is left of it: a command may end and leave a daemon. */
  #hasEnded(child: ChildProcess) {
    return exitCode(child) !== undefined && !this.#signalGroup(0) && survivors(this.#trail).length === 0;
  }

  async stop() {
    const child = this.#child;
    if (!child) return 0;
    this.#signalGroup('SIGTERM');
    const isGone = async () => exitCode(child) !== undefined && !this.#signalGroup(0);
    const hasObeyed = (await tryFor(STOP_PATIENCE_MS, isGone)) ?? false;
    this.#signalGroup('SIGKILL');
    const [left] = hasObeyed ? survivors(this.#trail) : [];
    if (left) {
      const isAnswering = await get(this.url, {}, { timeoutMs: 1000 }).then(
        () => true,
        () => false,
      );
      this.survivor = `${isAnswering ? 'still answered' : 'still ran'}: ${commandOf(left)}`;
    } else this.survivor = undefined;
    await this.kill();
    return hasObeyed ? exitCode(child)! : 128 + constants.signals.SIGKILL;
  }

  async kill() {
    const child = this.#child;
    if (!child) return;
    this.#signalGroup('SIGKILL');
    endSurvivors(this.#trail);
    // Whoever still has its output open is not ours to wait for.
    if (child.exitCode === null && child.signalCode === null) await Promise.race([once(child, 'exit'), sleep(5000)]);
    await Promise.race([once(child, 'close'), sleep(100)]);
    child.stdout!.destroy();
    child.stderr!.destroy();
    this.#child = undefined; // its number may soon be another's
  }

  async pause() {
    this.#signalGroup('SIGSTOP');
    signalAll(survivors(this.#trail), 'SIGSTOP');
  }

  async resume() {
    this.#signalGroup('SIGCONT');
    signalAll(survivors(this.#trail), 'SIGCONT');
  }

  async mark() {
    return String(this.#output.length);
  }

  async logs(since = '0') {
    return this.#output.since(Number(since));
  }

  follow(onOutput: (piece: string) => void) {
    return this.#output.follow(onOutput);
  }

  /** By what listens, where that can be known: a shell that starts a program again and again lives on itself. */
  async life() {
    return listenerOn(this.#port) ?? String(this.#child?.pid);
  }

  /** False when nothing is left of the process group. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      return this.#child?.pid !== undefined && process.kill(-this.#child.pid, signal);
    } catch {
      return false;
    }
  }
}

/** As a shell gives it: 128 + n for a process that signal n ended. Undefined while it runs. */
function exitCode({ exitCode, signalCode, pid }: ChildProcess): number | undefined {
  if (pid === undefined) return 127;
  return exitCode ?? (signalCode ? 128 + constants.signals[signalCode] : undefined);
}

/**
 * Anybody's pair as two processes, neither of them started. Each is told its port as PORT, and B where A is as
 * SERVICE_A_URL; those that know it by heart need not look. Of the caller's environment they get only what is on a list.
 */
export function commandStack(a: Command, b: Command): FollowedStack {
  const run = randomUUID();
  const portOf = ({ url }: Command) => Number(new URL(url).port || 80);
  const trail = { mark: run, ports: [portOf(a), portOf(b)], dirs: [resolve(a.dir), resolve(b.dir)] };
  const removed = leaveNothing({ trail }, () => endSurvivors(trail));
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const launch =
    ({ command, dir, url }: Command, more: NodeJS.ProcessEnv) =>
    (mark: string) => {
      // Python keeps what it prints to itself when nobody seems to watch.
      const own = { PYTHONUNBUFFERED: '1', PORT: new URL(url).port, ...more, [MARK]: mark };
      return spawn(command, { shell: '/bin/sh', cwd: dir, env: { ...environment(), ...own }, stdio, detached: true });
    };
  const own = (name: string, of: Command) => ({ mark: `${run}/${name}`, ports: [portOf(of)], dirs: [resolve(of.dir)] });
  const typed = ({ command, url }: Command, more = '') => `PORT=${new URL(url).port} ${more}sh -c ${quoted(command)}`;
  const serviceA = new CommandService('service A', a.url, own('a', a), typed(a), launch(a, {}));
  const toA = { SERVICE_A_URL: a.url };
  const serviceB = new CommandService(
    'service B',
    b.url,
    own('b', b),
    typed(b, `SERVICE_A_URL=${quoted(a.url)} `),
    launch(b, toA),
  );
  let standIn: ChildProcess | undefined;
  async function endStandIn() {
    standIn?.kill('SIGKILL');
    if (standIn?.exitCode === null && standIn.signalCode === null) await once(standIn, 'exit');
    standIn = undefined;
  }
  const down = async () => {
    await Promise.all([serviceA.kill(), serviceB.kill(), endStandIn()]);
    endSurvivors(trail);
    removed();
  };
  return {
    a: serviceA,
    b: serviceB,
    async replaceA(behaviour = '') {
      await endStandIn();
      await serviceA.kill();
      const control = await freePort();
      const env = {
        PORT: new URL(a.url).port,
        HOSTS: '127.0.0.1 ::1',
        CONTROL_PORT: String(control),
        BEHAVIOUR: behaviour,
      };
      standIn = spawn(process.execPath, [STAND_IN], {
        env: { ...environment(), ...env, [MARK]: `${run}/stand-in` },
        stdio: 'ignore',
      });
      return standInAt(`http://127.0.0.1:${control}`, 2, endStandIn, serviceA);
    },
    down,
    [Symbol.asyncDispose]: down,
  };
}
