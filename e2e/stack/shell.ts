import { INVISIBLE } from './foreign-text.ts';

const PLAIN = /^(?!=)[\w./:=@%+,-]+$/; // zsh looks for a program by what follows a first =
const invisible = new RegExp(`[${INVISIBLE}]`, 'u');
const toEscape = new RegExp(String.raw`['\\${INVISIBLE}]`, 'gu');
const SHORT: Record<string, string> = { '\n': String.raw`\n`, '\t': String.raw`\t`, '\\': String.raw`\\` };

/**
 * Quotes a text as one word of a command that is safe to paste into a shell: no part of it is run, and none ends the paste.
 * A text with an invisible character becomes `$'…'`, which bash, zsh and ksh can read; any other shell reads a different
 * text, but runs none of it either.
 */
export function quoted(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!invisible.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `$'${text.replace(toEscape, (character) => SHORT[character] ?? octal(character))}'`;
}

/** The bytes of a character, with three digits each, so that a digit that follows is not read as part of them. */
const octal = (character: string) =>
  Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
