import { headOf, markup, movingChart, type DrawnCall, type Plot } from './calls-chart.ts';
import { picture } from './picture.ts';

const MAX_ROWS = 12;
const BELOW = 6;

/** Draws the chart that a visitor keeps: the whole time with calls, in rows. The last row is `shown`, the window on the page. */
export function drawTimeline(shown: Plot, calls: DrawnCall[]): string {
  const { from, to, width, height } = shown;
  const oldest = calls.reduce((oldest, { at }) => Math.min(oldest, at), from);
  const windows = Math.ceil((from - oldest) / (to - from));
  const rowMs = Math.ceil(windows / (MAX_ROWS - 1)) * (to - from);
  const starts: number[] = [];
  for (let start = from - rowMs; start + rowMs > oldest; start -= rowMs) starts.unshift(start);
  const plots = [...starts.map((start) => ({ ...shown, from: start, to: start + rowMs })), shown];

  const callsIn = (from: number, to: number) => calls.filter(({ at }) => at >= from && at < to);
  const { parts, bottom } = headOf(`How long B takes to answer, ${dateOf(to)}`, calls, width);
  const rows = plots.map((plot, index) => {
    const shapes = movingChart(plot, callsIn).map(markup);
    return `<g transform="translate(0 ${bottom + index * height})">\n${shapes.join('\n')}\n</g>`;
  });
  const title = 'How long service B takes to answer';
  return picture(width, bottom + rows.length * height + BELOW, title, sumOf(calls), [...parts, ...rows]);
}

const dateOf = (time: number) => new Date(time).toLocaleDateString('sv'); // which is year-month-day

/** Says in a sentence how many calls there are and how many had each outcome, the most frequent first. */
export function sumOf(calls: DrawnCall[]): string {
  const outcomes = Object.entries(Object.groupBy(calls, ({ outcome }) => outcome));
  const counts = outcomes
    .map(([outcome, own]) => [outcome, own!.length] as const)
    .sort(([, one], [, other]) => other - one);
  if (calls.length === 0) return 'No calls yet.';
  return `${calls.length} calls: ${counts.map(([outcome, count]) => `${count} × ${outcome}`).join(', ')}.`;
}
