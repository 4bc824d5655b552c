import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const CLEANING_MS = 90_000; // Compose's down has 60 s
const MAX_CHARS = 4096;

/** How a grading ended: its exit code, the last line that it wrote about why, and whether it took too long. */
interface End {
  code: number | undefined;
  said: string;
  isLate: boolean;
}

/**
 * The same command for one pair, as a process of its own: whatever a pair does to its grader costs only that pair. It ends
 * by itself, with everything that it started, when this process is gone (see `main.ts`).
 */
export class GradingProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';

  constructor(folder: string, args: string[]) {
    // npm's variables would have paths looked up from where npm was called.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:npm_|INIT_CWD$)/.test(name)));
    this.#child = fork(MAIN, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-MAX_CHARS);
    });
    this.#ended = once(this.#child, 'exit');
  }

  get pid() {
    return this.#child.pid!;
  }

  /** Ends it as Ctrl-C would: it removes what it started first. */
  stop() {
    this.#child.kill('SIGTERM');
  }

  /** Waits for its end, and after `limitMs` sees to it. */
  async end(limitMs: number): Promise<End> {
    const isIn = async (ms: number) => {
      const timer = new AbortController();
      const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
      const result = await Promise.race([this.#ended.then(() => true), late]);
      timer.abort();
      return result;
    };
    const isLate = !(await isIn(limitMs));
    if (isLate) {
      this.stop();
      if (!(await isIn(CLEANING_MS))) this.#child.kill('SIGKILL');
      await this.#ended;
    }
    await sleep(20); // the last of what it wrote
    return { code: this.#child.exitCode ?? undefined, said: this.#said.trim().split('\n').at(-1)!, isLate };
  }
}
