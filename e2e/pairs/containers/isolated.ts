/** Anybody's pair as two commands, each in a container of its own that cannot do much. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { removeAtExit, runToEnd } from '../../stack/process/at-exit.ts';
import { BASE_IMAGE, docker, listenersInside } from '../../stack/docker/engine.ts';
import { ContainerService } from '../../stack/docker/container-service.ts';
import { tied } from '../../stack/process/enclosure.ts';
import { listenerOn } from '../../stack/process/listeners.ts';
import { ownerOption } from '../../stack/docker/owner.ts';
import { runProgram, variables } from '../../stack/docker/program.ts';
import { STAND_IN } from '../../stack/paths.ts';
import { CONTROL_KEY, standInAt, type Stack } from '../../stack/service.ts';
import type { Command } from '../commands.ts';
import { NO_PROXY } from '../environment.ts';
import { Ungradable } from '../ungradable.ts';
import { Unusable } from '../../stack/command.ts';
import { proxyVariables, REGISTRIES } from './registries.ts';
import { endOfSetup } from '../setup.ts';
import { MADE, sizeOf } from '../sources.ts';

const FORWARD = fileURLToPath(new URL('forward.ts', import.meta.url));
const PROXY = fileURLToPath(new URL('proxy.ts', import.meta.url));
const PROXY_PORT = 3128;
const MAX_COPY_BYTES = 512 * 1024 ** 2;
const VOLUME_BYTES = 1024 ** 3;
const USER = '1000:1000';
const CONTROL = 9090;
const PULL_PATIENCE_MS = 900_000;

/** No capabilities, nothing to write to, and a share of the machine. */
const walls = (memory: string, processes: number) => [
  ...['--init', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--memory', memory, '--memory-swap', memory, '--pids-limit', String(processes), '--cpus', '1'],
];

/** A stranger's command also gets a copy of the pair's folder, a /tmp, and a user without rights. */
const place = (files: string, dir: string) => [
  ...variables(NO_PROXY),
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

/** The image that a command needs, if one of its words is the name of a known program. */
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

  /** Tells lives apart by what listens, too: a shell may start a program again and again. */
  override async life() {
    return `${await super.life()} ${await this.#listeners()}`;
  }
}

/** What is run before the start, for how long at most, and which hosts it may reach besides the package registries. */
interface Setup {
  command: string;
  limitMs: number;
  hosts: string[];
}

/**
 * The pair of two commands, neither of them started: both containers share a network that has nothing but itself, so each
 * finds the other as two processes would. `folder` holds both, and they get a copy of it and nothing more. `image` is for
 * both; if it is empty, it is guessed. The setup runs in the same way, but reaches the package registries. Rejects with an `Unusable`.
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
  const [net, gate, standIn] = [named('net'), named('gate'), named('stand-in')];
  const [files, sockets, outside] = [named('files'), named('sockets'), named('outside')];
  const ofSetup = ['setup', 'setup-net', 'setup-proxy'].map(named);
  const containers = [named('copy'), ...ofSetup, named('service-a'), named('service-b'), standIn, gate, net];
  const removals = [
    ['rm', '--force', '--volumes', ...containers],
    ['volume', 'rm', '--force', files, sockets],
    ['network', 'rm', '--force', outside],
  ];
  const imageOf = (...commands: string[]) => {
    const found = image || commands.map(imageFor).find(Boolean);
    if (found) return found;
    throw new Unusable(`--isolate cannot see which image the command ${commands[0]} needs; name one: --isolate IMAGE.`);
  };
  const [portA, portB] = [a, b].map(({ url }) => Number(new URL(url).port || 80)) as [number, number];
  const images = { a: imageOf(a.command, setup?.command ?? ''), b: imageOf(b.command, setup?.command ?? '') };
  const imageOfSetup = setup && (image || (imageFor(setup.command) ?? images.a));
  const leftOut = await tooMuch(folder);
  for (const each of new Set([BASE_IMAGE, images.a, images.b, imageOfSetup ?? BASE_IMAGE])) await pull(each);

  const forget = removeAtExit(() => {
    for (const args of removals) runToEnd('docker', args);
  });
  const down = async () => {
    for (const args of removals) await docker(args);
    forget();
  };

  /** Runs one of the programs here, with little to use up. */
  const runOwn = (name: string, file: string, env: Record<string, unknown>, ...options: string[]) =>
    runProgram(name, file, env, ...walls('256m', 64), ...options);
  const withSockets = ['--volume', `${sockets}:/sockets`];
  const forward = (name: string, pairs: unknown, ...options: string[]) =>
    runOwn(name, FORWARD, { FORWARD: JSON.stringify(pairs) }, ...withSockets, ...options);

  async function runSetup({ command, limitMs, hosts }: Setup) {
    const [name, setupNet, proxy] = ofSetup as [string, string, string];
    const env = { HOSTS: JSON.stringify([...REGISTRIES, ...hosts]), SOCKET: '/sockets/proxy' };
    await runOwn(proxy, PROXY, env, ...withSockets, '--network', outside);
    await forward(setupNet, [[PROXY_PORT, '/sockets/proxy']], '--network', 'none');
    const where = [...place(files, ''), '--network', `container:${setupNet}`, ...variables(proxyVariables(PROXY_PORT))];
    const args = ['run', '--name', name, ...ownerOption, '--log-driver', 'none', ...walls('2g', 512), ...where];
    const child = spawn(...tied('docker', [...args, imageOfSetup!, '-c', command]), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'exit').then(([code]) => code ?? 128);
    const { stdout, stderr } = child;
    await endOfSetup({ stdout, stderr, ended }, limitMs, () => docker(['rm', '--force', ...ofSetup]));
  }

  try {
    // The copy is in memory, so that no one can fill the disk, and stays for as long as the net's container.
    const inMemory = ['type=tmpfs', 'device=tmpfs', `o=size=${VOLUME_BYTES},uid=1000,gid=1000`];
    await docker(['volume', 'create', ...ownerOption, ...inMemory.flatMap((option) => ['--opt', option]), files]);
    await docker(['volume', 'create', ...ownerOption, sockets]);
    await docker(['network', 'create', ...ownerOption, outside]);
    const [pathA, pathB, pathControl] = ['/sockets/a', '/sockets/b', '/sockets/control'];
    const names = ['--add-host', 'service-a:127.0.0.1', '--add-host', 'service-b:127.0.0.1'];
    const inside = Object.entries({ [pathA]: portA, [pathB]: portB });
    await forward(net, inside, '--network', 'none', ...names, '--volume', `${files}:/pair`);
    const ports = [8080, 8081, CONTROL];
    const published = ports.flatMap((port) => ['--publish', `127.0.0.1::${port}`]);
    const outward = [pathA, pathB, pathControl].map((path, index) => [ports[index], path]);
    await forward(gate, outward, '--network', outside, ...published);
    await copy(folder, leftOut, named('copy'), files);
    if (setup) await runSetup(setup);

    const create = async (name: string, { command, dir }: Command, ofImage: string, env: Record<string, string>) => {
      const given = variables({ PYTHONUNBUFFERED: '1', TINI_KILL_PROCESS_GROUP: '1', ...env });
      const log = ['--log-driver', 'json-file', '--log-opt', 'max-size=16m'];
      const where = place(files, relative(folder, dir).split(sep).join('/'));
      const options = ['--name', named(name), ...ownerOption, '--network', `container:${net}`, ...walls('1g', 256)];
      await docker(['create', ...options, ...where, ...given, ...log, ofImage, '-c', command]);
    };
    await create('service-a', a, images.a, { PORT: String(portA) });
    await create('service-b', b, images.b, { PORT: String(portB), SERVICE_A_URL: `http://service-a:${portA}` });
    const urls = await Promise.all(ports.map(async (port) => `http://${await docker(['port', gate, String(port)])}`));
    const listeners = (port: number) => async () => listenerOn(port, await listenersInside(net));
    const serviceA = new IsolatedService(named('service-a'), urls[0]!, portA, listeners(portA));
    const serviceB = new IsolatedService(named('service-b'), urls[1]!, portB, listeners(portB));
    return {
      a: serviceA,
      b: serviceB,
      async replaceA(behaviour = '') {
        await docker(['rm', '--force', standIn]); // the one before
        await serviceA.kill().catch(() => {}); // it has ended already
        const where = { PORT: portA, HOSTS: '127.0.0.1 ::1', CONTROL_PORT: '/sockets/control', CONTROL_KEY };
        const inNet = [...withSockets, '--network', `container:${net}`];
        await runOwn(standIn, STAND_IN, { ...where, BEHAVIOUR: behaviour }, ...inNet);
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

/** The patterns of what is left out of the copy of a folder, which depend on its size. Throws an `Ungradable` when that would not be enough. */
async function tooMuch(folder: string): Promise<string[]> {
  const { sources, all } = await sizeOf(folder);
  const inMiB = (bytes: number) => Math.ceil(bytes / 1024 ** 2);
  if (sources > MAX_COPY_BYTES)
    throw new Ungradable(
      `${folder} holds ${inMiB(sources)} MiB; with --isolate, ${inMiB(MAX_COPY_BYTES)} MiB are copied at most, besides what a build makes.`,
    );
  return all > MAX_COPY_BYTES ? MADE : ['.git'];
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

/** Copies the folder; the copy belongs to the user that the services run as. */
async function copy(folder: string, leftOut: string[], name: string, files: string) {
  const env = { ...process.env, COPYFILE_DISABLE: '1' };
  const excluded = leftOut.map((pattern) => `--exclude=${pattern}`);
  const pack = spawn('tar', ['-C', folder, ...excluded, '-c', '.'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  // What it writes counts as this container's memory.
  const options = ['--rm', '--interactive', '--name', name, ...ownerOption, '--network', 'none', '--user', USER];
  const place = [...walls(String(VOLUME_BYTES + 256 * 1024 ** 2), 64), '--volume', `${files}:/pair`, BASE_IMAGE];
  const unpack = spawn(...tied('docker', ['run', ...options, ...place, 'tar', '-x', '-C', '/pair']), { stdio: 'pipe' });
  unpack.stdin.on('error', () => {}); // it says why it ended
  pack.stdout.pipe(unpack.stdin);
  let said = '';
  for (const { stderr } of [pack, unpack]) stderr!.on('data', (text) => (said = (said + text).slice(-4000)));
  const ends = await Promise.all([once(pack, 'close'), once(unpack, 'close')]);
  if (ends.some(([code]) => code !== 0))
    throw new Ungradable(`The folder ${folder} cannot be copied: ${said.trim().split('\n')[0]}`);
}
