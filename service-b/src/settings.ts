import { serverSettings, setting, wholeNumber } from './chassis/env.ts';

const isHttpOrigin = (value: string) => /^http:\/\/[^\s\\/?#@]+\/?$/.test(value) && URL.canParse(value);

/** Throws one sentence about the first value that makes no sense. */
export function readSettings(env: NodeJS.ProcessEnv) {
  const urlOfA = env.SERVICE_A_URL || `http://localhost:${wholeNumber(env, 'SERVICE_A_PORT', 8080, 0, 65535)}`;
  const serviceATimeoutMs = wholeNumber(env, 'SERVICE_A_TIMEOUT_MS', 1000, 1, 60000);
  return {
    ...serverSettings(env, 'SERVICE_B_PORT', 8081),
    serviceAUrl: setting(env, 'SERVICE_A_URL', urlOfA, 'like http://service-a:8080', isHttpOrigin),
    serviceATimeoutMs,
    longestAnswerMs: serviceATimeoutMs,
  };
}
