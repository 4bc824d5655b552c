import { stringify } from 'csv-stringify/sync';
import type { Score } from '../judge.ts';
import type { Graded, Row } from './class-file.ts';
import { rounded } from './grades-csv.ts';

/**
 * The lab's points, with those given by hand, as a gradebook that Canvas imports: the row's id is Canvas's own number of
 * the student, and `assignment` the heading of the column, `NAME (NUMBER)` for one that exists. A student without a grade
 * has an empty cell, which changes nothing there.
 */
export function canvasCsv(outcomes: (Graded & { row: Row })[], assignment: string): string {
  const most = Math.max(0, ...outcomes.map(({ scores }) => scores?.lab.of ?? 0));
  // What does not apply to a pair counts for nothing: its points are those of the whole, in proportion.
  const inProportion = ({ passed, of }: Score) => (of > 0 ? (passed * most) / of : 0);
  const rows = outcomes.map(({ row, scores }) => [
    ...[row.name, row.id, '', '', ''],
    scores ? Math.max(0, rounded(inProportion(scores.lab) + (row.points ?? 0))) : '',
  ]);
  const heading = ['Student', 'ID', 'SIS User ID', 'SIS Login ID', 'Section', assignment];
  const table = [heading, ['Points Possible', '', '', '', '', most], ...rows];
  return stringify(table, { record_delimiter: 'windows', escape_formulas: true, quoted_match: /[\r\n]/ });
}
