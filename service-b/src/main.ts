import { setFlagsFromString } from 'node:v8';
import { createApp } from './app.ts';
import { createLogger } from './chassis/logger.ts';
import { die, serve } from './chassis/server.ts';
import { createServiceA } from './service-a-client.ts';
import { readSettings } from './settings.ts';

// A call gets a tenth cheaper: V8 would store its state, which lives as long as A takes, with what lives for minutes.
setFlagsFromString('--no-allocation-site-pretenuring');

const logger = createLogger('service-b');
process.on('uncaughtException', (error) => die(logger, error));

// Or the system's name lookup would wait up to 10 s for a resolver that is silent (resolv.conf(5)).
process.env.RES_OPTIONS ||= 'timeout:1 attempts:1';

const settings = readSettings(process.env);
logger.level = settings.logLevel;
const serviceA = createServiceA(settings.serviceAUrl, settings.serviceATimeoutMs);
await serve(createApp(serviceA, logger), logger, settings);
