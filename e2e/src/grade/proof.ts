import type { Pair, Trace } from './pair.ts';

/**
 * The proof that the lab asks for, in Markdown: what was asked, answered and logged in a success and in a failure, as it
 * was. `stopCommand` is how A was stopped, in words of the shell.
 */
export function proof(pair: Pair, stopCommand: string): string {
  const { 'a/health': healthA, 'b/health': healthB, 'b/call-echo': success, gone, back } = pair.traces;
  const stopped = gone && [`$ ${stopCommand}`, ...transcript(gone)];
  return [
    '## Proof',
    '',
    '### With both services up',
    '',
    ...fence(
      'console',
      [healthA, healthB, success].flatMap((trace) => (trace ? transcript(trace) : [])),
    ),
    ...logged("B's log", success),
    ...logged("A's log", pair.traces['a/echo']),
    '### With A stopped',
    '',
    ...fence('console', stopped ?? ['A was never stopped: the pair did not get that far.']),
    ...logged("B's log", gone),
    '### With A started again, B as it was',
    '',
    ...fence('console', back ? transcript(back) : ['B did not answer 200 again.']),
  ].join('\n');
}

function transcript({ sent, answer, came }: Trace): string[] {
  const command = `$ curl -i '${sent.replace(/^GET /, '')}'`;
  if (!answer) return [command, came];
  const type = answer.headers['content-type'];
  return [command, `HTTP/1.1 ${answer.status}`, ...(type ? [`content-type: ${type}`] : []), '', answer.body.trim(), ''];
}

function logged(whose: string, trace: Trace | undefined): string[] {
  if (!trace) return [];
  return [`${whose}:`, '', ...fence('text', trace.lines.length > 0 ? trace.lines : ['(no line)'])];
}

const fence = (language: string, lines: string[]) => ['```' + language, ...lines, '```', ''];
