import { path, type PairOptions } from '../pairs/options.ts';
import { Unusable } from '../stack/command.ts';
import { stackOf } from '../pairs/choose.ts';
import { dockerProblem, portsOfContainers } from '../stack/docker/engine.ts';
import { settledFile, startContainers } from '../stack/docker/containers.ts';
import { removeLeftovers } from '../stack/docker/owner.ts';
import { freePort } from '../stack/process/ports.ts';
import { startProcesses } from '../pairs/commands.ts';
import { quoted } from '../stack/shell.ts';
import { containerControls, type ContainerStack } from './container-controls.ts';
import type { Controls } from './controls.ts';
import { processControls } from './process-controls.ts';

/** Whether the reader's shell names a Compose project: Compose prefers that name to the one in a file. */
const hasName = Boolean(process.env.COMPOSE_PROJECT_NAME);
const PARTS = ['a-dir', 'b-dir', 'a-url', 'b-url'] as const;

/** Starts the pair that the options name: by default this repository's, in containers where Docker answers. */
export async function choosePair(options: PairOptions): Promise<{ controls: Controls; isOwn: boolean }> {
  const isOwn = !options.compose && !options.a && !options.b;
  const alone = PARTS.find((option) => options[option] !== undefined);
  if (isOwn && alone) throw new Unusable(`--${alone} needs a pair: give --compose, or --a and --b, too.`);
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
    // The README's ports, so that its commands work; others if these are taken, or a stopped container would take them again.
    const taken = await portsOfContainers();
    const portNear = async (port: number) => String(await freePort(taken.includes(port) ? undefined : port));
    const ports = { SERVICE_A_PORT: await portNear(8080), SERVICE_B_PORT: await portNear(8081) };
    const stack = await startContainers(ports).catch((error: Error) => {
      const last = error.message.trim().split('\n').at(-1);
      throw new Unusable(`The pair could not be started, so try again: ${last}`);
    });
    const environment: NodeJS.ProcessEnv = stack.environment;
    const file = await settledFile(environment);
    const name = hasName ? ['-p', environment.COMPOSE_PROJECT_NAME!] : [];
    const compose = ['docker', 'compose', ...name, '-f', file].map(quoted).join(' ');
    return containerControls(stack, `this repository's pair, in containers`, compose);
  }
  const stack = await startProcesses();
  const starts = {
    a: `PORT=${new URL(stack.a.url).port} npm run service-a`,
    b: `PORT=${new URL(stack.b.url).port} SERVICE_A_URL=${stack.a.url} npm run service-b`,
  };
  return processControls(stack, `this repository's pair, as processes`, starts);
}
