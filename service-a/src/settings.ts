import { serverSettings } from './chassis/env.ts';

/** Throws one sentence about the first value that makes no sense. */
export const readSettings = (env: NodeJS.ProcessEnv) => ({
  ...serverSettings(env, 'SERVICE_A_PORT', 8080),
  longestAnswerMs: 1000,
});
