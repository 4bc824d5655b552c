import { exec } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { dockerProblem, newProject, removeProject } from '../src/containers.ts';
import { freePort } from '../src/processes.ts';
import { examplesIn, writeOutputs } from '../src/readme.ts';
import { until } from '../src/stack.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = `${ROOT}README.md`;

const describeWithDocker = dockerProblem() && !process.env.CI ? describe.skip : describe;

/** What these print is Docker's progress, which the page leaves out. */
const isProgress = /^docker compose (up|stop|start|kill|pause|unpause|down)\b/;

describeWithDocker('The README, acted out from top to bottom', function () {
  this.timeout(300_000);
  let run: (command: string) => Promise<string>;
  let down: () => Promise<void>;

  before(async () => {
    const project = newProject();
    const [portA, portB] = [String(await freePort()), String(await freePort())];
    const env = { ...process.env, COMPOSE_PROJECT_NAME: project, SERVICE_A_PORT: portA, SERVICE_B_PORT: portB };
    down = removeProject(project);
    run = async (command) => {
      const here = command
        .replaceAll('localhost:8080', `localhost:${portA}`)
        .replaceAll('localhost:8081', `localhost:${portB}`);
      const mayFindNothing = command.includes('| grep') ? ' || test $? = 1' : '';
      const { stdout } = await promisify(exec)(here + mayFindNothing, { cwd: ROOT, env });
      return isProgress.test(command) ? '' : plain(stdout);
    };
  });

  after(() => down());

  if (process.env.UPDATE_DOCS) {
    it('is written anew from what the commands print', async () => {
      const outputs: string[] = [];
      for (const { command } of examplesIn(README)) {
        await sleep(1500); // what a reader takes between two commands
        outputs.push(await run(command));
      }
      writeOutputs(README, outputs);
    });
    return;
  }

  for (const { command, output, line } of examplesIn(README)) {
    it(`line ${line}: ${command}`, async () => {
      let printed = '';
      // A reader takes a second between two commands, and A takes half of it to start.
      const matches = async () => {
        printed = await run(command).catch((error) => String(error));
        return settled(printed) === settled(output);
      };
      await until('the printed answer', matches, 3000).catch(() => {
        expect(settled(printed)).to.equal(settled(output));
      });
    });
  }
});

/** What was printed, without a terminal's escape sequences and line breaks. */
function plain(output: string): string {
  return output
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
    .replaceAll('\r', '')
    .trimEnd();
}

/** The same for every run: without times, durations and generated ids. */
function settled(output: string): string {
  return output
    .replace(/"time":"[^"]+"/g, '"time":"…"')
    .replace(/latency_ms":[0-9.]+/g, 'latency_ms":…')
    .replace(/^Date: .*$/m, 'Date: …')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid');
}
