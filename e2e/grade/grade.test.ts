import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { docker, dockerProblem } from '../stack/docker/engine.ts';
import {
  failedIn,
  FAULTS_OF_A,
  FAULTS_OF_B,
  FIXTURES,
  gradeCommands,
  NODE,
  PYTHON,
  TOGETHER,
  withFaults,
} from './fixtures/planted.ts';
import { score, type Result } from './judge.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';

const AT_ONCE = 5; // a grade mostly waits

const ASKS = 'B asks A for each answer, and passes on what A says';
const POINTS = 39;

/** Ways to full marks without the lab, and what in the lab's part is found in each. */
const CHEATS: Record<string, [a: string, b: string, checks: string[]]> = {
  'a B that only asks whether A is healthy': [`${NODE} a`, `${NODE} b "an answer of its own"`, [ASKS]],
  'an A that answers hello to everything': [
    `${NODE} a "hello to everything"`,
    `${NODE} b`,
    [
      'A answers /echo with the message',
      "B answers /call-echo with A's answer in it",
      'B answers 200 again once A is resumed',
      'B answers 200 again once A is started, without a restart of B',
    ],
  ],
  'a loop that starts B again and again': [
    `${NODE} a`,
    `while true; do ${NODE.replace('exec ', '')} b "an end after each failure"; done`,
    [
      'B answers 200 again once A is resumed',
      "B's /health is still 200 while A is stopped",
      'B answers 200 again once A is started, without a restart of B',
    ],
  ],
  'lines that come by themselves': [
    `${NODE} a "lines that come by themselves"`,
    `${NODE} b`,
    [
      'A logs a line for each request to /echo',
      'A logs a line for each request to /health',
      "A's log lines tell service, endpoint, status and latency",
    ],
  ],
  'a daemon that goes on when A is stopped': [
    `setsid ${NODE.replace('exec ', '')} a & sleep 0.1`,
    `${NODE} b`,
    ['A no longer answers once it is stopped'],
  ],
  'a daemon without its environment': [
    `env -i PORT=$PORT setsid ${NODE.replace('exec ', '')} a & sleep 0.1`,
    `${NODE} b`,
    ['A no longer answers once it is stopped'],
  ],
};

/** The processes of a pair, wherever they have gone: each was given its port. */
async function processesOn(ports: number[]): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')));
  return pids.filter((_, index) => ports.some((port) => environments[index]!.split('\0').includes(`PORT=${port}`)));
}

const whyFailed = (results: Result[]) =>
  results
    .flatMap(({ verdict, name, received, because }) => (verdict === 'fail' ? `${name}: ${received ?? because}` : []))
    .join('\n');

const failedInLab = (results: Result[]) => failedIn(results.filter(({ section }) => section === 'lab'));

describe('The grade', function () {
  this.timeout(120_000);
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  /** Grades a pair of commands, on ports of its own, with few others at the same time; nothing of it may be left. */
  async function gradeOf(a: string, b: string): Promise<Result[]> {
    while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    free--;
    let ports: number[] = [];
    try {
      return await gradeCommands(a, b, (own) => (ports = own));
    } finally {
      free++;
      waiting.shift()?.();
      expect(await processesOn(ports)).to.deep.equal([]);
    }
  }

  /** Starts a grade before the test that waits for it, so that several are under way at once. */
  function graded(title: string, a: string, b: string, judge: (results: Result[]) => void) {
    let results: Promise<Result[]>;
    before(() => {
      results = gradeOf(a, b);
      results.catch(() => {}); // the test reports it
    });
    it(title, async () => judge(await results));
  }

  const passesAll = (results: Result[]) => {
    expect(results.filter(({ verdict }) => verdict !== 'pass')).to.deep.equal([]);
  };

  graded('gives full marks to a sound pair in Node', `${NODE} a`, `${NODE} b`, passesAll);
  graded('gives full marks to a sound pair in Python', `${PYTHON} a`, `${PYTHON} b`, passesAll);

  graded(
    'gives full marks to a pair whose JSON has another shape',
    `${PYTHON} a another shape`,
    `${PYTHON} b another shape`,
    passesAll,
  );
  graded('asks for no JSON in the lab', `${PYTHON} a plain text`, `${PYTHON} b plain text`, (results) =>
    expect(failedInLab(results)).to.deep.equal([]),
  );

  graded('waits for a log that comes late', `${NODE} a`, `${NODE} b "a log that is flushed every 3 s"`, (results) => {
    passesAll(results);
    const { because } = results.find(({ name }) => name === 'B logs a line for each request to /call-echo')!;
    expect(because).to.match(/^they come up to [2-6] s late: flush each$/);
  });

  graded('is not confused by 100 MB of output', `${NODE} a`, `yes flood | head -c 100000000; ${NODE} b`, passesAll);

  const HOSTILE: Record<string, [b: string, check: string, received: RegExp]> = {
    'dies at once': ['echo boom; exit 3', 'B answers /health with 200', /ended with code 3 .* it said: boom/],
    'never listens': ['sleep 1000 & sleep 1000', 'B answers /health with 200', /^Waited 30 s for service B /],
    'answers garbage': [
      `${NODE.replace('faulty-pair.ts', '-e')} 'require("net").createServer((s) => s.on("error", () => {}).end("garbage\\n\\n")).listen(process.env.PORT)'`,
      'B answers /health with 200',
      /^no answer: Parse Error/,
    ],
    'ignores SIGTERM, with another that it started': [
      `trap '' TERM; ${NODE.replace('exec ', '')} b & sleep 1000; wait`,
      'B ends by itself when told to (SIGTERM)',
      /^it had to be killed after 10/,
    ],
  };
  for (const [what, [b, check, received]] of Object.entries(HOSTILE)) {
    graded(`has a line for a B that ${what}`, `${NODE} a`, b, (results) => {
      const result = results.find(({ name }) => name === check);
      expect(result).to.include({ verdict: 'fail' });
      expect(result!.received).to.match(received);
    });
  }
  for (const [ofA, ofB] of TOGETHER) {
    const title = [...(ofA ? [`in A ${ofA}`] : []), ...ofB.map((fault) => `in B ${fault}`)].join(', ');
    const checks = [...(ofA ? [FAULTS_OF_A[ofA]] : []), ...ofB.map((fault) => FAULTS_OF_B[fault])];
    const [a, b] = [withFaults(`${NODE} a`, ...(ofA ? [ofA] : [])), withFaults(`${NODE} b`, ...ofB)];
    graded(`finds ${title}`, a, b, (results) => expect(failedIn(results), whyFailed(results)).to.have.members(checks));
  }
  it('was asked to find each fault of the pair', () => {
    expect(TOGETHER.flatMap(([ofA]) => ofA ?? [])).to.have.members(Object.keys(FAULTS_OF_A));
    expect(TOGETHER.flatMap(([, ofB]) => ofB)).to.have.members(Object.keys(FAULTS_OF_B));
  });
  for (const [what, [a, b, checks]] of Object.entries(CHEATS)) {
    graded(`is not fooled by ${what}`, a, b, (results) => {
      // How many checks meet a B that is being started again is up to chance.
      if (what.startsWith('a loop')) expect(failedInLab(results)).to.include.members(checks);
      else expect(failedInLab(results)).to.have.members(checks);
    });
  }
  const GRPC = NODE.replace('faulty-pair.ts', 'grpc-pair.ts');
  graded('gives all points that apply to a sound pair whose A speaks gRPC', `${GRPC} a`, `${GRPC} b`, (results) => {
    expect(failedIn(results)).to.deep.equal([]);
    expect(results.find(({ name }) => name === ASKS)).to.include({ verdict: 'pass' });
    expect(results.find(({ name }) => name === 'A answers /health with 200')).to.include({ verdict: 'not applicable' });
  });
  graded(
    'is not fooled by a B that only asks whether an A is there that speaks gRPC',
    `${GRPC} a`,
    `${GRPC} b "an answer of its own"`,
    (results) => expect(failedInLab(results)).to.have.members([ASKS]),
  );
  graded('never lets a probe cost another check anything', `${NODE} a`, `${NODE} b "death by an odd path"`, (results) =>
    expect(failedIn(results)).to.deep.equal(['Odd and hostile input is answered, and breaks nothing']),
  );
  graded('never gives more in all to a pair to which less applies', `${NODE} a`, 'exit 1', (results) =>
    expect(score(results).of).to.equal(POINTS),
  );
  // The system counts what it refuses for all programs at once: this one must find others quiet.
  describe('when no other is under way', () => {
    graded('finds in B a retry of a refusal', `${NODE} a`, `${NODE} b "a retry of a refusal"`, (results) =>
      expect(failedIn(results)).to.deep.equal([FAULTS_OF_B['a retry']]),
    );
  });
  for (const fault of ['an unescaped msg', 'a timeout for each read']) {
    graded(`finds in B ${fault}, in Python`, `${PYTHON} a`, `${PYTHON} b "${fault}"`, (results) =>
      expect(failedIn(results)).to.deep.equal([FAULTS_OF_B[fault]]),
    );
  }
});

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

  const runPair = (a: string, b: string, ...args: string[]) =>
    run('--a', a, '--b', b, '--a-url', urls[0]!, '--b-url', urls[1]!, '--timeout', '1', ...args);

  async function expectNobodyListens() {
    for (const url of urls) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      const [error] = await once(socket, 'error');
      expect(error.code).to.equal('ECONNREFUSED');
    }
  }

  describe('given a sound pair', () => {
    it('exits with 0, and writes the rubric for machines and the proof', async () => {
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

    it('ends a setup that takes too long, with all that it started', async () => {
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
      await expectOneSentence(runPair('x', 'y', '--a-dir', '/no/such'), /^There is no directory \/no\/such/);
      await expectOneSentence(run('--compose', '/no/such.yml'), /^There is no file \/no\/such\.yml/);
      await expectOneSentence(
        run('--compose', '/etc'),
        /^\/etc is a directory \(--compose\); name the Compose file in it/,
      );
    });

    it('says that a service is not in the folder that was handed in', () =>
      expectOneSentence(runPair('x', 'y', '--folder', '/etc'), /^--a-dir is outside of --folder: it is \//));

    it('says which option it does not understand', async () => {
      await expectOneSentence(run('--grades'), /^Unknown option '--grades'/);
      await expectOneSentence(run('--a', 'x'), /^--b is missing/);
      await expectOneSentence(run('--timeout', 'soon'), /^--timeout is soon/);
      await expectOneSentence(run('--setup-limit', '0'), /^--setup-limit is 0/);
      await expectOneSentence(run('--out', 'x'), /^--out is for a class; leave it out, or give --class/);
      await expectOneSentence(run('--compose', 'x', '--a-url', 'http://x:1'), /^--a-url is not for a Compose file/);
      await expectOneSentence(runPair('x', 'y', '--b-port', '1'), /^--b-port is not for commands/);
      await expectOneSentence(run('--setup', 'true'), /^--setup is for another pair/);
      await expectOneSentence(run('--rubric', '/no/such.json'), /^The rubric \/no\/such.json cannot be read/);
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

  describe('given a Compose file', () => {
    before(function () {
      const problem = dockerProblem();
      if (!problem) return;
      if (process.env.CI) throw new Error(`No Docker Engine answers: ${problem}`);
      this.skip();
    });

    it('finds the one fault of a pair with other names and ports, and leaves nothing behind', async () => {
      const count = async () =>
        (await docker(['ps', '--all', '--quiet', '--filter=ancestor=node:26-trixie-slim'])).length;
      const before = await count();
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
      expect(await count()).to.equal(before);
    });

    it('leaves a volume that has a name of its own, with what is in it', async () => {
      const volume = `grade-test-${process.pid}`;
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
      expect(stderr).to.match(
        /has no service named service-a; it has web; --a-service and --b-service name others\.\n$/,
      );
    });
  });
});
