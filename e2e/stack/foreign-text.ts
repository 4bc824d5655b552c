/** Makes text from strangers (log lines, answers, file names) safe to show on a page, in a file or in a terminal. */
import { stripVTControlCharacters } from 'node:util';

const MAX_LINE_CHARS = 2000;

/** Characters that are invisible or change how others look, as a class of a regular expression: escapes, direction marks. */
export const INVISIBLE = String.raw`\p{C}\p{Default_Ignorable_Code_Point}\u2028\u2029`;
const invisible = new RegExp(`[${INVISIBLE}]`, 'gu');

/** Replaces each invisible character with its number: `\x1b`, `\u202e`. Tabs and line feeds stay. */
export function sanitize(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.codePointAt(0)!;
    if (character === '\t' || character === '\n') return character;
    const hex = code.toString(16);
    if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
  });
}

/** Sanitizes a text and puts it into one line. */
export const inOneLine = (text: string) => sanitize(text.replace(/\s+/g, ' '));

/** Keeps at most `max` lines of at most 2000 characters each, and says how much it left out. */
export function shortened(lines: string[], max: number): string[] {
  const kept = lines.slice(0, max).map((line) => {
    const rest = line.length - MAX_LINE_CHARS;
    return rest > 0 ? `${line.slice(0, MAX_LINE_CHARS)}… (${rest} more characters)` : line;
  });
  const rest = lines.length - max;
  return rest > 0 ? [...kept, `… (${rest} more lines)`] : kept;
}

/** Prepares a text for a sentence that quotes it: no colours, sanitized, one line, at most `max` characters. */
export function printable(text: string, max = 300): string {
  const line = inOneLine(stripVTControlCharacters(text)).trim();
  return line.length > max ? `${line.slice(0, max)}…` : line;
}

/** Copies the first `maxChars` characters: a plain slice would keep the whole text in memory. */
export function truncate(text: string, maxChars: number): string {
  return text.length > maxChars ? Buffer.from(text.slice(0, maxChars), 'utf16le').toString('utf16le') : text;
}
