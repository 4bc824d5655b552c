import { createServer } from 'node:http';
import { constants } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { levels } from 'pino';
import { createLogger } from './access-log.ts';
import { createApp } from './app.ts';
import { createServiceA } from './service-a-client.ts';

const DRAIN_MS = 5000; // for requests in flight when told to stop; well inside the 10 s that Docker gives

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
const isWhole = (value: string, min: number, max: number) => /^\d{1,5}$/.test(value) && +value >= min && +value <= max;

const port = setting('PORT', '8081', 'a whole number from 0 to 65535', (value) => isWhole(value, 0, 65535));
const timeoutMs = setting('SERVICE_A_TIMEOUT_MS', '1000', 'a whole number from 1 to 60000', (value) =>
  isWhole(value, 1, 60000),
);
const isOrigin = (value: string) =>
  URL.parse(value)?.protocol === 'http:' && URL.parse('/', value)?.href === URL.parse(value)?.href;
const serviceAUrl = setting('SERVICE_A_URL', 'http://localhost:8080', 'like http://service-a:8080', isOrigin);
const names = [...Object.keys(levels.values), 'silent'];
logger.level = setting('LOG_LEVEL', 'info', `one of ${names.join(', ')}`, (value) => names.includes(value));

const app = createApp(createServiceA(serviceAUrl, Number(timeoutMs)), logger);
const server = createServer(app.callback());
server.once('error', ({ code }: NodeJS.ErrnoException) =>
  die(`Cannot listen on port ${port} (${code}); stop what uses it, or set PORT to another.`),
);
server.listen(port, () => logger.info(server.address(), 'listening'));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!server.listening) process.exit(128 + constants.signals[signal]);
    logger.info({ signal }, 'stopping');
    app.context.draining = true;
    server.close(() => logger.info('stopped'));
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  });
}
