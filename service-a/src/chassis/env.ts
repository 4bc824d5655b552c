import { isIP } from 'node:net';
import { levels } from 'pino';

type Env = NodeJS.ProcessEnv;
type Check = (value: string) => boolean;

/** One sentence for the person who starts the service: what is wrong, and what to do. */
export class CannotStart extends Error {}

/** A variable's value, or `fallback` where it is absent or empty. Throws a CannotStart when it is not allowed. */
export function setting(env: Env, name: string, fallback: string, allowed: string, isAllowed: Check): string {
  const value = env[name] || fallback;
  if (!isAllowed(value)) throw new CannotStart(`${name} is ${JSON.stringify(value)}; it must be ${allowed}.`);
  return value;
}

export function wholeNumber(env: Env, name: string, fallback: number, min: number, max: number): number {
  const isAllowed = (value: string) => /^\d{1,5}$/.test(value) && +value >= min && +value <= max;
  return Number(setting(env, name, `${fallback}`, `a whole number from ${min} to ${max}`, isAllowed));
}

/** Where to listen, and what to log. `portVariable` is where the port is read from when `PORT` is not set. */
export function serverSettings(env: Env, portVariable: string, defaultPort: number) {
  const portName = env.PORT ? 'PORT' : portVariable;
  const logLevels = [...Object.keys(levels.values), 'silent'];
  return {
    host: setting(env, 'LISTEN_HOST', '127.0.0.1', 'an IP address', (value) => isIP(value) > 0),
    port: wholeNumber(env, portName, defaultPort, 0, 65535),
    portName,
    logLevel: setting(env, 'LOG_LEVEL', 'info', `one of ${logLevels.join(', ')}`, (value) => logLevels.includes(value)),
  };
}
