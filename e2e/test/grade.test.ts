import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { docker, dockerProblem } from '../src/containers.ts';
import { grade, type Result } from '../src/grade/grade.ts';
import { Pair } from '../src/grade/pair.ts';
import { commandStack, freePort } from '../src/processes.ts';
import { until } from '../src/stack.ts';

const LIMITS = { answerMs: 1500, goneMs: 1500, healthMs: 500, recoveryMs: 2000 };
const AT_ONCE = 4; // a grade mostly waits

const here = fileURLToPath(new URL('.', import.meta.url));
const NODE = `exec '${process.execPath}' faulty-pair.ts`;
const PYTHON = 'exec python3 faulty_pair.py';

/** The faults of a service, and the one check that is meant for each. */
const FAULTS_OF_A: Record<string, string> = {
  'no health': 'A answers /health with 200',
  'no line for health': 'A logs a line for every request',
  'no latency in the log': "A's log lines tell service, endpoint, status and latency",
  'a word for the status': "A's log lines tell the HTTP status code",
  'pasted JSON': 'A echoes any text as it was',
  '500 to a missing msg': 'Odd and hostile input is answered, and breaks nothing',
  'forged log lines': 'Odd and hostile input is answered, and breaks nothing',
  'deaf to SIGTERM': 'A ends by itself when told to (SIGTERM)',
};
const FAULTS_OF_B: Record<string, string> = {
  'no line for health': 'B logs a line for every request',
  'no status in the log': "B's log lines tell service, endpoint, status and latency",
  'no latency in the log': "B's log lines tell service, endpoint, status and latency",
  'a word for the status': "B's log lines tell the HTTP status code",
  'no timeout': 'B answers 503 while A hangs',
  'no recovery from a timeout': 'B answers 200 again once A goes on',
  '500 to a refusal': 'B answers 503 while A is stopped',
  'no line for a refusal': 'B logs an error while A is stopped',
  "A's health in its own": "B's /health is still 200 while A is stopped",
  'no recovery from a refusal': 'B answers 200 again once A is started, without a restart of B',
  'an end for both': 'A answers while B is stopped',
  '500 to bad escapes': 'Odd and hostile input is answered, and breaks nothing',
  'a timeout called a refusal': 'The log calls a timeout a timeout',
  'one name for all failures': 'The log calls a timeout a timeout',
  'a refusal called a timeout': 'The log calls a failed connection a failed connection',
  'one call at a time': '20 calls at once while A hangs are all answered, and /health stays quick',
  'an unescaped msg': 'Any text survives the trip through B',
  'a retry': 'B asks A once for each call',
  'errors taken for success': "A's error status is not passed on as success",
  'redirects taken for success': 'A redirect is not passed on as success',
  '500 to what is not JSON': 'A body that is not JSON is not passed on as success',
  'any JSON taken for an echo': 'JSON that is no echo is not passed on as success',
  '500 to half an answer': 'An answer that breaks off is a 503',
  'a timeout for the headers alone': 'An answer that stops half-way is a 503 in time',
  'a timeout for each read': 'A trickling answer is a 503 in time',
  'death by an endless answer': 'An endless answer is a 503 in time',
  'exception text': 'No exception text, stack or internal address is in an answer',
  'deaf to SIGTERM': 'B ends by itself when told to (SIGTERM)',
};

function isGone(group: number): boolean {
  try {
    return !process.kill(-group, 0);
  } catch {
    return true;
  }
}

const failed = (results: Result[]) => results.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name);

describe('The grade', function () {
  this.timeout(120_000);
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  /** Grades a pair of commands, on ports of its own, with few others at the same time; nothing of it may be left. */
  async function gradeOf(a: string, b: string): Promise<Result[]> {
    while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    free--;
    const [portA, portB] = [await freePort(), await freePort()];
    const stack = commandStack(
      { command: a, dir: here, url: `http://127.0.0.1:${portA}` },
      { command: b, dir: here, url: `http://127.0.0.1:${portB}` },
    );
    try {
      return await grade(new Pair(stack, LIMITS), () => {});
    } finally {
      const groups = [await stack.a.life(), await stack.b.life()];
      await stack.down();
      free++;
      waiting.shift()?.();
      await until('all of both to be gone', async () => groups.every((group) => isGone(Number(group))), 2000);
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
    expect(failed(results)).to.deep.equal([]);
    expect(results.filter(({ verdict }) => verdict === 'not applicable')).to.deep.equal([]);
  };

  graded('gives full marks to a sound pair in Node', `${NODE} a`, `${NODE} b`, passesAll);
  graded('gives full marks to a sound pair in Python', `${PYTHON} a`, `${PYTHON} b`, passesAll);

  const HOSTILE: Record<string, [b: string, check: string, came: RegExp]> = {
    'dies at once': ['echo boom; exit 3', 'B answers /health with 200', /ended with code 3 .* it said: boom/],
    'never listens': [
      'sleep 1000 & sleep 1000',
      'B answers /health with 200',
      /^Waited 30000 ms in vain for service B/,
    ],
    'answers garbage': [
      `${NODE.replace('faulty-pair.ts', '-e')} 'require("net").createServer((s) => s.on("error", () => {}).end("garbage\\n\\n")).listen(process.env.PORT)'`,
      'B answers /health with 200',
      /^no answer: Parse Error/,
    ],
    'floods its output': [
      `yes flood | head -c 40000000; (sleep 2; yes flood | head -c 40000000) & ${NODE} b`,
      'B logs a line for every request',
      /^no log line/,
    ],
    'ignores SIGTERM, with another that it started': [
      `trap '' TERM; ${NODE.replace('exec ', '')} b & sleep 1000; wait`,
      'B ends by itself when told to (SIGTERM)',
      /^it had to be killed after 10/,
    ],
  };
  for (const [what, [b, check, came]] of Object.entries(HOSTILE)) {
    graded(`has a line for a B that ${what}`, `${NODE} a`, b, (results) => {
      const result = results.find(({ name }) => name === check);
      expect(result).to.include({ verdict: 'fail' });
      expect(result!.came).to.match(came);
    });
  }
  for (const [fault, check] of Object.entries(FAULTS_OF_A)) {
    graded(`finds in A ${fault}`, `${NODE} a "${fault}"`, `${NODE} b`, (results) =>
      expect(failed(results)).to.deep.equal([check]),
    );
  }
  for (const [fault, check] of Object.entries(FAULTS_OF_B)) {
    graded(`finds in B ${fault}`, `${NODE} a`, `${NODE} b "${fault}"`, (results) =>
      expect(failed(results)).to.deep.equal([check]),
    );
  }
  for (const fault of ['an unescaped msg', 'a timeout for each read']) {
    graded(`finds in B ${fault}, in Python`, `${PYTHON} a`, `${PYTHON} b "${fault}"`, (results) =>
      expect(failed(results)).to.deep.equal([FAULTS_OF_B[fault]]),
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
      const options = { cwd: here, timeout: 100_000 };
      execFile(process.execPath, ['../src/grade/main.ts', ...args], options, (error, stdout, stderr) =>
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
      const [json, md] = [join(dir, 'rubric.json'), join(dir, 'proof.md')];
      const { code, stdout } = await runPair(`${NODE} a`, `${NODE} b`, '--json', json, '--proof', md);
      expect(code).to.equal(0);
      expect(stdout)
        .to.match(/requirements: 15 of 15\n/)
        .and.not.match(/\x1b/);
      const { scores, results } = JSON.parse(await readFile(json, 'utf8'));
      expect(scores.lab).to.deep.equal({ passed: 15, of: 15 });
      expect(results).to.have.length(scores.all.of);
      const proof = await readFile(md, 'utf8');
      expect(proof).to.contain(`$ curl -i '${urls[1]}/call-echo?msg=hello'\nHTTP/1.1 200`);
      expect(proof).to.match(/HTTP\/1\.1 503\n[^`]*"unavailable"/);
      expect(proof).to.match(/service=caller endpoint=\/call-echo status=503 .*connection refused/);
      await expectNobodyListens();
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

    it('says that a command is not there', () =>
      expectOneSentence(runPair(`${NODE} a`, 'no-such-command'), /^The command of service B cannot be run: no-such/));

    it('says that a directory or a file is not there', async () => {
      await expectOneSentence(runPair('x', 'y', '--a-dir', '/no/such'), /^There is no directory \/no\/such/);
      await expectOneSentence(run('--compose', '/no/such.yml'), /^There is no file \/no\/such\.yml/);
    });

    it('says which option it does not understand', async () => {
      await expectOneSentence(run('--grades'), /^Unknown option '--grades'/);
      await expectOneSentence(run('--a', 'x'), /^--b is missing/);
      await expectOneSentence(run('--timeout', 'soon'), /^--timeout is soon/);
    });
  });

  it('teaches itself in one screen', async () => {
    const { code, stdout } = await run('--help');
    expect(code).to.equal(0);
    expect(stdout.split('\n').length).to.be.at.most(30);
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

    it('finds the one fault of a faulty pair, and leaves nothing behind', async () => {
      const count = async () =>
        (await docker(['ps', '--all', '--quiet', '--filter=ancestor=node:26-trixie-slim'])).length;
      const before = await count();
      process.env.FAULT_OF_B = 'errors taken for success';
      const json = join(dir, 'compose.json');
      const { code } = await run('--compose', 'faulty-pair.compose.yml', '--json', json);
      delete process.env.FAULT_OF_B;
      expect(code).to.equal(0);
      const { results } = JSON.parse(await readFile(json, 'utf8'));
      expect(failed(results)).to.deep.equal([FAULTS_OF_B['errors taken for success']]);
      expect(await count()).to.equal(before);
    });

    it('says that it has no such services', async () => {
      const { code, stderr } = await run('--compose', '../../e2e/test/no-pair.compose.yml');
      expect(code).to.equal(2);
      expect(stderr).to.match(/has no service named service-a; it has web\.\n$/);
    });
  });
});
