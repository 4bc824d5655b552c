import { createApp } from './app.ts';
import { createLogger } from './chassis/logger.ts';
import { die, serve } from './chassis/server.ts';
import { createServiceA } from './service-a-client.ts';
import { readSettings } from './settings.ts';

const logger = createLogger('service-b');
process.on('uncaughtException', (error) => die(logger, error));

// Or the system's name lookup would wait up to 10 s for a resolver that is silent (resolv.conf(5)).
process.env.RES_OPTIONS ||= 'timeout:1 attempts:1';

const settings = readSettings(process.env);
logger.level = settings.logLevel;
const serviceA = createServiceA(settings.serviceAUrl, settings.serviceATimeoutMs);
await serve(createApp(serviceA, logger), logger, settings);
