import { globSync } from 'node:fs';
import { ROOT } from '../../stack/paths.ts';

/** What acts and records imports from these wings. */
export const WINGS = ['stack', 'picture', 'experiment', 'pairs', 'requirements'];

const ACTING = 'grade/record-pair.ts';

/** What decides about a record: the programs of these wings, and the versions of all that they use. */
export function graderFiles(): string[] {
  const files = [...WINGS.map((wing) => `${wing}/**/*.{ts,js,yml}`), ACTING].flatMap((files) =>
    globSync(`${ROOT}e2e/${files}`),
  );
  const programs = files.filter((file) => !/\.test\.ts$|\/fixtures\//.test(file)).sort();
  return [...programs, ...globSync(`${ROOT}package-lock.json`)];
}
