import { isHealthy, untilUp } from '../health.ts';
import { resourcesOf } from '../process/resources.ts';
import type { Service } from '../service.ts';
import { quoted } from '../shell.ts';
import { until } from '../until.ts';
import { followLog } from './api.ts';
import { addressesOf, docker, inspectContainer, namesOf, OPTIONS, publishedUrl, run } from './engine.ts';

export class ContainerService implements Service {
  url = '';
  readonly #name: string;
  /** The port that it listens on in its container. */
  readonly port: number;
  /** What `compose` runs, as a person would type it. */
  readonly command: string;
  readonly #compose: (...args: string[]) => Promise<string>;
  readonly #door: { service: string; port: number };

  /** `door` publishes the port, where it is another service. */
  constructor(
    name: string,
    port: number,
    command: string,
    compose: (...args: string[]) => Promise<string>,
    door = { service: name, port },
  ) {
    this.#name = name;
    this.port = port;
    this.command = command;
    this.#compose = compose;
    this.#door = door;
  }

  /** The host's port may be another one after every start. */
  async findUrl() {
    const { service, port } = this.#door;
    this.url = await publishedUrl(await this.#compose('ps', '--all', '--quiet', service), port);
  }

  /** Starts the container without waiting for what is in it. */
  async launch() {
    await this.#compose('start', this.#name);
    await this.findUrl().catch(() => {}); // a container that has ended has no port
  }

  async start() {
    await this.launch();
    await untilUp(this.#name, this.url, async () => {
      const { Status: state, ExitCode: code } = (await this.inspect()).State;
      if (state === 'running' && this.url) return;
      if (state === 'running') return `${this.#name} publishes no port for its port ${this.port}`;
      const lines = (await this.logs()).slice(-20);
      return `${this.#name} is ${state} (exit code ${code}) and does not listen; it said: ${lines.join('\n') || 'nothing'}`;
    });
  }

  /** Replaces the container with a new one, and waits until that is healthy. */
  async recreate() {
    await this.#compose('up', '--detach', '--force-recreate', this.#name);
    await this.findUrl();
    await until(`${this.#name} to be healthy`, () => isHealthy(this.url));
  }

  get typed() {
    return {
      start: `${this.command} start ${quoted(this.#name)}`,
      stop: `${this.command} stop ${quoted(this.#name)}`,
    };
  }

  async stop() {
    await this.#compose('stop', this.#name);
    return (await this.inspect()).State.ExitCode;
  }

  async kill() {
    await this.#compose('kill', this.#name);
  }

  async pause() {
    await this.#compose('pause', this.#name);
  }

  async resume() {
    await this.#compose('unpause', this.#name);
  }

  async mark() {
    const { stdout, stderr } = await run('docker', ['logs', '--timestamps', '--tail=1', await this.id()], OPTIONS);
    return `${stdout}${stderr}`.split('\n').filter(Boolean).map(timeOf).sort().at(-1) ?? '';
  }

  async logs(since = '') {
    const from = since ? ['--since', since] : [];
    const { stdout, stderr } = await run('docker', ['logs', '--timestamps', ...from, await this.id()], OPTIONS);
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => line && timeOf(line) > since);
    return lines
      .sort()
      .map((line) => line.slice(line.indexOf(' ') + 1))
      .filter(Boolean);
  }

  /** `idOf` names another container than its own, where one may be in its place. */
  follow(onLine: (line: string) => void, idOf: () => string | Promise<string> = () => this.id()) {
    return followLog(idOf, onLine);
  }

  async life() {
    const { Id, State, RestartCount } = await this.inspect();
    return `${Id} ${State.StartedAt} ${RestartCount}`;
  }

  /** Runs a command inside the container; resolves to what it printed, and rejects when it fails. */
  async exec(...command: string[]) {
    return docker(['exec', await this.id(), ...command]);
  }

  /** Reads the resources of the service's own process: the only child of the container's first process, Docker's init. */
  async resources() {
    const sh = (script: string) => this.exec('sh', '-c', script);
    const [status] = (await sh('grep -l "^PPid:.1$" /proc/[0-9]*/status')).split('\n');
    return resourcesOf(status!.split('/')[2]!, sh);
  }

  /** What the engine knows of the container. */
  async inspect() {
    return inspectContainer(await this.id());
  }

  /** Every name that the container has in each of its networks. */
  async names(): Promise<Record<string, string[]>> {
    return namesOf(await this.inspect());
  }

  /** The addresses that it has in its networks. */
  async addresses(): Promise<string[]> {
    return addressesOf(await this.inspect());
  }

  async id() {
    return this.#compose('ps', '--all', '--quiet', this.#name);
  }
}

/** The engine's time of a line, which sorts as text. */
const timeOf = (line: string) => line.slice(0, line.indexOf(' '));
