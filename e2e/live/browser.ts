import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chromium, type Browser } from 'playwright-core';
import { removeAtExit } from '../stack/process/at-exit.ts';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { until } from '../stack/until.ts';
import type { CallView, Dot } from './protocol.ts';

const START_MS = 120_000;
/** Those of the browsers that are looked for. */
export const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** The first of the browsers that playwright can drive, on the PATH; undefined when there is none. */
export function browserPath(): string | undefined {
  for (const name of NAMES) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

/** Tests in a real browser. Where there is none, they are one pending test that says so; in CI, a failure. */
export function describeInBrowser(title: string, tests: (this: Mocha.Suite) => void) {
  if (browserPath()) describe(title, tests);
  else if (!process.env.CI) it(`${title} (no browser on the PATH: ${NAMES.join(', ')})`);
  else {
    it(title, () => {
      throw new Error(`There is no browser on the PATH: ${NAMES.join(', ')}.`);
    });
  }
}

export function openBrowser(): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // Chromium's sandbox does not work for root
  return chromium.launch({ executablePath: browserPath()!, args });
}

export interface Live {
  /** The link that it shows. */
  link: string;
  port: number;
  /** The address of what the page asks for, with the token of the link. */
  at(path: string): string;
  /** As Ctrl-C does. Resolves to the exit code. */
  end(): Promise<number | null>;
  /** All that it has written. */
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

/** What a page is sent first: all dots, and what the ids of the requests begin with. */
export async function eventsOf({ at }: Live): Promise<{ dots: Dot[]; prefix: string }> {
  const stop = new AbortController();
  const response = await fetch(at('/events'), { signal: stop.signal });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (/event: calls\ndata: .*\n\n/.test(text)) break;
  }
  stop.abort();
  const dots = JSON.parse(/event: calls\ndata: (.*)\n/.exec(text)![1]!) as Dot[];
  const { id, n } = (await (await fetch(at(`/calls/${dots.at(-1)![0]}`))).json()) as CallView;
  return { dots, prefix: id.slice(0, -String(n).length) };
}
