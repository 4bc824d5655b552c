/**
 * Runs a command of the shell so that no process that it starts can outlive this one, however this one ends. On Linux the
 * kernel ensures it: the command has a PID namespace of its own. When the first process there ends, the kernel kills the
 * others (pid_namespaces(7)), and it kills that one when this process ends (prctl(2), PR_SET_PDEATHSIG). Where namespaces
 * are not allowed, the command's process group is killed.
 */
import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { killAtExit } from './at-exit.ts';
import { attempt } from './attempt.ts';

/**
 * Runs the command in a session of its own and says how it ended. It is told over its file 3 to send a signal to the
 * command's process group, or to all processes in the namespace. When that file ends, as this process has ended, it ends too.
 */
const INIT = `
if command -v setsid >/dev/null; then own=setsid; else set -m; fi
$own /bin/sh -c "$1" 3>&- & group=$!
echo "group $group" >&3
exec 2>/dev/null
(
  while read -r signal target <&3; do
    [ "$target" = all ] && [ $$ -eq 1 ] && target=-1 || target=-$group
    kill -s "$signal" -- "$target"; echo "sent $?" >&3
  done
  kill -s KILL -- "-$group"
) &
wait $group; echo "ended $?" >&3
wait`;

const NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child'];
const MAPPED = ['--user', '--map-current-user']; // what a user without rights may do, where the system allows it
const END_MS = 2000;

/** A command that is sent SIGKILL when the process that started it ends, where the system can do so: on Linux. */
export const tied = (command: string, args: string[]): [string, string[]] =>
  canTie ? ['setpriv', ['--pdeathsig', 'KILL', command, ...args]] : [command, args];

const succeeds = ([command, ...args]: string[]) => spawnSync(command!, args, { stdio: 'ignore' }).status === 0;
const canTie = process.platform === 'linux' && succeeds(['setpriv', '--pdeathsig', 'KILL', 'true']);
const namespace = canTie
  ? [
      [...NAMESPACE, '--mount-proc'],
      [...NAMESPACE, ...MAPPED, '--mount-proc'],
      [...NAMESPACE, ...MAPPED],
    ].find((command) => succeeds([...command, 'true']))
  : undefined;

/** Whether no process can leave. If false, a process can leave by leaving the command's process group. */
export const isEnclosed = namespace !== undefined;

/** A command that runs in its enclosure, with what it started. */
export class Enclosed {
  /** Its exit code as a shell gives it, 128 + n for signal n; undefined while it runs. What it started may still run. */
  code: number | undefined;
  /** Resolves to that code. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;
  readonly #control: Duplex;
  readonly #answers: ((isSent: boolean) => void)[] = [];
  readonly #forget: (() => void)[] = [];
  #group: number | undefined;
  #isOver = false;

  constructor(command: string, options: { cwd: string; env: NodeJS.ProcessEnv }) {
    const [program, ...args] = [...(namespace ?? []), '/bin/sh', '-c', INIT, '/bin/sh', command];
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'pipe'];
    this.#child = spawn(...tied(program!, args), { ...options, stdio, detached: true });
    this.#control = this.#child.stdio[3] as Duplex;
    this.#control.on('error', () => {});
    if (this.#child.pid) this.#forget.push(killAtExit(this.#child.pid));
    this.ended = new Promise((resolve) => {
      const end = (code: number) => {
        this.code ??= code;
        resolve(this.code);
      };
      const lines = createInterface(this.#control).on('error', () => {}); // it has ended
      lines.on('line', (line) => {
        const [what, code] = line.split(' ');
        if (what === 'ended') end(Number(code));
        else if (what === 'group') this.#meet(Number(code));
        else this.#answers.shift()?.(code === '0');
      });
      this.#child.once('error', () => end(127)); // there is no such directory
      this.#child.once('close', (code, signal) => {
        this.#isOver = true;
        for (const answer of this.#answers.splice(0)) answer(false);
        for (const forget of this.#forget) forget();
        end(code ?? 128 + constants.signals[signal!]);
      });
    });
  }

  get stdout() {
    return this.#child.stdout!;
  }

  get stderr() {
    return this.#child.stderr!;
  }

  /** `number` is the group's number in its namespace; this machine may have another number for it. */
  #meet(number: number) {
    this.#group = namespace ? firstChild(firstChild(this.#child.pid)) || undefined : number;
    if (!namespace) this.#forget.push(killAtExit(number));
  }

  /** The number by which this machine knows the command's process group, while the command runs. */
  get pid(): number | undefined {
    return this.code === undefined ? this.#group : undefined;
  }

  /** Sends a signal to the command's process group, or to all processes in its enclosure; 0 only asks whether they run. False when none is left. */
  async send(signal: NodeJS.Signals | 0, target: 'group' | 'all'): Promise<boolean> {
    if (this.#isOver || this.#child.pid === undefined) return false;
    const answer = new Promise<boolean>((resolve) => this.#answers.push(resolve));
    this.#control.write(`${String(signal).replace('SIG', '')} ${target}\n`);
    return await Promise.race([answer, sleep(END_MS, false, { ref: false })]);
  }

  /** Whether anything of it still runs. */
  async isAlive(): Promise<boolean> {
    return this.code === undefined || (await this.send(0, 'all'));
  }

  /** Kills every process in the enclosure. */
  async end() {
    if (this.#isOver || this.#child.pid === undefined) return;
    const closed = once(this.#child, 'close');
    await this.send('SIGKILL', 'all');
    this.#control.end();
    const isClosed = await Promise.race([closed.then(() => true), sleep(END_MS, false, { ref: false })]);
    if (isClosed) return;
    process.kill(-this.#child.pid, 'SIGKILL'); // it has stopped or ended its own init
    await Promise.race([closed, sleep(END_MS, undefined, { ref: false })]); // another program may have its output open
  }

  /** The numbers by which this machine knows all processes in the enclosure; none where there is no namespace. */
  pids(): number[] {
    const init = namespace && firstChild(this.#child.pid);
    const own = init ? link(`/proc/${init}/ns/pid`) : '';
    if (!own) return [];
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && link(`/proc/${pid}/ns/pid`) === own);
  }
}

const read = (path: string) => attempt(() => readFileSync(path, 'latin1'), '');
const link = (path: string) => attempt(() => readlinkSync(path), '');
const firstChild = (pid: number | undefined) => Number(read(`/proc/${pid}/task/${pid}/children`).split(' ')[0]);
