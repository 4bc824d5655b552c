import { readFileSync } from 'node:fs';

export interface Example {
  command: string;
  /** What the chapter prints beneath the command; empty when it prints nothing. */
  output: string;
  /** The line that the command stands in, counted from 1. */
  line: number;
}

/**
 * The commands in a page's `sh` blocks, one a line, by the heading that they stand under. A `text` block is what the last
 * command before it prints.
 */
export function sectionsOf(path: string): Record<string, Example[]> {
  const sections: Record<string, Example[]> = {};
  let examples: Example[] = [];
  let block = '';
  for (const [index, text] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (text.startsWith('```')) block = text.slice(3);
    else if (block === 'sh') examples.push({ command: text, output: '', line: index + 1 });
    else if (block === 'text') examples.at(-1)!.output += examples.at(-1)!.output ? `\n${text}` : text;
    else if (text.startsWith('## ')) examples = sections[text.slice(3)] = [];
  }
  return sections;
}
