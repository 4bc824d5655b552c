import { expect } from 'chai';
import { sanitize, inOneLine, shortened } from './foreign-text.ts';

/** Texts that would change a terminal or mislead a reader, and how each is shown. */
const SHOWN: [what: string, text: string, shown: string][] = [
  ['plain text in any script', 'Grüße, 你好, שלום, 🙂 é', 'Grüße, 你好, שלום, 🙂 é'],
  ['tabs and line feeds', 'a\tb\nc', 'a\tb\nc'],
  ['colours', '\x1b[31mred\x1b[0m', String.raw`\x1b[31mred\x1b[0m`],
  ['a screen that is cleared', '\x1bc\x1b[2J', String.raw`\x1bc\x1b[2J`],
  ['a title', '\x1b]0;root\x07', String.raw`\x1b]0;root\x07`],
  ['the end of a paste', '\x1b[201~rm', String.raw`\x1b[201~rm`],
  ['one-byte escapes', '\x9b2J\x90', String.raw`\x9b2J\x90`],
  ['a line that writes itself over', 'FAIL\rpass', String.raw`FAIL\x0dpass`],
  ['characters that are taken back', 'no\b\byes\x7f', String.raw`no\x08\x08yes\x7f`],
  ['an end of the text', 'a\0b', String.raw`a\x00b`],
  [
    'another direction',
    '\u202egnp.exe\u202c \u2066x\u2069 \u200f',
    String.raw`\u202egnp.exe\u202c \u2066x\u2069 \u200f`,
  ],
  ['nothing to see', 'a\u200bb\u00adc\ufeffd\u2060e', String.raw`a\u200bb\xadc\ufeffd\u2060e`],
  ['letters without ink', '\u3164 \u115f \u034f \u180e', String.raw`\u3164 \u115f \u034f \u180e`],
  ['tags, and text in them', '\u{e0041}\u{e0100}', String.raw`\u{e0041}\u{e0100}`],
  ['other ends of a line', 'a\u2028b\u2029c', String.raw`a\u2028b\u2029c`],
  ['halves of a character', '\ud800 \udc00', String.raw`\ud800 \udc00`],
  ['what is no character', '\ufffe \ue000', String.raw`\ufffe \ue000`],
];

describe("Strangers' text", () => {
  for (const [what, text, shown] of SHOWN) {
    it(`is shown with the number of what is invisible: ${what}`, () => {
      expect(sanitize(text)).to.equal(shown);
      expect(sanitize(shown)).to.equal(shown);
    });
  }

  it('is shown in one line', () => {
    expect(inOneLine('  a\n\n\tb\r\nc\u2028d\x1b')).to.equal(String.raw` a b c d\x1b`);
  });

  it('is shortened, and says by how much', () => {
    expect(shortened(['x'.repeat(2003), 'b', 'c', 'd'], 2)).to.deep.equal([
      `${'x'.repeat(2000)}… (3 more characters)`,
      'b',
      '… (2 more lines)',
    ]);
  });
});
