/** Writes the page that a student hands in: what was done, B's answers in each state of A, and a call of each. At most three pages. */
import { block, inline, table } from '../docs/markdown.ts';
import { nameOf } from '../picture/outcomes.ts';
import { phaseOf } from '../picture/states.ts';
import { slowest, STEADY, type Call } from '../experiment/calls.ts';
import { phasesOf } from '../experiment/history.ts';
import type { Experiment } from './experiment.ts';
import type { Tour } from './tour.ts';

const OF_ITSELF = [STEADY, 'before', 'restarting', 'back']; // messages of the page and its tour
const MAX_COMMANDS = 8;
const MAX_WRONG = 3; // the largest number of wrong predictions that are shown
const MAX_CHARS = 132; // in a line of text or an answer
const MAX_LOG_CHARS = { a: 74, b: 245 }; // B's line is the longest
const MAX_CELL_CHARS = 60;

/** Writes the transcript in Markdown. The whole history is another file. */
export function transcript(experiment: Experiment, tour: Tour): string {
  const { calls, commands, states } = experiment.history;
  const phases = phasesOf(states, Infinity);
  const stateAt = (at: number) => phases.findLast(({ from }) => from <= at)?.name ?? 'not known any more';
  const byState = Map.groupBy(calls, (call) => stateAt(call.at));
  const from = Math.min(calls[0]?.at ?? Infinity, commands[0]?.at ?? Infinity, Date.now());
  const parts = [
    '# Two services, live: a transcript',
    `Of ${inline(cut(experiment.controls.title, MAX_CHARS))}, ${new Date(from).toISOString()} to ${new Date().toISOString()}: ${calls.length} calls that are kept, ${commands.length} commands. The whole history, with all calls and log lines that are kept, is the file \`history.jsonl\`.`,
    '## What was done',
    ...done(experiment),
    '## What B answered',
    answers(byState),
    ...predictions(tour),
    '## A call of each state',
    ...[...byState].flatMap(([state, calls]) => told(experiment, state, exampleOf(state, calls))),
  ];
  return `${parts.join('\n\n')}\n`;
}

function done({ history: { commands } }: Experiment): string[] {
  if (commands.length === 0) return ['Nothing was done to A or B.'];
  const left = commands.length - MAX_COMMANDS;
  const rows = commands.slice(-MAX_COMMANDS).map(({ at, command, ms, problem }) => {
    const result = problem ? `failed: ${problem}` : ms === undefined ? 'still runs' : `${(ms / 1000).toFixed(1)} s`;
    return [
      timeOf(at),
      inline(cut(command.replace(/\n[^]*/, ' …'), MAX_CELL_CHARS)),
      inline(cut(result, MAX_CELL_CHARS)),
    ];
  });
  return [
    ...(left > 0 ? [`The last ${MAX_COMMANDS} of ${commands.length} commands:`] : []),
    table([['at (UTC)', 'command', 'took'], ...rows]),
  ];
}

function answers(byState: Map<string, Call[]>): string {
  const rows = [...byState].map(([state, calls]) => [
    state,
    cut(
      outcomesIn(calls)
        .map(([outcome, some]) => `${some.length} × ${nameOf(outcome)}`)
        .join(', '),
      MAX_CELL_CHARS,
    ),
    `${Math.round(slowest(calls))} ms`,
  ]);
  return table([['state of A', 'calls and answers', 'slowest'], ...rows]);
}

function predictions(tour: Tour): string[] {
  const { verdicts } = tour.view();
  if (verdicts.length === 0) return [];
  const wrong = verdicts.filter(({ isRight }) => !isRight);
  const lines = wrong.slice(0, MAX_WRONG).map(({ what, predicted: { outcome, wait }, sentence }) => {
    return `- A ${inline(what)}: predicted ${nameOf(outcome)}, ${wait}. ${inline(cut(sentence, MAX_CHARS))}`;
  });
  const shown =
    lines.length > 0 ? `, and ${wrong.length} wrong${wrong.length > MAX_WRONG ? ', among them' : ''}:` : '.';
  return [
    '## What was predicted',
    `${verdicts.length - wrong.length} of ${verdicts.length} predictions were right${shown}`,
    ...(lines.length > 0 ? [lines.join('\n')] : []),
  ];
}

/** Sorts by frequency, the most frequent first. */
const outcomesIn = (calls: Call[]) =>
  [...Map.groupBy(calls, ({ outcome }) => outcome)].sort(([, one], [, other]) => other.length - one.length);

/** Chooses the call that is shown for a state: the last that a person sent, with the usual outcome, or failed if A was broken. */
function exampleOf(state: string, calls: Call[]): Call {
  const failed = calls.filter(({ outcome }) => outcome !== '200');
  const shown = outcomesIn(state === phaseOf('running').name || failed.length === 0 ? calls : failed)[0]![1];
  return shown.findLast(({ msg }) => !OF_ITSELF.includes(msg)) ?? shown.at(-1)!;
}

function told(experiment: Experiment, state: string, { n, at }: Call): string[] {
  const { answer, body, explanation, logs } = experiment.callView(n)!;
  const log = ({ lines, remark }: { lines: string[]; remark: string }) => lines[0] ?? remark;
  const lines = [
    cut(`${answer} ${body}`, MAX_CHARS),
    cut(`B's log: ${log(logs.b)}`, MAX_LOG_CHARS.b),
    cut(`A's log: ${log(logs.a)}`, MAX_LOG_CHARS.a),
  ];
  const heading = `**${inline(state)}: call ${n}, ${timeOf(at)}.**`;
  return [`${heading} ${inline(cut(explanation, MAX_CHARS))}`, block('text', lines)];
}

/** Writes a call in one line. */
const cut = (text: string, most: number) => {
  const line = text.replace(/\s*\n\s*/g, ' ');
  return line.length > most ? `${line.slice(0, most)}…` : line;
};

const timeOf = (at: number) => new Date(at).toISOString().slice(11, 23);
