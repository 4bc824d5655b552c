/** `npm run grade`: the rubric of a pair of services, from outside, or of a whole class. `--help` has the exit codes. */
import { parseArgs } from 'node:util';
import { withValues } from '../pairs/options.ts';
import { command, Unusable } from '../stack/command.ts';
import { inOneLine } from '../stack/foreign-text.ts';
import { onceParentEnds } from '../stack/process/at-exit.ts';
import { gradeClass } from './class/class.ts';
import { gradePair, rescore } from './grade.ts';
import { HELP, OPTIONS, type Options } from './options.ts';
import { presentRubric } from './rubric-file.ts';

/** One line that writes itself over, on a terminal only. */
function showProgress(text: string) {
  const { isTTY, columns } = process.stderr;
  if (isTTY) process.stderr.write(`\r\x1b[K${inOneLine(text).slice(0, (columns || 80) - 1)}`);
}

async function main(options: Options): Promise<number> {
  const { class: file, rescore: report } = options;
  if (options['print-rubric']) {
    process.stdout.write(presentRubric());
    return 0;
  }
  const given = process.argv.slice(2).map((arg) => arg.split('=')[0]!);
  const foreign = ['--out', '--jobs', '--limit', '--only', '--canvas'].find((name) => given.includes(name));
  if (foreign && file === undefined) throw new Unusable(`${foreign} is for a class; leave it out, or give --class.`);
  if (file !== undefined) return gradeClass(options, showProgress);
  if (report !== undefined) return rescore(report, options, process.stdout);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(2));
  return gradePair(options, process.stdout, showProgress);
}

/** A folder may stand without its option's name. */
function withFolder(args: string[]): string[] {
  const { tokens } = parseArgs({ args, options: OPTIONS, strict: false, allowPositionals: true, tokens: true });
  const folder = tokens.find(({ kind }) => kind === 'positional');
  return folder ? args.with(folder.index, `--folder=${args[folder.index]}`) : args;
}

// If this grade is one of a class, it ends when the process that grades the class ends.
process.on('disconnect', () => process.exit(2));
process.channel?.unref();

onceParentEnds(() => process.kill(process.pid, 'SIGTERM'));

await command(HELP, OPTIONS, main, withFolder(withValues(process.argv.slice(2))));
