import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sourcesOf } from './sources.ts';

describe("The sources in a student's folder", () => {
  let dir: string;
  let ada: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sources-'));
    ada = join(dir, 'ada');
    mkdirSync(join(ada, 'src'), { recursive: true });
    mkdirSync(join(dir, 'bob', 'src'), { recursive: true });
    writeFileSync(join(ada, 'src', 'app.py'), 'print()');
    writeFileSync(join(dir, 'bob', 'src', 'app.py'), 'print()');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  const identity = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_AUTHOR_NAME: 'x', GIT_AUTHOR_EMAIL: 'x@x' };
  const env = { ...process.env, ...identity, GIT_COMMITTER_NAME: 'x', GIT_COMMITTER_EMAIL: 'x@x' };
  const git = (folder: string, ...args: string[]) =>
    execFileSync('git', ['-C', folder, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  function commit(folder: string): string {
    git(folder, 'init', '--quiet');
    git(folder, 'add', '.');
    git(folder, 'commit', '--quiet', '--message', 'x');
    return git(folder, 'rev-parse', 'HEAD');
  }
  const refusal = (folder: string) => sourcesOf(folder).then(String, ({ message }: Error) => message);

  it('are known by the contents of all files, but for what a build makes', async () => {
    const before = await sourcesOf(ada);
    mkdirSync(join(ada, 'node_modules', 'x'), { recursive: true });
    writeFileSync(join(ada, 'node_modules', 'x', 'index.js'), 'x');
    writeFileSync(join(ada, 'app.log'), 'x');
    execFileSync('mkfifo', [join(ada, 'pipe')]);
    expect(await sourcesOf(ada))
      .to.deep.equal(before)
      .and.include({ files: 1, bytes: 7 });
    writeFileSync(join(ada, 'src', 'app.py'), 'PRINT()');
    expect((await sourcesOf(ada)).hash).not.to.equal(before.hash);
  });

  it('cannot be named when a name is not UTF-8, of a link in what a build makes, too', async () => {
    mkdirSync(join(ada, 'node_modules'));
    const name = Buffer.concat([Buffer.from(join(ada, 'node_modules', 'f')), Buffer.from([0xfc]), Buffer.from('r')]);
    symlinkSync(join(dir, 'bob'), name);
    expect(await refusal(ada)).to.equal('The name node_modules/f\ufffdr is not UTF-8; rename it.');
  });

  it('have the commit that their repository is at, also once its references are packed', async () => {
    const head = commit(ada);
    expect(await sourcesOf(ada)).to.include({ commit: head });
    git(ada, 'pack-refs', '--all');
    expect(await sourcesOf(ada)).to.include({ commit: head });
    git(ada, 'checkout', '--quiet', '--detach');
    expect(await sourcesOf(ada)).to.include({ commit: head });
  });

  it('run nothing that a repository inside of them is configured to run', async () => {
    const lib = join(ada, 'lib');
    mkdirSync(lib);
    writeFileSync(join(lib, 'file'), '');
    commit(lib);
    commit(ada); // with a gitlink to lib
    const made = join(dir, 'made');
    for (const folder of [ada, lib]) {
      git(folder, 'config', 'core.fsmonitor', `touch ${made}; false`);
      writeFileSync(join(folder, '.git', 'hooks', 'fsmonitor-watchman'), `#!/bin/sh\ntouch ${made}\n`, { mode: 0o755 });
    }
    await sourcesOf(ada);
    expect(existsSync(made)).to.equal(false);
    execFileSync('git', ['-C', ada, 'status'], { env, stdio: 'ignore' });
    expect(existsSync(made), 'Git itself runs it').to.equal(true);
  });

  const FOREIGN: Record<string, (head: string) => void> = {
    'a file instead of the folder .git': () =>
      writeFileSync(join(ada, '.git'), `gitdir: ${join(dir, 'bob', '.git')}\n`),
    'a HEAD that is no reference': () => {
      mkdirSync(join(ada, '.git'));
      writeFileSync(join(ada, '.git', 'HEAD'), 'ref: refs/heads/../../../../bob/.git/refs/heads/master');
    },
    'a HEAD that is a pipe': () => {
      mkdirSync(join(ada, '.git'));
      execFileSync('mkfifo', [join(ada, '.git', 'HEAD')]);
    },
  };
  it('have no commit of a repository that .git links to, also where that is not a part of them', async () => {
    commit(join(dir, 'bob'));
    symlinkSync('../bob/.git', join(ada, '.git'));
    expect((await sourcesOf(ada, [join(ada, 'src')])).commit).to.equal(undefined);
  });

  it('are refused with a part that is a link out of the folder', async () => {
    symlinkSync('../bob/src', join(ada, 'service-a'));
    const said = await sourcesOf(ada, [join(ada, 'service-a')]).catch(({ message }: Error) => message);
    expect(said).to.match(/service-a leads out of the folder, to \/.*\/bob\/src; name it as it is\.$/);
  });

  for (const [what, make] of Object.entries(FOREIGN)) {
    it(`have no commit of another repository, given ${what}`, async () => {
      make(commit(join(dir, 'bob')));
      expect((await sourcesOf(ada)).commit).to.equal(undefined);
    });
  }

  const LINKS: Record<string, string> = {
    lib: '../bob/src',
    'src/lib': '../../bob/src',
    node_modules: '../bob/src',
    '.git': '../bob/.git',
    later: '../bob/not-there-yet',
    'src/passwd': '/etc/passwd',
    'src/python3': '/usr/bin/env',
  };
  for (const [link, target] of Object.entries(LINKS)) {
    it(`are refused with a link ${link} to ${target}`, async () => {
      symlinkSync(target, join(ada, link));
      expect(await refusal(ada)).to.match(
        new RegExp(
          `^${link} is a link that leads out of the folder, to /.*; hand in the files themselves, or name the folder that holds them \\(--folder\\)\\.$`,
        ),
      );
    });
  }

  it('cannot be known with a link that has no end', async () => {
    symlinkSync('a-loop', join(ada, 'a-loop'));
    expect(await refusal(ada)).to.match(/a-loop leads through more than 255 symbolic links\.$/);
  });

  it('may link to each other, and to the Python of a virtual environment', async () => {
    mkdirSync(join(ada, '.venv', 'bin'), { recursive: true });
    writeFileSync(join(ada, '.venv', 'pyvenv.cfg'), '');
    const python = join(tmpdir(), `python3.${process.pid}`); // of the system, seen from the class
    writeFileSync(python, '');
    symlinkSync(python, join(ada, '.venv', 'bin', 'python3'));
    symlinkSync('python3', join(ada, '.venv', 'bin', '𝜋thon'));
    symlinkSync('src', join(ada, 'lib'));
    expect((await sourcesOf(ada)).files).to.equal(2); // what is in .venv is made
    rmSync(python);
  });
});
