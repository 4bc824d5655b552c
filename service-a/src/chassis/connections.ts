import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The time that a caller has to send the head of a request, and the whole request, in ms. Node refuses it after that. */
export const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };
const IDLE_MS = 5000; // what a caller has, beyond the longest answer, to send the next request on a connection
const STALL_MS = 6000; // what a caller has, beyond the longest answer, to read it; Node may wait for twice as long
const MAX_CONNECTIONS = 4096; // with 16 KiB of an unfinished head on each, the process still fits into 256 MiB
const MAX_SILENT = 3500; // connections without a request so far; the others are left for callers who make one

/** Bounds how many connections a server holds, and how long one lasts that its caller does not use. */
export function boundConnections(server: Server, longestAnswerMs: number) {
  const silent = new Set<Socket>(); // the oldest stands first
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

  // Node takes an empty line for a sign of the next request. Here only the request itself counts.
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
