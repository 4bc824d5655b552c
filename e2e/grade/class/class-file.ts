import { createHash } from 'node:crypto';
import { parse, type CsvError } from 'csv-parse/sync';
import { Unusable } from '../../stack/command.ts';
import type { Result } from '../judge.ts';
import { PAIR_COLUMNS } from '../options.ts';
import type { Report } from '../report/report.ts';

/** What became of a row: its grade, or the reason why it has none. */
export interface Graded {
  isMet: boolean;
  scores?: Report['scores'];
  results: Pick<Result, 'name' | 'section' | 'verdict'>[];
  reason?: string;
  ms: number;
  /** How often it has been graded, and what is different from the time before. */
  attempt?: number;
  changes?: Changes;
  /** It was graded by a run before this one. */
  isKept?: boolean;
}

/** The checks that are met now and were not when it was graded last, and the other way round. */
export interface Changes {
  /** When that was, as ISO 8601 in UTC. */
  when: string;
  better: string[];
  worse: string[];
}

/** A student, and the pair to grade. */
export interface Row {
  /** Where the row stands in a spreadsheet: the heading is row 1. */
  row: number;
  id: string;
  name: string;
  /** The id as the file gives it. */
  folder: string;
  /** What a person adds to the grade: points, which may be negative, and a comment. */
  points?: number;
  comment?: string;
  /** The options of a pair that the row has of its own. */
  options: Record<string, string>;
  /** What its page and its record are called: safe as a file's name, and no other row's. */
  file: string;
}

const REASONS: Record<string, string> = {
  CSV_RECORD_INCONSISTENT_COLUMNS: 'it has more or fewer cells than the heading.',
  INVALID_OPENING_QUOTE: 'a quote stands inside a cell that has none around it; write "a ""b"" c" for a "b" c.',
  CSV_INVALID_CLOSING_QUOTE: 'something follows the closing quote of a cell; write "a ""b"" c" for a "b" c.',
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened here and never closed.',
};
/** Characters that no id or name may have. Line breaks, tabs and the joiners of some scripts are allowed. No cell may have NUL. */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--[\t\r\n\u200c\u200d]]/v;
const COLUMNS = ['id', 'name', 'folder', 'points', 'comment', ...PAIR_COLUMNS];
const MAX_POINTS = 1000;

/** The rows of a class's file; throws an `Unusable` with the row's number for what is wrong with one. */
export function readClass(file: string, bytes: Uint8Array): Row[] {
  const refuse = (why: string): never => {
    throw new Unusable(`${file}${why}`);
  };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse(' is not UTF-8; save it as "CSV UTF-8".');
  }
  const records = recordsOf(text, refuse);
  const known = new Map<string, number>();
  const files = new Set<string>();
  return records.map(({ record, row }) => {
    const cell = (column: string) => record[column]?.trim() ?? '';
    const at = `, row ${row}: `;
    for (const column of Object.keys(record)) {
      const [unseen] = (['id', 'name'].includes(column) ? UNSEEN : /\0/).exec(cell(column)) ?? [];
      const number = unseen?.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      if (unseen) refuse(`${at}the column ${column} has a character that cannot be seen (U+${number}); type it again.`);
    }
    const id = cell('id') || cell('name');
    if (!id) refuse(`${at}there is neither an id nor a name.`);
    if (!cell('folder')) refuse(`${at}${id} has no folder.`);
    const twin = known.get(id);
    if (twin) refuse(`${at}the id ${id} is that of row ${twin} too.`);
    known.set(id, row);
    const given = PAIR_COLUMNS.map((column) => [column, cell(column)] as const).filter(([, value]) => value);
    const points = cell('points')
      ? /^[-+−]?\d*[.,]?\d+$/.test(cell('points'))
        ? Number(cell('points').replace(',', '.').replace('−', '-'))
        : NaN
      : undefined;
    if (points !== undefined && !(Math.abs(points) <= MAX_POINTS))
      refuse(`${at}the points are ${JSON.stringify(cell('points'))}; they must be a number, at most ${MAX_POINTS}.`);
    const byHand = { points, comment: cell('comment') || undefined };
    const about = {
      row,
      id,
      ...byHand,
      name: cell('name') || id,
      folder: cell('folder'),
      options: Object.fromEntries(given),
    };
    return { ...about, file: fileNameFor(id, files) };
  });
}

function recordsOf(text: string, refuse: (why: string) => never): { record: Record<string, string>; row: number }[] {
  const heading = /^\ufeff?(.*)/.exec(text)![1]!;
  // Where a comma is the decimal sign, spreadsheets write semicolons.
  const delimiter = [',', ';', '\t'].find((character) => heading.includes(character)) ?? ',';
  let found: { record: Record<string, string>; row: number }[];
  try {
    const parsed: { record: Record<string, string>; info: { records: number; empty_lines: number } }[] = parse(text, {
      columns: (names: string[]) => columnsOf(names, refuse),
      ...{ bom: true, delimiter, info: true, skip_empty_lines: true },
    });
    found = parsed.map(({ record, info }) => ({ record, row: info.records + info.empty_lines + 1 }));
  } catch (error) {
    if (error instanceof Unusable) throw error;
    const { code, records, empty_lines } = error as CsvError & { records: number; empty_lines: number };
    const why = REASONS[code] ?? (error as Error).message;
    return refuse(`, row ${records + empty_lines + 2}: ${why}`);
  }
  const filled = found.filter(({ record }) => Object.values(record).some((cell) => cell.trim()));
  return filled.length > 0 ? filled : refuse(' has no row with a student.');
}

function columnsOf(names: string[], refuse: (why: string) => never): string[] {
  const columns = names.map((name) => name.trim().toLowerCase());
  const unknown = columns.filter((name) => !COLUMNS.includes(name));
  if (unknown.length > 0)
    refuse(`, row 1: a column ${JSON.stringify(unknown[0])} is not known; the columns are ${COLUMNS.join(', ')}.`);
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice) refuse(`, row 1: there are two columns ${twice}.`);
  if (!columns.includes('id') && !columns.includes('name'))
    refuse(', row 1: there is no column id and no column name.');
  if (!columns.includes('folder')) refuse(', row 1: there is no column folder.');
  return columns;
}

/** The id where it is fit for a file's name, also on a system that does not tell `a` from `A`; or one made of it. */
function fileNameFor(id: string, taken: Set<string>): string {
  const plain = id
    .normalize('NFKD')
    .replace(/[^\w.@-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, 60);
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 8);
  let name = plain === id ? id : `${plain || 'student'}-${hash}`;
  while (taken.has(name.toLowerCase())) name += `-${hash}`;
  taken.add(name.toLowerCase());
  return name;
}
