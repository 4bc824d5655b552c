import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DockerComposeEnvironment } from 'testcontainers';
import { isHealthy, removeAtExit, until, untilUp, type Service, type Stack } from './stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STAND_IN = fileURLToPath(new URL('stand-in.ts', import.meta.url));
const BASE_IMAGE = 'node:26-trixie-slim';
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
  const { stdout } = await run('docker', args, { ...OPTIONS, env: { ...process.env, ...env } });
  return stdout.trim();
}

/**
 * A Compose project that no other run has: its containers, network, host ports and images stay apart from all others'.
 * `down` removes all of it, also when this process ends early; of somebody else's `file`, all but the images they named.
 */
export function newProject(file?: string) {
  const project = `two-services-${randomBytes(4).toString('hex')}`;
  const env = { COMPOSE_PROJECT_NAME: project, IMAGE_TAG: project, SERVICE_A_PORT: '0', SERVICE_B_PORT: '0' };
  const [inFile, images] = file ? [['--file', file], 'local'] : [[], 'all'];
  const args = ['compose', ...inFile, 'down', '--rmi', images, '--volumes', '--remove-orphans', '--timeout', '1'];
  const forget = removeAtExit(() =>
    spawnSync('docker', args, { cwd: ROOT, env: { ...process.env, ...env }, timeout: 60_000 }),
  );
  async function down() {
    await docker(args, env);
    forget();
  }
  return { project, env, down };
}

export class ContainerService implements Service {
  url = '';
  readonly #name: string;
  readonly #port: number;
  readonly #compose: (...args: string[]) => Promise<string>;

  constructor(name: string, port: number, compose: (...args: string[]) => Promise<string>) {
    this.#name = name;
    this.#port = port;
    this.#compose = compose;
  }

  /** The host's port may be another one after every start. */
  async findUrl() {
    this.url = await publishedUrl(await this.id(), this.#port);
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
      if (state === 'running') return `${this.#name} publishes no port for its port ${this.#port}`;
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

  async logs() {
    const { stdout, stderr } = await run('docker', ['logs', '--timestamps', await this.id()], OPTIONS);
    const lines = `${stdout}${stderr}`.split('\n').filter(Boolean).sort();
    return lines.map((line) => line.slice(line.indexOf(' ') + 1)).filter(Boolean);
  }

  async life() {
    return this.inspect('{{.Id}} {{.State.StartedAt}} {{.RestartCount}}');
  }

  /** Runs a command inside the container; resolves to what it printed, and rejects when it fails. */
  async exec(...command: string[]) {
    return docker(['exec', await this.id(), ...command]);
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

async function publishedUrl(container: string, port: number): Promise<string> {
  const [address] = (await docker(['port', container, String(port)])).split('\n');
  return `http://${address!.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]')}`;
}

/** The stack of a Compose project that is up, whose services are named `service-a` and `service-b`. */
function composeStack(project: string, compose: (...args: string[]) => Promise<string>, remove: () => Promise<void>) {
  const a = new ContainerService('service-a', 8080, compose);
  const b = new ContainerService('service-b', 8081, compose);
  const standIn = `${project}-stand-in`;
  let forget = () => {};
  const removeStandIn = async () => {
    await docker(['rm', '--force', standIn]);
    forget();
  };
  const stack = {
    a,
    b,
    async replaceA() {
      await a.kill();
      const names = Object.entries(await a.names());
      forget = removeAtExit(() => spawnSync('docker', ['rm', '--force', standIn], { timeout: 60_000 }));
      const label = `com.docker.compose.project=${project}`;
      const node = ['node', '--input-type=module-typescript', '--eval', await readFile(STAND_IN, 'utf8')];
      const place = ['--network', names[0]![0], ...names[0]![1].flatMap((alias) => ['--network-alias', alias])];
      const options = ['--name', standIn, '--label', label, '--publish', '127.0.0.1::8080', '--env', 'PORT=8080'];
      await docker(['run', '--detach', ...options, ...place, BASE_IMAGE, ...node]);
      for (const [network, aliases] of names.slice(1)) {
        const alias = aliases.flatMap((name) => ['--alias', name]);
        await docker(['network', 'connect', ...alias, network, standIn]);
      }
      const url = await publishedUrl(standIn, 8080);
      await untilUp('the stand-in for service A', url, async () => undefined);
      return {
        url,
        async putBack() {
          await removeStandIn();
          await a.start();
        },
      };
    },
    async down() {
      await removeStandIn();
      await remove();
    },
  };
  return stack satisfies Stack;
}

/**
 * The repository's own `docker-compose.yml`, built from the present sources, as a project of its own on free ports.
 * `overrides` are further Compose files, from the repository's root, that are merged into it.
 */
export async function startContainers(settings: Record<string, string> = {}, ...overrides: string[]) {
  const { project, env, down } = newProject();
  const files = ['docker-compose.yml', ...overrides];
  const environment = { ...settings, ...env, COMPOSE_FILE: files.join(delimiter) };
  const compose = (...args: string[]) => docker(['compose', ...args], environment);
  await new DockerComposeEnvironment(ROOT, files)
    .withProjectName(project)
    .withEnvironment(environment)
    .withAutoCleanup(false) // down() does it, without an image of testcontainers' own to pull
    .withBuild()
    .up();
  const stack = composeStack(project, compose, down);
  await Promise.all([stack.a.findUrl(), stack.b.findUrl()]);
  return stack;
}

/**
 * Anybody's Compose file as a project of its own, built and up; whether its services answer is not awaited. Rejects with
 * what Compose said when there is nothing to grade: no such services, a build that fails, a port that is taken.
 */
export async function composeFileStack(file: string): Promise<Stack> {
  const { project, env, down } = newProject(file);
  const compose = (...args: string[]) => docker(['compose', '--file', file, ...args], env);
  const services = (await compose('config', '--services')).split('\n');
  for (const name of ['service-a', 'service-b']) {
    if (!services.includes(name))
      throw new Error(`${file} has no service named ${name}; it has ${services.join(', ')}.`);
  }
  try {
    await composeUp(
      ['compose', '--file', file, '--file', '-', 'up', '--build', '--detach', '--quiet-pull'],
      dirname(file),
      env,
    );
  } catch (error) {
    // A service that ends or is never healthy gets its grade; what was never created cannot.
    if (!(await compose('ps', '--all', '--quiet', 'service-a', 'service-b')).includes('\n') || isPortTaken(error)) {
      await down();
      throw error;
    }
  }
  return composeStack(project, compose, down);
}

// Python keeps what it prints to itself when nobody seems to watch; and a flood of output must not fill the disk.
const GRADED = {
  environment: { PYTHONUNBUFFERED: '1' },
  logging: { driver: 'json-file', options: { 'max-size': '16m' } },
};

async function composeUp(args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const up = run('docker', args, { ...OPTIONS, cwd, env: { ...process.env, ...env }, timeout: 900_000 });
  up.child.stdin!.end(JSON.stringify({ services: { 'service-a': GRADED, 'service-b': GRADED } }));
  await up;
}

const isPortTaken = (error: unknown) => /port is already allocated|address already in use/.test(String(error));
