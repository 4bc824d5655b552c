import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdtemp, readdir, readlink, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

/** What identifies the sources that were graded. */
export interface Sources {
  folders: string[];
  /** SHA-256 over the paths and contents of all files. */
  hash: string;
  files: number;
  /** Of the repository that the first folder is in; undefined when it is in none. */
  commit?: string;
  /** Whether the folders are as they are in that commit. */
  isClean?: boolean;
}

const run = promisify(execFile);
const MAX_FILES = 50_000;
const MAX_BYTES = 2 * 1024 ** 3;
/** What a build or a package manager makes out of the sources; left out where Git does not tell what belongs to them. */
const MADE =
  /^(?:\.git|node_modules|__pycache__|\.?venv|target|build|dist|bin|obj|\.gradle|\.pytest_cache|.*\.pyc|.*\.log)$/;

/** Of folders that are there. Rejects with a sentence when they hold too much to be somebody's sources. */
export async function sourcesOf(folders: string[]): Promise<Sources> {
  const hash = createHash('sha256');
  let [files, bytes] = [0, 0];
  let commit: string | undefined;
  let isClean: boolean | undefined;
  for (const folder of folders) {
    const repository = await Repository.of(folder);
    try {
      if (repository) {
        commit ??= repository.commit;
        isClean = (isClean ?? true) && (await repository.isClean());
      }
      const paths = repository ? await repository.files() : await filesIn(folder);
      for (const path of paths.sort()) {
        const file = join(folder, path);
        const info = await lstat(file).catch(() => undefined);
        if (!info?.isFile() && !info?.isSymbolicLink()) continue; // gone by now, or a pipe that would never end
        files++;
        bytes += info.size;
        if (files > MAX_FILES || bytes > MAX_BYTES)
          throw new Error(
            `The sources in ${folder} are more than ${MAX_FILES} files or 2 GiB; name the folder of the services.`,
          );
        hash.update(
          `${path}\0${info.isSymbolicLink() ? 'link' : info.mode & 0o100 ? 'program' : 'file'}\0${info.size}\0`,
        );
        if (info.isSymbolicLink()) hash.update(await readlink(file));
        else for await (const chunk of createReadStream(file)) hash.update(chunk);
      }
    } finally {
      await repository?.close();
    }
  }
  return { folders, hash: hash.digest('hex'), files, commit, isClean };
}

async function filesIn(folder: string, under = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(folder, under), { withFileTypes: true })) {
    if (MADE.test(entry.name)) continue;
    const path = join(under, entry.name);
    if (entry.isDirectory()) found.push(...(await filesIn(folder, path)));
    else found.push(path);
    if (found.length > MAX_FILES) break;
  }
  return found;
}

/**
 * A stranger's Git repository, looked at without its own configuration: that can name programs that `git status` runs
 * (`core.fsmonitor`, filters). So a second, empty repository borrows its objects.
 */
class Repository {
  readonly commit: string;
  readonly #git: (...args: string[]) => Promise<string>;
  readonly #dir: string;
  readonly #folder: string;

  private constructor(commit: string, folder: string, git: (...args: string[]) => Promise<string>, dir: string) {
    this.commit = commit;
    this.#folder = folder;
    this.#git = git;
    this.#dir = dir;
  }

  static async of(folder: string): Promise<Repository | undefined> {
    const ask = async (...args: string[]) =>
      (
        await run('git', ['-c', 'safe.directory=*', '-C', folder, 'rev-parse', ...args], { env: GIT_ENV })
      ).stdout.trim();
    let [top, commit, objects, format] = ['', '', '', ''];
    try {
      top = await ask('--show-toplevel');
      commit = await ask('--verify', 'HEAD^{commit}');
      objects = await ask('--path-format=absolute', '--git-path', 'objects');
      format = await ask('--show-object-format');
    } catch {
      return; // no repository, one without a commit, or no Git
    }
    const dir = await mkdtemp(join(tmpdir(), 'sources-'));
    const env = { ...GIT_ENV, GIT_DIR: dir, GIT_WORK_TREE: top, GIT_ALTERNATE_OBJECT_DIRECTORIES: objects };
    const git = async (...args: string[]) =>
      (await run('git', args, { cwd: folder, env, maxBuffer: 64 * 1024 ** 2 })).stdout;
    const repository = new Repository(commit, folder, git, dir);
    try {
      await run('git', ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, dir], {
        env: GIT_ENV,
      });
      await git('update-ref', '--no-deref', 'HEAD', commit);
      await git('read-tree', commit);
      // A folder that the repository ignores or has never seen is no part of it.
      if ((await git('ls-files', '-z', '--cached', '--', '.')) !== '') return repository;
    } catch (error) {
      await repository.close();
      throw error;
    }
    await repository.close();
    return;
  }

  /** Those in the folder that are tracked, or that Git would add; with those of repositories inside it. */
  async files(): Promise<string[]> {
    const names = await this.#git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', '.');
    const found = new Set<string>();
    for (const name of names.split('\0').filter(Boolean)) {
      const isFolder = (await lstat(join(this.#folder, name)).catch(() => undefined))?.isDirectory();
      for (const file of isFolder ? await filesIn(this.#folder, name) : [name]) found.add(file);
    }
    return [...found];
  }

  async isClean(): Promise<boolean> {
    return (await this.#git('status', '--porcelain', '--untracked-files=normal', '--', '.')) === '';
  }

  async close() {
    await rm(this.#dir, { recursive: true, force: true });
  }
}

const GIT_ENV = {
  PATH: process.env.PATH,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  LC_ALL: 'C',
};

/** The folders without those inside another, so that no file counts twice. */
export async function outermost(folders: string[]): Promise<string[]> {
  const real = [...new Set(await Promise.all(folders.map((folder) => realpath(folder))))];
  return real.filter((folder) => !real.some((other) => other !== folder && !relative(other, folder).startsWith('..')));
}
