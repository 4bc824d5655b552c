import { block } from './markdown.ts';

/** A step of a page: the `sh` block that a reader pastes, and what it prints, the `text` block right after it, if any. */
interface Block {
  commands: string;
  output: string;
  /** The line of the page that the commands start in, counted from 1. */
  line: number;
  /** The heading of the second level above it. */
  section: string;
}

const BLOCK = /^```sh\n(?<commands>[^]*?)\n```$(?:\n\n```text\n(?<output>[^]*?)\n```$)?/gm;

/** The steps of a page, in order. */
export function blocksIn(page: string): Block[] {
  return [...page.matchAll(BLOCK)].map(({ groups, index }) => {
    const before = page.slice(0, index).split('\n');
    return {
      commands: groups!.commands!,
      output: groups!.output ?? '',
      line: before.length + 1,
      section: before.findLast((line) => line.startsWith('## '))?.slice(3) ?? '',
    };
  });
}

/** One line of a step as a command of its own; the step's output is the output of its last command. */
export interface Example extends Omit<Block, 'commands'> {
  command: string;
}

export function examplesIn(page: string): Example[] {
  return blocksIn(page).flatMap(({ commands, output, line, section }) => {
    const lines = commands.split('\n');
    return lines.map((command, index) => {
      return { command, output: index === lines.length - 1 ? output : '', line: line + index, section };
    });
  });
}

/** Replaces the outputs of a page's steps; `outputs` has them by the line of the step. */
export function withOutputs(page: string, outputs: Map<number, string>): string {
  const steps = blocksIn(page).values();
  return page.replaceAll(BLOCK, () => {
    const { commands, output, line } = steps.next().value!;
    return written(commands, outputs.get(line) ?? output);
  });
}

/** A step, written as on a page. */
export function written(commands: string, output: string): string {
  return [block('sh', [commands]), ...(output ? [block('text', [output])] : [])].join('\n\n');
}

/** The anchors of a page's headings, as GitHub forms them. */
export function anchorsIn(page: string): string[] {
  const headings = [...page.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)];
  return headings.map(([, heading]) => {
    const letters = heading!.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '');
    return letters.replaceAll(' ', '-');
  });
}

/** The targets of a page's links and pictures within this repository. */
export function linksIn(page: string): string[] {
  const links = [...page.matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)];
  return links.map(([, link, attribute]) => (link ?? attribute)!).filter((link) => !/^\w+:/.test(link));
}

/** Removes from a page or an output what differs in every run: times, durations, addresses and generated ids. */
export function normalized(text: string): string {
  return text
    .replace(/"time":"[^"]+"/g, '"time":"…"')
    .replace(/latency_ms":[0-9.]+/g, 'latency_ms":…')
    .replace(/\b[0-9.]+ (ms|s)\b/g, '… $1')
    .replace(/ +\|/g, ' |') // the columns of a table are as wide as the times in them
    .replace(/-{3,}/g, '---')
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, 'address')
    .replace(/\b[0-9a-f]{64}\b/g, 'id')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'uuid');
}
