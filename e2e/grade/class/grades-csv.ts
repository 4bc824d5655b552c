import { stringify } from 'csv-stringify/sync';
import type { Graded, Row } from './class-file.ts';

/** The class's grades as RFC 4180 has it; what a spreadsheet would run as a formula has an apostrophe before it. */
export function gradesCsv(outcomes: (Graded & { row: Row })[]): string {
  const rows = outcomes.map(({ row, isMet, scores, reason, attempt }) => ({
    id: row.id,
    name: row.name,
    outcome: scores ? (isMet ? 'met' : 'not met') : 'not graded',
    lab: scores?.lab.passed,
    'lab max': scores?.lab.of,
    'lab %': scores && percent(scores.lab),
    robustness: scores?.robustness.passed,
    'robustness max': scores?.robustness.of,
    'by hand': row.points,
    total: scores && rounded(scores.lab.passed + (row.points ?? 0)),
    attempt: scores && (attempt ?? 1),
    comment: row.comment,
    reason,
    page: `students/${row.file}.html`,
  }));
  return stringify(rows, { header: true, record_delimiter: 'windows', escape_formulas: true, quoted_match: /[\r\n]/ });
}

/** Rounds a sum of points: 1.1 and 0.1 give 1.2. */
export const rounded = (points: number) => Math.round(points * 100) / 100;

const percent = ({ passed, of }: { passed: number; of: number }) =>
  of > 0 ? Math.round((1000 * passed) / of) / 10 : 0;
