/** Markdown, in the form that Prettier gives it, so that a page that is written again passes the check. */
import { sanitize, inOneLine } from '../stack/foreign-text.ts';

/** A table; the first row is its head. The cells are Markdown. */
export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}

/** A block of text from any source. No line can end it, because its fence has more backticks than any line has in a row. */
export function block(language: string, lines: string[]): string {
  const text = lines.map(sanitize).join('\n');
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}${language}\n${text}\n${mark}`;
}

/** One line of text from any source, for a cell of a table, say. Nothing in it becomes markup or a link. */
export function inline(text: string): string {
  return inOneLine(text).replace(/[\\`*_{}[\]<>#|~!&@()^$]|:(?=\/)|(?<=www)\./gi, '\\$&');
}
