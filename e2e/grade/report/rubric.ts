import { styleText } from 'node:util';
import { inOneLine } from '../../stack/foreign-text.ts';
import { score, type Result } from '../judge.ts';

export const SECTIONS = { lab: "The lab's requirements", robustness: "Robustness (not part of the lab's score)" };

/** The rubric for people; coloured if `stream` is a terminal that takes colours, and NO_COLOR is not set. */
export function rubric(results: Result[], stream: NodeJS.WritableStream): string {
  const style = (format: Parameters<typeof styleText>[0], text: string) => styleText(format, text, { stream });
  const MARKS = {
    pass: style('green', 'pass'),
    fail: style('red', 'FAIL'),
    'not applicable': style('dim', 'n/a '),
  };
  const lines: string[] = [];
  let told = '';
  for (const [section, title] of Object.entries(SECTIONS)) {
    const own = results.filter((result) => result.section === section);
    const { passed, of } = score(own);
    lines.push('', style('bold', `${title}: ${passed} of ${of}`));
    for (const { verdict, name, sent, received, expected, because, why, fix } of own) {
      const isTold = verdict === 'fail' && told === `${sent} ${received}`;
      const note = isTold ? 'for the same reason' : because;
      lines.push(`  ${MARKS[verdict]}  ${inOneLine(name)}${note ? style('dim', ` (${inOneLine(note)})`) : ''}`);
      if (verdict !== 'fail' || isTold || because) continue;
      told = `${sent} ${received}`;
      for (const [label, text] of Object.entries({ sent, received, expected, why, fix })) {
        lines.push(`          ${style('dim', label.padEnd(8))}  ${inOneLine(text ?? '')}`);
      }
    }
  }
  const { passed, of } = score(results);
  lines.push('', style('bold', `In all: ${passed} of ${of}`), '');
  return lines.join('\n');
}
