import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { ROOT } from '../stack/paths.ts';
import { tied } from '../stack/process/enclosure.ts';

const PASTE_MS = 240_000;
const NAME = 'two-services';

/** Runs a page's commands where the pair has other names and ports, and puts the page's names into what they print. */
interface Shell {
  env: NodeJS.ProcessEnv;
  /** Translates the page's commands to the ones that run. */
  own?: (commands: string) => string;
  /** Translates what was printed to what the page prints. */
  told?: (printed: string) => string;
}

/**
 * Pastes lines into a shell in the repository's folder, which runs them in their order, and resolves to what they
 * printed. Rejects with what the last one wrote to its standard error when that failed and `isStrict`.
 */
export async function paste(
  commands: string,
  { env, own = same, told = same }: Shell,
  isStrict = false,
): Promise<string> {
  const shell = spawn(...tied('bash', []), { cwd: ROOT, env, timeout: PASTE_MS });
  shell.stdin.on('error', () => {}); // the shell may end before it has read everything
  shell.stdin.end(`${own(commands)}\n`);
  const [printed, errors] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, 'close')]);
  if (isStrict && shell.exitCode !== 0) throw new Error(errors.trim() || `${commands} failed.`);
  return answered(told(printed));
}

const same = (text: string) => text;

/** Translates between the names and ports of a page and those of another pair: a Compose project on other ports. */
export function translation(portA: string, portB: string, project = NAME) {
  const names: [onPage: string, there: string][] = [
    [NAME, project],
    ['localhost:8080', `localhost:${portA}`],
    ['localhost:8081', `localhost:${portB}`],
  ];
  return {
    own: (commands: string) => names.reduce((text, [onPage, there]) => text.replaceAll(onPage, there), commands),
    told: (printed: string) => names.reduce((text, [onPage, there]) => text.replaceAll(there, onPage), printed),
  };
}

/** Removes a terminal's escape sequences and the progress of a build from what was printed. */
function answered(printed: string): string {
  return printed
    .replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, '')
    .replaceAll(/^#\d+ .*\n+/gm, '')
    .trimEnd();
}
