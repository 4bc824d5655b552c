/** Text that strangers wrote (log lines, answers, file names), made fit for a page that somebody else reads. */

const MAX_LINE_CHARS = 2000;

/**
 * As it was, but with every character that cannot be seen or that changes how others are shown (escapes, other controls,
 * marks of the writing direction) replaced by its number: `\x1b`, `\u202e`. Tabs and line feeds stay.
 */
export function harmless(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0)!;
    if (character === '\t' || character === '\n') return character;
    const hex = code.toString(16);
    if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
    return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
  });
}

/** At most `max` lines, each of at most 2000 characters; says what it left out. */
export function shortened(lines: string[], max: number): string[] {
  const kept = lines.slice(0, max).map((line) => {
    const rest = line.length - MAX_LINE_CHARS;
    return rest > 0 ? `${line.slice(0, MAX_LINE_CHARS)}… (${rest} more characters)` : line;
  });
  const rest = lines.length - max;
  return rest > 0 ? [...kept, `… (${rest} more lines)`] : kept;
}
