import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BASE_IMAGE } from '../../stack/docker/engine.ts';
import { NODE } from '../../stack/docker/program.ts';
import { GATE_PORTS, type Gate, type Place } from '../../stack/docker/containers.ts';
import { ownerLabel } from '../../stack/docker/owner.ts';
import { environmentOfDocker, NO_PROXY } from '../environment.ts';
import { leadsOut } from '../folder.ts';
import { composeConfig, escaped, readHandedIn } from './handed-in.ts';
import { Ungradable } from '../ungradable.ts';

const FORWARD = fileURLToPath(new URL('forward.ts', import.meta.url));
const GATE = 'two-services-gate';
const OUTSIDE = 'two-services-outside';

/** What is read of a Compose file, once Compose has resolved it. */
interface Config {
  name?: string;
  services: Record<string, Service>;
  networks?: Record<string, Named | null>;
  volumes?: Record<string, Named | null>;
}

interface Service {
  image?: string;
  build?: { context: string; dockerfile?: string; dockerfile_inline?: string; labels?: object; args?: object };
  container_name?: string;
  ports?: { target: number; published?: string; host_ip?: string }[];
  environment?: Record<string, string | null>;
  networks?: Record<string, unknown>;
  volumes?: Mount[];
  cap_drop?: string[];
  deploy?: { restart_policy?: object };
  [more: string]: unknown;
}

interface Mount {
  type: string;
  source?: string;
  target: string;
  read_only?: boolean;
}

type Named = Record<string, unknown>;

/** Limits what each service may use of the machine and may do. A flood of output must not fill the disk, either. */
const WALLS = {
  ...{ mem_limit: '1g', memswap_limit: '1g', pids_limit: 256, cpus: 1 },
  stop_grace_period: '10s', // as without it: the grader waits for a stop
  security_opt: ['no-new-privileges:true'],
  logging: { driver: 'json-file', options: { 'max-size': '16m', 'max-file': '1' } },
  labels: ownerLabel,
};
const DROPPED = ['MKNOD', 'NET_RAW'];
const MAX_SERVICES = 16;

/** A service as it was asked for: by its name and, unless the file shows it, the port in its container. */
export interface Asked {
  service: string;
  port: number | undefined;
  usualPort: number;
}

/** A Compose file that is fit to be run, where A and B are in it and, of a pair without a network outside, its gate. */
interface Prepared {
  file: string;
  places: [Place, Place];
  gate?: Gate;
}

/**
 * Writes into `dir` what Compose makes of the file that was handed in, in `folder`, changed so that it cannot meet anything
 * outside: Compose chooses every name and every port of the host, and each service has its walls. `isIsolated` also takes
 * the network outside from it. Throws an `Ungradable` when the file lacks a service or says what it may not.
 */
export async function prepareCompose(
  file: string,
  folder: string,
  dir: string,
  [a, b]: [Asked, Asked],
  isIsolated: boolean,
): Promise<Prepared> {
  const config = await resolved(file, folder, dir);
  const count = Object.keys(config.services).length;
  if (count > MAX_SERVICES) throw new Ungradable(`${file} has ${count} services; it may have ${MAX_SERVICES}.`);
  delete config.name;
  for (const kind of ['networks', 'volumes'] as const) {
    const all = Object.keys(config[kind] ?? {});
    config[kind] = Object.fromEntries(all.map((name) => [name, { labels: ownerLabel }]));
  }
  const places = [placeOf(config, a, file), placeOf(config, b, file)] as [Place, Place];
  const built = Object.values(config.services).filter(({ build }) => build);
  const builders = new Map(built.map(({ image, build }) => [image, build]));
  for (const [name, service] of Object.entries(config.services)) {
    if (service.image) service.build ??= builders.get(service.image);
    expectInside(service, folder, `${file}: the service ${name}`);
    if (service.volumes) service.volumes = mountsOf(service, folder);
    confine(service);
  }
  const gate = isIsolated ? await isolate(config, places) : undefined;
  const prepared = join(dir, 'compose.json');
  await writeFile(
    prepared,
    JSON.stringify(config, (_key, value) => escaped(value)),
  );
  return { file: prepared, places, gate };
}

async function resolved(file: string, folder: string, dir: string): Promise<Config> {
  const { content, variables } = await readHandedIn(file, folder, dir);
  const own = join(dir, 'handed-in.json');
  await writeFile(own, content);
  return await composeConfig(own, dirname(file), dir, { ...environmentOfDocker(), ...variables });
}

function expectInside({ build, volumes = [] }: Service, folder: string, who: string) {
  const expect = (path: string, what: string) => {
    const outside = isAbsolute(path) ? leadsOut(folder, path) : path; // Compose leaves a remote place as it is
    // Newer versions of Compose hand these to a build tool that evaluates them.
    if (/[$%]\{/.test(path)) throw new Ungradable(`${who} ${what} ${path}, whose name has \${ or %{; give it another.`);
    if (outside) throw new Ungradable(`${who} ${what} ${outside}, which is outside the folder that was handed in.`);
  };
  if (build) {
    expect(build.context, 'is built from');
    if (build.dockerfile_inline === undefined) {
      const dockerfile = resolve(build.context, build.dockerfile ?? 'Dockerfile');
      expect(dockerfile, 'is built by');
      const isFile = statSync(dockerfile, { throwIfNoEntry: false })?.isFile() ?? true; // Compose says what is missing
      if (!isFile) throw new Ungradable(`${who} is built by ${dockerfile}, which is no file.`);
    }
  }
  for (const volume of volumes) {
    if (!['bind', 'volume', 'tmpfs'].includes(volume.type))
      throw new Ungradable(`${who} mounts a ${volume.type}, which a file that is handed in may not; take it out.`);
    if (volume.type === 'bind') expect(volume.source!, 'mounts');
  }
}

/** The mounts without options of their own. What is written to a bind would be the host's, with any owner and any rights. */
function mountsOf({ volumes = [] }: Service, folder: string): Mount[] {
  for (const bind of volumes.filter(({ type }) => type === 'bind')) {
    for (const { type, source, target } of volumes) {
      const within = relative(bind.target, target);
      if (!within || within.startsWith('..')) continue;
      const place = join(bind.source!, within); // the engine cannot make it in a bind that is read-only
      if (leadsOut(folder, place) || lstatSync(place, { throwIfNoEntry: false })) continue;
      const isFile = type === 'bind' && statSync(source!, { throwIfNoEntry: false })?.isFile();
      mkdirSync(isFile ? dirname(place) : place, { recursive: true });
      if (isFile) writeFileSync(place, '', { flag: 'wx' });
    }
  }
  return volumes.map(({ type, source, target, read_only }) => ({
    ...{ type, target, read_only: type === 'bind' || read_only },
    ...(source !== undefined && { source }),
  }));
}

function confine(service: Service) {
  // A name for what is built could be that of an image which others use.
  if (service.build) delete service.image;
  if (service.build) service.build.labels = ownerLabel;
  // What builds keep for each other would be a way from one grade to another.
  if (service.build) service.build.args = { ...service.build.args, BUILDKIT_CACHE_MOUNT_NS: randomUUID() };
  delete service.container_name;
  const { restart_policy } = service.deploy ?? {};
  service.deploy = restart_policy && { restart_policy };
  for (const port of service.ports ?? []) {
    delete port.published;
    port.host_ip = '127.0.0.1';
  }
  service.cap_drop = [...new Set([...(service.cap_drop ?? []), ...DROPPED])];
  Object.assign(service, WALLS);
  // The engine's own proxy, with a password perhaps, is not for strangers; an empty variable is none.
  service.environment = { ...NO_PROXY, ...service.environment };
}

function placeOf({ services }: Config, { service, port, usualPort }: Asked, file: string): Place {
  const own = services[service];
  if (!own) {
    const advice = service.startsWith('service-') ? '; --a-service and --b-service name others' : '';
    const names = Object.keys(services).join(', ');
    throw new Ungradable(`${file} has no service named ${service}; it has ${names}${advice}.`);
  }
  const place = { service, port: port ?? portOf(own, usualPort) };
  own.ports ??= [];
  if (!own.ports.some(({ target }) => target === place.port)) own.ports.push({ target: place.port });
  // Python buffers what it prints where there is no terminal.
  own.environment = { PYTHONUNBUFFERED: '1', ...own.environment };
  return place;
}

/** The port in the container that the file publishes: the usual one, what is published as it, or the only one. */
function portOf({ ports = [] }: Service, usual: number): number {
  const own =
    ports.find(({ target }) => target === usual) ?? ports.find(({ published }) => published === String(usual));
  return (own ?? (ports.length === 1 ? ports[0] : undefined))?.target ?? usual;
}

/** Puts the services into networks that even this machine cannot reach, and adds a gate through which they are called. */
async function isolate(config: Config, [a, b]: [Place, Place]): Promise<Gate> {
  const inside = Object.keys(config.networks ?? {});
  const driver_opts = { 'com.docker.network.bridge.inhibit_ipv4': 'true' };
  for (const name of inside) config.networks![name] = { internal: true, driver_opts, labels: ownerLabel };
  for (const service of Object.values(config.services)) delete service.ports;
  const forward = [
    [GATE_PORTS.a, `${a.service}:${a.port}`],
    [GATE_PORTS.b, `${b.service}:${b.port}`],
  ];
  const program = await readFile(FORWARD, 'utf8');
  let [gate, outside] = [GATE, OUTSIDE];
  while (config.services[gate]) gate += '-';
  while (config.networks![outside]) outside += '-';
  config.networks![outside] = { labels: ownerLabel };
  config.services[gate] = {
    image: BASE_IMAGE,
    init: true,
    command: [...NODE, program],
    environment: { FORWARD: JSON.stringify(forward) },
    networks: Object.fromEntries([...inside, outside].map((name) => [name, null])),
    ports: Object.values(GATE_PORTS).map((target) => ({ target, host_ip: '127.0.0.1' })),
    ...WALLS,
  };
  return { service: gate, network: outside };
}
