import { fileURLToPath } from 'node:url';

/** The repository's root, with a slash at its end. Every other path in `e2e` begins with it. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const STAND_IN = `${ROOT}e2e/stack/stand-in.ts`;
