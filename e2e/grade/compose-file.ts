import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Place } from '../stack/containers.ts';
import { environmentOfDocker } from './environment.ts';
import { Ungradable } from './options.ts';

/** What is read of a Compose file, once Compose has resolved it. */
interface Config {
  name?: string;
  services: Record<string, Service>;
  networks?: Record<string, Named>;
  volumes?: Record<string, Named>;
  configs?: Record<string, Named>;
  secrets?: Record<string, Named>;
}

interface Service {
  container_name?: string;
  ports?: { target: number; published?: string; protocol?: string; mode?: string; host_ip?: string }[];
  environment?: Record<string, string | null>;
  [more: string]: unknown;
}

interface Named {
  name?: string;
  external?: boolean;
}

// Python keeps what it prints to itself when nobody seems to watch; and a flood of output must not fill the disk.
const GRADED = { logging: { driver: 'json-file', options: { 'max-size': '16m' } } };

/** A service as it was asked for: by its name and, unless the file shows it, the port in its container. */
export interface Asked {
  service: string;
  port: number | undefined;
  usualPort: number;
}

/**
 * The configuration that Compose reads from somebody's file, made to meet nothing outside: every name, and every port of
 * the host, is left to Compose. Throws an `Ungradable` when the file lacks a service or needs what is not its own.
 */
export async function composeConfig(
  file: string,
  a: Asked,
  b: Asked,
): Promise<{ config: string; places: [Place, Place] }> {
  const args = ['compose', '--file', file, 'config', '--format', 'json'];
  const options = { cwd: dirname(file), env: environmentOfDocker(), maxBuffer: 64 * 1024 * 1024, timeout: 60_000 };
  const { stdout } = await promisify(execFile)('docker', args, options);
  const config: Config = JSON.parse(stdout);
  delete config.name;
  for (const kind of ['networks', 'volumes', 'configs', 'secrets'] as const) {
    for (const [key, named] of Object.entries(config[kind] ?? {})) {
      if (named?.external) {
        const what = kind.slice(0, -1);
        throw new Ungradable(
          `${file} needs a ${what} from elsewhere (${key} is external); let it have one of its own.`,
        );
      }
      delete named?.name;
    }
  }
  const services = Object.keys(config.services);
  const places = [a, b].map(({ service, port, usualPort }) => {
    const own = config.services[service];
    if (!own) {
      const advice = service.startsWith('service-') ? '; --a-service and --b-service name others' : '';
      throw new Ungradable(`${file} has no service named ${service}; it has ${services.join(', ')}${advice}.`);
    }
    const place = { service, port: port ?? portOf(own, usualPort) };
    own.ports ??= [];
    if (!own.ports.some(({ target }) => target === place.port)) own.ports.push({ target: place.port });
    own.environment = { PYTHONUNBUFFERED: '1', ...own.environment };
    Object.assign(own, GRADED);
    return place;
  });
  for (const service of Object.values(config.services)) {
    delete service.container_name;
    for (const port of service.ports ?? []) {
      delete port.published;
      port.host_ip = '127.0.0.1';
    }
  }
  return { config: JSON.stringify(config), places: places as [Place, Place] };
}

/** The port in the container that the file publishes: the usual one, what is published as it, or the only one. */
function portOf({ ports = [] }: Service, usual: number): number {
  const own =
    ports.find(({ target }) => target === usual) ?? ports.find(({ published }) => published === String(usual));
  return (own ?? (ports.length === 1 ? ports[0] : undefined))?.target ?? usual;
}
