/** Text that strangers wrote (log lines, answers, file names), made fit to be shown: on a page, in a file or a terminal. */
import { stripVTControlCharacters } from 'node:util';

const MAX_LINE_CHARS = 2000;

/** What cannot be seen or changes how others are shown, for a class of a regular expression: escapes, marks of the writing direction. */
export const INVISIBLE = String.raw`\p{C}\p{Default_Ignorable_Code_Point}\u2028\u2029`;
const invisible = new RegExp(`[${INVISIBLE}]`, 'gu');

/** As it was, but with the number of each character that is invisible: `\x1b`, `\u202e`. Tabs and line feeds stay. */
export function sanitize(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.codePointAt(0)!;
    if (character === '\t' || character === '\n') return character;
    const hex = code.toString(16);
    if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
  });
}

/** The same in one line. */
export const inOneLine = (text: string) => sanitize(text.replace(/\s+/g, ' '));

/** At most `max` lines, each of at most 2000 characters; says what it left out. */
export function shortened(lines: string[], max: number): string[] {
  const kept = lines.slice(0, max).map((line) => {
    const rest = line.length - MAX_LINE_CHARS;
    return rest > 0 ? `${line.slice(0, MAX_LINE_CHARS)}… (${rest} more characters)` : line;
  });
  const rest = lines.length - max;
  return rest > 0 ? [...kept, `… (${rest} more lines)`] : kept;
}

/** A text for a sentence that quotes it: without the colours of a log, sanitized, in one line and of at most `max` characters. */
export function printable(text: string, max = 300): string {
  const line = inOneLine(stripVTControlCharacters(text)).trim();
  return line.length > max ? `${line.slice(0, max)}…` : line;
}

/** The beginning of a text, on its own: a slice would keep all of it in memory. */
export function truncate(text: string, maxChars: number): string {
  return text.length > maxChars ? Buffer.from(text.slice(0, maxChars), 'utf16le').toString('utf16le') : text;
}
