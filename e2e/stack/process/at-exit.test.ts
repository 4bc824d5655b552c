import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { docker } from '../docker/engine.ts';
import { describeWithDocker } from '../docker/describe-with-docker.ts';
import { ROOT } from '../paths.ts';
import { until } from '../until.ts';

const CONTAINERS = ['mocha', 'e2e/requirements/containers.test.ts', '-g', 'runs as the user node'];
/** Mocha runs each file in a process of its own. */
const PARALLEL = ['mocha', '--parallel', '--jobs', '2', CONTAINERS[1]!, 'e2e/requirements/log-line.test.ts'];
const PROCESSES = ['mocha', 'e2e/requirements/specification.test.ts', '-g', 'two processes'];

/** A run of tests, in a process group of its own as a shell gives one to each command. */
interface Run {
  npx: ChildProcess;
  /** Part of the name of each of its Compose projects, and of the environment of each of its processes. */
  mark: string;
  output: string;
}

type Moment = (run: Run) => Promise<boolean>;

/** The processes of the run that are there now, each with its number, its command and its environment. */
function processesOf({ mark }: Run): string[] {
  const list = execFileSync('ps', ['axeww', '-o', 'pid=,stat=,args='], { encoding: 'utf8', maxBuffer: 1e8 });
  return list.split('\n').filter((line) => line.includes(`COMPOSE_PROJECT_NAME=${mark}`) && !/^ *\d+ Z/.test(line));
}

const containersOf = ({ mark }: Run) => docker(['ps', '--all', '--quiet', '--filter', `name=${mark}`]);

async function inEngine(run: Run): Promise<string[]> {
  const named = ['--quiet', '--filter', `name=${run.mark}`];
  const images = await docker(['images', '--format', '{{.Repository}}:{{.Tag}}']);
  return [
    await containersOf(run),
    await docker(['network', 'ls', ...named]),
    await docker(['volume', 'ls', ...named]),
    ...images.split('\n').filter((image) => image.includes(run.mark)),
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

const HOW = Object.keys(signals).join(' or ');

/** Starts the tests, sends the signal at the moment, and resolves once no process of the run is left. */
async function interrupt(args: string[], signal: string, moment: Moment): Promise<Run> {
  const mark = `interrupted-${randomBytes(4).toString('hex')}`;
  const env = { ...process.env, COMPOSE_PROJECT_NAME: mark };
  const npx = spawn('npx', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const run = { npx, mark, output: '' };
  npx.stdout!.setEncoding('utf8').on('data', (chunk) => (run.output += chunk));
  const ended = once(npx, 'exit');
  await until('the moment to interrupt the run', () => moment(run), 60_000, 5);
  await signals[signal]!(npx);
  await ended;
  await until('the processes of the run to end', () => processesOf(run).length === 0, 30_000, 100);
  expect(run.output, 'the run had not ended by itself').to.not.match(/\d+ passing/);
  return run;
}

describe('A run of the tests on processes', function () {
  this.timeout(120_000);

  const moments: Record<string, Moment> = {
    'while the services start': async (run) => processesOf(run).some((line) => line.includes('service-b/src/main.ts')),
    'during a test': async ({ output }) => output.includes('✔'),
  };
  for (const [when, moment] of Object.entries(moments)) {
    it(`leaves no process when it is interrupted ${when}, ${HOW}`, async () => {
      await Promise.all(Object.keys(signals).map((signal) => interrupt(PROCESSES, signal, moment)));
    });
  }
});

describeWithDocker('A run of the tests on containers', function () {
  this.timeout(120_000);

  const moments: Record<string, Moment> = {
    'while the images are built': async (run) => processesOf(run).some((line) => line.includes('--build')),
    'while the containers are created': async (run) => (await containersOf(run)) !== '',
    'during a test': async ({ output }) => output.includes('✔'),
    'while the stack is taken down': async (run) => processesOf(run).some((line) => / down --rmi/.test(line)),
  };
  async function expectNothingLeft(args: string[], moment: Moment) {
    const runs = await Promise.all(Object.keys(signals).map((signal) => interrupt(args, signal, moment)));
    for (const run of runs) expect(await inEngine(run)).to.deep.equal([]);
  }

  for (const [when, moment] of Object.entries(moments)) {
    it(`leaves nothing in the engine when it is interrupted ${when}, ${HOW}`, () =>
      expectNothingLeft(CONTAINERS, moment));
  }

  it(`leaves nothing when two files run at once, ${HOW}`, () =>
    expectNothingLeft(PARALLEL, moments['while the containers are created']!));
});
