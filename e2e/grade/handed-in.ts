/** Reads a Compose file that was handed in. What is not on a list here is refused, so that no new key of Compose's is a way out. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { leadsOut } from './folder.ts';
import { Ungradable } from './options.ts';

const MAX_BYTES = 1024 * 1024;
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

export interface HandedIn {
  /** The file, as JSON that Compose reads, in which each variable has a name of its own, and none is the caller's. */
  content: string;
  /** The folder's `.env`, with these names. */
  variables: string;
}

/** Variables of a stranger's get other names: `DOCKER_CONFIG` or `PATH` would decide what Compose itself runs. */
const PREFIX = 'HANDED_IN_';
const prefixed = (text: string) =>
  text.replace(/\$(?:\$|\{?(?=[A-Za-z_]))/g, (start) => (start === '$$' ? start : start + PREFIX));
/** A line of a file such as `.env`, as Compose reads it: what stands before the name, and the name. */
const ASSIGNMENT = /^(\s*(?:export\s+)?)([A-Za-z_][\w.-]*)(?=\s*[=:])/gm;

/**
 * Reads `file`, in `folder`, for Compose to read from `dir`. Throws an `Ungradable` that names the key and the service of
 * what it may not say.
 */
export function readHandedIn(file: string, folder: string, dir: string): HandedIn {
  const read = (path: string, what = path) => {
    const outside = leadsOut(folder, path);
    if (outside) throw new Ungradable(`${what} is outside the folder that was handed in: it is ${outside}.`);
    const info = statSync(path, { throwIfNoEntry: false });
    if (!info?.isFile()) throw new Ungradable(`${path} is no file.`);
    if (info.size > MAX_BYTES) throw new Ungradable(`${path} is longer than 1 MiB.`);
    return readFileSync(path, 'utf8');
  };
  const content = fieldsOf(parse(file, read(file)));
  if (Object.keys(fieldsOf(content.services)).length === 0) throw new Ungradable(`${file} has no services.`);
  check(file, content);
  const here = dirname(file);
  const own = statSync(join(here, '.env'), { throwIfNoEntry: false })?.isFile() ? read(join(here, '.env')) : '';
  const names = new Set(['PWD', ...[...own.matchAll(ASSIGNMENT)].map(([, , name]) => name)]);

  /** A list or a map of variables as a map; one without a value is the folder's own or none. */
  const variablesOf = (value: unknown): Fields => {
    const pairs = Array.isArray(value)
      ? value.map(String).map((text) => (text.includes('=') ? split(text) : ([text, null] as const)))
      : Object.entries(fieldsOf(value));
    return Object.fromEntries(
      pairs.flatMap(([name, value]) =>
        value !== null ? [[name, value]] : names.has(name) ? [[name, `\${${name}}`]] : [],
      ),
    );
  };
  let copies = 0;
  /** A copy of each file, as it might name the caller's variables, too. */
  const copiesOf = (value: unknown, who: string): string[] =>
    listOf(value).flatMap((each) => {
      const { path, required } = typeof each === 'string' ? { path: each, required: true } : fieldsOf(each);
      const place = resolve(here, String(path));
      if (required === false && !statSync(place, { throwIfNoEntry: false })) return [];
      const text = read(place, `${who}: env_file ${path}`);
      const known = new Set([...text.matchAll(ASSIGNMENT)].map(([, , name]) => name));
      const copy = join(dir, `${copies++}.env`);
      const isOwn = (line: string) => !/^\s*(?:export\s+)?[\w.-]+\s*$/.test(line) || known.has(line.trim());
      const lines = text.split('\n').filter(isOwn).join('\n');
      writeFileSync(
        copy,
        lines.replace(/\$\{?(\w+)/g, (all, name) => (known.has(name) ? all : prefixed(all))),
      );
      return [copy];
    });
  for (const [name, fields] of Object.entries(fieldsOf(content.services))) {
    const service = fieldsOf(fields);
    service.environment = variablesOf(service.environment);
    if (service.env_file !== undefined) service.env_file = copiesOf(service.env_file, `${file}: the service ${name}`);
    const build = fieldsOf(service.build);
    if (build.args) build.args = variablesOf(build.args);
  }
  const renamed = own.replace(ASSIGNMENT, (_, before, name) => before + PREFIX + name);
  const asJson = (_key: string, value: unknown) => {
    if (typeof value === 'bigint') return (JSON as any).rawJSON(String(value)); // a number of any length as it is
    return typeof value === 'string' ? prefixed(value) : value;
  };
  return {
    content: JSON.stringify(content, asJson),
    variables: prefixed(`PWD='${here}'\n`.replace('PWD', `${PREFIX}PWD`)) + prefixed(renamed),
  };
}

const split = (text: string): [string, string] => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)];

function parse(file: string, text: string): unknown {
  try {
    const document = parseDocument(text, { merge: true, intAsBigInt: true });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
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
      const odd = listOf(value).find((each) => VALUES[key] && !VALUES[key].includes(each));
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
