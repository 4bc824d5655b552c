import type { Server } from 'node:http';
import type { Socket } from 'node:net';

// How long a caller may take to send the head of a request, and all of it, in ms. Node answers 408 after that.
export const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };
const IDLE_MS = 5000; // beyond the longest answer, for the next request on a connection
const STALL_MS = 6000; // beyond the longest answer, for a caller who does not read it; Node may take twice as long
const MAX_CONNECTIONS = 4096; // each can hold 16 KiB of an unfinished head, and all of it must fit into 256 MiB
const MAX_SILENT = 3500; // connections without a request so far; the rest is for callers who make one

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
    timers.set(socket, timer);
  });
}
