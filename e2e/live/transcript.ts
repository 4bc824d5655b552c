/** What a student hands in: what was done, what B answered in each state of A, and a call of each state; three pages at most. */
import { block, inline, table } from '../docs/markdown.ts';
import { nameOf } from '../picture/outcomes.ts';
import { phaseOf } from '../picture/states.ts';
import { slowest, type Call } from '../experiment/calls.ts';
import type { StateEvent } from '../experiment/history.ts';
import type { Experiment } from './experiment.ts';
import type { Tour } from './tour.ts';

const MAX_COMMANDS = 12;
const MAX_CHARS = 300; // of B's log line, or of an explanation
const MAX_SHORT_CHARS = 180; // of a command, of an answer, or of A's log line
const MAX_CELL_CHARS = 64;

/** In Markdown. The whole history is a file of its own. */
export function transcript(experiment: Experiment, tour: Tour): string {
  const { calls, commands, states } = experiment.history;
  const byState = Map.groupBy(calls, (call) => stateAt(states, call.at));
  const from = Math.min(calls[0]?.at ?? Infinity, commands[0]?.at ?? Infinity, Date.now());
  const predicted = tour.view().verdicts.map(({ what, predicted: { outcome, wait }, sentence, isRight }) => {
    return `- A ${inline(what)}. ${inline(sentence)} ${isRight ? 'Right.' : `Predicted: ${nameOf(outcome)}, ${wait}.`}`;
  });
  const parts = [
    '# Two services, live: a transcript',
    `${inline(experiment.controls.title)}, ${new Date(from).toISOString()} to ${new Date().toISOString()}: ${calls.length} calls that are kept, ${commands.length} commands. The whole history, with all calls and log lines that are kept, is the file \`history.jsonl\`.`,
    '## What was done',
    ...done(experiment),
    '## What B answered',
    answers(byState),
    ...(predicted.length > 0 ? ['## What was predicted', predicted.join('\n')] : []),
    '## A call of each state',
    ...[...byState].flatMap(([state, calls]) => told(experiment, state, outcomesIn(calls)[0]![1].at(-1)!)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function stateAt(states: StateEvent[], at: number): string {
  const event = states.findLast(({ service, at: since }) => service === 'a' && since <= at);
  return event ? phaseOf(event.state).name : 'A was not seen yet';
}

function done({ history: { commands } }: Experiment): string[] {
  if (commands.length === 0) return ['Nothing was done to A or B.'];
  const left = commands.length - MAX_COMMANDS;
  const rows = commands.slice(-MAX_COMMANDS).map(({ at, command, ms, problem }) => {
    const result = problem ? `failed: ${problem}` : ms === undefined ? 'still runs' : `${(ms / 1000).toFixed(1)} s`;
    return [timeOf(at), inline(cut(command, MAX_CELL_CHARS)), inline(cut(result, MAX_CELL_CHARS))];
  });
  return [
    ...(left > 0 ? [`The last ${MAX_COMMANDS} of ${commands.length} commands:`] : []),
    table([['at (UTC)', 'command', 'took'], ...rows]),
  ];
}

function answers(byState: Map<string, Call[]>): string {
  const rows = [...byState].flatMap(([state, calls]) =>
    outcomesIn(calls).map(([outcome, some], row) => [
      row === 0 ? state : '',
      nameOf(outcome),
      String(some.length),
      `${Math.round(slowest(some))} ms`,
    ]),
  );
  return table([['state of A', 'answer', 'calls', 'slowest'], ...rows]);
}

/** The most frequent first. */
const outcomesIn = (calls: Call[]) =>
  [...Map.groupBy(calls, ({ outcome }) => outcome)].sort(([, one], [, other]) => other.length - one.length);

/** A call of a state: the last one that met what most did. */
function told(experiment: Experiment, state: string, { n, at }: Call): string[] {
  const { command, answer, body, explanation, logs } = experiment.callView(n)!;
  const log = ({ lines, remark }: { lines: string[]; remark: string }) => lines[0] ?? remark;
  const lines = [
    cut(`$ ${command}`, MAX_SHORT_CHARS),
    cut(`${answer} ${body}`, MAX_SHORT_CHARS),
    cut(`B's log: ${log(logs.b)}`, MAX_CHARS),
    cut(`A's log: ${log(logs.a)}`, MAX_SHORT_CHARS),
  ];
  return [`### ${state}: call ${n}, ${timeOf(at)}`, inline(cut(explanation, MAX_CHARS)), block('console', lines)];
}

/** In one line. */
const cut = (text: string, most: number) => {
  const line = text.replace(/\s*\n\s*/g, ' ');
  return line.length > most ? `${line.slice(0, most)}…` : line;
};

const timeOf = (at: number) => new Date(at).toISOString().slice(11, 23);
