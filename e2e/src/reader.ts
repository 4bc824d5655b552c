import { exec } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newProject } from './containers.ts';
import { freePort } from './processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What these print is Docker's progress, which the pages leave out. */
const isProgress =
  /^docker (compose (-\S+ \S+ )*(up|stop|start|restart|kill|rm|run|pause|unpause|down)|run|rm|network)\b/;

export interface Reader {
  urlA: string;
  urlB: string;
  /** Runs a command of a page as it stands there, apart from its ports and its project, and resolves to what it printed. */
  run(command: string): Promise<string>;
  down(): Promise<void>;
}

/** Somebody who types what a page says, in a Compose project and on ports of their own. */
export async function newReader(): Promise<Reader> {
  const { project, env: projectEnv, down } = newProject();
  const [portA, portB] = [String(await freePort()), String(await freePort())];
  const env = { ...process.env, ...projectEnv, SERVICE_A_PORT: portA, SERVICE_B_PORT: portB };

  async function run(command: string) {
    const here = command
      .replaceAll('localhost:8080', `localhost:${portA}`)
      .replaceAll('localhost:8081', `localhost:${portB}`)
      .replaceAll('two-services', project);
    const mayFindNothing = command.includes('| grep') ? ' || test $? = 1' : '';
    const { stdout } = await promisify(exec)(here + mayFindNothing, { cwd: ROOT, env, timeout: 240_000 });
    return isProgress.test(command) ? '' : plain(stdout);
  }
  return { urlA: `http://127.0.0.1:${portA}`, urlB: `http://127.0.0.1:${portB}`, run, down };
}

/** What was printed, without a terminal's escape sequences and line breaks. */
function plain(output: string): string {
  return output
    .replace(/\x1b\[[0-9;]*[A-Za-z]/g, '')
    .replaceAll('\r', '')
    .trimEnd();
}

/** A page or an output as it is in every run: without times, durations and generated ids. */
export function settled(text: string): string {
  return text
    .replace(/"time":"[^"]+"/g, '"time":"…"')
    .replace(/latency_ms":[0-9.]+/g, 'latency_ms":…')
    .replace(/\b[0-9.]+ (ms|s)\b/g, '… $1')
    .replace(/ +\|/g, ' |') // the columns of a table are as wide as the times in them
    .replace(/^Date: .*$/gm, 'Date: …')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid');
}
