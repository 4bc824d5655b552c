import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { getContainerRuntimeClient } from 'testcontainers';
import { faultOf, type ContainerNames } from '../experiment/faults.ts';
import type { Name } from '../experiment/history.ts';
import { BASE_IMAGE, docker, namesOf } from '../stack/docker/engine.ts';
import type { ContainerService } from '../stack/docker/container-service.ts';
import { OWNER, OWNER_LABEL } from '../stack/docker/owner.ts';
import { paste } from '../docs/shell.ts';
import type { Stack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';
import { until } from '../stack/until.ts';
import { lineReader, type Controls, type Sight } from './controls.ts';

const LABEL = 'com.docker.compose';
const EVENTS = ['start', 'die', 'pause', 'unpause', 'destroy', 'connect', 'disconnect'];
const AGAIN_MS = 300;
const GALLERY_NAME = 'two-services';

export type ContainerStack = Stack & { a: ContainerService; b: ContainerService };

/** `file` is the Compose file of this repository's own pair, with all settled in it; anybody else's pair has none. */
export async function containerControls(stack: ContainerStack, title: string, file?: string): Promise<Controls> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const [a, b] = [await stack.a.inspect(), await stack.b.inspect()];
  const project = a.Config.Labels[`${LABEL}.project`]!;
  const names = { a: a.Config.Labels[`${LABEL}.service`]!, b: b.Config.Labels[`${LABEL}.service`]! };
  const ids: Record<Name, string> = { a: a.Id, b: b.Id };
  const containerOfA = a.Name.slice(1);
  const aliases = namesOf(a);
  let networks = Object.keys(aliases);
  const port = stack.a.port;
  const standIn = `${project}-stand-in`;
  const compose = file ? `docker compose -f ${quoted(file)}` : stack.a.command;

  async function sight(name: Name): Promise<Sight> {
    const { Id, State, NetworkSettings } = await dockerode.getContainer(ids[name]).inspect();
    const [published] = Object.values(NetworkSettings.Ports ?? {}).flatMap((bindings) => bindings ?? []);
    if (published) stack[name].url = `http://127.0.0.1:${published.HostPort}`;
    const attached = Object.keys(NetworkSettings.Networks);
    if (name === 'a' && attached.length > 0) networks = attached;
    const isStopped = !State.Running;
    return {
      state: isStopped ? 'stopped' : State.Paused ? 'paused' : 'running',
      life: `${Id} ${State.StartedAt}`,
      url: stack[name].url,
      isCutOff: attached.length === 0,
      note: isStopped ? `exit code ${State.ExitCode}` : published ? '' : 'no port on this host',
    };
  }

  const absent = (name: Name): Sight => {
    return { state: 'stopped', life: '', url: stack[name].url, isCutOff: false, note: 'removed' };
  };

  async function look() {
    const all = await dockerode.listContainers({ all: true, filters: { label: [`${LABEL}.project=${project}`] } });
    const isFake = ({ Names }: (typeof all)[number]) => Names[0] === `/${standIn}`;
    const isOneOff = ({ Labels }: (typeof all)[number]) => Labels[`${LABEL}.oneoff`] === 'True';
    for (const name of ['a', 'b'] as const) {
      const own = all.filter((each) => each.Labels[`${LABEL}.service`] === names[name] && !isFake(each));
      // One that `docker compose run` started in its place is A, too; and it is another one when it was recreated.
      const container =
        own.find((each) => isOneOff(each) && each.State === 'running') ?? own.find((each) => !isOneOff(each));
      if (container) ids[name] = container.Id;
    }
    const fake = all.find((each) => isFake(each) && each.State === 'running');
    const env = fake && (await dockerode.getContainer(fake.Id).inspect()).Config.Env;
    const behaviour = env && (env.find((each) => each.startsWith('BEHAVIOUR=')) ?? '=').split('=')[1];
    const [a, b] = await Promise.all((['a', 'b'] as const).map((name) => sight(name).catch(() => absent(name))));
    return { a: { ...a!, fake: a!.state === 'stopped' ? behaviour : undefined }, b: b! };
  }

  function watch(onChange: (at: number) => void) {
    return endless(async () => {
      const stream = await dockerode.getEvents({ filters: { type: ['container', 'network'], event: EVENTS } });
      const read = lineReader((line) => onChange(JSON.parse(line).timeNano / 1e6));
      (stream as Readable).setEncoding('utf8').on('data', read);
      return stream as Readable;
    });
  }

  function follow(name: Name, onLine: (line: string) => void) {
    let last = new Date().toISOString();
    return endless(async () => {
      const known = last; // only within one reading may a line be older than the one before: there are two outputs
      const read = () =>
        lineReader((line) => {
          const time = line.slice(0, line.indexOf(' '));
          if (time <= known) return;
          if (time > last) last = time;
          onLine(line.slice(time.length + 1));
        });
      const container = dockerode.getContainer(ids[name]);
      const { Config } = await container.inspect();
      const since = Math.floor(Date.parse(last) / 1000);
      const options = { follow: true, stdout: true, stderr: true, timestamps: true, since } as const;
      const stream = (await container.logs(options)) as unknown as Readable;
      if (Config.Tty) stream.setEncoding('utf8').on('data', read());
      else {
        const [out, err] = [new PassThrough(), new PassThrough()];
        for (const piece of [out, err]) piece.setEncoding('utf8').on('data', read());
        container.modem.demuxStream(stream, out, err);
      }
      return stream;
    });
  }

  /** Names that the project's own name is part of are left out: nobody else can know them. */
  const isKnown = (alias: string) => !alias.startsWith(project) && !a.Id.startsWith(alias);
  const networkOf = (name: string): ContainerNames['networks'][number] => {
    return { name: quoted(name), aliases: (aliases[name] ?? [names.a]).filter(isKnown).map(quoted) };
  };
  /** Compose runs it from A's own image and gives it A's names; a stranger's image may have no Node. */
  function standInOf([first]: ContainerNames['networks']): ContainerNames['standIn'] {
    const name = quoted(standIn);
    if (file) return { name, run: `${compose} run --detach --no-deps --use-aliases`, image: names.a };
    const labels = [`${LABEL}.project=${project}`, `${OWNER_LABEL}=${OWNER}`].map(
      (label) => `--label ${quoted(label)}`,
    );
    const place = [`--network ${first!.name}`, ...first!.aliases.map((alias) => `--network-alias ${alias}`)];
    const run = ['docker run --detach', ...labels, `--env PORT=${port}`, ...place].join(' ');
    return { name, run, image: BASE_IMAGE };
  }
  function command(fault: string, behaviour: string) {
    const all = networks.map(networkOf);
    const own = { compose, a: quoted(names.a), b: quoted(names.b), container: quoted(containerOfA) };
    return faultOf(fault)?.containers?.({ ...own, networks: all, standIn: standInOf(all) }, behaviour);
  }

  const controls: Controls = {
    stack,
    title,
    lacks: '',
    look,
    watch,
    follow,
    command,
    async run(fault, behaviour) {
      await type(command(fault, behaviour)!);
      const { target, during } = faultOf(fault)!;
      if (fault === 'replace-a') await until('the stand-in for service A', () => isListening(standIn, port));
      else if (during === 'starting') await stack[target].start(); // which has been started, and is waited for
    },
  };
  if (!file) return controls;
  const portOf = (name: Name) => `localhost:${new URL(stack[name].url).port}`;
  return {
    ...controls,
    // The ports may be others than the gallery's, too.
    own: (commands) =>
      commands
        .replaceAll(GALLERY_NAME, project)
        .replaceAll('localhost:8080', portOf('a'))
        .replaceAll('localhost:8081', portOf('b'))
        .replaceAll(/docker compose( -f docker-compose.yml)?/g, compose),
    told: (text) =>
      text
        .replaceAll(`${compose} -f`, 'docker compose -f docker-compose.yml -f')
        .replaceAll(compose, 'docker compose')
        .replaceAll(project, GALLERY_NAME)
        .replaceAll(portOf('a'), 'localhost:8080')
        .replaceAll(portOf('b'), 'localhost:8081'),
    type,
  };
}

/**
 * Types commands into a shell in the repository's folder. Rejects with what the last one wrote when that failed. A
 * project's name in the environment would count for more than the one in the Compose file.
 */
const type = (commands: string) => paste(commands, { env: { ...process.env, COMPOSE_PROJECT_NAME: undefined } }, true);

async function isListening(container: string, port: number): Promise<boolean> {
  const look = `require('net').connect(${port}).on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
  return docker(['exec', container, 'node', '--eval', look]).then(
    () => true,
    () => false,
  );
}

/** Keeps a stream open: opens it again, a moment later, whenever it ends or cannot be had. Returns how to end that. */
function endless(open: () => Promise<Readable>): () => void {
  let isOver = false;
  let stream: Readable | undefined;
  async function run() {
    while (!isOver) {
      try {
        stream = await open();
        if (!isOver) await Promise.race([once(stream, 'end'), once(stream, 'close')]);
      } catch {
        // the engine or the container is not there now; it may be in a moment
      }
      if (!isOver) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
    }
  }
  void run();
  return () => {
    isOver = true;
    stream?.destroy();
  };
}
