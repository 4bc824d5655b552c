import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { docker } from '../docker/engine.ts';
import { describeWithDocker } from '../docker/describe-with-docker.ts';
import { lineReader } from '../output.ts';
import { ROOT } from '../paths.ts';
import { until } from '../until.ts';

const CONTAINERS = ['mocha', 'e2e/requirements/containers.test.ts', '-g', 'runs as the user node'];
const PROCESSES = ['mocha', 'e2e/requirements/specification.test.ts', '-g', 'two processes'];
const FILES = ['e2e/requirements/containers.test.ts', 'e2e/stack/main.test.ts'];
const IN_PARALLEL = ['mocha', '--parallel', '--jobs', '2', ...FILES, '-g', 'runs as the user node|npm start'];

const RUNS_AT_ONCE = 4;
const SAMPLE_MS = 60;

/** A run of tests, in a process group of its own as a shell gives one to each command. */
interface Run {
  npx: ChildProcess;
  /** Part of the name of each of its Compose projects, and of the environment of each of its processes. */
  mark: string;
  output: string;
}

type Moment = (run: Run) => boolean;

let sample = { at: -Infinity, lines: [] as string[] };

/** The processes of this machine, each with its number, its command and its environment. All runs share one list. */
function processes(): string[] {
  if (performance.now() - sample.at > SAMPLE_MS) {
    const list = execFileSync('ps', ['axeww', '-o', 'pid=,stat=,args='], { encoding: 'utf8', maxBuffer: 1e8 });
    sample = { at: performance.now(), lines: list.split('\n').filter((line) => !/^ *\d+ Z/.test(line)) };
  }
  return sample.lines;
}

const processesOf = ({ mark }: Run) => processes().filter((line) => line.includes(`COMPOSE_PROJECT_NAME=${mark}`));
const isRunning = (part: RegExp) => (run: Run) => processesOf(run).some((line) => part.test(line));

/** What happened to containers since the tests began, such as `create interrupted-0a1b2c3d-service-a-1`. */
const events: string[] = [];
const hasHappened = (event: string, { mark }: Run) => events.some((line) => line.startsWith(`${event} ${mark}`));

async function inEngine({ mark }: Run): Promise<string[]> {
  const named = ['--quiet', '--filter', `name=${mark}`];
  const images = await docker(['images', '--format', '{{.Repository}}:{{.Tag}}']);
  return [
    await docker(['ps', '--all', ...named]),
    await docker(['network', 'ls', ...named]),
    await docker(['volume', 'ls', ...named]),
    ...images.split('\n').filter((image) => image.includes(mark)),
  ].filter(Boolean);
}

/** What each gives to the run: Ctrl-C goes to the whole group, and an impatient person gives it twice. */
const signals: Record<string, (npx: ChildProcess) => Promise<unknown>> = {
  'by Ctrl-C, twice': async ({ pid }) => {
    process.kill(-pid!, 'SIGINT');
    await sleep(300);
    try {
      process.kill(-pid!, 'SIGINT');
    } catch {
      // it has ended already
    }
  },
  'by a SIGTERM to npm alone': async (npx) => npx.kill('SIGTERM'),
};

/** Starts the tests, sends the signal at the moment, and resolves once no process of the run is left. */
async function interrupt(args: string[], signal: string, moment: Moment): Promise<Run> {
  const mark = `interrupted-${randomBytes(4).toString('hex')}`;
  const env = { ...process.env, COMPOSE_PROJECT_NAME: mark };
  const npx = spawn('npx', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const run = { npx, mark, output: '' };
  npx.stdout!.setEncoding('utf8').on('data', (chunk) => (run.output += chunk));
  const ended = once(npx, 'exit');
  await until('the moment to interrupt the run', () => moment(run), 60_000);
  await signals[signal]!(npx);
  await ended;
  await until('the processes of the run to end', () => processesOf(run).length === 0, 30_000, 100);
  expect(run.output, 'the run had not ended by itself').to.not.match(/\d+ passing/);
  return run;
}

interface Interruption {
  what: string;
  args: string[];
  when: string;
  moment: Moment;
}

/** One test for each row and each signal. They run side by side, a few at a time. `left` must find nothing after any. */
function interruptions(rows: Interruption[], left: (run: Run) => Promise<string[]>) {
  const cases = rows.flatMap((row) =>
    Object.keys(signals).map((signal) => ({ ...row, signal, ...Promise.withResolvers<void>() })),
  );
  const waiting = [...cases];
  async function runAll() {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { args, signal, moment, resolve, reject } = next;
      await interrupt(args, signal, moment)
        .then(async (run) => expect(await left(run)).to.deep.equal([]))
        .then(() => resolve(), reject);
    }
  }
  before(() => {
    for (const { promise } of cases) promise.catch(() => {}); // its own test reports it
    for (let run = 0; run < RUNS_AT_ONCE; run++) void runAll();
  });
  for (const { what, when, signal, promise } of cases)
    it(`${what} when it is interrupted ${when} ${signal}`, () => promise);
}

const isTesting: Moment = ({ output }) => output.includes('✔');
const haveServices = isRunning(/service-b\/src\/main\.ts/);

describe('A run of the tests on processes', function () {
  this.timeout(120_000);

  const tests = { what: 'leaves no process', args: PROCESSES };
  interruptions(
    [
      { ...tests, when: 'while the services start', moment: haveServices },
      { ...tests, when: 'during a test', moment: isTesting },
    ],
    async () => [],
  );
});

describeWithDocker('A run of the tests on containers', function () {
  this.timeout(120_000);

  let following: ChildProcess;
  before(() => {
    const format = ['--filter', 'type=container', '--format', '{{.Action}} {{.Actor.Attributes.name}}'];
    following = spawn('docker', ['events', ...format], { stdio: ['ignore', 'pipe', 'inherit'] });
    const read = lineReader((line) => events.push(line));
    following.stdout!.setEncoding('utf8').on('data', read);
  });
  after(() => following.kill());

  const isCreating: Moment = (run) => hasHappened('create', run);
  const isTakenDown = isRunning(/ down --rmi/);
  const tests = { what: 'leaves nothing in the engine', args: CONTAINERS };
  const parallel = { what: 'leaves no process and nothing in the engine with --parallel', args: IN_PARALLEL };
  interruptions(
    [
      {
        ...parallel,
        when: 'while one worker has processes and one creates containers',
        moment: (run) => isCreating(run) && haveServices(run),
      },
      { ...tests, when: 'while the images are built', moment: isRunning(/ --build/) },
      { ...tests, when: 'while the containers are created', moment: isCreating },
      { ...tests, when: 'during a test', moment: isTesting },
      {
        ...tests,
        when: 'while the stack is taken down',
        moment: (run) => hasHappened('destroy', run) && isTakenDown(run),
      },
    ],
    inEngine,
  );
});
