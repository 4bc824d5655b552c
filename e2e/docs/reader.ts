import { spawn, type ChildProcess } from 'node:child_process';
import { removeAtExit } from '../stack/process/at-exit.ts';
import type { newProject } from '../stack/docker/containers.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { signal } from '../stack/process/state.ts';
import { until } from '../stack/until.ts';
import { paste, translation } from './shell.ts';

/** A reader who does what a page says, on free ports. `await using` ends what still runs in the reader's terminals. */
export interface Reader extends AsyncDisposable {
  urlA: string;
  urlB: string;
  /** Pastes lines into a shell, which runs them in order, and resolves to what they printed. */
  paste(commands: string): Promise<string>;
  /** Pastes lines into a new terminal; the last keeps running. Resolves once `services` services have logged `listening`. */
  open(commands: string, services?: number): Promise<Terminal>;
}

interface Terminal {
  /** Sends SIGINT to all processes in the foreground, as a terminal does. Resolves once they have ended. */
  ctrlC(): Promise<void>;
}

/**
 * Free ports replace the ports that a page names, and `project` replaces its Compose project, so that a running pair is not
 * disturbed. Without a project, the reader has no Docker.
 */
export async function newReader(project?: ReturnType<typeof newProject>): Promise<Reader> {
  const [portA, portB] = [String(await freePort()), String(await freePort())];
  const env = {
    ...process.env,
    ...project?.env,
    SERVICE_A_PORT: portA,
    SERVICE_B_PORT: portB,
    PORT: '',
    SERVICE_A_URL: '',
  };
  const terminals: Terminal[] = [];

  async function open(commands: string, services = 1) {
    const shell = spawn('bash', { cwd: ROOT, env, detached: true });
    const forget = removeAtExit(() => interrupt(shell));
    shell.stdin.end(`${commands}\n`);
    let printed = '';
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk) => (printed += chunk));
    let hasEnded = false;
    shell.once('close', () => (hasEnded = true));
    const terminal = {
      async ctrlC() {
        if (!hasEnded) interrupt(shell);
        await until(`\`${commands}\` to end after Ctrl-C`, async () => hasEnded);
        forget();
      },
    };
    terminals.push(terminal);
    await until(`\`${commands}\` to listen`, async () => {
      if (hasEnded) throw new Error(`\`${commands}\` ended: ${printed}`);
      return printed.split('"listening"').length > services;
    });
    return terminal;
  }

  async function close() {
    for (const terminal of terminals) await terminal.ctrlC();
  }
  return {
    urlA: `http://127.0.0.1:${portA}`,
    urlB: `http://127.0.0.1:${portB}`,
    paste: (commands) => paste(commands, { env, ...translation(portA, portB, project?.project) }),
    open,
    [Symbol.asyncDispose]: close,
  };
}

const interrupt = ({ pid }: ChildProcess) => signal(-pid!, 'SIGINT');
