import { FOLDER, PAIR } from '../pairs/options.ts';
import { FORMAT_NAMES, type Format } from './report/formats.ts';
import type { readOptions } from '../stack/command.ts';

export const HELP = `Grades a pair of services, in any language, from the outside.

  npm run grade                                       this repository's own pair, as processes
  npm run grade -- DIR                                the pair that is found in a folder
  npm run grade -- --compose DIR/docker-compose.yml   services named service-a and service-b
  npm run grade -- --a 'python app.py' --a-dir DIR/service-a \\
                   --b 'python app.py' --b-dir DIR/service-b

The pair: A answers /health and /echo?msg= on port 8080, B answers /health and /call-echo?msg= on port
8081 and calls A. Two commands are run by the shell, with PORT in their environment and, for B, A's
address in SERVICE_A_URL.

  --compose FILE           a Compose file; it is built and started as a project of its own
  --a-service  --b-service NAME   other names of its services (service-a, service-b)
  --a-port  --b-port PORT  where each listens in its container, if the file does not show it
  --a CMD   --b CMD        how each service is started, in the foreground
  --a-dir   --b-dir DIR    where it is started (.)
  --a-url   --b-url URL    where it listens (http://127.0.0.1:8080, http://127.0.0.1:8081)
  --isolate [IMAGE]        both commands in containers without a network outside, with little to use up;
                           by the languages' usual images if none is named. Without it, no sandbox
  --folder DIR             the work that is handed in; nothing outside of it is used. Alone, or as DIR:
                           its pair is looked for, and it is said what was taken
  --setup CMD              run before the start, in the innermost folder that holds both services
  --setup-limit MINUTES    how long that may take (5)
  --setup-hosts HOST,…     what it may reach with --isolate, besides the package registries
  --timeout SECONDS        how long B may take to answer while A hangs (5)
  --rubric FILE            points and names of the checks, statuses that B may answer, and which checks
                           are left out, as JSON; what --print-rubric prints is a file to start from
  --rescore FILE           judges again what --json wrote into FILE, by another rubric or a newer
                           grader; nothing is run
  --name NAME              whose pair it is, for what is written
  --proof FILE             what was typed, answered and logged in a success, a failure and an outage:
                           FILE.md with its picture FILE.svg, and all in one page, FILE.html
  --json FILE              everything, for machines
  --junit FILE   --gradescope FILE   --classroom50 FILE   for these, in their form

A whole class, a row a student; e2e/grade/README.md has the columns:
  --class FILE.csv --out DIR [--jobs N] [--limit MINUTES] [--only ID] [--canvas 'ASSIGNMENT (NUMBER)']

A is stopped, frozen and replaced by one that misbehaves, and put back; B too is stopped at the end.
Nothing is left running. A grade takes 15 to 80 seconds.

Exit code: 0 when all of the lab's requirements are met, 1 when not, 2 when there is nothing to grade.
Of a class: 0 when every row was graded, 1 when one was not, 2 when there is nothing to grade.
`;

const text = { type: 'string' } as const;

/** What is made of the grade. */
const OUTPUT = {
  ...{ rubric: text, rescore: text, name: text, proof: text },
  ...(Object.fromEntries(FORMAT_NAMES.map((name) => [name, text])) as Record<Format, typeof text>),
};

const CLASS = {
  class: text,
  out: text,
  only: text,
  canvas: text,
  jobs: { ...text, default: '1' },
  limit: { ...text, default: '15' },
};

/** The options of a pair that a row of a class's file can have, as columns of the same names. */
export const PAIR_COLUMNS = Object.entries(PAIR).flatMap(([name, { type }]) => (type === 'string' ? [name] : []));

/** All options but `--help`. */
export const OPTIONS = { ...PAIR, ...FOLDER, ...OUTPUT, ...CLASS, 'print-rubric': { type: 'boolean' } } as const;

export type Options = ReturnType<typeof readOptions<typeof OPTIONS>>;
/**
 * The options of one pair as arguments: those of a class's row, and for what it leaves out those given for all. A row with a
 * Compose file of its own takes no commands from them, and no setup in isolation, and the other way round. An image is for
 * commands alone.
 */
export function pairArguments(forAll: Options, ofRow: Record<string, string>): string[] {
  const isForeign = (name: string) =>
    (ofRow.compose !== undefined && /^[ab](?:$|-dir|-url)/.test(name)) ||
    (ofRow.compose !== undefined && (ofRow.isolate ?? forAll.isolate) !== undefined && name.startsWith('setup')) ||
    ((ofRow.a ?? ofRow.b) !== undefined && /^compose$|-service$|-port$/.test(name));
  const valueOf = (name: string) => ofRow[name] ?? (isForeign(name) ? undefined : forAll[name as keyof typeof PAIR]);
  const isCompose = valueOf('compose') !== undefined;
  return Object.keys(PAIR).flatMap((name) => {
    const value = valueOf(name);
    return value === undefined ? [] : [`--${name}=${name === 'isolate' && isCompose ? '' : value}`];
  });
}
