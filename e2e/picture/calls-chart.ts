import { OUTCOMES, OUTCOME_NAMES } from './outcomes.ts';
import { placed } from './labels.ts';
import { LATENCIES, picture, shareOf } from './picture.ts';
import type { Band } from './states.ts';

/** One call on B: when it began and how long it took, in milliseconds, and which mark it gets. */
interface DrawnCall {
  at: number;
  ms: number;
  outcome: string;
}

/** A stretch of time behind the calls; in no colour while A simply runs. */
export interface DrawnBand {
  name: string;
  band?: Band;
  from: number;
  to: number;
}

interface CallsChart {
  /** What the picture is called by a screen reader, and what it tells. */
  title: string;
  story: string;
  heading: string;
  calls: DrawnCall[];
  bands: DrawnBand[];
  /** The ends of the time axis, in the milliseconds of the calls and bands. */
  from: number;
  to: number;
  /** B's, where it is known. */
  deadlineMs?: number;
}

const WIDTH = 860;
const [LEFT, RIGHT, TOP, HEIGHT] = [58, 840, 32, 208];
const LETTER = 6.3; // about the width of one
const BOLD_LETTER = 7.7;
const LINE = 18;
const GAP = 6; // between two labels

/** Calls as an SVG document: time to the right, B's answer time upwards (on a log scale), a mark for each call. */
export function drawCalls({ title, story, heading, calls, bands, from, to, deadlineMs }: CallsChart): string {
  const outcomes = Object.groupBy(calls, ({ outcome }) => (outcome in OUTCOMES ? outcome : 'other'));
  const seen = OUTCOME_NAMES.filter((outcome) => outcomes[outcome]);
  const { legend, lines } = legendOf(seen);
  const top = TOP + lines * LINE + 26;
  const bottom = top + HEIGHT;
  const x = (time: number) => round(LEFT + ((Math.max(time, from) - from) / (to - from)) * (RIGHT - LEFT));
  const y = (ms: number) => round(bottom - shareOf(ms) * HEIGHT);

  const shown = bands.filter(({ band, to }) => band && to > from);
  const drawnBands = shown.map(
    ({ band, from, to }) =>
      `<rect class="band-${band}" x="${x(from)}" y="${top}" width="${round(x(to) - x(from))}" height="${HEIGHT}"/>`,
  );
  const labels = placed(
    shown.map(({ name, from, to }) => ({ text: name, from: x(from), to: x(to), width: name.length * BOLD_LETTER })),
    GAP,
    LEFT,
    RIGHT,
  ).map(({ text, at }) => `<text class="strong middle" x="${round(at)}" y="${top - 6}">${text}</text>`);
  const latencies = Object.entries(LATENCIES).flatMap(([label, ms]) => [
    `<path class="line" d="M${LEFT} ${y(ms)}H${RIGHT}"/>`,
    `<text class="end" x="${LEFT - 6}" y="${y(ms) + 4}">${label}</text>`,
  ]);
  const seconds = Math.floor((to - from) / 1000);
  const every = [1, 2, 5, 10, 20, 30].find((step) => seconds / step <= 10) ?? 60;
  const times = Array.from({ length: Math.floor(seconds / every) + 1 }, (_, index) => index * every).map(
    (second) => `<text class="middle" x="${x(from + second * 1000)}" y="${bottom + LINE}">${second} s</text>`,
  );
  const deadline = deadlineMs
    ? [
        `<path class="line" d="M${LEFT} ${y(deadlineMs)}H${RIGHT}"/>`,
        `<text class="quiet" x="${LEFT + 6}" y="${y(deadlineMs) - 6}">B's deadline</text>`,
      ]
    : [];
  const marks = seen.map((outcome) => {
    const places = new Set(outcomes[outcome]!.map(({ at, ms }) => `M${x(at)} ${y(ms)}`));
    const path = [...places].map((place) => place + OUTCOMES[outcome]!.path).join('');
    return `<path class="mark outcome-${outcome}" d="${path}"/>`;
  });

  return picture(WIDTH, bottom + 32, title, story, [
    `<text class="heading" x="${LEFT}" y="24">${heading}</text>`,
    ...legend,
    ...drawnBands,
    ...labels,
    ...latencies,
    ...times,
    ...deadline,
    ...marks,
  ]);
}

/** In as many lines as it takes. */
function legendOf(outcomes: string[]) {
  let [right, lines] = [LEFT, 1];
  const legend = outcomes.map((outcome) => {
    const { path, meaning } = OUTCOMES[outcome]!;
    const width = 36 + meaning.length * LETTER;
    if (right + width > RIGHT) [right, lines] = [LEFT, lines + 1];
    const [left, top] = [right, TOP - 8 + lines * LINE];
    right += width;
    return `<path class="mark outcome-${outcome}" d="M${left + 4} ${top}${path}"/><text x="${left + 12}" y="${top + 4}">${meaning}</text>`;
  });
  return { legend, lines };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
