/** Finds the pair in a folder that was handed in: which program is A, which is B, how they are started, and on which ports. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parse } from 'yaml';
import { quoted } from '../stack/shell.ts';
import type { PairOptions } from './options.ts';
import { Ungradable } from './ungradable.ts';
import { isMade } from './sources.ts';

/** A file of the folder, by its path in it, with slashes. */
export interface File {
  path: string;
  text: string;
}

/** The pair that was found, as options of the grade, and one sentence that describes it. */
export interface Found {
  options: PairOptions;
  said: string;
}

/** Compose looks for these names in this order. */
const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];
const MAX_FILES = 2000;
const MAX_BYTES = 256 * 1024;
const MAX_ALL_BYTES = 64 * 1024 * 1024;

/** The languages whose programs are known, by the ending of their files, with the command that starts one. */
const LANGUAGES: Record<string, { name: string; start: (file: string) => string }> = {
  '.py': { name: 'Python', start: (file) => `python3 ${file}` },
  '.js': { name: 'Node', start: (file) => `node ${file}` },
  '.mjs': { name: 'Node', start: (file) => `node ${file}` },
  '.cjs': { name: 'Node', start: (file) => `node ${file}` },
  '.ts': { name: 'TypeScript', start: (file) => `node ${file}` },
  '.go': { name: 'Go', start: (file) => `go run ${file}` },
  '.rb': { name: 'Ruby', start: (file) => `ruby ${file}` },
  '.java': { name: 'Java', start: (file) => `java ${file}` },
  '.php': { name: 'PHP', start: (file) => `php -S 0.0.0.0:"$PORT" ${file}` },
};

const USUAL_PORTS = { a: 8080, b: 8081 };

/**
 * The folder's own files of at most 256 KiB each, without what a build makes: the first 2,000 of them, or 64 MiB. No link is
 * followed.
 */
export function filesIn(folder: string): File[] {
  const files: File[] = [];
  let bytes = 0;
  const look = (under: string) => {
    const entries = readdirSync(join(folder, under), { withFileTypes: true });
    if (entries.some(({ name }) => name === 'pyvenv.cfg')) return; // what Python installed
    for (const entry of entries) {
      const path = posix.join(under, entry.name);
      if (isMade(entry.name) || files.length >= MAX_FILES || bytes > MAX_ALL_BYTES) continue;
      if (entry.isDirectory()) look(path);
      if (!entry.isFile()) continue;
      const { size } = statSync(join(folder, path));
      if (size > MAX_BYTES) continue;
      bytes += size;
      files.push({ path, text: readFileSync(join(folder, path), 'utf8') });
    }
  };
  look('');
  return files;
}

interface Program {
  file: File;
  language: (typeof LANGUAGES)[string];
}

/**
 * Finds the pair in a folder with these files: a Compose file with two services, or two programs, B with a route /call-echo
 * and A with /echo. Returns its options. Throws an `Ungradable` that says what was seen and which options to give when that is not
 * clear. What the programs need is installed only where they are isolated.
 */
export function findPair(files: File[], isIsolated = false): Found {
  const programs = files.flatMap((file): Program[] => {
    const language = LANGUAGES[posix.extname(file.path)];
    return language && !IS_TEST.test(file.path) && LISTENS.test(file.text) ? [{ file, language }] : [];
  });
  const compose = composeIn(files, programs.length > 0);
  if (compose) return compose;

  const ofB = programs.filter(({ file }) => ROUTE_OF_B.test(file.text));
  const ofA = programs.filter((program) => !ofB.includes(program) && ROUTE_OF_A.test(program.file.text));
  // Where a route is missing, the name decides; the checks then find that it is missing.
  const a = only(ofA, 'a') ?? (ofA.length === 0 ? only(without(programs, ofB), 'a') : undefined);
  const b = only(ofB, 'b') ?? (ofB.length === 0 && a ? only(without(programs, [a]), 'b') : undefined);
  if (!a || !b)
    throw new Ungradable(
      `${whatWasSeen(files, programs, ofA, ofB)} Give --compose, or --a and --b with --a-dir and --b-dir.`,
    );
  const ports = portsOf(a.file.text, b.file.text);
  const own = isIsolated ? needsOf([a, b], files) : [];
  const [startA, startB] = [startOf(a, b, files, own), startOf(b, a, files, own)];
  const languages = [...new Set([a.language.name, b.language.name])].join(' and ');
  return {
    options: {
      ...{ a: startA.command, 'a-dir': startA.dir, b: startB.command, 'b-dir': startB.dir },
      ...(own.length > 0 && { setup: own.map(({ setup }) => setup).join(' && ') }),
      ...(ports.a !== USUAL_PORTS.a && { 'a-url': `http://127.0.0.1:${ports.a}` }),
      ...(ports.b !== USUAL_PORTS.b && { 'b-url': `http://127.0.0.1:${ports.b}` }),
    },
    said: `${languages}, ${a.file.path} and ${b.file.path}; ports ${ports.a}, ${ports.b}${own.map(({ file }) => `; installs ${file}`).join('')}`,
  };
}

/**
 * The Compose file that has a pair: under its usual names, or under others where it is clear which is which. One without two
 * services is for something else, where there are programs.
 */
function composeIn(files: File[], hasPrograms: boolean): Found | undefined {
  const all = files
    .filter(({ path }) => COMPOSE_FILES.includes(posix.basename(path)))
    .toSorted((one, other) => rankOf(one) - rankOf(other))
    .map(({ path, text }) => ({ path, ...servicesIn(text) }));
  const found = all.find(({ a, b }) => a && b) ?? all.find(({ count }) => count > 1 || !hasPrograms);
  if (!found) return;
  const { path: compose, a, b } = found;
  if (!a || !b || a === 'service-a') return { options: { compose }, said: `Compose file ${compose}` };
  return {
    options: { compose, 'a-service': a, 'b-service': b },
    said: `Compose file ${compose}, services ${a} and ${b}`,
  };
}

/** Files in the folder itself come first, in the order of Compose. */
const rankOf = ({ path }: File) => (path.includes('/') ? 10 : 0) + COMPOSE_FILES.indexOf(posix.basename(path));

/**
 * Counts the services of a Compose file and finds A and B: by their names, or because one of two names the other. It finds
 * none in a file that is not YAML: Compose will say so when it runs.
 */
function servicesIn(text: string): { count: number; a?: string; b?: string } {
  try {
    const services: Record<string, unknown> = parse(text)?.services ?? {};
    const names = Object.keys(services);
    const count = names.length;
    if (names.includes('service-a') && names.includes('service-b')) return { count, a: 'service-a', b: 'service-b' };
    const [a, b] = [theOnly(names, (name) => nameOf('a').test(name)), theOnly(names, (name) => nameOf('b').test(name))];
    if ((a && b) || count !== 2) return { count, a, b };
    const caller = theOnly(names, (name) => {
      const other = names.find((one) => one !== name)!;
      return (
        JSON.stringify(services[name])
          .match(/[\w.-]+/g)
          ?.includes(other) ?? false
      );
    });
    return { count, a: caller && names.find((name) => name !== caller), b: caller };
  } catch {
    return { count: 0 };
  }
}

const without = (programs: Program[], others: Program[]) => programs.filter((program) => !others.includes(program));

/** A test beside the programs, by its name or its folder's. */
const IS_TEST = /(?:^|\/)(?:tests|__tests__|spec)\/|(?:^|[./_-])(?:test|tests|spec|conftest)(?:[._-][^/]*)?$/i;

const ROUTE_OF_B = /["'`/]call-echo\b|\bcall_?echo\b/i;
const ROUTE_OF_A = /["'`/]echo\b/i;
const LISTENS =
  /\blisten\w*\(|ListenAndServe|\.run\(|serve_forever|HTTPServer|uvicorn|app\.run|Sinatra|createServer|FastAPI\(|Flask\(|HttpServer|REQUEST_URI|WEBrick/i;

/** What names a service: `service-a/main.py`, `a.py`, `service_a`. */
const nameOf = (service: 'a' | 'b') => new RegExp(`(?:^|[/_-]|service|svc|app|server)${service}(?:[./_-]|$)`, 'i');

function theOnly<T>(all: T[], isOne: (one: T) => boolean): T | undefined {
  const found = all.filter(isOne);
  return found.length === 1 ? found[0] : undefined;
}

/** The only program, or the only one whose path names the service. */
const only = (programs: Program[], service: 'a' | 'b'): Program | undefined =>
  programs.length === 1 ? programs[0] : theOnly(programs, ({ file }) => nameOf(service).test(file.path));

function whatWasSeen(files: File[], programs: Program[], ofA: Program[], ofB: Program[]): string {
  if (files.length === 0) return 'The folder is empty.';
  const cut = files.length >= MAX_FILES ? ` among its first ${MAX_FILES} files` : '';
  if (programs.length === 0) return `The folder has no program that listens${cut}, and no Compose file.`;
  const list = (some: Program[], route: string) =>
    some.length > 0 ? some.map(({ file }) => file.path).join(', ') : `nothing with the route ${route}`;
  return `The pair cannot be told from its files${cut}: ${list(ofA, '/echo alone')} could be A, and ${list(ofB, '/call-echo')} could be B.`;
}

/**
 * How a program is started: by the script of a package.json that is its own, by the module where it is Go, by the command of a
 * framework that has the server, or as the file.
 */
function startOf(
  { file, language }: Program,
  other: Program,
  files: File[],
  own: Need[],
): { command: string; dir: string } {
  const dir = posix.dirname(file.path);
  const inDir = (name: string) => files.find(({ path }) => path === posix.join(dir, name));
  if (/Node|TypeScript/.test(language.name)) {
    const scripted = [dir, posix.dirname(dir)].find(
      (folder) =>
        !isIn(other.file.path, folder) &&
        files.some(({ path, text }) => path === posix.join(folder, 'package.json') && /"start"\s*:\s*"/.test(text)),
    );
    if (scripted) return { command: 'npm start', dir: scripted };
  }
  if (language.name === 'Go' && inDir('go.mod')) return { command: 'go run .', dir };
  const name = posix.basename(file.path);
  const isInVenv = language.name === 'Python' && own.some(({ file }) => file.endsWith(REQUIREMENTS));
  const python = isInVenv ? posix.join(posix.relative(dir, '.'), VENV, 'bin/python') : 'python3';
  const command =
    language.name === 'Python'
      ? `${python} ${ofFramework(file) ?? quoted(plain(name))}`
      : language.start(quoted(plain(name)));
  return { command, dir };
}

const isIn = (path: string, folder: string) => folder === '.' || path.startsWith(`${folder}/`);

/** A name that no program takes for an option. */
const plain = (name: string) => (name.startsWith('-') ? `./${name}` : name);

/** The arguments of Python for an application of Flask or FastAPI that does not start its server itself. */
function ofFramework({ path, text }: File): string | undefined {
  if (/\.run\(|serve/.test(text)) return;
  const module = posix.basename(path, '.py');
  const app = /^(\w+)\s*=\s*FastAPI\(/m.exec(text)?.[1];
  if (app) return `-m uvicorn ${quoted(`${module}:${app}`)} --port "$PORT"`;
  return /\bFlask\(/.test(text) ? `-m flask --app ${quoted(module)} run --port "$PORT"` : undefined;
}

/** The ports in the sources; the usual ports where a source reads its port from PORT, which the grader sets, or names none. */
function portsOf(textOfA: string, textOfB: string): { a: number; b: number } {
  const a = portIn(textOfA, 0) ?? USUAL_PORTS.a;
  const b = portIn(textOfB, a) ?? USUAL_PORTS.b;
  return { a, b };
}

const MAX_SOURCE_CHARS = 64 * 1024;
const LISTENING =
  /(?:\.listen\(\s*|\.run\([^()]{0,80}\bport\s*=\s*|HTTPServer\(\s*\(\s*["'][\w.]*["']\s*,\s*|ListenAndServe\(\s*"[^":]{0,20}:|\bAddr:\s*"[^":]{0,20}:)(\d{4,5}|[A-Za-z_]\w{0,40})/g;

/** The port of a call that listens, also by a constant's name, or else the only port in the text that is not `foreign`. */
function portIn(source: string, foreign: number): number | undefined {
  const text = source.slice(0, MAX_SOURCE_CHARS);
  if (/(?:environ|getenv|ENV|env)\b[^\w\n]{0,6}(?:get\(\s*["'])?\bPORT\b|Getenv\("PORT"\)/.test(text)) return;
  for (const [, value] of text.matchAll(LISTENING)) {
    const port = Number(value) || Number(new RegExp(`\\b${value}\\s*[:=]{1,2}\\s*(\\d{4,5})\\b`).exec(text)?.[1]);
    if (port) return port;
  }
  const said = [...text.matchAll(/\bport\w{0,20}["']?\s{0,3}[:=]\s{0,3}(\d{4,5})\b/gi)].map(([, port]) => Number(port));
  const others = [...new Set(said)].filter((port) => port !== foreign);
  return others.length === 1 ? others[0] : undefined;
}

/** A file that says what a program needs, and the command that installs it. */
interface Need {
  file: string;
  setup: string;
}

const REQUIREMENTS = 'requirements.txt';
const VENV = '.venv';

/** Finds what the programs need in files beside them, or in the folder itself. */
function needsOf(programs: Program[], files: File[]): Need[] {
  const folders = new Set(programs.flatMap(({ file }) => ['.', posix.dirname(file.path)]));
  const isThere = (path: string) => files.some((file) => file.path === path);
  return [...folders].flatMap((folder): Need[] => {
    const [python, node] = [REQUIREMENTS, 'package.json'].map((name) => posix.join(folder, name));
    return [
      ...(isThere(python!)
        ? [{ file: python!, setup: `python3 -m venv ${VENV} && ${VENV}/bin/pip install --quiet -r ${quoted(python!)}` }]
        : []),
      ...(isThere(node!) ? [{ file: node!, setup: `(cd ${quoted(folder)} && npm install --no-audit --no-fund)` }] : []),
    ];
  });
}
