import { block, inline } from '../../docs/markdown.ts';
import { shortened } from '../../stack/foreign-text.ts';
import { evidenceIn, pictureOf, type Typed } from '../evidence.ts';
import { facts, type Report } from './report.ts';

const MAX_OUTPUT_LINES = 60;
const MAX_LOG_LINES = 40;

/** The proof that the lab asks for, in Markdown. `pictureFile` is where its picture lies, as seen from the Markdown's file. */
export function proofInMarkdown(report: Report, pictureFile: string): string {
  const { reason = 'Nothing was run.', record } = report;
  const rows = facts(report).map(([label, fact]) => `| ${label} | ${inline(fact)} |`);
  return [
    '# Proof',
    '',
    '| | |',
    '| --- | --- |',
    ...rows,
    '',
    ...(record
      ? evidenceIn(record).flatMap(({ title, typed }) => [`## ${title}`, '', ...typed.flatMap(transcript)])
      : [block('text', [reason]), '']),
    ...(record && pictureOf(record)
      ? ['## B during an outage of A', '', `![How B answers while A fails](${encodeURI(pictureFile)})`, '']
      : []),
  ].join('\n');
}

function transcript(typed: Typed): string[] {
  const { command } = typed;
  const parts = [block('console', [`$ ${command}`, ...outputLines(typed)]), ''];
  for (const [service, lines] of logLines(typed)) {
    parts.push(`${service}'s log during this call:`, '', block('text', lines), '');
  }
  return parts;
}

export const outputLines = ({ output }: Typed) => (output ? shortened(output.split('\n'), MAX_OUTPUT_LINES) : []);

/** The log of each service that wrote something about a call; of B alone and empty, when neither did. */
export function logLines({ logs }: Typed): [service: string, lines: string[]][] {
  if (!logs) return [];
  const { a, b } = logs;
  if (a.length + b.length === 0) return [['The services', ['(no line)']]];
  return Object.entries({ B: b, A: a }).flatMap(([service, lines]): [string, string[]][] =>
    lines.length > 0 ? [[service, shortened(lines, MAX_LOG_LINES)]] : [],
  );
}
