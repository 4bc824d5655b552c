import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DockerComposeEnvironment } from 'testcontainers';
import { removeAtExit, untilUp, type Service, type Stack } from './stack.ts';

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

/** A name for a Compose project that no other run has; its containers, network and host ports stay apart. */
export function newProject(): string {
  return `two-services-${randomBytes(4).toString('hex')}`;
}

/** Removes all of a Compose project, but for its images, also when this process ends early. */
export function removeProject(project: string, file = 'docker-compose.yml') {
  const inProject = ['compose', '--project-name', project, '--file', file];
  const args = [...inProject, 'down', '--volumes', '--remove-orphans', '--timeout', '1'];
  const forget = removeAtExit(() => spawnSync('docker', args, { cwd: ROOT, timeout: 60_000 }));
  return async () => {
    await docker(args);
    forget();
  };
}

class ContainerService implements Service {
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

  async start() {
    await this.#compose('start', this.#name);
    await this.findUrl().catch(() => {}); // a container that has ended has no port, and that is said below
    await untilUp(this.#name, this.url, async () => {
      const [state, code] = (await this.#inspect('{{.State.Status}} {{.State.ExitCode}}')).split(' ');
      if (state === 'running' && this.url) return;
      if (state === 'running') return `${this.#name} publishes no port for its port ${this.#port}`;
      const lines = (await this.logs()).slice(-20);
      return `${this.#name} is ${state} (exit code ${code}) and does not listen; it said: ${lines.join('\n') || 'nothing'}`;
    });
  }

  async stop() {
    await this.#compose('stop', this.#name);
    return Number(await this.#inspect('{{.State.ExitCode}}'));
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
    return this.#inspect('{{.Id}} {{.State.StartedAt}} {{.RestartCount}}');
  }

  /** Every name that the container has in each of its networks. */
  async names(): Promise<Record<string, string[]>> {
    const networks: Record<string, { Aliases: string[] | null }> = JSON.parse(
      await this.#inspect('{{json .NetworkSettings.Networks}}'),
    );
    return Object.fromEntries(Object.entries(networks).map(([name, { Aliases }]) => [name, Aliases ?? []]));
  }

  async id() {
    return this.#compose('ps', '--all', '--quiet', this.#name);
  }

  async #inspect(format: string) {
    return docker(['inspect', '--format', format, await this.id()]);
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

/** The repository's own `docker-compose.yml`, built from the present sources, as a project of its own on free ports. */
export async function startContainers(env: Record<string, string> = {}): Promise<Stack> {
  const project = newProject();
  const environment = { ...env, SERVICE_A_PORT: '0', SERVICE_B_PORT: '0' };
  const compose = (...args: string[]) => docker(['compose', '--project-name', project, ...args], environment);
  const down = removeProject(project);
  await new DockerComposeEnvironment(ROOT, 'docker-compose.yml')
    .withProjectName(project)
    .withEnvironment(environment)
    .withAutoCleanup(false) // removeProject does it, without an image of testcontainers' own to pull
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
  const project = newProject();
  const inProject = ['compose', '--project-name', project, '--file', file];
  const compose = (...args: string[]) => docker([...inProject, ...args]);
  const services = (await compose('config', '--services')).split('\n');
  for (const name of ['service-a', 'service-b']) {
    if (!services.includes(name))
      throw new Error(`${file} has no service named ${name}; it has ${services.join(', ')}.`);
  }
  const remove = removeProject(project, file);
  const down = async () => {
    await remove();
    const images = await docker(['images', '--quiet', `--filter=reference=${project}-*`]);
    if (images) await docker(['rmi', '--force', ...images.split('\n')]);
  };
  try {
    await composeUp([...inProject, '--file', '-', 'up', '--build', '--detach', '--quiet-pull'], dirname(file));
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

async function composeUp(args: string[], cwd: string) {
  const up = run('docker', args, { ...OPTIONS, cwd, timeout: 900_000 });
  up.child.stdin!.end(JSON.stringify({ services: { 'service-a': GRADED, 'service-b': GRADED } }));
  await up;
}

const isPortTaken = (error: unknown) => /port is already allocated|address already in use/.test(String(error));
