import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { docker } from '../stack/docker/engine.ts';
import { ROOT } from '../stack/paths.ts';
import { failedIn, FAULTS_OF_B, FIXTURES } from './fixtures/planted.ts';

const PROJECT = `grade-${process.pid}`;

describeWithDocker('npm run grade -- --compose', function () {
  this.timeout(120_000);
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'grade-'));
  });

  after(() => rm(dir, { recursive: true }));

  async function run(...args: string[]) {
    return new Promise<{ code: number; stderr: string }>((resolve) => {
      const env = { ...process.env, COMPOSE_PROJECT_NAME: PROJECT };
      const options = { cwd: FIXTURES, env, timeout: 100_000 };
      execFile(process.execPath, [`${ROOT}e2e/grade/main.ts`, ...args], options, (error, _stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stderr }),
      );
    });
  }

  it('finds the one fault of a pair with other names and ports, and leaves nothing behind', async () => {
    const [json, file] = [join(dir, 'compose.json'), join(dir, 'pair.yml')];
    await copyFile(`${FIXTURES}faulty-pair.ts`, join(dir, 'faulty-pair.ts'));
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const image = 'FROM node:26-trixie-slim\nCOPY faulty-pair.ts /\n';
    const service = (role: string, fault: string, port: number, more = {}) => ({
      build: { context: '.', dockerfile_inline: image },
      command: ['node', '/faulty-pair.ts', role, fault],
      environment: { PORT: port, ...more },
      ports: [`${(taken.address() as AddressInfo).port}:${port}`],
    });
    const services = {
      echoer: service('a', '', 5000),
      caller: service('b', 'errors taken for success', 5001, { SERVICE_A_URL: 'http://echoer:5000' }),
    };
    await writeFile(file, JSON.stringify({ services }));
    const names = ['--a-service', 'echoer', '--b-service', 'caller'];
    const { code } = await run('--compose', file, ...names, '--json', json, '--timeout', '1');
    taken.close();
    expect(code).to.equal(0);
    const { results } = JSON.parse(await readFile(json, 'utf8'));
    expect(failedIn(results)).to.deep.equal([FAULTS_OF_B['errors taken for success']]);
    for (const kind of [
      ['ps', '--all'],
      ['volume', 'ls'],
      ['network', 'ls'],
    ])
      expect(await docker([...kind, '--quiet', '--filter', `name=${PROJECT}`])).to.equal('');
  });

  it('leaves a volume that has a name of its own, with what is in it', async () => {
    const volume = `volume-of-${PROJECT}`;
    const inside = (command: string) =>
      docker(['run', '--rm', '--volume', `${volume}:/data`, 'node:26-trixie-slim', 'sh', '-c', command]);
    const file = join(dir, 'volume.yml');
    const service = { image: 'node:26-trixie-slim', command: 'false', volumes: ['data:/data'] };
    const services = { 'service-a': service, 'service-b': service };
    await writeFile(file, JSON.stringify({ services, volumes: { data: { name: volume } } }));
    try {
      await inside('echo precious > /data/file');
      expect((await run('--compose', file)).stderr).to.match(/^Neither service can be started: .*exit code 1/);
      expect(await inside('cat /data/file')).to.equal('precious');
    } finally {
      await docker(['volume', 'rm', '--force', volume]);
    }
  });

  it('says that it has no such services', async () => {
    const { code, stderr } = await run('--compose', 'no-pair.compose.yml');
    expect(code).to.equal(2);
    expect(stderr).to.match(/has no service named service-a; it has web; --a-service and --b-service name others\.\n$/);
  });
});
