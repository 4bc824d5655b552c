import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import { docker } from '../../stack/docker/engine.ts';
import { describeWithDocker } from '../../stack/docker/describe-with-docker.ts';
import { sourcesOf } from '../../pairs/sources.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const PROJECT = `hostile-class-${process.pid}`;
const LONG_SLEEP = `sleep 9${process.pid}`;
const IMAGE = 'node:26-trixie-slim';
const EXIT = { a: "node -e 'process.exit(3)'", b: "node -e 'process.exit(3)'" };

/** Tries to connect to each `host:port`, says how each attempt went, and exits with 3. */
const reach = (places: string[]) => `
  const { connect } = require('node:net');
  const attempt = (place) => new Promise((resolve) => {
    const [host, port] = place.split(':');
    const done = (how) => resolve(place + ' ' + how);
    connect({ host, port, timeout: 500 }, () => done('reached')).on('timeout', () => done('silent')).on('error', ({ code }) => done(code));
  });
  Promise.all(${JSON.stringify(places)}.map(attempt)).then((all) => { console.log(all.join(', ')); process.exit(3); });`;

describeWithDocker('A class of hostile rows, graded in isolation, two at a time', function () {
  this.timeout(300_000);
  let dir: string;
  let marker: string;
  let reasons: Record<string, string>;
  let code: number;
  const server = createServer((socket) => socket.end('secret'));
  /** What is in the engine of this class; its project is in each name. */
  const objects = async () => {
    const kinds = [
      ['ps', '--all', '--filter', `name=${PROJECT}`],
      ['network', 'ls', '--filter', `name=${PROJECT}`],
      ['volume', 'ls', '--filter', `name=${PROJECT}`],
      ['image', 'ls', '--filter', `reference=${PROJECT}*`],
    ];
    const lists = await Promise.all(kinds.map((kind) => docker([...kind, '--quiet'])));
    return lists.flatMap((list) => list.split('\n').filter(Boolean));
  };
  const bob = async () => (await sourcesOf(join(dir, 'bob'))).hash;
  let bobBefore: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hostile-class-'));
    marker = join(dir, 'marker');
    await once(server.listen(0, '0.0.0.0'), 'listening');
    const { port } = server.address() as AddressInfo;
    const gateway = await docker(['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'bridge']);
    const host = `${gateway}:${port}`;

    const write = (id: string, files: Record<string, string>) => {
      mkdirSync(join(dir, id), { recursive: true });
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(dir, id, name)), { recursive: true });
        writeFileSync(join(dir, id, name), content, { mode: 0o755 });
      }
    };
    const compose = (ofA: object, more: object = {}) => ({
      'compose.yaml': JSON.stringify({
        services: {
          'service-a': { image: IMAGE, command: 'false', ...ofA },
          'service-b': { image: IMAGE, command: 'false' },
        },
        ...more,
      }),
    });
    const touch = `#!/bin/sh\ntouch ${marker}\n`;

    write('bob', { 'src/app.mjs': 'x', Dockerfile: `FROM ${IMAGE}\n` });
    write('git', { 'lib/file': '' });
    const identity = {
      GIT_AUTHOR_NAME: 'x',
      GIT_AUTHOR_EMAIL: 'x@x',
      GIT_COMMITTER_NAME: 'x',
      GIT_COMMITTER_EMAIL: 'x@x',
    };
    for (const folder of [join(dir, 'git', 'lib'), join(dir, 'git')]) {
      const git = (...args: string[]) =>
        execFileSync('git', ['-C', folder, ...args], { env: { ...process.env, ...identity }, stdio: 'ignore' });
      git('init', '--quiet');
      git('add', '.');
      git('commit', '--quiet', '--message', 'x');
      git('config', 'core.fsmonitor', `touch ${marker}; false`);
    }
    write('link', {});
    symlinkSync('../bob/src', join(dir, 'link', 'src'));
    write('neighbour', {});
    write('privileged', compose({ privileged: true }));
    const promisor = `[core]\nrepositoryformatversion = 1\nsshCommand = "touch ${marker}; false"
[extensions]\npartialClone = origin\n[remote "origin"]\nurl = ssh://x/y\npromisor = true\n`;
    const missing = {
      HEAD: 'ref: refs/heads/main\n',
      'refs/heads/main': `${'1'.repeat(40)}\n`,
      'objects/x': '',
      config: promisor,
    };
    write('plugin', {
      ...compose({ build: { context: '.', dockerfile_inline: `FROM ${IMAGE}\n` } }),
      ...{
        '.env': 'DOCKER_CONFIG=.\nPATH=.\nGIT_SSH_COMMAND=./git\n',
        'config.json': '{"cliPluginsExtraDirs": ["."]}',
      },
      ...{ 'docker-buildx': touch, 'cli-plugins/docker-buildx': touch, git: touch, docker: touch },
      ...Object.fromEntries(Object.entries(missing).map(([name, content]) => [`.git/${name}`, content])),
    });
    const places = [host, '1.1.1.1:443', 'host.docker.internal:80'];
    const tell = `console.log('token=[' + (process.env.SECRET_TOKEN ?? '') + ']');`;
    write('caller', compose({ environment: ['SECRET_TOKEN'], command: ['node', '-e', tell + reach(places)] }));
    write('setup', { 'reach.cjs': reach([host, '1.1.1.1:443', '127.0.0.1:9090']) });
    write('large', { 'file.bin': '' });
    truncateSync(join(dir, 'large', 'file.bin'), 600 * 1024 ** 2);
    write('killer', {});

    const rows: Record<string, Record<string, string>> = {
      ...{ git: EXIT, link: EXIT, neighbour: { ...EXIT, 'a-dir': '../bob' }, privileged: {}, plugin: {}, caller: {} },
      setup: { ...EXIT, setup: 'node reach.cjs' },
      large: EXIT,
      killer: { ...EXIT, a: `setsid ${LONG_SLEEP} & kill -9 $PPID 1; kill -9 -1; node` },
    };
    const columns = ['a', 'b', 'a-dir', 'setup'];
    const quoted = (cell = '') => `"${cell.replaceAll('"', '""')}"`;
    const lines = Object.entries(rows).map(([id, row]) =>
      [id, id, ...columns.map((name) => quoted(row[name]))].join(','),
    );
    writeFileSync(join(dir, 'class.csv'), `id,folder,${columns}\n${lines.join('\n')}\n`);

    bobBefore = await bob();
    const args = [MAIN, '--class', 'class.csv', '--out', 'report', '--isolate', '--jobs', '2', '--timeout', '1'];
    const env = { ...process.env, SECRET_TOKEN: 'secret', COMPOSE_PROJECT_NAME: PROJECT };
    const grader = spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'ignore', 'inherit'] });
    [code] = await once(grader, 'exit');
    const grades = parse<Record<string, string>>(readFileSync(join(dir, 'report', 'grades.csv')), { columns: true });
    reasons = Object.fromEntries(grades.map(({ id, reason }) => [id, reason!.replaceAll(dir, '')]));
  });

  after(() => {
    server.close();
    rmSync(dir, { recursive: true });
  });

  const REASONS: Record<string, RegExp> = {
    git: /^Neither service can be started: .* code 3/,
    link: /^src is a link that leads out of the folder, to \/bob\/src; hand in the files themselves, or name the folder that holds them \(--folder\)\.$/,
    neighbour: /\/bob/,
    privileged: /says privileged of the service service-a, which a file that is handed in may not; take it out\.$/,
    plugin: /^Neither service can be started/,
    caller:
      /it said: token=\[\] \S+ (?:ENETUNREACH|silent), 1\.1\.1\.1:443 (?:ENETUNREACH|silent), host\.docker\.internal:80 (?:ENOTFOUND|EAI_AGAIN)/,
    setup: /it said: \S+ ENETUNREACH, 1\.1\.1\.1:443 ENETUNREACH, 127\.0\.0\.1:9090 ECONNREFUSED$/,
    large: /holds 600 MiB; with --isolate, 512 MiB are copied at most/,
    killer: /^Neither service can be started/,
  };
  for (const [id, reason] of Object.entries(REASONS)) {
    it(`has the right reason for ${id}`, () => expect(reasons[id]).to.match(reason));
  }

  it('ends, and has graded none of them', () => expect(code).to.equal(1));

  it('leaves the files of its neighbours and of this machine as they were, and nothing running', async () => {
    expect(existsSync(marker)).to.equal(false);
    expect(await bob()).to.equal(bobBefore);
    expect(await objects()).to.deep.equal([]);
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(processes).not.to.include(LONG_SLEEP);
  });
});
