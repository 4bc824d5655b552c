import { once } from 'node:events';
import { connect } from 'node:net';

export interface BurstAnswer {
  /** The number in the status line; undefined when the connection ended without one, or nothing came within 20 s. */
  status: number | undefined;
  body: string;
  ms: number;
}

/**
 * Sends `count` requests at once, each on a connection of its own, and resolves once all have ended. Raw sockets, as
 * the caller shares the machine with what it measures.
 */
export function burst(url: string, count: number): Promise<BurstAnswer[]> {
  return Promise.all(Array.from({ length: count }, () => askRaw(url)));
}

/** One request over a raw socket. Never rejects. */
export async function askRaw(url: string): Promise<BurstAnswer> {
  const { hostname, port, pathname, search } = new URL(url);
  const start = performance.now();
  let received = '';
  const socket = connect(Number(port), hostname, () => {
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`);
  });
  socket.setEncoding('utf8').on('data', (chunk) => (received += chunk));
  socket.on('error', () => {});
  socket.setTimeout(20_000, () => socket.destroy());
  await once(socket, 'close');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1];
  const body = received.slice(received.indexOf('\r\n\r\n') + 4);
  return { status: status ? Number(status) : undefined, body, ms: performance.now() - start };
}
