import { createHash } from 'node:crypto';
import { createReadStream, existsSync, type Dirent } from 'node:fs';
import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { leadsOut } from './folder.ts';
import { Ungradable } from './ungradable.ts';

/** What identifies the sources that were graded. */
export interface Sources {
  /** SHA-256 over the paths and contents of all files, without what a build makes. */
  hash: string;
  files: number;
  bytes: number;
  /** The commit that the folder's own repository says it is at; undefined when it has none. */
  commit?: string;
}

const MAX_FILES = 50_000;
const MAX_BYTES = 2 * 1024 ** 3;
const MAX_REFS_BYTES = 1024 * 1024;
/** What a build or a package manager makes out of the sources, as patterns of `tar --exclude`. */
export const MADE = [
  ...['.git', 'node_modules', '__pycache__', 'venv', '.venv', 'target', 'build', 'dist', 'obj', '.gradle'],
  ...['.pytest_cache', '*.pyc', '*.log'],
];
export const isMade = (name: string) =>
  MADE.some((made) => (made[0] === '*' ? name.endsWith(made.slice(1)) : name === made));

/**
 * Identifies what is in a folder, or in the parts of it that are given. It runs nothing of it, and reads nothing outside.
 * Throws an `Ungradable` for a link that leads out of it, for a name that is not UTF-8, and for more than 50,000 files or
 * 2 GiB.
 */
export async function sourcesOf(folder: string, parts = [folder]): Promise<Sources> {
  const hash = createHash('sha256');
  let [files, bytes] = [0, 0];
  for (const part of parts) {
    const place = leadsOut(folder, part);
    if (place) throw new Ungradable(`${part} leads out of the folder, to ${place}; name it as it is.`);
  }
  for (const top of await outermost(parts)) {
    for await (const { path, entry, isSource } of entriesIn(top)) {
      if (entry.isSymbolicLink()) await expectInside(folder, join(top, path));
      if (!isSource || !(entry.isFile() || entry.isSymbolicLink())) continue; // a pipe would never end
      const info = await lstat(join(top, path));
      if (++files > MAX_FILES || (bytes += info.size) > MAX_BYTES)
        throw new Ungradable(`${folder} holds more than ${MAX_FILES} files or 2 GiB; name the folder of the services.`);
      const kind = entry.isSymbolicLink() ? 'link' : info.mode & 0o100 ? 'program' : 'file';
      hash.update(`${path}\0${kind}\0${info.size}\0`);
      if (entry.isSymbolicLink()) hash.update(await readlink(join(top, path)));
      else for await (const chunk of createReadStream(join(top, path))) hash.update(chunk);
    }
  }
  return { hash: hash.digest('hex'), files, bytes, commit: await commitOf(await realpath(folder)) };
}

/** The folders without those inside another, so that no file counts twice. */
async function outermost(folders: string[]): Promise<string[]> {
  const real = [...new Set(await Promise.all(folders.map((folder) => realpath(folder))))];
  return real.filter((folder) => !real.some((other) => other !== folder && !leadsOut(other, folder)));
}

/** The bytes of a folder's files but for `.git`: of its sources alone, and with what a build has made. */
export async function sizeOf(folder: string): Promise<{ sources: number; all: number }> {
  const size = { sources: 0, all: 0 };
  for await (const { path, entry, isSource } of entriesIn(folder)) {
    if (!entry.isFile() || path.split(sep).includes('.git')) continue;
    const bytes = (await lstat(join(folder, path))).size;
    size.all += bytes;
    if (isSource) size.sources += bytes;
  }
  return size;
}

interface Found {
  /** Seen from the folder. */
  path: string;
  entry: Dirent;
  /** It is not what a build makes, and not inside of that. */
  isSource: boolean;
}

/** Everything in a folder, in the order of the names. Throws an `Ungradable` for a name that is not UTF-8. */
async function* entriesIn(top: string, under = '', isSource = true): AsyncGenerator<Found> {
  const entries = await readdir(join(top, under), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // It is no text, so that nothing here could name the file.
    if (entry.name.includes('\ufffd'))
      throw new Ungradable(`The name ${join(under, entry.name)} is not UTF-8; rename it.`);
    const found = { path: join(under, entry.name), entry, isSource: isSource && !isMade(entry.name) };
    yield found;
    if (entry.isDirectory()) yield* entriesIn(top, found.path, found.isSource);
  }
}

/** A virtual environment links to the Python that it was made with (from 3.14 on as 𝜋thon, too); no other link may lead out. */
async function expectInside(folder: string, link: string) {
  const target = leadsOut(folder, link);
  if (!target) return;
  const isPython = [link, target].every((path) => /^(?:python|𝜋thon)[\d.]*$/.test(basename(path)));
  if (isPython && existsSync(join(dirname(link), '..', 'pyvenv.cfg'))) return;
  const path = relative(await realpath(folder), link);
  throw new Ungradable(
    `${path} is a link that leads out of the folder, to ${target}; hand in the files themselves, or name the folder that holds them (--folder).`,
  );
}

/** The commit as the files of `.git` have it: Git itself would run what a stranger's configuration names. */
async function commitOf(top: string): Promise<string | undefined> {
  const read = async (...path: string[]) => {
    // A link, or a file where the folder `.git` should be, would lead to another repository.
    for (const [index] of path.entries()) {
      const info = await lstat(join(top, '.git', ...path.slice(0, index))).catch(() => undefined);
      if (!info?.isDirectory()) return '';
    }
    const file = join(top, '.git', ...path);
    const info = await lstat(file).catch(() => undefined);
    return info?.isFile() && info.size <= MAX_REFS_BYTES ? readFile(file, 'utf8') : '';
  };
  const isCommit = (text: string) => /^(?:[\da-f]{40}|[\da-f]{64})$/.test(text);
  const head = (await read('HEAD')).trim();
  if (isCommit(head)) return head;
  const name = /^ref: (refs\/heads\/[\w./+-]+)$/.exec(head)?.[1];
  if (!name || name.split('/').includes('..')) return;
  const loose = (await read(...name.split('/'))).trim();
  if (isCommit(loose)) return loose;
  const packed = (await read('packed-refs')).split('\n').map((line) => line.split(' '));
  return packed.find(([commit = '', ref]) => ref === name && isCommit(commit))?.[0];
}
