import { readFileSync, writeFileSync } from 'node:fs';

export interface Example {
  command: string;
  /** What the page prints beneath the command, without the line break at its end; empty when it prints nothing. */
  output: string;
  /** The line of the page that the command stands in, counted from 1. */
  line: number;
}

/** The commands in the page's `console` blocks, in their order, each a line that starts with `$ `. */
export function examplesIn(path: string): Example[] {
  const examples: Example[] = [];
  let isInside = false;
  for (const [index, text] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (text.startsWith('```')) isInside = text === '```console';
    else if (isInside && text.startsWith('$ ')) examples.push({ command: text.slice(2), output: '', line: index + 1 });
    else if (isInside) examples.at(-1)!.output += `${text}\n`;
  }
  for (const example of examples) example.output = example.output.trimEnd();
  return examples;
}

/** Puts what the commands printed beneath them, in place of what the page had there. */
export function writeOutputs(path: string, outputs: string[]) {
  let isInside = false;
  let next = 0;
  const written = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text) => {
      if (text.startsWith('```')) isInside = text === '```console';
      else if (isInside) {
        if (!text.startsWith('$ ')) return [];
        const output = outputs[next++]!;
        return output === '' ? [text] : [text, ...output.split('\n')];
      }
      return [text];
    });
  writeFileSync(path, written.join('\n'));
}
