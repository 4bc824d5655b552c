import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Finds a port on which nothing listens: the wanted one if it is free, or else one below the range that systems use for
 * outgoing connections, as a port of that range may be taken again before the caller listens on it.
 */
export async function freePort(wanted?: number): Promise<number> {
  const port = wanted ?? randomInt(20_000, 32_000);
  return (await isTaken(port)) ? freePort() : port;
}

/** Whether something on this machine already listens on `port`. */
export async function isTaken(port: number): Promise<boolean> {
  for (const host of ['::', '0.0.0.0']) {
    const server = createServer().listen(port, host);
    const code = await once(server, 'listening').then(
      () => undefined,
      (error) => error.code,
    );
    if (code === 'EADDRINUSE') return true;
    if (!code) await once(server.close(), 'close');
  }
  return false;
}
