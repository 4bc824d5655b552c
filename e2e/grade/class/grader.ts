import { globSync } from 'node:fs';
import { ROOT } from '../../stack/paths.ts';

/** What the grade imports from. */
export const WINGS = ['stack', 'picture', 'experiment', 'pairs', 'docs', 'requirements', 'grade'];

/** What decides about a grade: the programs of these wings, and the versions of all that they use. */
export function graderFiles(): string[] {
  const files = WINGS.flatMap((wing) => globSync(`${ROOT}e2e/${wing}/**/*.{ts,js,yml}`));
  const programs = files.filter((file) => !/\.test\.ts$|\/fixtures\//.test(file)).sort();
  return [...programs, ...globSync(`${ROOT}package-lock.json`)];
}
