import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DockerComposeEnvironment } from 'testcontainers';
import { isHealthy, removeAtExit, until, type Service, type Stack } from './stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
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
  const options = { cwd: ROOT, env: { ...process.env, ...env }, maxBuffer: 256 * 1024 * 1024, timeout: 120_000 };
  const { stdout } = await run('docker', args, options);
  return stdout.trim();
}

/** A Compose project that no other run has: its containers, network, host ports and images stay apart from all others'. */
export function newProject() {
  const project = `two-services-${randomBytes(4).toString('hex')}`;
  const env = { COMPOSE_PROJECT_NAME: project, IMAGE_TAG: project, SERVICE_A_PORT: '0', SERVICE_B_PORT: '0' };
  const args = ['compose', 'down', '--rmi', 'all', '--volumes', '--remove-orphans', '--timeout', '1'];
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

  /** The host's port is another one after every start. */
  async findUrl() {
    this.url = `http://${await this.#compose('port', this.#name, String(this.#port))}`;
  }

  /** Starts the container without waiting for what is in it. */
  async launch() {
    await this.#compose('start', this.#name);
    await this.findUrl();
  }

  async start() {
    await this.launch();
    await until(`${this.#name} to be healthy`, () => isHealthy(this.url));
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
    const logs = await docker(['logs', await this.#id()]);
    return logs.split('\n').filter(Boolean);
  }

  async life() {
    return this.inspect('{{.Id}} {{.State.StartedAt}} {{.RestartCount}}');
  }

  /** Runs a command inside the container; resolves to what it printed, and rejects when it fails. */
  async exec(...command: string[]) {
    return docker(['exec', await this.#id(), ...command]);
  }

  /** What the engine knows of the container, as a Go template picks it. */
  async inspect(format: string) {
    return docker(['inspect', '--format', format, await this.#id()]);
  }

  async #id() {
    return this.#compose('ps', '--all', '--quiet', this.#name);
  }
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
  const a = new ContainerService('service-a', 8080, compose);
  const b = new ContainerService('service-b', 8081, compose);
  await Promise.all([a.findUrl(), b.findUrl()]);
  return { a, b, down } satisfies Stack;
}
