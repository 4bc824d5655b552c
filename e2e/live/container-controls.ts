import { faultOf, type ContainerNames } from '../experiment/faults.ts';
import type { Name } from '../experiment/history.ts';
import { engineApi, followChanges } from '../stack/docker/api.ts';
import { BASE_IMAGE, listenersInside, namesOf } from '../stack/docker/engine.ts';
import type { ContainerService } from '../stack/docker/container-service.ts';
import { ownerOption } from '../stack/docker/owner.ts';
import { paste, translation } from '../docs/shell.ts';
import type { Stack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';
import { until } from '../stack/until.ts';
import { behaviourIn, type Controls, type Status } from './controls.ts';

const LABEL = 'com.docker.compose';
const IN_FILE = 'docker compose -f docker-compose.yml'; // the gallery types this where it merges another file into it

export type ContainerStack = Stack & { a: ContainerService; b: ContainerService };

/** Controls a pair in containers. For this repository's own pair, `ownCompose` begins the commands: Compose with the file of the pair. */
export async function containerControls(stack: ContainerStack, title: string, ownCompose?: string): Promise<Controls> {
  const engine = await engineApi();
  const [a, b] = [await stack.a.inspect(), await stack.b.inspect()];
  const project = a.Config.Labels[`${LABEL}.project`]!;
  const names = { a: a.Config.Labels[`${LABEL}.service`]!, b: b.Config.Labels[`${LABEL}.service`]! };
  const ids: Record<Name, string> = { a: a.Id, b: b.Id };
  const aliases = namesOf(a);
  let networks = Object.keys(aliases);
  const standIn = `${project}-stand-in`;
  const compose = ownCompose ?? stack.a.command;

  /** `fake` is the behaviour of the stand-in, if one replaces the service. */
  async function status(name: Name, fake?: string): Promise<Status> {
    const seen = await engine
      .getContainer(ids[name])
      .inspect()
      .catch(() => undefined);
    if (!seen) return { state: 'stopped', life: '', url: stack[name].url, isCutOff: false, fake, note: 'removed' };
    const { Id, State, NetworkSettings } = seen;
    const [published] = Object.values(NetworkSettings.Ports ?? {}).flatMap((bindings) => bindings ?? []);
    if (published) stack[name].url = `http://127.0.0.1:${published.HostPort}`;
    const attached = Object.keys(NetworkSettings.Networks);
    if (name === 'a' && attached.length > 0) networks = attached;
    return {
      state: !State.Running ? 'stopped' : State.Paused ? 'paused' : 'running',
      life: `${Id} ${State.StartedAt}`,
      url: stack[name].url,
      isCutOff: attached.length === 0,
      fake: State.Running ? undefined : fake,
      note: !State.Running ? `exit code ${State.ExitCode}` : published ? '' : 'no port on this host',
    };
  }

  async function poll() {
    const all = await engine.listContainers({ all: true, filters: { label: [`${LABEL}.project=${project}`] } });
    const fake = all.find(({ Names }) => Names[0] === `/${standIn}`);
    for (const name of ['a', 'b'] as const) {
      const own = all.filter((each) => each.Labels[`${LABEL}.service`] === names[name] && each !== fake);
      const [oneOffs, others] = [own.filter(isOneOff), own.filter((each) => !isOneOff(each))];
      // A container that `docker compose run` started as a replacement is A, too; a recreated one is another container.
      const container = oneOffs.find(({ State }) => State === 'running') ?? others[0];
      if (container) ids[name] = container.Id;
    }
    const isFaked = fake?.State === 'running';
    const behaviour = isFaked ? behaviourIn((await engine.getContainer(fake.Id).inspect()).Config.Env) : undefined;
    const [a, b] = await Promise.all([status('a', behaviour), status('b')]);
    return { a, b };
  }

  /** Whether others can know a name: a name that contains the project's own name is not known to them. */
  const isKnown = (alias: string) => !alias.startsWith(project) && !a.Id.startsWith(alias);
  /** Compose runs our stand-in from A's own image and gives it A's names; the image of another pair may have no Node. */
  function standInOf([first]: ContainerNames['networks']): ContainerNames['standIn'] {
    const name = quoted(standIn);
    if (ownCompose) return { name, run: `${compose} run --detach --no-deps --use-aliases`, image: names.a };
    const labels = ['--label', `${LABEL}.project=${project}`, ...ownerOption].map(quoted);
    const place = ['--network', first!.name, ...first!.aliases.flatMap((alias) => ['--network-alias', alias])];
    const run = ['docker run --detach', ...labels, '--env', `PORT=${stack.a.port}`, ...place].join(' ');
    return { name, run, image: BASE_IMAGE };
  }
  function command(fault: string, behaviour: string) {
    const all = networks.map((name) => {
      return { name: quoted(name), aliases: (aliases[name] ?? [names.a]).filter(isKnown).map(quoted) };
    });
    const own = { compose, a: quoted(names.a), b: quoted(names.b), container: quoted(a.Name.slice(1)) };
    return faultOf(fault)?.containers?.({ ...own, networks: all, standIn: standInOf(all) }, behaviour);
  }
  const isFakeListening = async () => (await listenersInside(standIn)).some(({ port }) => port === stack.a.port);

  const controls: Controls = {
    stack,
    title,
    lacks: '',
    poll,
    watch: followChanges,
    follow: (name, onLine) => stack[name].follow(onLine, () => ids[name]),
    command,
    async run(fault, behaviour) {
      await type(command(fault, behaviour)!);
      const { target, during } = faultOf(fault)!;
      if (fault === 'replace-a') await until('the stand-in for service A', isFakeListening);
      else if (during === 'starting') await stack[target].start(); // it has been started; this waits for it
    },
  };
  if (!ownCompose) return controls;
  const [portA, portB] = [new URL(stack.a.url).port, new URL(stack.b.url).port];
  const { own, told } = translation(portA, portB, project);
  return {
    ...controls,
    own: (commands) =>
      own(commands)
        .replaceAll(IN_FILE, 'docker compose')
        .replaceAll('docker compose', () => compose),
    told: (text) => told(text.replaceAll(`${compose} -f`, `${IN_FILE} -f`).replaceAll(compose, 'docker compose')),
    type,
  };
}

const isOneOff = ({ Labels }: { Labels: Record<string, string> }) => Labels[`${LABEL}.oneoff`] === 'True';

/**
 * Types commands into a shell in the repository's folder. Rejects with the output of the last one if that failed. Compose
 * would prefer a project name from the environment to the one in the file.
 */
const type = (commands: string) => paste(commands, { env: { ...process.env, COMPOSE_PROJECT_NAME: undefined } }, true);
