import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { expect } from 'chai';
import { docker } from '../stack/docker/engine.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { get } from '../stack/http.ts';
import { situations } from '../requirements/situations.ts';
import { ROOT } from '../stack/paths.ts';
import { imageFor, isolatedStack } from '../pairs/containers/isolated.ts';
import { withValues } from '../pairs/options.ts';
import { readOptions, Unusable } from '../stack/command.ts';
import { gradePair } from './grade.ts';
import { OPTIONS } from './options.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const PROJECT = `isolated-${process.pid}`;

describe('The usual image', () => {
  const IMAGES: Record<string, string | undefined> = {
    'python3 app.py': 'python:3-slim',
    '.venv/bin/python -m flask run --port $PORT': 'python:3-slim',
    'exec gunicorn app:app': 'python:3-slim',
    'node server.js': 'node:26-trixie-slim',
    'npm start': 'node:26-trixie-slim',
    'go run .': 'golang:1',
    'java -jar app.jar': 'eclipse-temurin:25',
    './mvnw spring-boot:run': 'maven:3',
    'dotnet run': 'mcr.microsoft.com/dotnet/sdk:10.0',
    './service-a': undefined,
    './going': undefined,
    './app.go.out': undefined,
  };
  for (const [command, image] of Object.entries(IMAGES)) {
    it(`of ${command} is ${image ?? 'not known'}`, () => expect(imageFor(command)).to.equal(image));
  }
});

describeWithDocker('A pair in isolation', function () {
  this.timeout(180_000);
  let dir: string;
  let project: string | undefined;

  before(() => {
    project = process.env.COMPOSE_PROJECT_NAME;
    process.env.COMPOSE_PROJECT_NAME = PROJECT;
  });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'isolated-'));
    copyFileSync(`${ROOT}e2e/pairs/fixtures/faulty-pair.ts`, join(dir, 'faulty-pair.ts'));
  });

  afterEach(async () => {
    rmSync(dir, { recursive: true });
    for (const kind of [
      ['ps', '--all'],
      ['volume', 'ls'],
      ['network', 'ls'],
    ])
      expect(await docker([...kind, '--quiet', '--filter', `name=${PROJECT}`])).to.equal('');
  });

  after(() => {
    if (project === undefined) delete process.env.COMPOSE_PROJECT_NAME;
    else process.env.COMPOSE_PROJECT_NAME = project;
  });

  async function run(...args: string[]) {
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [MAIN, ...args], { cwd: dir, timeout: 170_000 }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  }

  it('has no network, no rights and little of the machine', async () => {
    writeFileSync(
      join(dir, 'tells.mjs'),
      `import { createServer } from 'node:http';
       import { connect } from 'node:net';
       import { readFileSync, writeFileSync } from 'node:fs';
       import { networkInterfaces } from 'node:os';
       const reach = (host) => new Promise((resolve) => connect(53, host, () => resolve('reached')).on('error', ({ code }) => resolve(code)));
       const write = (file) => { try { writeFileSync(file, 'x'); return 'written' } catch ({ code }) { return code } };
       const asked = []; // where a stand-in that B could reach would be told what to do
       createServer(({ url }, response) => response.end(String(asked.push(url)))).listen(9090);
       createServer(async (request, response) => response.end(JSON.stringify({
         user: process.getuid(), status: readFileSync('/proc/self/status', 'latin1'),
         interfaces: Object.keys(networkInterfaces()), outside: await reach('192.0.2.1'),
         asked, root: write('/file'), etc: write('/etc/passwd'), own: write('file'), names: Object.keys(process.env),
       }))).listen(process.env.PORT);`,
    );
    const url = (port: number) => `http://127.0.0.1:${port}`;
    const command = { command: 'node tells.mjs', dir };
    await using stack = await isolatedStack({ ...command, url: url(8080) }, { ...command, url: url(9000) }, dir, '');
    await stack.b.start();
    const { json } = await get(`${stack.b.url}/health`);
    expect(json).to.include({ user: 1000, outside: 'ENETUNREACH', root: 'EROFS', etc: 'EROFS', own: 'written' });
    expect(json.interfaces).to.deep.equal(['lo']);
    expect(json.status)
      .to.match(/^CapEff:\s0+$/m)
      .and.match(/^CapBnd:\s0+$/m)
      .and.match(/^NoNewPrivs:\s1$/m);
    expect(json.names).to.include.members(['PORT', 'SERVICE_A_URL']);
    const limits =
      '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}';
    const gib = 2 ** 30;
    expect(await docker(['inspect', '--format', limits, stack.b.typed.start.split(' ').at(-1)!])).to.equal(
      `${gib} ${gib} 256 1000000000`,
    );
    expect(readdirSync(dir).sort()).to.deep.equal(['faulty-pair.ts', 'tells.mjs']);
    const standIn = await stack.replaceA();
    expect((await get(`${standIn.url}/asked`)).json).to.have.property('targets');
    expect((await get(`${stack.b.url}/health`)).json.asked).to.deep.equal([]);
    expect((await get(new URL('/asked', standIn.url).href)).status).to.equal(403);
  });

  it('is graded as two processes are, on a copy of its folder that a setup has changed', async () => {
    const setup = 'set -e; mkdir b; cp *.ts b';
    mkdirSync(join(dir, 'a'));
    copyFileSync(join(dir, 'faulty-pair.ts'), join(dir, 'a', 'faulty-pair.ts'));
    const [a, b] = [
      'exec node faulty-pair.ts a',
      'cd b; node faulty-pair.ts b "errors taken for success" "a retry of a refusal"',
    ];
    const given = ['--isolate', '--a', a, '--a-dir', 'a', '--b', b, '--setup', setup, '--timeout', '1'];
    const { code, stdout } = await run(...given, '--json', 'r.json', '--proof', 'proof');
    expect(code).to.equal(0);
    // The system counts the refusals of all programs in a network; this pair has a network of its own.
    expect(stdout.match(/FAIL .*/g)).to.have.members([
      "FAIL  A's error status is not passed on as success",
      'FAIL  B asks A once for each call',
    ]);
    expect(readdirSync(dir)).not.to.include('b');
    const proof = readFileSync(join(dir, 'proof.md'), 'utf8');
    expect(proof).to.match(/\$ docker stop isolated-\S+-service-a\nService A ended with code 0\./);
    expect(proof).to.match(/\$ curl -i [^]*HTTP\/1\.1 503 [^]*service=caller endpoint=\/call-echo status=503/);
  });

  it('has a setup that reaches the hosts it may, and nothing else', async () => {
    const registry = createServer((_request, response) => response.end('a package')).listen(0, '0.0.0.0');
    const neighbour = createServer((_request, response) => response.end('secret')).listen(0, '0.0.0.0');
    await Promise.all([once(registry, 'listening'), once(neighbour, 'listening')]);
    const host = await docker(['network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'bridge']);
    const [known, other] = [registry, neighbour].map((server) => `${host}:${(server.address() as AddressInfo).port}`);
    writeFileSync(
      join(dir, 'reach.mjs'),
      `import { connect } from 'node:net';
       import { request } from 'node:http';
       const get = async (url) => (await fetch(url)).text();
       const direct = (at) => new Promise((resolve) => {
         const [host, port] = at.split(':');
         connect(port, host, () => resolve('reached')).on('error', ({ code }) => resolve(code));
       });
       const tunnel = (path) => new Promise((resolve) =>
         request({ host: '127.0.0.1', port: 3128, method: 'CONNECT', path }).on('connect', ({ statusCode }) => resolve(statusCode)).end());
       console.log(await get('http://${known}/'), '|', (await get('http://${other}/')).trim(), '|',
         await direct('${known}'), await direct('1.1.1.1:443'), await tunnel('${known}'), await tunnel('${other}'));
       process.exit(3);`,
    );
    const pair = ['--isolate', '--a', 'node x', '--b', 'node x'];
    const { stderr } = await run(...pair, '--setup', 'node reach.mjs', '--setup-hosts', known!);
    registry.close();
    neighbour.close();
    expect(stderr).to.equal(
      `The setup ended with code 3; it said: a package | The setup may not reach http://${other}/; --setup-hosts names more hosts. | ENETUNREACH ENETUNREACH 200 403\n`,
    );
  });

  it('may be as large as it says, without what a build makes, and is refused when it is larger', async () => {
    const files = { 'large.bin': 300, 'node_modules/x/made.bin': 900 };
    for (const [file, mib] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, file)), { recursive: true });
      writeFileSync(join(dir, file), '');
      truncateSync(join(dir, file), mib * 1024 ** 2);
    }
    const pair = ['--isolate', '--a', 'node x', '--b', 'node x', '--setup', 'ls; ls -s large.bin; exit 3'];
    const { stderr } = await run(...pair);
    expect(stderr).to.match(/^The setup ended with code 3; it said: faulty-pair.ts large.bin 307200 large.bin\n$/);
    truncateSync(join(dir, 'large.bin'), 600 * 1024 ** 2);
    expect((await run(...pair)).stderr).to.match(
      /^\S+ holds 601 MiB; with --isolate, 512 MiB are copied at most, besides what a build makes\.\n$/,
    );
  });

  it('costs no one but itself, whatever it does, in a class that grades several pairs at once', async () => {
    const students: Record<string, string> = {
      bomb: 'f() { f | f & }; f; node --version; sleep 5',
      sound: 'node faulty-pair.ts a',
      eater: 'yes flood & node -e "for (const all = []; ; ) all.push(Buffer.alloc(1e7, 1))"',
    };
    const rows = Object.entries(students).map(
      ([id, a]) => `${id},.,"${a.replaceAll('"', '""')}",node faulty-pair.ts b`,
    );
    writeFileSync(join(dir, 'class.csv'), `id,folder,a,b\n${rows.join('\n')}\n`);
    const withoutRobustness = situations.flatMap(({ checks }) =>
      checks.flatMap(({ name, section }) => (section === 'lab' ? [] : [[name, false]])),
    );
    writeFileSync(join(dir, 'rubric.json'), JSON.stringify(Object.fromEntries(withoutRobustness)));
    const out = ['--out', join(tmpdir(), PROJECT), '--rubric', 'rubric.json'];
    const { code, stderr } = await run('--class', 'class.csv', ...out, '--isolate', '--jobs', '2', '--timeout', '1');
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const grades = parse<Record<string, string>>(readFileSync(join(tmpdir(), PROJECT, 'grades.csv')), {
      columns: true,
    });
    rmSync(join(tmpdir(), PROJECT), { recursive: true });
    expect(grades.map(({ id, outcome }) => `${id} ${outcome}`)).to.deep.equal([
      'bomb not met',
      'sound met',
      'eater not met',
    ]);
  });

  it('says in one sentence why it cannot begin', async () => {
    const sentence = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr.trim().split('\n')).to.have.length(1);
      return stderr;
    };
    /** A refusal that needs no process: the function throws it. */
    const refusal = async (...args: string[]) => {
      const refused = await gradePair(readOptions(OPTIONS, withValues(args)), process.stdout, () => {}).catch(
        (error: Error) => error,
      );
      expect(refused).to.be.an.instanceOf(Unusable);
      return (refused as Error).message;
    };
    const [sound, unknown] = [`--a=node faulty-pair.ts a`, '--b=./b'];
    expect(await refusal(sound, unknown, '--isolate')).to.match(
      /^--isolate cannot see which image the command \.\/b needs/,
    );
    expect(await refusal('--isolate')).to.match(/^--isolate is for another pair/);
    const withImage = await refusal('--isolate', 'python', '--compose', 'x.yml');
    expect(withImage).to.match(/^--isolate python names an image for two commands/);
    const withSetup = await refusal('--isolate', '--compose', 'x.yml', '--setup', 'true');
    expect(withSetup).to.match(/^--setup would run outside of the walls/);

    const pair = ['--isolate', '--a', 'node x', '--b', 'node y'];
    const [ended, late, unpulled] = await Promise.all([
      sentence(...pair, '--setup', 'echo broken; exit 3'),
      sentence(...pair, '--setup', 'sleep 99', '--setup-limit', '0.02'),
      sentence(sound, unknown, '--isolate', 'localhost:1/none'),
    ]);
    expect(ended).to.equal('The setup ended with code 3; it said: broken\n');
    expect(late).to.equal('The setup was not finished after 1 s; it said: nothing\n');
    expect(unpulled).to.match(/^The image localhost:1\/none cannot be pulled: .*; name another: --isolate IMAGE\.\n$/);
  });
});
