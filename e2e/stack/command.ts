import { parseArgs, type ParseArgsConfig, type ParseArgsOptionsConfig } from 'node:util';
import { sanitize } from './foreign-text.ts';

/** A command cannot do what it was asked for, for a reason that the person at the keyboard can do something about. */
export class Unusable extends Error {
  /** The message may quote strangers: a terminal shows it, and a report keeps it. */
  constructor(message: string) {
    super(sanitize(message));
  }
}

/** The options of a command line. Throws an `Unusable` for what is none of them. */
export function readOptions<O extends ParseArgsOptionsConfig>(options: O, args = process.argv.slice(2)) {
  try {
    return parseArgs({ args, options } satisfies ParseArgsConfig).values;
  } catch (error) {
    throw new Unusable(`${(error as Error).message.split(/\.\s/)[0]}; see --help.`);
  }
}

const HELP = { help: { type: 'boolean', short: 'h' } } as const;

/**
 * Runs a command and sets the exit code that it resolves to, 0 without one; 2 after an `Unusable`, which is printed. With
 * `--help` it prints `help` instead.
 */
export async function command<O extends ParseArgsOptionsConfig>(
  help: string,
  options: O,
  main: (values: ReturnType<typeof readOptions<O>>) => Promise<number | void>,
  args?: string[],
): Promise<void> {
  try {
    const { help: isHelp, ...values } = readOptions({ ...options, ...HELP }, args) as { help?: boolean };
    if (isHelp) return void process.stdout.write(help);
    process.exitCode = (await main(values as ReturnType<typeof readOptions<O>>)) ?? process.exitCode;
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
