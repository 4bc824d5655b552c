import { once } from 'node:events';
import { createServer } from 'node:http';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { CannotStart } from './env.ts';
import type { App } from './requests.ts';

// For a caller to send the head of a request, and all of it, in ms; Node answers 408 after that.
const LIMITS = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 };
const STALL_MS = 6000; // beyond the longest answer, for a caller who does not read it; Node may take twice as long
const LINGER_MS = 200; // for requests that are on their way when the service is told to stop, and then for its last log lines
const DRAIN_MS = 1000; // beyond the longest answer, for what is in flight then; Docker gives 10 s in all
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export type Settings = { host: string; port: number; portName: string; longestAnswerMs: number };

/**
 * Serves the application until SIGINT or SIGTERM; the process then answers what is in flight and exits with 0.
 * `longestAnswerMs` is the longest time that a handler takes. Rejects with a CannotStart when it cannot listen.
 */
export async function serve(app: App, logger: Logger, settings: Settings): Promise<void> {
  const { host, port, portName, longestAnswerMs } = settings;
  const server = createServer(LIMITS, app.callback());
  server.timeout = longestAnswerMs + STALL_MS;
  // What close() takes for an idle connection may be one whose first request is on its way.
  const closeIdleConnections = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => setTimeout(closeIdleConnections, LINGER_MS);
  let accepted = 0;
  server.on('connection', () => accepted++);

  /** Until no connection waits to be accepted, as the kernel would reset it. Node accepts one in each turn of its event loop. */
  async function acceptAll() {
    const end = performance.now() + LINGER_MS;
    let before: number;
    do {
      before = accepted;
      await setImmediate();
    } while (accepted > before && performance.now() < end);
  }

  async function stop(signal: NodeJS.Signals) {
    if (app.context.isStopping) endNow(signal);
    logger.info({ signal }, 'stopping');
    app.context.isStopping = true;
    await sleep(LINGER_MS);
    await acceptAll();
    server.close();
    setTimeout(() => server.closeAllConnections(), longestAnswerMs + DRAIN_MS - 3 * LINGER_MS);
    await once(server, 'close');
    await sleep(LINGER_MS); // for the lines of callers who were cut off, and for a slow reader of the log
    logger.info('stopped');
    process.exit();
  }
  for (const signal of SIGNALS) process.on(signal, stop);

  server.listen({ host, port, backlog: 4096 });
  await once(server, 'listening').catch(({ code }) => {
    const toDo = code === 'EADDRINUSE' ? 'stop what uses it, or set' : `set LISTEN_HOST (${host}) or`;
    throw new CannotStart(`Cannot listen on port ${port} (${code}); ${toDo} ${portName} to another.`);
  });
  logger.info(server.address(), 'listening');
}

/** Ends the process as the signal does by default, which does not wait for a name lookup in another thread. */
function endNow(signal: NodeJS.Signals): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  process.exit(1); // as process 1 of a container it would survive
}

/** Logs why, whatever LOG_LEVEL is, and ends the process: with 1 when it cannot start, with 70 (a bug) for all else. */
export function die(logger: Logger, error: Error): never {
  const isBug = !(error instanceof CannotStart);
  logger.level = 'fatal';
  logger.fatal({ error: error.message, ...(isBug && { stack: error.stack }) });
  process.exit(isBug ? 70 : 1);
}
