/** `npm run grade`: the rubric of a pair of services, from outside. Exit code 0, 1 (a requirement fails) or 2 (no grade). */
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { composeFileStack, dockerProblem } from '../containers.ts';
import { commandStack, isTaken, startProcesses, type Command } from '../processes.ts';
import type { Stack } from '../stack.ts';
import { grade, score } from './grade.ts';
import { Pair } from './pair.ts';
import { proof } from './proof.ts';
import { rubric } from './rubric.ts';

const HELP = `Grades a pair of services, in any language, from the outside.

  npm run grade                                       this repository's own pair, as processes
  npm run grade -- --compose DIR/docker-compose.yml   services named service-a and service-b
  npm run grade -- --a 'python app.py' --a-dir DIR/service-a \\
                   --b 'python app.py' --b-dir DIR/service-b

The pair: A answers /health and /echo?msg= on port 8080, B answers /health and /call-echo?msg= on port
8081 and calls A. Two commands are run by the shell, with PORT in their environment and, for B, A's
address in SERVICE_A_URL. In containers, A's port 8080 and B's port 8081 must be published.

  --compose FILE           a Compose file; it is built and started as a project of its own
  --a CMD   --b CMD        how each service is started, in the foreground
  --a-dir   --b-dir DIR    where it is started (.)
  --a-url   --b-url URL    where it listens (http://127.0.0.1:8080, http://127.0.0.1:8081)
  --timeout SECONDS        how long B may take to answer while A hangs (5)
  --json FILE              the rubric for machines
  --proof FILE.md          commands, answers and log lines of a success and a failure, for a README

A is stopped, frozen and replaced by one that misbehaves, and put back; B too is stopped at the end.
Nothing is left running. A grade takes about a minute.

Exit code: 0 when all of the lab's requirements are met, 1 when not, 2 when there is nothing to grade.
`;

/** There is nothing to grade, for a reason that the person at the keyboard can do something about. */
class Unusable extends Error {}

function options() {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({
      options: {
        ...{ compose: text, a: text, b: text, 'a-dir': text, 'b-dir': text, 'a-url': text, 'b-url': text },
        ...{ timeout: { ...text, default: '5' }, json: text, proof: text, help: { type: 'boolean', short: 'h' } },
      },
    });
    return values;
  } catch (error) {
    throw new Unusable(`${(error as Error).message.split('. ')[0]}; see --help.`);
  }
}

/** npm runs scripts in the repository; paths are meant from where the person is. */
const from = (process.env.npm_lifecycle_event === 'grade' && process.env.INIT_CWD) || process.cwd();
const path = (name: string) => resolve(from, name);

function command(name: 'a' | 'b', values: ReturnType<typeof options>): Command {
  const dir = path(values[`${name}-dir`] ?? '.');
  if (!existsSync(dir) || !statSync(dir).isDirectory())
    throw new Unusable(`There is no directory ${dir} (--${name}-dir).`);
  const url = values[`${name}-url`] ?? { a: 'http://127.0.0.1:8080', b: 'http://127.0.0.1:8081' }[name];
  if (!/^http:\/\/[^/:]+:\d{1,5}\/?$/.test(url) || !URL.canParse(url)) {
    throw new Unusable(`--${name}-url is ${url}; it must be like http://127.0.0.1:8080.`);
  }
  return { command: values[name]!, dir, url: url.replace(/\/$/, '') };
}

/** The stack that the options name, and how its A is stopped, for the proof. */
async function stackOf(values: ReturnType<typeof options>): Promise<{ stack: Stack; stopCommand: string }> {
  const { compose, a, b } = values;
  if (compose && (a || b)) throw new Unusable('Give either --compose or --a and --b.');
  if (compose) {
    const file = path(compose);
    if (!existsSync(file)) throw new Unusable(`There is no file ${file} (--compose).`);
    const problem = dockerProblem();
    if (problem) throw new Unusable(`No Docker Engine with Compose answers: ${problem}`);
    try {
      return { stack: await composeFileStack(file), stopCommand: 'docker compose stop service-a' };
    } catch (error) {
      throw new Unusable(whatComposeSaid(error as Error & { stderr?: string }));
    }
  }
  if (a || b) {
    if (!a || !b) throw new Unusable(`--${a ? 'b' : 'a'} is missing: a pair takes two commands.`);
    const commands = [command('a', values), command('b', values)] as const;
    for (const { url } of commands) {
      const port = Number(new URL(url).port || 80);
      if (await isTaken(port))
        throw new Unusable(`Port ${port} is already in use; stop what listens on it, and grade again.`);
    }
    return { stack: commandStack(...commands), stopCommand: `kill -TERM <service A>   # ${a}` };
  }
  return { stack: await startProcesses(), stopCommand: 'kill -TERM <service A>' };
}

function whatComposeSaid({ stderr, message }: Error & { stderr?: string }): string {
  const port = /(?:[\d.]+|\[::\]):(\d+).{0,40}(?:failed: port is already allocated|address already in use)/.exec(
    stderr ?? '',
  );
  if (port) return `Port ${port[1]} is already in use; stop what listens on it, and grade again.`;
  const lines = (stderr ?? message).trim().split('\n');
  return `Compose could not start the pair: ${lines.at(-1)}`;
}

/** One line that writes itself over, on a terminal only. */
function showProgress(done: number, of: number, what: string) {
  const { isTTY, columns } = process.stderr;
  if (isTTY) process.stderr.write(`\r\x1b[K${`${done}/${of} ${what}`.slice(0, (columns || 80) - 1)}`);
}

async function main(): Promise<number> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const seconds = Number(values.timeout);
  if (!(seconds > 0 && seconds <= 60))
    throw new Unusable(`--timeout is ${values.timeout}; it must be more than 0 and at most 60.`);

  if (process.stderr.isTTY) process.stderr.write('building and starting the pair');
  const { stack, stopCommand } = await stackOf(values);
  // Half a second more than was promised, so that a timeout of exactly as much counts.
  const limits = { answerMs: seconds * 1000 + 500, goneMs: 30_000, healthMs: 1000, recoveryMs: 15_000 };
  const pair = new Pair(stack, limits);
  let results;
  try {
    results = await grade(pair, showProgress);
  } finally {
    await stack.down();
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }
  const missing = (['a', 'b'] as const).find((name) => /ended with code 12[67] before/.test(pair.problems[name] ?? ''));
  if (missing) throw new Unusable(`The command of service ${missing.toUpperCase()} cannot be run: ${values[missing]}`);

  process.stdout.write(rubric(results, process.stdout));
  const lab = results.filter(({ section }) => section === 'lab');
  const robustness = results.filter(({ section }) => section === 'robustness');
  if (values.json) {
    const scores = { lab: score(lab), robustness: score(robustness), all: score(results) };
    await writeFile(path(values.json), `${JSON.stringify({ scores, results }, null, 2)}\n`);
  }
  if (values.proof) await writeFile(path(values.proof), proof(pair, stopCommand));
  return lab.every(({ verdict }) => verdict === 'pass') ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(2));

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Unusable)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
