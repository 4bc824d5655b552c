import { readFile } from 'node:fs/promises';
import { BASE_IMAGE, docker } from './engine.ts';
import { ownerOption } from './owner.ts';

/** Runs a program whose text follows. */
export const NODE = ['node', '--input-type=module-typescript', '--eval'];

/** Environment variables as options of `docker run`. */
export const variables = (env: Record<string, unknown>) =>
  Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

/**
 * Starts one of the programs here in a container of its own, from its text alone: a program that needs nothing but Node.
 * `options` are further ones of `docker run`.
 */
export async function runProgram(name: string, file: string, env: Record<string, unknown>, ...options: string[]) {
  const program = [BASE_IMAGE, ...NODE, await readFile(file, 'utf8')];
  await docker(['run', '--detach', '--name', name, ...ownerOption, ...variables(env), ...options, ...program]);
}
