import { INVISIBLE } from './foreign-text.ts';

const PLAIN = /^(?!=)[\w./:=@%+,-]+$/; // zsh looks for a program by what follows a first =
const invisible = new RegExp(`[${INVISIBLE}]`, 'u');
const toEscape = new RegExp(String.raw`['\\${INVISIBLE}]`, 'gu');
const SHORT: Record<string, string> = { '\n': String.raw`\n`, '\t': String.raw`\t`, '\\': String.raw`\\` };

/**
 * A text as one word of a command, fit to be pasted into a shell: no part of it is run, and none ends the paste. Where
 * something in it is invisible it is `$'…'`, which bash, zsh and ksh read; a shell that does not takes another text, and
 * still runs none of it.
 */
export function quoted(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!invisible.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `$'${text.replace(toEscape, (character) => SHORT[character] ?? octal(character))}'`;
}

/** Its bytes, three digits each: what follows is never taken for one more. */
const octal = (character: string) =>
  Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
