import { rmSync, writeFileSync } from 'node:fs';
import { path, type PairOptions } from '../pairs/options.ts';
import { Unusable } from '../stack/command.ts';
import { stackOf } from '../pairs/choose.ts';
import { dockerProblem, runDocker } from '../stack/docker/engine.ts';
import { startContainers } from '../stack/docker/containers.ts';
import { composeFileOf, removeLeftovers } from '../stack/docker/owner.ts';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { freePort, isTaken } from '../stack/process/ports.ts';
import { startProcesses } from '../pairs/commands.ts';
import { quoted } from '../stack/shell.ts';
import { containerControls, type ContainerStack } from './container-controls.ts';
import type { Controls } from './controls.ts';
import { processControls } from './process-controls.ts';

/** Starts the pair that the options name: by default this repository's, in containers where Docker answers. */
export async function choosePair(options: PairOptions): Promise<{ controls: Controls; isOwn: boolean }> {
  const isOwn = !options.compose && !options.a && !options.b;
  return { controls: isOwn ? await ownPair() : await othersPair(options), isOwn };
}

async function othersPair(options: PairOptions): Promise<Controls> {
  const { compose, a, b } = options;
  const stack = await stackOf(options);
  try {
    if (compose) return await containerControls(stack as ContainerStack, `the pair of ${path(compose)}`);
    await Promise.all([stack.a.start(), stack.b.start()]);
    const start = (name: 'a' | 'b') =>
      `cd ${quoted(path(options[`${name}-dir`] ?? '.'))} && ${stack[name].typed.start}`;
    return processControls(stack, `two processes: ${a} and ${b}`, { a: start('a'), b: start('b') });
  } catch (error) {
    await stack.down();
    throw new Unusable((error as Error).message);
  }
}

async function ownPair(): Promise<Controls> {
  if (!dockerProblem()) {
    removeLeftovers();
    const ports = { SERVICE_A_PORT: await portNear(8080), SERVICE_B_PORT: await portNear(8081) };
    const stack = await startContainers(ports);
    const title = `this repository's pair, in containers`;
    return containerControls(stack, title, await settledFile(stack.environment));
  }
  const stack = await startProcesses();
  const starts = {
    a: `PORT=${new URL(stack.a.url).port} npm run service-a`,
    b: `PORT=${new URL(stack.b.url).port} SERVICE_A_URL=${stack.a.url} npm run service-b`,
  };
  return processControls(stack, `this repository's pair, as processes`, starts);
}

/** The Compose file with all that its environment decides written out, so that commands on the pair need no variables. */
async function settledFile(environment: NodeJS.ProcessEnv): Promise<string> {
  const file = composeFileOf(environment.COMPOSE_PROJECT_NAME!);
  removeAtExit(() => rmSync(file, { force: true }));
  writeFileSync(file, await runDocker(['compose', 'config'], environment), { mode: 0o600, flag: 'wx' });
  return file;
}

/** The port itself, so that the README's commands hold; another one, when something has it already. */
async function portNear(port: number): Promise<string> {
  return String((await isTaken(port)) ? await freePort() : port);
}
