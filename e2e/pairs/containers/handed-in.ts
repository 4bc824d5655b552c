/** Reads a Compose file that was handed in. A key that is not on a list here is refused, so that a new key of Compose cannot become a way out. */
import { execFile } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parseDocument, visit } from 'yaml';
import { leadsOut } from '../folder.ts';
import { Ungradable } from '../ungradable.ts';

const MAX_BYTES = 1024 * 1024;
const MAX_ENV_BYTES = 64 * 1024; // what one variable may have for a program is 128 KiB (execve(2))
const MAX_ALIASES = 100;

const words = (text: string) => text.split(' ');
const FILE = words('name version services networks volumes');
const SERVICE = [
  ...words('build cap_drop command container_name cpus depends_on deploy develop entrypoint env_file environment'),
  ...words('expose healthcheck hostname image init ipc labels links logging mem_limit networks pids_limit platform'),
  ...words('ports profiles pull_policy read_only restart security_opt stdin_open stop_grace_period stop_signal tmpfs'),
  ...words('tty user volumes working_dir'),
];
const BUILD = words('args context dockerfile dockerfile_inline labels no_cache platforms pull target');
const DEPLOY = words('mode replicas resources restart_policy');
const RESOURCES = words('cpus memory pids');
const NETWORK = words('driver internal labels name');
const VOLUME = words('driver labels name');
const ATTACHMENT = words('aliases priority');
/** The values that these keys may have. */
const VALUES: Record<string, unknown[]> = {
  driver: ['bridge', 'local'],
  ipc: ['none', 'private'],
  security_opt: ['no-new-privileges', 'no-new-privileges:true'],
};

type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

interface HandedIn {
  /** The file, as JSON that Compose reads, in which each variable has a name of its own, and none is the caller's. */
  content: string;
  /** The variables of the folder's `.env`, with these names. */
  variables: Record<string, string>;
}

/** A stranger's variables get other names: `DOCKER_CONFIG` or `PATH` would decide what Compose itself runs. */
const PREFIX = 'HANDED_IN_';
const prefixed = (text: string) =>
  text.replace(/\$(?:\$|\{?(?=[A-Za-z_]))/g, (start) => (start === '$$' ? start : start + PREFIX));

/**
 * What Compose makes of a file in `dir` whose paths are seen from `here`. It reads no `.env`, and gets `env` and nothing
 * else. Rejects with Compose's own `stderr`, in which a stranger's variables have their own names again.
 */
export async function composeConfig(file: string, here: string, dir: string, env: NodeJS.ProcessEnv): Promise<any> {
  const noEnv = join(dir, 'none.env');
  writeFileSync(noEnv, '');
  const place = ['--project-directory', here, '--env-file', noEnv, '--file', file];
  const options = { cwd: dir, env, maxBuffer: 64 * 1024 ** 2, timeout: 60_000 };
  try {
    const { stdout } = await promisify(execFile)(
      'docker',
      ['compose', ...place, 'config', '--format', 'json'],
      options,
    );
    return JSON.parse(stdout.replaceAll('$$', '$')); // it writes its answer so that it can read it again
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw stderr ? Object.assign(error as Error, { stderr: stderr.replaceAll(PREFIX, '') }) : error;
  }
}

/**
 * Reads `file`, in `folder`, for Compose to read from `dir`. Throws an `Ungradable` that names the key and the service of
 * what it may not say.
 */
export async function readHandedIn(file: string, folder: string, dir: string): Promise<HandedIn> {
  const expectFile = (path: string, maxBytes: number, what = path): string => {
    const outside = leadsOut(folder, path);
    if (outside) throw new Ungradable(`${what} is outside the folder that was handed in: it is ${outside}.`);
    const info = statSync(path, { throwIfNoEntry: false });
    if (!info?.isFile()) throw new Ungradable(`${path} is no file.`);
    if (info.size > maxBytes) throw new Ungradable(`${path} is longer than ${maxBytes / 1024} KiB.`);
    if (readFileSync(path).includes(0)) throw new Ungradable(`${path} is no text: it has a NUL.`);
    return path;
  };
  const content = fieldsOf(parse(file, readFileSync(expectFile(file, MAX_BYTES), 'utf8')));
  const services = Object.entries(fieldsOf(content.services)).map(
    ([name, fields]) => [name, fieldsOf(fields)] as const,
  );
  if (services.length === 0) throw new Ungradable(`${file} has no services.`);
  check(file, content);

  const here = dirname(file);
  const dotEnv = join(here, '.env');
  const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;
  const own = isThere(dotEnv) ? [expectFile(dotEnv, MAX_ENV_BYTES)] : [];
  const filesOf = (name: string, { env_file }: Fields): string[] =>
    listOf(env_file).flatMap((each) => {
      const { path, required } = typeof each === 'string' ? { path: each, required: true } : fieldsOf(each);
      const place = resolve(here, String(path));
      if (required === false && !isThere(place)) return [];
      return [expectFile(place, MAX_ENV_BYTES, `${file}: the service ${name}: env_file ${path}`)];
    });
  const [ofFolder, ...ofFiles] = await readVariables(
    own,
    services.map(([name, service]) => filesOf(name, service)),
    dir,
  );

  /** A list or a map of variables as a map; one without a value is the folder's own or none. */
  const variablesOf = (value: unknown): Fields => {
    const pairs = Array.isArray(value)
      ? value.map(String).map((text) => (text.includes('=') ? split(text) : ([text, null] as const)))
      : Object.entries(fieldsOf(value));
    return Object.fromEntries(
      pairs.flatMap(([name, value]) =>
        value !== null ? [[name, value]] : name in variables ? [[name, `\${${name}}`]] : [],
      ),
    );
  };
  const variables: Record<string, string> = { PWD: here, ...ofFolder };
  const confined = services.map(([name, { env_file, build, ...more }], index) => {
    const args = fieldsOf(build).args;
    const environment = { ...literal(ofFiles[index]!), ...variablesOf(more.environment) };
    return [name, { ...more, environment, build: args ? { ...fieldsOf(build), args: variablesOf(args) } : build }];
  });
  const asJson = (_key: string, value: unknown) => {
    if (typeof value === 'bigint') return (JSON as any).rawJSON(String(value)); // a number of any length as it is
    return typeof value === 'string' ? prefixed(value) : value;
  };
  const text = JSON.stringify({ ...content, services: Object.fromEntries(confined) }, asJson);
  if (text.length > 4 * MAX_BYTES)
    throw new Ungradable(`${file} is longer than 4 MiB with what its aliases stand for.`);
  return {
    content: text,
    variables: Object.fromEntries(Object.entries(variables).map(([name, value]) => [PREFIX + name, value])),
  };
}

/**
 * What Compose reads in the files with the folder's own variables, and then in each list of files, which may refer to those.
 * Compose takes such files for variables of a service here, and not of its own.
 */
async function readVariables(own: string[], lists: string[][], dir: string): Promise<Record<string, string>[]> {
  if ([own, ...lists].every((files) => files.length === 0)) return [own, ...lists].map(() => ({}));
  const services = [own, ...lists].flatMap((files, index) => [
    [`names-${index}`, { image: 'x', env_file: files }],
    [`values-${index}`, { image: 'x', env_file: [...own, ...files] }],
  ]);
  const file = join(dir, 'variables.json');
  writeFileSync(
    file,
    JSON.stringify({ services: Object.fromEntries(services) }, (_key, value) => escaped(value)),
  );
  const config = await composeConfig(file, dir, dir, {
    PATH: process.env.PATH,
    DOCKER_CONFIG: process.env.DOCKER_CONFIG,
  });
  return [own, ...lists].map((_, index) => {
    const values = config.services[`values-${index}`].environment ?? {};
    const names = Object.keys(config.services[`names-${index}`].environment ?? {});
    return Object.fromEntries(names.map((name) => [name, String(values[name] ?? '')]));
  });
}

/** A value in which Compose replaces no variable. */
export const escaped = (value: unknown) => (typeof value === 'string' ? value.replaceAll('$', '$$$$') : value);
const literal = (variables: Fields): Fields =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, escaped(value)]));

const split = (text: string): [string, string] => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];

function parse(file: string, text: string): unknown {
  try {
    const document = parseDocument(text, { merge: true, intAsBigInt: true });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    visit(document, {
      Alias(_key, alias, path) {
        if (path.includes(alias.resolve(document)!)) throw new Error(`*${alias.source} is part of what it stands for.`);
      },
    });
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new Ungradable(`${file} cannot be read: ${(error as Error).message.split('\n')[0]}`);
  }
}

function check(file: string, content: Fields) {
  const refuse = (what: string, where = ''): never => {
    throw new Ungradable(`${file} says ${what}${where}, which a file that is handed in may not; take it out.`);
  };
  const expectOnly = (fields: unknown, known: string[], where: string, path = '') => {
    for (const [key, value] of Object.entries(fieldsOf(fields))) {
      if (!known.includes(key) && !key.startsWith('x-') && value !== false) refuse(`${path}${key}`, where);
      const odd = listOf(value).find((each) => Object.hasOwn(VALUES, key) && !VALUES[key]!.includes(each));
      if (odd !== undefined) refuse(`${path}${key}: ${odd}`, where);
    }
  };
  expectOnly(content, FILE, '');
  for (const [kind, known] of [
    ['network', NETWORK],
    ['volume', VOLUME],
  ] as const) {
    for (const [name, fields] of Object.entries(fieldsOf(content[`${kind}s`]))) {
      if (fieldsOf(fields).external)
        throw new Ungradable(
          `${file} needs a ${kind} from elsewhere (${name} is external); let it have one of its own.`,
        );
      expectOnly(fields, known, ` of the ${kind} ${name}`);
    }
  }
  for (const [name, fields] of Object.entries(fieldsOf(content.services))) {
    const where = ` of the service ${name}`;
    const service = fieldsOf(fields);
    expectOnly(service, SERVICE, where);
    expectOnly(service.build, BUILD, where, 'build.');
    expectOnly(service.deploy, DEPLOY, where, 'deploy.');
    const { limits, reservations, ...more } = fieldsOf(fieldsOf(service.deploy).resources);
    expectOnly({ ...more, ...fieldsOf(limits), ...fieldsOf(reservations) }, RESOURCES, where, 'deploy.resources.');
    for (const each of Object.values(fieldsOf(service.networks))) expectOnly(each, ATTACHMENT, where, 'networks.');
  }
}
