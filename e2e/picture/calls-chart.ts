/** Draws the chart of calls as a tree of shapes: pictures write it as markup, and the live page makes elements from it. */
import { OUTCOMES, OUTCOME_NAMES } from './outcomes.ts';
import { LATENCIES, picture, shareOf, SLOWEST_MS } from './picture.ts';
import type { Band } from './states.ts';

/** One call on B: when it began and how long it took, in milliseconds, and which mark it gets. */
export interface DrawnCall {
  at: number;
  ms: number;
  outcome: string;
}

/** A stretch of time behind the calls; it has no colour while A simply runs. */
export interface DrawnBand {
  name: string;
  band?: Band;
  from: number;
  to: number;
}

/** Everything in the chart except the calls. Times are milliseconds on the clock of the calls, sizes are CSS pixels. */
export interface Plot {
  bands: DrawnBand[];
  /** The ends of the time axis. */
  from: number;
  to: number;
  /** The labels of the axes lie within the size. */
  width: number;
  height: number;
  top?: number;
  /** B's deadline, if it is known. */
  deadlineMs?: number;
  /** The upper end of the scale. */
  slowestMs?: number;
  /** The time of the axis's zero, if it is not `from`, and the label for a number of milliseconds after that zero. */
  zero?: number;
  labelOf?: (ms: number) => string;
  /** The call with a ring around it. */
  chosen?: DrawnCall;
}

interface CallsChart extends Pick<Plot, 'bands' | 'from' | 'to' | 'deadlineMs'> {
  /** The title and the description for a screen reader. */
  title: string;
  story: string;
  heading: string;
  calls: DrawnCall[];
}

/** An SVG element: its name, its attributes, and its content. */
export type Shape = [name: string, attributes: Record<string, string | number>, ...content: (Shape | string)[]];

const [LEFT, RIGHT, ABOVE, BELOW] = [58, 20, 26, 32]; // around the marks
const LETTER = 6.3; // about the width of a letter
const BOLD_LETTER = 7.7;
const LINE = 18;
const GAP = 6; // the least space between two labels
const TICK = 78; // the least distance between two labels of the time axis
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300]; // seconds
const CHUNK = 60; // small, so that few marks are drawn again; not too small, as each chunk is a layer

/** Draws calls as an SVG document: time to the right, B's answer time upwards (on a log scale), a mark for each call. */
export function drawCalls({ title, story, heading, calls, ...about }: CallsChart): string {
  const [width, height] = [860, 266];
  const { parts, bottom: top } = headOf(heading, calls, width);
  const plot = { ...about, top, width, height };
  const { x, y } = scalesOf(plot);
  const shapes = [...frameOf(plot), ...marksOf(calls, x, y)];
  return picture(width, top + height, title, story, [...parts, ...shapes.map(markup)]);
}

/** Draws a heading and a legend of the outcomes, in as many lines as they need; `bottom` is where they end. */
export function headOf(heading: string, calls: DrawnCall[], width: number): { parts: string[]; bottom: number } {
  let [right, bottom] = [LEFT, 32 + LINE];
  const legend = seenIn(calls).map((outcome) => {
    const { path, meaning } = OUTCOMES[outcome]!;
    const own = 36 + meaning.length * LETTER;
    if (right > LEFT && right + own > width - RIGHT) [right, bottom] = [LEFT, bottom + LINE];
    const [left, y] = [right, bottom - 8];
    right += own;
    return `<path class="mark outcome-${outcome}" d="M${left + 4} ${y}${path}"/><text x="${left + 12}" y="${y + 4}">${meaning}</text>`;
  });
  return { parts: [`<text class="heading" x="${LEFT}" y="24">${heading}</text>`, ...legend], bottom };
}

/** Lists the outcomes of calls in the order of the legend. */
export function seenIn(calls: DrawnCall[]): string[] {
  const seen = new Set(calls.map(({ outcome }) => (outcome in OUTCOMES ? outcome : 'other')));
  return OUTCOME_NAMES.filter((outcome) => seen.has(outcome));
}

/** The length of a chart's time axis in pixels. */
export const axisOf = (width: number) => width - LEFT - RIGHT;

/** Maps times and latencies to places; what is beyond an axis gets the place at its end. */
export function scalesOf({ from, to, width, height, top = 0, slowestMs }: Plot) {
  const bottom = top + height - BELOW;
  const share = (time: number) => (Math.min(Math.max(time, from), to) - from) / (to - from);
  return {
    x: (time: number) => round(LEFT + share(time) * axisOf(width)),
    y: (ms: number) => round(bottom - shareOf(ms, slowestMs) * (height - ABOVE - BELOW)),
  };
}

/** Draws everything except the marks. */
function frameOf(plot: Plot): Shape[] {
  const { bands, from, to, width, height, top = 0, deadlineMs, slowestMs = SLOWEST_MS } = plot;
  const { x, y } = scalesOf(plot);
  const right = width - RIGHT;
  const shown = bands.filter((band) => band.band && band.to > from && band.from < to);
  const places = shown.map(({ name, band, from, to }) => {
    return { text: name, from: x(from), to: x(to), width: name.length * BOLD_LETTER, isMinor: band === 'starting' };
  });
  const line = (ms: number): Shape => ['path', { class: 'line', d: `M${LEFT} ${y(ms)}H${right}` }];
  const latencies = [...Object.entries(LATENCIES), ['10 s', 10_000] as const].filter(([, ms]) => ms <= slowestMs);
  const beside = { x: LEFT + 6, y: y(deadlineMs ?? 0) - 6 };
  return [
    ...places.map(({ from, to }, index): Shape => {
      const size = { width: Math.max(1, round(to - from)), height: height - ABOVE - BELOW };
      return ['rect', { class: `band-${shown[index]!.band}`, x: from, y: top + ABOVE, ...size }];
    }),
    ...placed(places, LEFT, right).map(({ text, at }): Shape => {
      return ['text', { class: 'strong middle', x: round(at), y: top + ABOVE - 6 }, text];
    }),
    ...latencies.flatMap(([label, ms]): Shape[] => [
      line(ms),
      ['text', { class: 'end', x: LEFT - 6, y: y(ms) + 4 }, label],
    ]),
    ...ticksOf(plot),
    ...(deadlineMs ? [line(deadlineMs), ['text', { class: 'quiet', ...beside }, "B's deadline"] satisfies Shape] : []),
  ];
}

const inSeconds = (ms: number) => `${ms / 1000} s`;

function ticksOf(plot: Plot): Shape[] {
  const { from, to, width, height, top = 0, zero = from, labelOf = inSeconds } = plot;
  const { x } = scalesOf(plot);
  const seconds = Math.floor((to - from) / 1000);
  const step = 1000 * (STEPS.find((step) => seconds / step <= axisOf(width) / TICK) ?? 600);
  const first = Math.ceil((from - zero) / step);
  const count = Math.floor((to - zero) / step) - first + 1;
  const times = Array.from({ length: count }, (_, index) => (first + index) * step);
  return times.flatMap((ms): Shape[] => {
    const [at, label] = [x(zero + ms), labelOf(ms)];
    if (at + (label.length * LETTER) / 2 > width) return [];
    return [['text', { class: 'middle', x: at, y: top + height - BELOW + LINE }, label]];
  });
}

/** Draws the marks of calls: a path for each outcome, with each place once. */
function marksOf(calls: DrawnCall[], x: (at: number) => number, y: (ms: number) => number): Shape[] {
  const outcomes = Object.groupBy(calls, ({ outcome }) => (outcome in OUTCOMES ? outcome : 'other'));
  return seenIn(calls).map((outcome) => {
    const places = new Set(outcomes[outcome]!.map(({ at, ms }) => `M${x(at)} ${y(ms)}`));
    const path = [...places].map((place) => place + OUTCOMES[outcome]!.path).join('');
    return ['path', { class: `mark outcome-${outcome}`, d: path }];
  });
}

/** The length of a chunk of the time axis in milliseconds. Chunks begin at whole multiples of it. */
export const chunkMsOf = ({ from, to, width }: Plot) => (CHUNK * (to - from)) / axisOf(width);

/**
 * Draws a chart that moves to the left, by whole pixels if `from` is at one. Its marks are in chunks of time that move without
 * being drawn again: `drawn` keeps them by their numbers until they have left the chart.
 */
export function movingChart(
  plot: Plot,
  callsIn: (from: number, to: number) => DrawnCall[],
  drawn = new Map<number, Shape[]>(),
): Shape[] {
  const { from, to, width, height, chosen } = plot;
  const { x, y } = scalesOf(plot);
  const chunkMs = chunkMsOf(plot);
  const [first, count] = [Math.floor(from / chunkMs), Math.ceil(axisOf(width) / CHUNK) + 1];
  for (const index of drawn.keys()) if (index < first || index >= first + count) drawn.delete(index);
  const chunks: Shape[] = [];
  for (let index = first; index < first + count; index++) {
    const left = index * chunkMs;
    const xInside = (at: number) => round(((at - left) / chunkMs) * CHUNK);
    const marks = drawn.get(index) ?? marksOf(callsIn(left, left + chunkMs), xInside, y);
    drawn.set(index, marks);
    const transform = `translate(${round(((left - from) / chunkMs) * CHUNK)} 0)`;
    chunks[index % count] = ['g', { class: 'chunk', transform }, ...marks];
  }
  const isSeen = chosen && chosen.at >= from && chosen.at < to;
  const ring = { fill: 'none', stroke: 'var(--text)', 'stroke-width': 2 };
  return [
    ...frameOf(plot),
    ['svg', { x: LEFT, y: 0, width: axisOf(width), height }, ...chunks],
    ...(isSeen ? [['circle', { cx: x(chosen.at), cy: y(chosen.ms), r: 8, ...ring }] satisfies Shape] : []),
  ];
}

/** Writes a shape and its content as SVG. */
export function markup([name, attributes, ...content]: Shape): string {
  const start = Object.entries(attributes).reduce((text, [key, value]) => `${text} ${key}="${value}"`, `<${name}`);
  const inner = content.map((part) => (typeof part === 'string' ? part.replace(/[&<]/g, escaped) : markup(part)));
  return inner.length > 0 ? `${start}>${inner.join('')}</${name}>` : `${start}/>`;
}

const escaped = (character: string) => (character === '&' ? '&amp;' : '&lt;');

interface Label {
  text: string;
  from: number;
  to: number;
  width: number;
  /** Whether it gives way to any other label: what was done to A says more than that A starts again. */
  isMinor: boolean;
}

/** Places labels between two ends, each in the middle of its band if it fits. Of two that overlap, the wider band's stays. */
function placed(labels: Label[], left: number, right: number): (Label & { at: number })[] {
  const taken: (Label & { at: number })[] = [];
  const fitting = labels.filter(({ width }) => width <= right - left);
  const order = (one: Label, other: Label) =>
    Number(one.isMinor) - Number(other.isMinor) || other.to - other.from - (one.to - one.from);
  for (const label of fitting.toSorted(order)) {
    const middle = (label.from + label.to) / 2;
    const at = Math.max(left + label.width / 2, Math.min(middle, right - label.width / 2));
    const isFree = taken.every((other) => Math.abs(at - other.at) >= (label.width + other.width) / 2 + GAP);
    if (isFree) taken.push({ ...label, at });
  }
  return taken;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
