import { globSync } from 'node:fs';
import { ROOT } from '../../stack/paths.ts';

/** The folders from which the acting and recording code imports. */
export const WINGS = ['stack', 'picture', 'experiment', 'pairs', 'requirements'];

const ACTING = 'grade/record-pair.ts';

/** Lists the files that decide what a record has: the programs of these folders, and the versions of their packages. */
export function graderFiles(): string[] {
  const files = [...WINGS.map((wing) => `${wing}/**/*.{ts,js,yml}`), ACTING].flatMap((files) =>
    globSync(`${ROOT}e2e/${files}`),
  );
  const programs = files.filter((file) => !/\.test\.ts$|\/fixtures\//.test(file)).sort();
  return [...programs, ...globSync(`${ROOT}package-lock.json`)];
}
