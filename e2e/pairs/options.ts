/** Which pair is meant, as options of a command. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Unusable } from '../stack/command.ts';

const text = { type: 'string' } as const;

/** What says which pair is graded, and how. */
export const PAIR = {
  ...{ compose: text, a: text, b: text, 'a-dir': text, 'b-dir': text, 'a-url': text, 'b-url': text },
  ...{ 'a-service': text, 'b-service': text, 'a-port': text, 'b-port': text },
  timeout: { ...text, default: '5' },
  ...{ isolate: text, setup: text, 'setup-limit': { ...text, default: '5' }, 'setup-hosts': text },
};

/** The option for a single pair; in a class, each row has its folder. */
export const FOLDER = { folder: text };

/** The values of these options as they were given. */
export type PairOptions = { [name in keyof typeof PAIR | keyof typeof FOLDER]?: string };

/** npm runs scripts in the repository; paths are meant from where the person is. */
const from =
  (['grade', 'live', 'bench'].includes(process.env.npm_lifecycle_event!) && process.env.INIT_CWD) || process.cwd();
export const path = (name: string) => resolve(from, name);

/** Throws an `Unusable` unless each file that one of these options names can be written. */
export function checkFiles<Name extends string>(options: { [name in Name]?: string }, names: readonly Name[]) {
  for (const name of names) {
    const given = options[name];
    if (given === undefined) continue;
    if (given === '') throw new Unusable(`--${name} is empty; name a file.`);
    const file = path(given);
    const folder = dirname(file);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
      throw new Unusable(`There is no directory ${folder} (--${name}).`);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory())
      throw new Unusable(`${file} is a directory (--${name}); name a file in it.`);
  }
}

/** The number that an option gives, of more than 0 and at most `max`; throws an `Unusable` for anything else. */
export function numberIn<Name extends string>(options: { [name in Name]?: string }, name: Name, max: number): number {
  const number = Number(options[name]);
  if (number > 0 && number <= max) return number;
  throw new Unusable(`--${name} is ${options[name]}; it must be more than 0 and at most ${max}.`);
}

/** Gives `--isolate` an empty value where no image follows it, but an option, a path or nothing. */
export const withValues = (args: string[]) =>
  args.map((arg, index) => (arg === '--isolate' && /^[-./]/.test(args[index + 1] ?? '-') ? '--isolate=' : arg));
