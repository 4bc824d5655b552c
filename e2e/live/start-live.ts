/** Runs `npm run live` for a test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { until } from '../stack/until.ts';
import type { CallView, News } from './protocol.ts';

const START_MS = 120_000;

export interface Live {
  /** The link that it shows. */
  link: string;
  port: number;
  /** The address of what the page asks for, with the token of the link. */
  at(path: string): string;
  /** Ends it as Ctrl-C does. Resolves to the exit code. */
  end(): Promise<number | null>;
  /** Everything that it has written. */
  output(): string;
}

/** `npm run live` with these options, on a port of its own unless one is given. Resolves once it says where to look. */
export async function startLive(args: string[] = [], env: NodeJS.ProcessEnv = {}, at?: number): Promise<Live> {
  const port = at ?? (await freePort());
  const child = runLive([...args, '--port', String(port)], env);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output += chunk));
  const forget = removeAtExit(() => child.kill('SIGTERM'));
  await until(
    'the page',
    async () => {
      if (child.exitCode !== null) throw new Error(`It ended with code ${child.exitCode}: ${output}`);
      return /^Open http:.*\n/m.test(output);
    },
    START_MS,
  );
  const link = /^Open (.*)$/m.exec(output)![1]!;
  return {
    link,
    port,
    at: (path) => new URL(`${path}${new URL(link).search}`, link).href,
    output: () => output,
    async end() {
      forget();
      if (child.exitCode === null) {
        child.kill('SIGINT');
        await once(child, 'close');
      }
      return child.exitCode;
    },
  };
}

export function runLive(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'e2e/live/main.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** An environment in which no Docker Engine answers. */
export const WITHOUT_DOCKER = { DOCKER_HOST: 'tcp://127.0.0.1:1', DOCKER_CONTEXT: '' };

/** Asks for the first news of a page, and for the prefix of the request ids. */
export async function newsOf({ at }: Live): Promise<News & { prefix: string }> {
  const news: News = await (await fetch(at('/news'))).json();
  const { id, n } = (await (await fetch(at(`/calls/${news.calls.at(-1)![0]}`))).json()) as CallView;
  return { ...news, prefix: id.slice(0, -String(n).length) };
}
