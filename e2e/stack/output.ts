const MAX_CHARS = 4 * 1024 * 1024;
const MAX_LINE_CHARS = 16 * 1024;
const MAX_REST_CHARS = 64 * 1024;

/** Splits pieces of text into lines, each of a limited length, and leaves out blank ones. */
export function lineReader(onLine: (line: string) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop()!;
    if (rest.length > MAX_REST_CHARS) (lines.push(rest), (rest = ''));
    for (const line of lines) if (line.trim()) onLine(line.replace(/\r$/, ''));
  };
}

/** What a program wrote: the last 4 MiB of it, in lines that are each cut after 16 KiB. */
export class Output {
  /** The text as it arrived: it is split only when its lines are needed, so that a flood costs little. */
  readonly #pieces: { text: string; lines: number }[] = [];
  #chars = 0;
  readonly #followers = new Set<(lines: string) => void>();
  length = 0;

  read(stream: NodeJS.ReadableStream) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const end = chunk.lastIndexOf('\n') + 1;
      if (end > 0) this.#keep(rest + chunk.slice(0, end));
      rest = ((end > 0 ? '' : rest) + chunk.slice(end)).slice(0, MAX_LINE_CHARS);
    });
    stream.on('close', () => rest && this.#keep(`${rest}\n`));
  }

  /** Calls back with each line that comes from now on. Returns a function that stops this. */
  follow(onLine: (line: string) => void): () => void {
    const read = lineReader(onLine);
    this.#followers.add(read);
    return () => this.#followers.delete(read);
  }

  #keep(text: string) {
    for (const read of this.#followers) read(text);
    let lines = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
    this.#pieces.push({ text, lines });
    this.length += lines;
    this.#chars += text.length;
    while (this.#chars > MAX_CHARS && this.#pieces.length > 1) this.#chars -= this.#pieces.shift()!.text.length;
  }

  /** The lines that came after the first `mark` lines. */
  since(mark: number): string[] {
    let [first, from] = [this.#pieces.length, this.length];
    while (first > 0 && from > mark) from -= this.#pieces[--first]!.lines;
    const lines = this.#pieces.slice(first).flatMap(({ text }) => text.slice(0, -1).split('\n'));
    return lines
      .slice(Math.max(0, mark - from))
      .flatMap((line) => (line ? [line.slice(0, MAX_LINE_CHARS).toWellFormed()] : []));
  }
}

/** The end of what a program wrote, without stack frames: they follow the line that matters. */
export function lastWords(lines: string[]): string {
  const telling = lines.filter((line) => !/^\s+at |^Node\.js v|^\s*(?:node:internal|\^+)/.test(line));
  const end = telling.slice(-12).join('\n');
  return (end.length > 700 ? `…${end.slice(-700)}` : end) || 'nothing';
}
