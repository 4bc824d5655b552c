import { existsSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { composeFileStack } from '../stack/docker/containers.ts';
import { dockerProblem } from '../stack/docker/engine.ts';
import { isEnclosed } from '../stack/process/enclosure.ts';
import { newFolder, removeLeftovers } from '../stack/docker/owner.ts';
import { ROOT } from '../stack/paths.ts';
import { isTaken } from '../stack/process/ports.ts';
import { commandStack, startProcesses, type Command } from './commands.ts';
import type { Stack } from '../stack/service.ts';
import { prepareCompose, type Asked } from './containers/compose-file.ts';
import { environmentOfDocker } from './environment.ts';
import { isolatedStack } from './containers/isolated.ts';
import { numberIn, path, type PairOptions } from './options.ts';
import { Ungradable } from './ungradable.ts';
import { Unusable } from '../stack/command.ts';
import { setUp } from './setup.ts';

/** The stack that the options name, once it has been set up. Throws an `Unusable` when there is none. */
export async function stackOf(options: PairOptions): Promise<Stack> {
  const { compose, a, b, setup, isolate } = options;
  const limitMs = numberIn(options, 'setup-limit', 24 * 60) * 60_000;
  if (compose && (a || b)) throw new Unusable('Give either --compose or --a and --b.');
  if (isolate !== undefined && !compose && !a)
    throw new Unusable(
      "--isolate is for another pair than this repository's; give its folder, --compose, or --a and --b, as well.",
    );
  if (isolate !== undefined && compose && setup)
    throw new Unusable(
      '--setup would run outside of the walls of --isolate; let the Compose file build, and leave it out.',
    );
  if (isolate && compose)
    throw new Unusable(`--isolate ${isolate} names an image for two commands; the images are in the Compose file.`);
  const foreign = PAIRS_OWN.find(
    (name) => options[name] !== undefined && (compose ? /url|dir/ : /port|service/).test(name),
  );
  if (foreign) {
    const [isFor, instead] = compose
      ? ['commands', 'its services and ports are --a-service, --b-service, --a-port and --b-port']
      : ['a Compose file', 'where a command listens is --a-url and --b-url'];
    throw new Unusable(
      `--${foreign} is not for ${compose ? 'a Compose file' : 'commands'}, but for ${isFor}; ${instead}.`,
    );
  }
  if (compose) {
    const file = path(compose);
    if (!existsSync(file)) throw new Ungradable(`There is no file ${file} (--compose).`);
    const problem = dockerProblem();
    if (problem) throw new Unusable(`No Docker Engine with Compose answers: ${problem}`);
    const asks: [Asked, Asked] = [asked('a', options), asked('b', options)];
    removeLeftovers();
    if (setup) await setUp(setup, dirname(file), limitMs);
    const dir = newFolder();
    const forget = removeAtExit(() => rmSync(dir, { recursive: true, force: true }));
    const remove = async () => {
      await rm(dir, { recursive: true });
      forget();
    };
    try {
      const prepared = await prepareCompose(file, folderOf(options), dir, asks, isolate !== undefined);
      const stack = await composeFileStack(prepared.file, environmentOfDocker(), ...prepared.places, prepared.gate);
      const down = () => stack.down().then(remove);
      return { ...stack, down, [Symbol.asyncDispose]: down };
    } catch (error) {
      await remove();
      throw error instanceof Unusable ? error : refusalOf(error as Error & { stderr?: string });
    }
  }
  if (a || b) {
    if (!a || !b) throw new Unusable(`--${a ? 'b' : 'a'} is missing: a pair takes two commands.`);
    const commands = [command('a', options), command('b', options)] as const;
    const folder = folderOf(options);
    if (isolate !== undefined) {
      const problem = dockerProblem();
      if (problem) throw new Unusable(`No Docker Engine answers, and --isolate needs one: ${problem}`);
      removeLeftovers();
      const hosts = options['setup-hosts']?.split(',') ?? [];
      return isolatedStack(
        ...commands,
        folder,
        isolate,
        setup === undefined ? undefined : { command: setup, limitMs, hosts },
      );
    }
    for (const { url } of commands) {
      const port = Number(new URL(url).port || 80);
      if (await isTaken(port))
        throw new Unusable(`Port ${port} is already in use; stop what listens on it, and try again.`);
    }
    if (!isEnclosed)
      console.error(
        'This system allows no PID namespaces: a process that leaves its group is not ended with the grade.',
      );
    if (setup) await setUp(setup, folder, limitMs);
    return commandStack(...commands);
  }
  if (setup)
    throw new Unusable(
      "--setup is for another pair than this repository's; give its folder, --compose, or --a and --b, as well.",
    );
  return startProcesses();
}

const PAIRS_OWN = (['a', 'b'] as const).flatMap((name) =>
  (['dir', 'url', 'service', 'port'] as const).map((what) => `${name}-${what}` as const),
);

function asked(name: 'a' | 'b', options: PairOptions): Asked {
  const port = options[`${name}-port`] === undefined ? undefined : numberIn(options, `${name}-port`, 65_535);
  const [usualName, usualPort] = { a: ['service-a', 8080] as const, b: ['service-b', 8081] as const }[name];
  return { service: options[`${name}-service`] ?? usualName, port, usualPort };
}

/** The folder that was handed in: by default the Compose file's, or the innermost that holds both services. */
export function folderOf({ folder, compose, a, b, 'a-dir': dirA = '.', 'b-dir': dirB = '.' }: PairOptions): string {
  if (folder !== undefined) return path(folder);
  if (compose) return dirname(path(compose));
  if (!a && !b) return ROOT;
  let both = path(dirA);
  while (relative(both, path(dirB)).split(sep)[0] === '..') both = dirname(both);
  return both;
}

function command(name: 'a' | 'b', options: PairOptions): Command {
  const dir = path(options[`${name}-dir`] ?? '.');
  if (!existsSync(dir) || !statSync(dir).isDirectory())
    throw new Ungradable(`There is no directory ${dir} (--${name}-dir).`);
  const url = options[`${name}-url`] ?? { a: 'http://127.0.0.1:8080', b: 'http://127.0.0.1:8081' }[name];
  if (!/^http:\/\/[^/:]+:\d{1,5}\/?$/.test(url) || !URL.canParse(url)) {
    throw new Unusable(`--${name}-url is ${url}; it must be like http://127.0.0.1:8080.`);
  }
  return { command: options[name]!, dir, url: url.replace(/\/$/, '') };
}

function refusalOf({ stderr, message }: Error & { stderr?: string }): Unusable {
  const port = /(?:[\d.]+|\[::\]):(\d+).{0,40}(?:failed: port is already allocated|address already in use)/.exec(
    stderr ?? '',
  );
  if (port) return new Unusable(`Port ${port[1]} is already in use; stop what listens on it, and try again.`);
  const lines = (stderr ?? message).trim().split('\n');
  return new Ungradable(`Compose could not start the pair: ${lines.at(-1)}`);
}
