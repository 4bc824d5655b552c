import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How long a caller may take to send the head of a request, and the whole request, in ms; then Node refuses it. */
export const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };
// A caller may take this much longer than the longest answer …
const IDLE_MS = 5000; // … to send the next request on a connection
const STALL_MS = 6000; // … to read an answer; Node may wait for twice as long
const MAX_CONNECTIONS = 4096; // with 16 KiB of an unfinished head on each, the process still fits into 256 MiB
const MAX_SILENT = 3500; // connections without a request so far; the rest are kept for callers who send one

/** Bounds how many connections a server holds, and how long an unused one may last. */
export function boundConnections(server: Server, longestAnswerMs: number) {
  const silent = new Set<Socket>(); // the oldest is first
  const timers = new WeakMap<Socket, NodeJS.Timeout>();
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = longestAnswerMs + STALL_MS;

  server.on('connection', (socket) => {
    const [oldest] = silent.add(socket);
    if (silent.size > MAX_SILENT) oldest!.destroy();
    socket.once('close', () => {
      silent.delete(socket);
      clearTimeout(timers.get(socket));
    });
  });

  // Node takes an empty line for the start of the next request. Here only a request itself counts.
  server.on('request', (request) => {
    const { socket } = request;
    silent.delete(socket);
    clearTimeout(timers.get(socket));
    const end = () => (request.complete ? socket.destroy() : timer.refresh());
    const timer = setTimeout(end, longestAnswerMs + IDLE_MS);
    request.once('close', () => timer.refresh());
    timers.set(socket, timer);
  });
}
