import { setFlagsFromString } from 'node:v8';
import { createApp } from './app.ts';
import { createLogger } from './chassis/logger.ts';
import { die, serve } from './chassis/server.ts';
import { createServiceA } from './service-a-client.ts';
import { readSettings } from './settings.ts';

// This makes a call a tenth cheaper. Otherwise V8 stores a call's short-lived state with long-lived objects.
setFlagsFromString('--no-allocation-site-pretenuring');

const logger = createLogger('service-b');
process.on('uncaughtException', (error) => die(logger, error));

// This bounds the system's name lookup, which waits up to 10 s for a silent resolver by default (resolv.conf(5)).
process.env.RES_OPTIONS ||= 'timeout:1 attempts:1';

const settings = readSettings(process.env);
logger.level = settings.logLevel;
const serviceA = createServiceA(settings.serviceAUrl, settings.serviceATimeoutMs);
await serve(createApp(serviceA, logger), logger, settings);
