import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { DockerComposeEnvironment } from 'testcontainers';
import { removeAtExit, runToEnd, sleepSync } from '../process/at-exit.ts';
import { ROOT, STAND_IN } from '../paths.ts';
import { composeFileOf, OWNER, OWNER_VARIABLE } from './owner.ts';
import { CONTROL_KEY, standInAt, type Stack } from '../service.ts';
import { quoted } from '../shell.ts';
import { ContainerService } from './container-service.ts';
import { docker, publishedUrl, runDocker } from './engine.ts';
import { runProgram } from './program.ts';

const CONTROL_PORT = 9090;
const BUILD_PATIENCE_MS = 900_000;

/**
 * A Compose project that no other run has: its containers, network, host ports and images stay apart from all others'.
 * `down` removes the project and every container with the project's name in its own name, also when this process ends
 * early. With a `file` of another author, Compose gets only `base` as its environment, and `down` leaves the images that
 * the file names.
 */
export function newProject(file?: string, base = process.env) {
  const project = `${process.env.COMPOSE_PROJECT_NAME || 'two-services'}-${randomBytes(3).toString('hex')}`;
  const own = { COMPOSE_PROJECT_NAME: project, IMAGE_TAG: project, SERVICE_A_PORT: '0', SERVICE_B_PORT: '0' };
  const env: NodeJS.ProcessEnv = { ...base, ...own, [OWNER_VARIABLE]: OWNER };
  const named = ['ps', '--all', '--quiet', '--filter', `name=${project}`];
  const remove = ['rm', '--force', '--volumes'];
  // A volume with a name of its own may be older than this run and hold data: `down --volumes` would remove it.
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
    // It repeats until it finds nothing: the engine may still create what it was asked for last.
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
  const inFiles = files.flatMap((file) => ['-f', file]);
  const command = ['docker', 'compose', '-p', project, ...inFiles].map(quoted).join(' ');
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
      // If the pair has no network to the outside, no service may come between the stand-in and this process.
      const outside: [string, string[]][] = gate ? [[`${project}_${gate.network}`, []]] : [];
      const names = [...outside, ...Object.entries(await a.names())];
      const place = ['--network', names[0]![0], ...names[0]![1].flatMap((alias) => ['--network-alias', alias])];
      const options = ['--label', `com.docker.compose.project=${project}`, '--publish', `127.0.0.1::${CONTROL_PORT}`];
      const env = { PORT: placeOfA.port, CONTROL_PORT, CONTROL_KEY, BEHAVIOUR: behaviour };
      await runProgram(standIn, STAND_IN, env, ...options, ...place);
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

/**
 * Writes the repository's Compose file with the values of this environment of `startContainers` filled in, so that commands
 * on the pair need no variables. The file exists while this process runs.
 */
export async function settledFile(environment: NodeJS.ProcessEnv): Promise<string> {
  const file = composeFileOf(environment.COMPOSE_PROJECT_NAME!);
  removeAtExit(() => rmSync(file, { force: true }));
  writeFileSync(file, await runDocker(['compose', 'config'], environment), { mode: 0o600, flag: 'wx' });
  return file;
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
