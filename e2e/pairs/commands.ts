/** Anybody's pair as two commands of the shell. */
import { delimiter, dirname, resolve } from 'node:path';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Enclosed, isEnclosed } from '../stack/process/enclosure.ts';
import { get } from '../stack/http.ts';
import { untilUp } from '../stack/health.ts';
import { listenerOn, ownersOf, portsOf } from '../stack/process/listeners.ts';
import { ROOT, STAND_IN } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { CONTROL_KEY, standInAt, type Service, type Stack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';
import { tryFor } from '../stack/until.ts';
import { environment } from './environment.ts';
import { lastWords, Output } from '../stack/output.ts';

const STOP_PATIENCE_MS = 10_000; // Docker's own
const DAEMON_PATIENCE_MS = 3000; // for one that cannot be seen before it listens

/** A command for the shell, the directory to run it in, and where it then listens. */
export interface Command {
  command: string;
  dir: string;
  url: string;
  /** Its environment; without it, the environment of a stranger's program. */
  env?: NodeJS.ProcessEnv;
}

class CommandService implements Service {
  readonly url: string;
  survivor: string | undefined;
  partOf = false;
  /** The other service of the pair. */
  other: CommandService | undefined;
  readonly #name: string;
  readonly #typed: string;
  readonly #launch: () => Enclosed;
  readonly #output = new Output();
  #enclosed: Enclosed | undefined;

  /** `typed` is what `launch` does, as a person would type it. */
  constructor(name: string, url: string, typed: string, launch: () => Enclosed) {
    this.#name = name;
    this.url = url;
    this.#typed = typed;
    this.#launch = launch;
  }

  get pid() {
    return this.#enclosed?.pid;
  }

  get typed() {
    return { start: this.#typed, stop: `kill -TERM -- -${this.pid}` };
  }

  get #port() {
    return Number(new URL(this.url).port || 80);
  }

  async start() {
    if (!(await this.#enclosed?.isAlive())) {
      await this.kill();
      this.#enclosed = this.#launch();
      this.#output.read(this.#enclosed.stdout);
      this.#output.read(this.#enclosed.stderr);
    }
    await this.#untilUp(this.#enclosed!);
    if (!isEnclosed || this.#owns(this.#port)) return;
    this.partOf = this.other!.#owns(this.#port);
    if (!this.partOf) throw new Error(`${this.#name} does not have port ${this.#port}: another program listens on it.`);
  }

  async #untilUp(enclosed: Enclosed) {
    let endedAt = Infinity;
    await untilUp(this.#name, this.url, async () => {
      if (await enclosed.isAlive()) return;
      endedAt = Math.min(endedAt, performance.now());
      if (!isEnclosed && enclosed.code === 0 && performance.now() - endedAt < DAEMON_PATIENCE_MS) return;
      await enclosed.end(); // its output ends only then
      await sleep(50);
      return `${this.#name} ended with code ${enclosed.code} before it listened; it said: ${lastWords(this.#output.since(0))}`;
    }).catch((error: Error) => {
      if (!error.message.startsWith('Waited')) throw error;
      const elsewhere = portsOf(enclosed.pids());
      const where = elsewhere.length > 0 && ` It listens on port ${elsewhere.join(' and ')} instead.`;
      throw new Error(`${error.message}${where || ` It said: ${lastWords(this.#output.since(0))}`}`);
    });
  }

  #owns(port: number) {
    return ownersOf(port, this.#enclosed?.pids() ?? []).length > 0;
  }

  async stop() {
    const enclosed = this.#enclosed;
    this.survivor = undefined;
    if (!enclosed) return 0;
    await enclosed.send('SIGTERM', 'group');
    const isGone = async () => enclosed.code !== undefined && !(await enclosed.send(0, 'group'));
    const hasObeyed = (await tryFor(STOP_PATIENCE_MS, isGone)) ?? false;
    if (hasObeyed && (await enclosed.isAlive())) {
      this.survivor = await get(this.url, {}, { timeoutMs: 1000 }).then(
        () => 'still answered',
        () => 'still ran',
      );
    }
    await this.kill();
    return hasObeyed ? enclosed.code! : 128 + constants.signals.SIGKILL;
  }

  async kill() {
    await this.#enclosed?.end();
    this.#enclosed = undefined;
  }

  async pause() {
    await this.#enclosed?.send('SIGSTOP', 'all');
  }

  async resume() {
    await this.#enclosed?.send('SIGCONT', 'all');
  }

  async mark() {
    return String(this.#output.length);
  }

  async logs(since = '0') {
    return this.#output.since(Number(since));
  }

  follow(onLine: (line: string) => void) {
    return this.#output.follow(onLine);
  }

  /** Tells lives apart by what listens, where that can be known: a shell may start a program again and again. */
  async life() {
    return listenerOn(this.#port) || String(this.pid);
  }
}

/**
 * Makes a stack of a pair that runs as two processes; it starts neither. Each process gets its port as PORT, and B gets the
 * URL of A as SERVICE_A_URL; a pair with fixed ports may ignore both.
 */
export function commandStack(a: Command, b: Command): Stack {
  const portOf = ({ url }: Command) => new URL(url).port;
  const service = (name: string, of: Command, more: Record<string, string>) => {
    const own = { PORT: portOf(of), ...more };
    // Python buffers what it prints where there is no terminal.
    const env = { ...(of.env ?? environment()), PYTHONUNBUFFERED: '1', ...own };
    const variables = Object.entries(own).map(([name, value]) => `${name}=${quoted(value)} `);
    const typed = `${variables.join('')}sh -c ${quoted(of.command)}`;
    return new CommandService(name, of.url, typed, () => new Enclosed(of.command, { cwd: resolve(of.dir), env }));
  };
  const serviceA = service('service A', a, {});
  const serviceB = service('service B', b, { SERVICE_A_URL: a.url });
  serviceA.other = serviceB;
  serviceB.other = serviceA;
  let standIn: Enclosed | undefined;
  const endStandIn = async () => {
    await standIn?.end();
    standIn = undefined;
  };
  const down = async () => {
    await Promise.all([serviceA.kill(), serviceB.kill(), endStandIn()]);
  };
  return {
    a: serviceA,
    b: serviceB,
    async replaceA(behaviour = '') {
      await endStandIn();
      await serviceA.kill();
      const control = String(await freePort());
      const where = { PORT: portOf(a), HOSTS: '127.0.0.1 ::1', CONTROL_PORT: control };
      const own = { ...where, CONTROL_KEY, BEHAVIOUR: behaviour };
      const command = `exec ${quoted(process.execPath)} ${quoted(STAND_IN)}`;
      standIn = new Enclosed(command, { cwd: resolve(a.dir), env: { ...environment(), ...own } });
      return standInAt(`http://127.0.0.1:${control}`, 2, endStandIn, serviceA);
    },
    down,
    [Symbol.asyncDispose]: down,
  };
}

/** This repository's services as two plain processes on free ports, started. `env` is added to the caller's environment. */
export async function startProcesses(env: NodeJS.ProcessEnv = {}): Promise<Stack> {
  const own = { ...process.env, ...env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
  const command = async (name: string) => {
    const url = `http://127.0.0.1:${await freePort()}`;
    return { command: `exec node ${name}/src/main.ts`, dir: ROOT, url, env: own };
  };
  const stack = commandStack(await command('service-a'), await command('service-b'));
  await Promise.all([stack.a.start(), stack.b.start()]);
  return stack;
}
