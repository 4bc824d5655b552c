import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import { DockerComposeEnvironment } from 'testcontainers';
import { removeAtExit, runToEnd, sleepSync } from '../process/at-exit.ts';
import { tied } from '../process/enclosure.ts';
import { isHealthy, untilUp } from '../health.ts';
import { ROOT, STAND_IN } from '../paths.ts';
import { OWNER, OWNER_VARIABLE, ownerOption } from './owner.ts';
import { resourcesOf } from '../process/resources.ts';
import { CONTROL_KEY, standInAt, type Service, type Stack } from '../service.ts';
import { quoted } from '../shell.ts';
import { until } from '../until.ts';

export const BASE_IMAGE = 'node:26-trixie-slim';
const CONTROL_PORT = 9090;
const BUILD_PATIENCE_MS = 900_000;
const OPTIONS = { cwd: ROOT, maxBuffer: 256 * 1024 * 1024, timeout: 120_000 };
const run = promisify(execFile);

/** Why containers cannot be run here, in one line; undefined when a Docker Engine with Compose answers. */
export function dockerProblem(): string | undefined {
  for (const args of [
    ['version', '--format', '{{.Server.Version}}'],
    ['compose', 'version'],
  ]) {
    const { error, status, stderr } = spawnSync('docker', args, { encoding: 'utf8', timeout: 20_000 });
    if (error || status !== 0) return (error?.message ?? stderr).trim().split('\n')[0];
  }
  return undefined;
}

/** Runs `docker …` from the repository's root and resolves to what it printed. Rejects with its error output. */
export async function docker(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return runDocker(args, { ...process.env, ...env });
}

async function runDocker(args: string[], env: NodeJS.ProcessEnv, timeout = OPTIONS.timeout): Promise<string> {
  const { stdout } = await run(...tied('docker', args), { ...OPTIONS, timeout, env });
  return stdout.trim();
}

/**
 * A Compose project that no other run has: its containers, network, host ports and images stay apart from all others'.
 * `down` removes all of it and every container that has the project's name in its own, also when this process ends
 * early; of somebody else's `file`, which Compose reads with no more than `base` in its environment, all but the images
 * they named.
 */
export function newProject(file?: string, base = process.env) {
  const project = `${process.env.COMPOSE_PROJECT_NAME || 'two-services'}-${randomBytes(4).toString('hex')}`;
  const own = { COMPOSE_PROJECT_NAME: project, IMAGE_TAG: project, SERVICE_A_PORT: '0', SERVICE_B_PORT: '0' };
  const env: NodeJS.ProcessEnv = { ...base, ...own, [OWNER_VARIABLE]: OWNER };
  const named = ['ps', '--all', '--quiet', '--filter', `name=${project}`];
  const remove = ['rm', '--force', '--volumes'];
  // A volume with a name of its own may have been there before, with somebody's data: `down --volumes` would remove it.
  const volumes = ['volume', 'ls', '--quiet', '--filter', `label=com.docker.compose.project=${project}`];
  const [inFile, ofImages] = file ? [['--file', file], ['local']] : [[], ['all', '--volumes']];
  const downArgs = ['compose', ...inFile, 'down', '--rmi', ...ofImages, '--remove-orphans', '--timeout', '1'];

  async function down() {
    const containers = await docker(named);
    if (containers) await docker([...remove, ...containers.split('\n')]);
    await runDocker(downArgs, env);
    const own = await docker(volumes);
    if (own) await docker(['volume', 'rm', ...own.split('\n')]);
    forget();
  }
  const forget = removeAtExit(() => {
    const run = (args: string[]) => runToEnd('docker', args, { cwd: ROOT, env });
    // Again until it finds nothing: what the engine was asked for last may come into being a moment later.
    for (let time = 0; time < 5; time++) {
      const containers = run(named).stdout?.split('\n').filter(Boolean) ?? [];
      if (containers.length > 0) run([...remove, ...containers]);
      const { stderr, error } = run(downArgs);
      const own = run(volumes).stdout?.split('\n').filter(Boolean) ?? [];
      if (own.length > 0) run(['volume', 'rm', ...own]);
      if (error || (time > 0 && containers.length === 0 && !/Removed/.test(stderr))) return;
      sleepSync(300);
    }
  });
  return { project, env, down, [Symbol.asyncDispose]: down };
}

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
      const [state, code] = (await this.inspect('{{.State.Status}} {{.State.ExitCode}}')).split(' ');
      if (state === 'running' && this.url) return;
      if (state === 'running') return `${this.#name} publishes no port for its port ${this.port}`;
      const lines = (await this.logs()).slice(-20);
      return `${this.#name} is ${state} (exit code ${code}) and does not listen; it said: ${lines.join('\n') || 'nothing'}`;
    });
  }

  /** Puts a new container in the place of the present one, and waits until it is healthy. */
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
    return Number(await this.inspect('{{.State.ExitCode}}'));
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

  async life() {
    return this.inspect('{{.Id}} {{.State.StartedAt}} {{.RestartCount}}');
  }

  /** Runs a command inside the container; resolves to what it printed, and rejects when it fails. */
  async exec(...command: string[]) {
    return docker(['exec', await this.id(), ...command]);
  }

  /** Of the service's own process: the only child of the container's first, which is Docker's init. */
  async resources() {
    const sh = (script: string) => this.exec('sh', '-c', script);
    const [status] = (await sh('grep -l "^PPid:.1$" /proc/[0-9]*/status')).split('\n');
    return resourcesOf(status!.split('/')[2]!, sh);
  }

  /** What the engine knows of the container, as a Go template picks it. */
  async inspect(format: string) {
    return docker(['inspect', '--format', format, await this.id()]);
  }

  /** Every name that the container has in each of its networks. */
  async names(): Promise<Record<string, string[]>> {
    const networks: Record<string, { Aliases: string[] | null }> = JSON.parse(
      await this.inspect('{{json .NetworkSettings.Networks}}'),
    );
    return Object.fromEntries(Object.entries(networks).map(([name, { Aliases }]) => [name, Aliases ?? []]));
  }

  async id() {
    return this.#compose('ps', '--all', '--quiet', this.#name);
  }
}

/** The engine's time of a line, which sorts as text. */
const timeOf = (line: string) => line.slice(0, line.indexOf(' '));

async function publishedUrl(container: string, port: number): Promise<string> {
  const [address] = (await docker(['port', container, String(port)])).split('\n');
  return `http://${address!.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]')}`;
}

/** Where the gate of a pair without a network outside has A and B. */
export const GATE_PORTS = { a: 8080, b: 8081 };

/** The service that publishes the ports of a pair without a network outside, and the network that only it has. */
export interface Gate {
  service: string;
  network: string;
}

/** The stack of a Compose project that is up, of these files; the service `gate`, if there is one, publishes the ports of the others. */
function composeStack(
  project: string,
  files: string[],
  compose: (...args: string[]) => Promise<string>,
  down: () => Promise<void>,
  placeOfA: Place = { service: 'service-a', port: 8080 },
  placeOfB: Place = { service: 'service-b', port: 8081 },
  gate?: Gate,
) {
  const inFiles = files.flatMap((file) => ['--file', file]);
  const command = ['docker', 'compose', '--project-name', project, ...inFiles].map(quoted).join(' ');
  const service = (name: 'a' | 'b', { service, port }: Place) => {
    const door = gate ? { service: gate.service, port: GATE_PORTS[name] } : undefined;
    return new ContainerService(service, port, command, compose, door);
  };
  const a = service('a', placeOfA);
  const b = service('b', placeOfB);
  const standIn = `${project}-stand-in`;
  const stack = {
    a,
    b,
    async replaceA(behaviour = '') {
      await docker(['rm', '--force', standIn]); // the one before
      await a.kill();
      // Of a pair without a network outside, no service may come between the stand-in and this process.
      const outside: [string, string[]][] = gate ? [[`${project}_${gate.network}`, []]] : [];
      const names = [...outside, ...Object.entries(await a.names())];
      const node = ['node', '--input-type=module-typescript', '--eval', await readFile(STAND_IN, 'utf8')];
      const place = ['--network', names[0]![0], ...names[0]![1].flatMap((alias) => ['--network-alias', alias])];
      const labels = ['--label', `com.docker.compose.project=${project}`, ...ownerOption];
      const variables = Object.entries({ PORT: placeOfA.port, CONTROL_PORT, CONTROL_KEY, BEHAVIOUR: behaviour });
      const env = variables.flatMap(([name, value]) => ['--env', `${name}=${value}`]);
      const options = ['--name', standIn, ...labels, '--publish', `127.0.0.1::${CONTROL_PORT}`, ...env];
      await docker(['run', '--detach', ...options, ...place, BASE_IMAGE, ...node]);
      for (const [network, aliases] of names.slice(1)) {
        const alias = aliases.flatMap((name) => ['--alias', name]);
        await docker(['network', 'connect', ...alias, network, standIn]);
      }
      const url = await publishedUrl(standIn, CONTROL_PORT);
      return standInAt(url, 1, () => docker(['rm', '--force', standIn]), a);
    },
    down,
    [Symbol.asyncDispose]: down,
  };
  return stack satisfies Stack;
}

/**
 * The repository's own `docker-compose.yml`, built from the present sources, as a project of its own on free ports.
 * `overrides` are further Compose files, from the repository's root, that are merged into it.
 */
export async function startContainers(settings: Record<string, string> = {}, ...overrides: string[]) {
  const { project, env, down } = newProject();
  const files = ['docker-compose.yml', 'e2e/stack/docker/owner.yml', ...overrides];
  const environment = { ...env, ...settings, COMPOSE_FILE: files.join(delimiter) };
  const compose = (...args: string[]) => runDocker(['compose', ...args], environment);
  await new DockerComposeEnvironment(ROOT, files)
    .withProjectName(project)
    .withEnvironment(environment)
    .withAutoCleanup(false) // down() does it, without an image of testcontainers' own to pull
    .withBuild()
    .up();
  const stack = composeStack(project, [], compose, down); // from the repository's folder, Compose finds its file
  await Promise.all([stack.a.findUrl(), stack.b.findUrl()]);
  return { ...stack, environment };
}

/** A service of a Compose file, and the port that it listens on in its container. */
export interface Place {
  service: string;
  port: number;
}

/**
 * Anybody's Compose file as a project of its own, built and up; whether its services answer is not awaited. Compose has no
 * more than `base` in its environment. Rejects with what Compose said when there is nothing to grade: a build that fails, a
 * port that is taken.
 */
export async function composeFileStack(file: string, base: NodeJS.ProcessEnv, a: Place, b: Place, gate?: Gate) {
  const { project, env, down } = newProject(file, base);
  const compose = (...args: string[]) => runDocker(['compose', '--file', file, ...args], env);
  try {
    const up = ['compose', '--file', file, 'up', '--build', '--detach', '--quiet-pull'];
    await runDocker(up, env, BUILD_PATIENCE_MS);
  } catch (error) {
    // A service that ends or is never healthy gets its grade; what was never created cannot.
    if (!(await compose('ps', '--all', '--quiet', a.service, b.service)).includes('\n') || isPortTaken(error)) {
      await down();
      throw error;
    }
  }
  return composeStack(project, [file], compose, down, a, b, gate);
}

const isPortTaken = (error: unknown) => /port is already allocated|address already in use/.test(String(error));
