import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOptions, Unusable } from '../stack/command.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { processesOn } from './fixtures/graded.ts';
import { FIXTURES, NODE } from './fixtures/planted.ts';
import { gradePair } from './grade.ts';
import type { Result } from './judge.ts';
import { OPTIONS } from './options.ts';

describe('npm run grade', function () {
  this.timeout(120_000);
  let dir: string;
  let urls: string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'grade-'));
  });

  beforeEach(async () => {
    urls = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  });

  after(() => rm(dir, { recursive: true }));

  /** The tool as a person runs it; resolves to its exit code and what it wrote. */
  async function run(...args: string[]) {
    return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const options = { cwd: FIXTURES, timeout: 100_000 };
      execFile(process.execPath, [`${ROOT}e2e/grade/main.ts`, ...args], options, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  }

  const pair = (a: string, b: string) => ['--a', a, '--b', b, '--a-url', urls[0]!, '--b-url', urls[1]!];

  const runPair = (a: string, b: string, ...args: string[]) => run(...pair(a, b), '--timeout', '1', ...args);

  async function expectNobodyListens() {
    for (const url of urls) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      const [error] = await once(socket, 'error');
      expect(error.code).to.equal('ECONNREFUSED');
    }
  }

  describe('given a sound pair', () => {
    it('exits with 0, gives full marks, and writes the rubric for machines and the proof', async () => {
      const [json, md, made] = [join(dir, 'rubric.json'), join(dir, 'proof.md'), join(dir, 'made')];
      const setup = `echo "$SECRET$PWD" > '${made}'; ln '${FIXTURES}faulty-pair.ts' '${dir}'`;
      process.env.SECRET = 'secret';
      const { code, stdout } = await runPair(
        ...[`cat '${made}'; ${NODE} a`, `${NODE} b`, '--a-dir', dir, '--b-dir', dir],
        ...['--setup', setup, '--json', json, '--proof', md],
      );
      delete process.env.SECRET;
      expect(code).to.equal(0);
      expect(await readFile(made, 'utf8')).to.equal(`${dir}\n`);
      expect(stdout)
        .to.match(/requirements: 19 of 19\n/)
        .and.not.match(/\x1b/);
      const { scores, results } = JSON.parse(await readFile(json, 'utf8'));
      expect(scores.lab).to.deep.equal({ passed: 19, of: 19 });
      expect(results).to.have.length(scores.all.of + 1); // two of them are worth half a point
      expect(results.filter(({ verdict }: Result) => verdict !== 'pass')).to.deep.equal([]);
      const proof = await readFile(md, 'utf8');
      expect(proof).to.match(/\$ curl -i '\S+\/call-echo\?msg=\w+'\nHTTP\/1\.1 200/);
      expect(proof).to.match(/HTTP\/1\.1 503 [^`]*"unavailable"/);
      expect(proof).to.match(/service=caller endpoint=\/call-echo status=503 .*connection refused/);
      await expectNobodyListens();
    });

    it('judges what was recorded by another rubric, and runs nothing', async () => {
      const [json, again, rubric] = ['rubric.json', 'again.json', 'other.json'].map((name) => join(dir, name));
      await writeFile(
        rubric!,
        JSON.stringify({
          'A answers /echo with the message': { points: 5, name: 'Echo' },
          'A answers /health with 200': false,
        }),
      );
      const { code, stdout } = await run('--rescore', json!, '--rubric', rubric!, '--json', again!);
      expect({ code, stdout }).to.deep.include({ code: 0 });
      expect(stdout).to.match(/  pass  Echo\n/);
      const { scores, results } = JSON.parse(await readFile(again!, 'utf8'));
      expect(scores.lab.of).to.equal(19 + 4 - 1);
      expect(results.map(({ name }: Result) => name)).not.to.include('A answers /health with 200');
      const refused = await run('--rescore', json!, '--a', 'true');
      expect(refused).to.deep.equal({
        code: 2,
        stdout: '',
        stderr: '--a is for a pair that is run; leave it out, or leave --rescore out.\n',
      });
      expect((await run('--rescore', rubric!)).stderr).to.match(
        /other\.json cannot be read: it is no report of --json\.\n$/,
      );
    });
  });

  describe('given a setup that fails', () => {
    it('says how the setup ended, and what it wrote', async () => {
      const { code, stderr } = await runPair('x', 'y', '--setup', 'seq 100; echo broken; exit 3');
      expect(code).to.equal(2);
      expect(stderr).to.match(/^The setup ended with code 3; it said: .*99 100 broken\n$/);
    });

    it('ends a setup that takes too long, and everything that it started', async () => {
      const endless = `for i in 1 2 3; do PORT=${new URL(urls[0]!).port} setsid sleep 1000 & done; echo waiting; wait`;
      const { code, stderr } = await runPair('x', 'y', '--setup', endless, '--setup-limit', '0.02');
      expect({ code, stderr }).to.deep.equal({
        code: 2,
        stderr: 'The setup was not finished after 1 s; it said: waiting\n',
      });
      expect(await processesOn([Number(new URL(urls[0]!).port)])).to.deep.equal([]);
    });
  });

  describe('that cannot begin', () => {
    async function expectOneSentence(run: Promise<{ code: number; stdout: string; stderr: string }>, sentence: RegExp) {
      const { code, stdout, stderr } = await run;
      expect(stderr).to.match(sentence);
      expect(stderr.trim().split('\n')).to.have.length(1);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    }

    /** A refusal that needs no process: the function throws it, and `command` prints it as one sentence and exits with 2. */
    async function expectRefusal(args: string[], sentence: RegExp) {
      const refused = await Promise.try(() => gradePair(readOptions(OPTIONS, args), process.stdout, () => {})).catch(
        (error: Error) => error,
      );
      expect(refused).to.be.an.instanceOf(Unusable);
      expect((refused as Error).message)
        .to.match(sentence)
        .and.not.to.include('\n');
    }

    it('says that a port is taken', async () => {
      const server = createServer().listen(Number(new URL(urls[1]!).port), '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      await expectOneSentence(runPair(`${NODE} a`, `${NODE} b`), new RegExp(`^Port ${port} is already in use`));
      server.close();
    });

    it('says what it saw in a folder without a pair', async () => {
      const folder = await mkdtemp(join(dir, 'empty-'));
      const { code, stderr } = await run(folder);
      expect(code).to.equal(2);
      expect(stderr).to.equal('The folder is empty. Give --compose, or --a and --b with --a-dir and --b-dir.\n');
    });

    it('says that a command is not there', () =>
      expectOneSentence(runPair(`${NODE} a`, 'no-such-command'), /^The command of service B cannot be run: no-such/));

    it('says what both services wrote at their end', () =>
      expectOneSentence(runPair('echo one; exit 3', 'echo two; exit 4'), /^Neither service .* one; .* two\n$/));

    it('says that a directory or a file is not there', async () => {
      await expectRefusal([...pair('x', 'y'), '--a-dir', '/no/such'], /^There is no directory \/no\/such/);
      await expectRefusal(['--compose', '/no/such.yml'], /^There is no file \/no\/such\.yml/);
      await expectRefusal(['--compose', '/etc'], /^\/etc is a directory \(--compose\); name the Compose file in it/);
    });

    it('says that a service is not in the folder that was handed in', () =>
      expectRefusal([...pair('x', 'y'), '--folder', '/etc'], /^--a-dir is outside of --folder: it is \//));

    it('says which option it does not understand', async () => {
      await expectOneSentence(run('--out', 'x'), /^--out is for a class; leave it out, or give --class/);
      await expectRefusal(['--grades'], /^Unknown option '--grades'/);
      await expectRefusal(['--a', 'x'], /^--b is missing/);
      await expectRefusal(['--timeout', 'soon'], /^--timeout is soon/);
      await expectRefusal(['--setup-limit', '0'], /^--setup-limit is 0/);
      await expectRefusal(['--compose', 'x', '--a-url', 'http://x:1'], /^--a-url is not for a Compose file/);
      await expectRefusal([...pair('x', 'y'), '--b-port', '1'], /^--b-port is not for commands/);
      await expectRefusal(['--setup', 'true'], /^--setup is for another pair/);
      await expectRefusal(['--rubric', '/no/such.json'], /^The rubric \/no\/such.json cannot be read/);
    });
  });

  it('teaches itself in one screen', async () => {
    const { code, stdout } = await run('--help');
    expect(code).to.equal(0);
    expect(stdout.split('\n').length).to.be.at.most(45);
    expect(stdout)
      .to.match(/--compose/)
      .and.match(/--proof/);
  });
});
