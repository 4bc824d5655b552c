import { createApp } from './app.ts';
import { createLogger } from './chassis/logger.ts';
import { die, serve } from './chassis/server.ts';
import { readSettings } from './settings.ts';

const logger = createLogger('service-a');
process.on('uncaughtException', (error) => die(logger, error));

const settings = readSettings(process.env);
logger.level = settings.logLevel;
await serve(createApp(logger), logger, settings);
