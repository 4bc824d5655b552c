import { once } from 'node:events';
import { createServer } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { boundConnections, LIMITS } from './connections.ts';
import { CannotStart } from './env.ts';
import { answerRefused } from './refusals.ts';
import type { App } from './requests.ts';

const LINGER_MS = 200; // how long the service waits for requests on their way, and for the reader of its last log lines
const HOLD_MS = 50; // how long callers who have just got an answer have to send the next request
const DRAIN_MS = 1000; // how much longer than the longest answer the requests in flight may take

export type Settings = { host: string; port: number; portName: string; longestAnswerMs: number };

/**
 * Serves the application until SIGINT or SIGTERM; the process then answers what is in flight and exits with 0.
 * `longestAnswerMs` is the longest time that a handler takes. Rejects with a CannotStart when it cannot listen.
 */
export async function serve(app: App, logger: Logger, settings: Settings): Promise<void> {
  const { host, port, portName, longestAnswerMs } = settings;
  const server = createServer({ ...LIMITS, requireHostHeader: false }, app.callback()); // the app checks the host
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  answerRefused(server, logger);
  boundConnections(server, longestAnswerMs);
  let accepted = 0;
  server.on('connection', () => accepted++);

  /** Stops once no connection waits, because the kernel would reset it. Each turn of the event loop accepts one. */
  async function stopListening() {
    await sleep(HOLD_MS);
    const end = performance.now() + LINGER_MS;
    for (let before = -1; accepted > before && performance.now() < end; await setImmediate()) before = accepted;
    NetServer.prototype.close.call(server); // http.Server's own would end connections on which a request is arriving
  }

  let isStopping = false;
  async function stop(signal: NodeJS.Signals) {
    if (isStopping) endNow(signal);
    isStopping = true;
    logger.info({ signal }, 'stopping');
    const closed = once(server, 'close');
    await sleep(LINGER_MS);
    await (app.context.listeningEnd = stopListening());
    setTimeout(() => server.closeIdleConnections(), 2 * LINGER_MS);
    setTimeout(() => server.closeAllConnections(), longestAnswerMs + DRAIN_MS - 4 * LINGER_MS);
    await closed;
    await sleep(LINGER_MS); // requests that were cut off are logged now, and the log may have a slow reader
    logger.info('stopped');
    process.exit();
  }
  process.on('SIGINT', stop).on('SIGTERM', stop);

  server.listen({ host, port, backlog: 4096 });
  await once(server, 'listening').catch(({ code }) => {
    const toDo = code === 'EADDRINUSE' ? 'stop what uses it, or set' : `set LISTEN_HOST (${host}) or`;
    throw new CannotStart(`Cannot listen on port ${port} (${code}); ${toDo} ${portName} to another.`);
  });
  logger.info(server.address(), 'listening');
}

/** Ends the process as the signal does by default, without waiting for a name lookup in another thread. */
function endNow(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(1); // process 1 of a container survives the signal
}

/** Logs why, whatever LOG_LEVEL is, and ends the process: with 1 when it cannot start, with 70 for a bug. */
export function die(logger: Logger, error: Error): never {
  const isBug = !(error instanceof CannotStart);
  logger.level = 'fatal';
  logger.fatal({ error: error.message, ...(isBug && { stack: error.stack }) });
  process.exit(isBug ? 70 : 1);
}
