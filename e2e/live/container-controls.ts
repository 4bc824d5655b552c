import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { getContainerRuntimeClient } from 'testcontainers';
import { docker, type ContainerService } from '../stack/docker/containers.ts';
import { ROOT } from '../stack/paths.ts';
import type { StandIn, Stack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';
import { lineReader, type Controls, type Sight } from './controls.ts';
import type { Name } from './protocol.ts';

const LABEL = 'com.docker.compose';
const EVENTS = ['start', 'die', 'pause', 'unpause', 'destroy', 'connect', 'disconnect'];
const TYPE_MS = 120_000;
const AGAIN_MS = 300;
const GALLERY_NAME = 'two-services';

export type ContainerStack = Stack & { a: ContainerService; b: ContainerService };

/**
 * `own` is the environment in which the gallery's commands reach this pair, when it is this repository's; anybody's pair
 * has none.
 */
export async function containerControls(
  stack: ContainerStack,
  title: string,
  own?: NodeJS.ProcessEnv,
): Promise<Controls> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const label = (name: string) => stack.a.inspect(`{{index .Config.Labels "${LABEL}.${name}"}}`);
  const project = await label('project');
  const names = {
    a: await label('service'),
    b: await stack.b.inspect(`{{index .Config.Labels "${LABEL}.service"}}`),
  };
  const ids: Record<Name, string> = { a: await stack.a.id(), b: await stack.b.id() };
  let networks = Object.keys(await stack.a.names());
  const containerOfA = (await stack.a.inspect('{{.Name}}')).slice(1);
  const compose = (command: string, name: Name) =>
    `docker compose -p ${quoted(project)} ${command} ${quoted(names[name])}`;

  let standIn: StandIn | undefined;

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
      isReplaced: false,
      note: isStopped ? `exit code ${State.ExitCode}` : '',
    };
  }

  const absent = (name: Name): Sight => {
    return { state: 'stopped', life: '', url: stack[name].url, isCutOff: false, isReplaced: false, note: 'removed' };
  };

  async function look() {
    const all = await dockerode.listContainers({ all: true, filters: { label: [`${LABEL}.project=${project}`] } });
    const isOwn = ({ Labels }: (typeof all)[number]) => Labels[`${LABEL}.oneoff`] !== 'True';
    for (const name of ['a', 'b'] as const) {
      const container = all.find((each) => isOwn(each) && each.Labels[`${LABEL}.service`] === names[name]);
      if (container) ids[name] = container.Id; // another one, when it was recreated
    }
    const isReplaced = all.some((each) => {
      const isInPlace = each.Names[0] === `/${project}-stand-in` || each.Labels[`${LABEL}.service`] === names.a;
      return isInPlace && each.State === 'running' && each.Id !== ids.a;
    });
    const [a, b] = await Promise.all((['a', 'b'] as const).map((name) => sight(name).catch(() => absent(name))));
    return { a: { ...a!, isReplaced: isReplaced && a!.state === 'stopped' }, b: b! };
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

  function commands(behaviour: string) {
    const node = `node --input-type=module-typescript --eval "$(cat e2e/stack/stand-in.ts)"`;
    const all = networks.map(quoted);
    const standIn = quoted(`${project}-stand-in`);
    const [mark, alias, container] = [`${LABEL}.project=${project}`, names.a, containerOfA].map(quoted);
    return {
      'stop-a': compose('stop', 'a'),
      'start-a': compose('start', 'a'),
      'pause-a': compose('pause', 'a'),
      'resume-a': compose('unpause', 'a'),
      'kill-a': compose('kill', 'a'),
      'restart-a': compose('restart', 'a'),
      'cut-a': all.map((network) => `docker network disconnect ${network} ${container}`).join(' && '),
      'reconnect-a': all
        .map((network) => `docker network connect --alias ${alias} ${network} ${container}`)
        .join(' && '),
      'replace-a': `${compose('kill', 'a')}; docker run --detach --name ${standIn} --label ${mark} --network ${all[0]} --network-alias ${alias} --env PORT=8080 --env BEHAVIOUR=${behaviour} node:26-trixie-slim ${node}`,
      'put-back-a': `docker rm --force ${standIn}; ${compose('start', 'a')}`,
      'stop-b': compose('stop', 'b'),
      'start-b': compose('start', 'b'),
      'kill-b': compose('kill', 'b'),
    };
  }

  async function each(list: string[], command: (network: string) => string[]) {
    for (const network of list) await docker(['network', ...command(network)]);
  }

  const controls: Controls = {
    stack,
    title,
    lacks: '',
    look,
    watch,
    follow,
    commands,
    cut: () => each(networks, (network) => ['disconnect', network, containerOfA]),
    reconnect: () => each(networks, (network) => ['connect', '--alias', names.a, network, containerOfA]),
    async replace(behaviour) {
      standIn = await stack.replaceA(behaviour);
    },
    async putBack() {
      await standIn?.putBack();
    },
    restart: () => docker(['compose', '-p', project, 'restart', names.a]),
  };
  if (!own) return controls;
  // The ports may be others than the gallery's, too.
  const ownName = (command: string) =>
    command
      .replaceAll(GALLERY_NAME, project)
      .replaceAll('localhost:8080', `localhost:${new URL(stack.a.url).port}`)
      .replaceAll('localhost:8081', `localhost:${new URL(stack.b.url).port}`);
  return {
    ...controls,
    own: ownName,
    async type(command) {
      const shell = spawn('bash', ['-c', ownName(command)], {
        cwd: ROOT,
        env: { ...process.env, ...own },
        timeout: TYPE_MS,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [out, err] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'close')]);
      if (shell.exitCode !== 0) throw new Error(err.trim().split('\n').at(-1));
      return out.trim();
    },
  };
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
