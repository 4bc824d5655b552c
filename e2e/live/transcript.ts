import { block, inline } from '../docs/markdown.ts';
import { nameOf } from '../picture/outcomes.ts';
import type { Call } from '../experiment/calls.ts';
import type { Experiment } from './experiment.ts';

const MAX_SENT = 50;

/** What was done, answered and logged, in Markdown: for each command the calls up to the next, an example of each outcome. */
export function transcript(experiment: Experiment): string {
  const { calls, history, controls, tour } = experiment;
  const first = calls[0]?.at ?? Date.now();
  const stretches = [
    { at: Math.min(first, history[0]?.at ?? first), title: 'At first', commands: [] as string[], result: '' },
    ...history.map(({ at, command, ms, problem }) => {
      const result = problem
        ? `It failed: ${problem}`
        : ms === undefined
          ? 'It still runs.'
          : `It took ${(ms / 1000).toFixed(1)} s.`;
      return { at, title: timeOf(at), commands: command.split('\n'), result };
    }),
  ];
  const parts = stretches.flatMap(({ at, title, commands, result }, index) => {
    const until = stretches[index + 1]?.at ?? Infinity;
    const own = calls.filter((call) => call.at >= at && call.at < until);
    const byOutcome = Object.entries(Object.groupBy(own, ({ outcome }) => outcome)) as [string, Call[]][];
    const counts = byOutcome.map(([outcome, some]) => {
      const slowest = Math.max(...some.map(({ ms }) => ms));
      return `- ${some.length} × ${nameOf(outcome)}, after ${slowest.toFixed(0)} ms at most`;
    });
    return [
      `## ${title}`,
      ...(commands.length > 0
        ? [
            block(
              'console',
              commands.map((command) => `$ ${command}`),
            ),
            inline(result),
          ]
        : []),
      counts.length > 0
        ? `Until the next command, B answered:\n\n${counts.join('\n')}`
        : 'There were no calls until the next command, or they are no longer kept.',
      ...byOutcome.flatMap(([, some]) => called(experiment, some[0]!)),
    ];
  });
  const sent = calls.filter(({ msg }) => msg !== 'hello').slice(-MAX_SENT);
  const verdicts = tour.view().verdicts.map(({ what, predicted, sentence, isRight }) => {
    const said = `${nameOf(predicted.outcome)}, ${predicted.wait}`;
    return `- A ${what}: predicted ${said}. ${sentence} ${isRight ? 'Right.' : 'Wrong.'}`;
  });
  return `${[
    '# Two services, live: a transcript',
    `${inline(controls.title)}, ${new Date(stretches[0]!.at).toISOString()} to ${new Date().toISOString()}. Calls are kept for three minutes at 200 a second, and the oldest go first.`,
    ...parts,
    ...(sent.length > 0 ? ['## Sent one by one', ...sent.flatMap((call) => called(experiment, call))] : []),
    ...(verdicts.length > 0 ? ['## Predicted', verdicts.map(inline).join('\n')] : []),
  ].join('\n\n')}\n`;
}

function called(experiment: Experiment, { n, at }: Call): string[] {
  const { command, answer, body, explanation, logs } = experiment.callView(n)!;
  const log = (service: string, { lines, remark }: { lines: string[]; remark: string }) => [
    `${service}'s log:${remark ? ` ${remark}` : ''}`,
    ...(lines.length > 0 ? [block('text', lines)] : []),
  ];
  return [
    `### Call ${n}, ${timeOf(at)}`,
    block('console', [`$ ${command}`, answer, ...(body ? [body] : [])]),
    inline(explanation),
    ...log('B', logs.b),
    ...log('A', logs.a),
  ];
}

const timeOf = (at: number) => new Date(at).toISOString().slice(11, 23);
