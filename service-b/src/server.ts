import { createServer } from 'node:http';
import { Server as NetServer } from 'node:net';
import { constants } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { levels } from 'pino';
import { createLogger } from './access-log.ts';
import { createApp } from './app.ts';
import { createServiceA } from './service-a-client.ts';

const LINGER_MS = 200; // for requests already on their way on a kept connection when told to stop
const HEADERS_MS = 5000; // for a caller to send the head of a request; Node answers 408 after it
const REQUEST_MS = 10_000; // for the whole request
const STALL_MS = 7000; // for an answer to wait for a caller who does not read it; Node may take twice as long

// Where objects tend to outlive a collection, V8 comes to allocate them in the old generation at once. The state of a
// call in flight does, dies soon after, and from there makes each scavenge promote the younger objects it points to.
setFlagsFromString('--no-allocation-site-pretenuring');

const logger = createLogger('service-b');

function die(error: string, stack?: string): never {
  logger.level = 'fatal'; // whatever LOG_LEVEL is: a process that dies says why
  logger.fatal({ error, stack });
  process.exit(1);
}
process.on('uncaughtException', ({ message, stack }) => die(message, stack));

function setting(name: string, fallback: string, allowed: string, isAllowed: (value: string) => boolean) {
  const value = process.env[name] || fallback;
  return isAllowed(value) ? value : die(`${name} is ${JSON.stringify(value)}; it must be ${allowed}.`);
}
function wholeNumber(name: string, fallback: number, min: number, max: number) {
  const isAllowed = (value: string) => /^\d{1,5}$/.test(value) && +value >= min && +value <= max;
  return Number(setting(name, `${fallback}`, `a whole number from ${min} to ${max}`, isAllowed));
}

const port = wholeNumber('PORT', 8081, 0, 65535);
const timeoutMs = wholeNumber('SERVICE_A_TIMEOUT_MS', 1000, 1, 60000);
const isHttpOrigin = (value: string) => /^http:\/\/[^/?#@]+\/?$/.test(value) && URL.canParse(value);
const serviceAUrl = setting('SERVICE_A_URL', 'http://localhost:8080', 'like http://service-a:8080', isHttpOrigin);
const names = [...Object.keys(levels.values), 'silent'];
logger.level = setting('LOG_LEVEL', 'info', `one of ${names.join(', ')}`, (value) => names.includes(value));

const app = createApp(createServiceA(serviceAUrl, timeoutMs), logger);
const answer = app.callback();
const limits = { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 };
const server = createServer(limits, answer);
server.timeout = timeoutMs + STALL_MS; // not to be taken for a wait for A
server.on('checkExpectation', answer); // or Node answers 417 to `Expect: anything`, past the log
// Or Node ends the connection of a CONNECT without an answer.
server.on('connect', (_request, socket) => {
  socket.write('HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n');
  socket.destroy();
});
server.once('error', ({ code }: NodeJS.ErrnoException) =>
  die(`Cannot listen on port ${port} (${code}); stop what uses it, or set PORT to another.`),
);
server.listen({ port, backlog: 4096 }, () => logger.info(server.address(), 'listening'));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!server.listening) process.exit(128 + constants.signals[signal]);
    logger.info({ signal }, 'stopping');
    app.context.draining = true;
    // Not server.close(), which ends idle connections too: on one of them the next request may be on its way already.
    NetServer.prototype.close.call(server, () => logger.info('stopped'));
    setTimeout(() => server.closeIdleConnections(), LINGER_MS).unref();
    setTimeout(() => server.closeAllConnections(), timeoutMs + 1000).unref(); // every call in flight has ended by then
  });
}
