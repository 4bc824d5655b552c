import { drawCalls } from '../picture/calls-chart.ts';
import type { Call } from '../experiment/calls.ts';
import type { Band } from './protocol.ts';

const MAX_MS = 180_000;

/** What the page shows, as a picture in the style of the outage's: up to the last three minutes. An SVG document. */
export function drawTimeline({ calls, bands, deadlineMs }: { calls: Call[]; bands: Band[]; deadlineMs: number }) {
  const to = Date.now();
  const from = Math.max(Math.min(...calls.map(({ at }) => at), to - 1000), to - MAX_MS);
  const shown = calls.filter(({ at }) => at >= from);
  const counts = Object.entries(Object.groupBy(shown, ({ outcome }) => outcome));
  const story = counts.map(([outcome, own]) => `${own!.length} of ${outcome}`).join(', ');
  return drawCalls({
    title: 'How long service B takes to answer',
    story: `${shown.length} calls in ${Math.round((to - from) / 1000)} seconds: ${story}.`,
    heading: `How long B takes to answer, until ${new Date(to).toISOString()}`,
    calls: shown,
    bands: bands.map(({ name, colour, from, to: end }) => ({ name, band: colour, from, to: end ?? to })),
    from,
    to,
    deadlineMs,
  });
}
