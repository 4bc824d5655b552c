/** Anybody's pair as two commands, each in a container of its own that cannot do much. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runToEnd } from '../stack/at-exit.ts';
import { BASE_IMAGE, ContainerService, docker } from '../stack/containers.ts';
import { STAND_IN } from '../stack/paths.ts';
import { standInAt, type Stack } from '../stack/service.ts';
import type { Command } from './commands.ts';
import { leaveNothing } from './leave-nothing.ts';
import { Ungradable, Unusable } from './options.ts';
import { endOfSetup } from './setup.ts';
import { listenersIn } from './survivors.ts';

const FORWARD = fileURLToPath(new URL('forward.ts', import.meta.url));
const USER = '1000:1000';
const CONTROL = 9090;
const NODE = ['node', '--input-type=module-typescript', '--eval'];
const PULL_PATIENCE_MS = 900_000;

/** No capabilities, nothing to write to, and a share of the machine. */
const walls = (memory: string, processes: number) => [
  ...['--init', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--memory', memory, '--memory-swap', memory, '--pids-limit', String(processes), '--cpus', '1'],
];

/** What a stranger's command gets besides: a copy of the pair's folder, a /tmp, and a user without rights. */
const place = (files: string, dir: string) => [
  ...['--user', USER, '--env', 'HOME=/tmp', '--tmpfs', '/tmp:exec,mode=1777,size=512m'],
  ...['--volume', `${files}:/pair`, '--workdir', `/pair/${dir}`, '--entrypoint', '/bin/sh'],
];

/** The usual image of a language, by the programs that a command runs. */
const IMAGES: [RegExp, string][] = [
  [/python|flask|uvicorn|gunicorn|hypercorn|fastapi|pip/, 'python:3-slim'],
  [/node|npm|npx|tsx|yarn|pnpm/, BASE_IMAGE],
  [/go/, 'golang:1'],
  [/mvnw?/, 'maven:3'],
  [/gradlew?/, 'gradle:9'],
  [/java/, 'eclipse-temurin:25'],
  [/dotnet/, 'mcr.microsoft.com/dotnet/sdk:10.0'],
  [/ruby|bundle|rackup|puma/, 'ruby:3'],
  [/php/, 'php:8-cli'],
  [/deno/, 'denoland/deno:2'],
  [/bun/, 'oven/bun:1'],
  [/cargo/, 'rust:1'],
];

/** The image that a command needs, where that can be seen: one of its words is the name of a known program. */
export function imageFor(command: string): string | undefined {
  return IMAGES.find(([program]) =>
    new RegExp(String.raw`(?<![\w.-])(?:${program.source})[\d.]*(?![\w-])`).test(command),
  )?.[1];
}

/** An isolated service, reached through the gate. */
class IsolatedService extends ContainerService {
  readonly #listeners: () => Promise<string>;

  constructor(container: string, url: string, port: number, listeners: () => Promise<string>) {
    super(container, port, 'docker', async (verb) => (verb === 'ps' ? container : docker([verb!, container])));
    this.url = url;
    this.#listeners = listeners;
  }

  override async findUrl() {}

  /** Also by what listens: a shell that starts a program again and again lives on itself. */
  override async life() {
    return `${await super.life()} ${await this.#listeners()}`;
  }
}

/** What is run before the start, and for how long at most. */
export interface Setup {
  command: string;
  limitMs: number;
}

/**
 * The pair of two commands, neither of them started: both containers share a network that has nothing but itself, so each
 * finds the other as in two processes. `folder` holds both, and a copy of it is all that they get. `image` is for both; an
 * empty one is guessed. The setup runs in the same way, but with the network. Rejects with an `Unusable`.
 */
export async function isolatedStack(
  a: Command,
  b: Command,
  folder: string,
  image: string,
  setup?: Setup,
): Promise<Stack> {
  const project = `${process.env.COMPOSE_PROJECT_NAME || 'two-services'}-${randomBytes(4).toString('hex')}`;
  const named = (part: string) => `${project}-${part}`;
  const [net, gate, standIn, files, sockets] = ['net', 'gate', 'stand-in', 'files', 'sockets'].map(named) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const containers = [named('setup'), named('service-a'), named('service-b'), standIn, gate, net];
  const removals = [
    ['rm', '--force', '--volumes', ...containers],
    ['volume', 'rm', '--force', files, sockets],
  ];
  const imageOf = (...commands: string[]) => {
    const found = image || commands.map(imageFor).find(Boolean);
    if (found) return found;
    throw new Unusable(`--isolate cannot see which image the command ${commands[0]} needs; name one: --isolate IMAGE.`);
  };
  const [portA, portB] = [a, b].map(({ url }) => Number(new URL(url).port || 80)) as [number, number];
  const images = { a: imageOf(a.command, setup?.command ?? ''), b: imageOf(b.command, setup?.command ?? '') };
  const imageOfSetup = setup && (image || (imageFor(setup.command) ?? images.a));
  for (const each of new Set([BASE_IMAGE, images.a, images.b, imageOfSetup ?? BASE_IMAGE])) await pull(each);

  const removed = leaveNothing({ commands: removals.map((args) => ['docker', ...args]) }, () => {
    for (const args of removals) runToEnd('docker', args);
  });
  const down = async () => {
    for (const args of removals) await docker(args);
    removed();
  };

  const forward = (pairs: unknown) => ['--env', `FORWARD=${JSON.stringify(pairs)}`, '--volume', `${sockets}:/sockets`];
  const [pathA, pathB, pathControl] = ['/sockets/a', '/sockets/b', '/sockets/control'];
  const program = [BASE_IMAGE, ...NODE, await readFile(FORWARD, 'utf8')];
  try {
    // Kept in memory, so that nobody can fill the disk, and only as long as the net's container has it.
    await docker([
      'volume',
      'create',
      ...['type=tmpfs', 'device=tmpfs', 'o=size=1g,uid=1000,gid=1000'].flatMap((opt) => ['--opt', opt]),
      files,
    ]);
    const names = ['--add-host', 'service-a:127.0.0.1', '--add-host', 'service-b:127.0.0.1'];
    const inside = [
      [pathA, portA],
      [pathB, portB],
      [pathControl, CONTROL],
    ];
    await docker([
      'run',
      '--detach',
      '--name',
      net,
      '--network',
      'none',
      ...names,
      ...walls('256m', 64),
      '--volume',
      `${files}:/pair`,
      ...forward(inside),
      ...program,
    ]);
    const ports = [8080, 8081, CONTROL];
    const outside = [
      [8080, pathA],
      [8081, pathB],
      [CONTROL, pathControl],
    ];
    await docker([
      'run',
      '--detach',
      '--name',
      gate,
      ...ports.flatMap((port) => ['--publish', `127.0.0.1::${port}`]),
      ...walls('256m', 64),
      ...forward(outside),
      ...program,
    ]);
    await copy(folder, net);
    if (setup) await run(setup, named('setup'), files, imageOfSetup!);

    const create = async (name: string, { command, dir }: Command, ofImage: string, env: Record<string, string>) => {
      const given = Object.entries({ PYTHONUNBUFFERED: '1', TINI_KILL_PROCESS_GROUP: '1', ...env }).flatMap(
        ([name, value]) => ['--env', `${name}=${value}`],
      );
      const log = ['--log-driver', 'json-file', '--log-opt', 'max-size=16m'];
      const where = relative(folder, dir).split(sep).join('/');
      await docker([
        'create',
        '--name',
        named(name),
        '--network',
        `container:${net}`,
        ...walls('1g', 256),
        ...place(files, where),
        ...given,
        ...log,
        ofImage,
        '-c',
        command,
      ]);
    };
    await create('service-a', a, images.a, { PORT: String(portA) });
    await create('service-b', b, images.b, { PORT: String(portB), SERVICE_A_URL: `http://service-a:${portA}` });
    const urls = await Promise.all(ports.map(async (port) => `http://${await docker(['port', gate, String(port)])}`));
    const listeners = (port: number) => async () => {
      const tables = await docker(['exec', net, 'cat', '/proc/net/tcp', '/proc/net/tcp6']);
      return listenersIn(tables, port).sort().join(' ');
    };
    const serviceA = new IsolatedService(named('service-a'), urls[0]!, portA, listeners(portA));
    const serviceB = new IsolatedService(named('service-b'), urls[1]!, portB, listeners(portB));
    return {
      a: serviceA,
      b: serviceB,
      async replaceA(behaviour = '') {
        await docker(['rm', '--force', standIn]); // the one before
        await serviceA.kill().catch(() => {}); // it has ended already
        const env = { PORT: portA, HOSTS: '127.0.0.1 ::1', CONTROL_PORT: CONTROL, BEHAVIOUR: behaviour };
        const given = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
        await docker([
          'run',
          '--detach',
          '--name',
          standIn,
          '--network',
          `container:${net}`,
          ...walls('256m', 64),
          ...given,
          BASE_IMAGE,
          ...NODE,
          await readFile(STAND_IN, 'utf8'),
        ]);
        return standInAt(urls[2]!, 2, () => docker(['rm', '--force', standIn]), serviceA);
      },
      down,
      [Symbol.asyncDispose]: down,
    };
  } catch (error) {
    await down();
    throw error;
  }
}

async function pull(image: string) {
  if (await docker(['image', 'inspect', image]).catch(() => undefined)) return;
  await promisify(execFile)('docker', ['pull', '--quiet', image], { timeout: PULL_PATIENCE_MS }).catch(
    ({ stderr, message }) => {
      const why = String(stderr || message)
        .trim()
        .split('\n')
        .at(-1);
      throw new Unusable(`The image ${image} cannot be pulled: ${why}; name another: --isolate IMAGE.`);
    },
  );
}

/** A copy of the folder, which belongs to the user that the services run as. */
async function copy(folder: string, net: string) {
  const env = { ...process.env, COPYFILE_DISABLE: '1' };
  const pack = spawn('tar', ['-C', folder, '--exclude=.git', '-c', '.'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const unpack = spawn('docker', ['exec', '--interactive', '--user', USER, net, 'tar', '-x', '-C', '/pair']);
  unpack.stdin.on('error', () => {}); // it says why it ended
  pack.stdout.pipe(unpack.stdin);
  let said = '';
  for (const { stderr } of [pack, unpack]) stderr!.on('data', (text) => (said = (said + text).slice(-4000)));
  const ends = await Promise.all([once(pack, 'close'), once(unpack, 'close')]);
  if (ends.some(([code]) => code !== 0))
    throw new Ungradable(`The folder ${folder} cannot be copied: ${said.trim().split('\n')[0]}`);
}

async function run({ command, limitMs }: Setup, name: string, files: string, image: string) {
  const args = [
    'run',
    '--name',
    name,
    '--log-driver',
    'none',
    ...walls('2g', 512),
    ...place(files, ''),
    image,
    '-c',
    command,
  ];
  const child = spawn('docker', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  await endOfSetup(child, limitMs, () => void runToEnd('docker', ['rm', '--force', name]));
}
