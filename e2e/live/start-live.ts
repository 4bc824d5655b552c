/** Starts and ends `npm run live` for tests. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { until } from '../stack/until.ts';
import type { CallView, News } from './protocol.ts';

const START_MS = 120_000;

export interface Live {
  /** The link that it prints. */
  link: string;
  port: number;
  /** The address of a path on its server, with the token of the link. */
  at(path: string): string;
  /** Ends it as Ctrl-C does, and resolves to the exit code. */
  end(): Promise<number | null>;
  /** Everything that it has printed so far. */
  output(): string;
}

/** Starts `npm run live` with these options, on a free port unless one is given. Resolves when it has printed its link. */
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

/** Gets everything that a page is told when it is opened, and the beginning of the ids of all requests. */
export async function newsOf({ at }: Live): Promise<News & { prefix: string }> {
  const news: News = await (await fetch(at('/news'))).json();
  const { id, n } = (await (await fetch(at(`/calls/${news.calls.at(-1)![0]}`))).json()) as CallView;
  return { ...news, prefix: id.slice(0, -String(n).length) };
}
