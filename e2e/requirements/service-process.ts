import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { isHealthy } from '../stack/health.ts';
import { freePort } from '../stack/process/ports.ts';
import { spawnService } from '../stack/process/spawn-service.ts';
import { until } from '../stack/until.ts';

export const NO_A = 'http://127.0.0.1:1';

const parse = (output: string): Record<string, any>[] =>
  output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** Starts processes of a service for the tests of one `describe`, and kills what still runs at its end. */
export function processesOf(name: string) {
  const alive = new Set<ReturnType<typeof spawnService>>();
  after(() => {
    for (const child of alive) child.kill('SIGKILL');
  });

  function launch(env: NodeJS.ProcessEnv) {
    const child = spawnService(name, { SERVICE_A_URL: NO_A, ...env });
    const exited = once(child, 'exit');
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    /** Begins to read its output, and resolves to how it ended and to its log once it has ended. */
    async function ended() {
      const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout!), text(child.stderr!), exited]);
      return { code, signal, stderr, lines: parse(stdout) };
    }
    return { child, exited, ended };
  }

  async function launchHealthy(env: NodeJS.ProcessEnv = {}) {
    const port = await freePort();
    const launched = launch({ PORT: String(port), ...env });
    await until(`${name} to be healthy`, () => isHealthy(`http://127.0.0.1:${port}`));
    return { ...launched, port };
  }

  return { launch, launchHealthy };
}
