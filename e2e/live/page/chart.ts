import { axisOf, chunkMsOf, movingChart, scalesOf, seenIn, type Plot, type Shape } from '../../picture/calls-chart.ts';
import { OUTCOMES } from '../../picture/outcomes.ts';
import type { Dot, View } from '../protocol.ts';
import { drawTimeline, sumOf } from '../../picture/timeline.ts';
import { add, calls, callsIn, type Call } from './dots.ts';
import { byId, clock, draw, duration, element, markOf, say } from './dom.ts';

const SLOWEST_OF_OTHERS_MS = 12_000; // other pairs may wait longer than this repository's
const REACH_PX = 14;

let now: () => number;
let follow: (n: number) => void;
let view: Pick<View, 'bands' | 'deadlineMs' | 'isOwn'> = { bands: [], deadlineMs: 0, isOwn: true };
let chosen: number | undefined;
let spanMs = 30_000;
let scale = 1; // text and marks are larger on a large screen
let size = { width: 0, height: 0 };
let drawnAt = 0;
let isStill = false;
let isStale = true;
/** The marks on the chart, by their chunks of time. */
const chunks = new Map<number, Shape[]>();

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Adds calls to the chart, or replaces all calls with these. */
export function addDots(dots: Dot[], isAll: boolean) {
  add(dots, isAll);
  if (isAll) chunks.clear();
  const chunkMs = chunkMsOf(shown());
  for (const [, at] of dots) chunks.delete(Math.floor(at / chunkMs));
  isStale ||= isAll; // without it, the new calls are drawn when the chart moves
}

export function showChart(newView: Pick<View, 'bands' | 'deadlineMs' | 'isOwn'>) {
  if (newView.isOwn !== view.isOwn) chunks.clear();
  view = newView;
  isStale = true;
}

/** Stops the chart while nothing is known about the present, or lets it move again. */
export function setStill(still: boolean) {
  isStill = still;
}

/** Marks a call as the one that is followed. */
export function choose(number: number) {
  chosen = number;
  isStale = true;
}

/** Draws everything that is known as an SVG document; its last row is what the page shows. */
export function keptTimeline(): string {
  redraw();
  return drawTimeline(shown(), calls);
}

/** Computes the window of time that the page shows. It moves by whole pixels. */
function shown(): Plot {
  const pixelMs = spanMs / axisOf(size.width);
  const end = Math.floor(drawnAt / pixelMs) * pixelMs;
  return {
    ...size,
    bands: view.bands.map(({ name, colour, from, to = Infinity }) => ({ name, band: colour, from, to })),
    from: end - spanMs,
    to: end,
    deadlineMs: view.deadlineMs,
    ...(!view.isOwn && { slowestMs: SLOWEST_OF_OTHERS_MS }),
    zero: 0,
    labelOf: secondOf,
    chosen: chosen === undefined ? undefined : calls.findLast(({ n }) => n === chosen),
  };
}

const secondOf = (ms: number) => clock(ms).slice(0, 8);
const callsShown = ({ from, to } = shown()) => callsIn(from, to);

function frame() {
  const time = isStill ? drawnAt : now();
  const pixelMs = spanMs / axisOf(size.width);
  const stepMs = calm.matches ? Math.max(1000, pixelMs) : pixelMs; // once a second for people who want little motion
  const isDue = Math.floor(time / stepMs) !== Math.floor(drawnAt / stepMs);
  if (isDue) drawnAt = time;
  if (isDue || isStale) redraw();
  requestAnimationFrame(frame);
}

function redraw() {
  isStale = false;
  draw(byId('chart').firstElementChild!, movingChart(shown(), callsIn, chunks));
}

/** The call nearest to a point of the page, if there is one in reach. */
function nearest({ clientX, clientY }: MouseEvent): Call | undefined {
  const { left, top } = byId('chart').getBoundingClientRect();
  const { x, y } = scalesOf(shown());
  const distanceTo = ({ at, ms }: Call) => Math.hypot(x(at) * scale + left - clientX, y(ms) * scale + top - clientY);
  let [best, bestDistance]: [Call | undefined, number] = [undefined, REACH_PX];
  for (const call of callsShown()) {
    const distance = distanceTo(call);
    if (distance < bestDistance) [best, bestDistance] = [call, distance];
  }
  return best;
}

function onKey(event: KeyboardEvent) {
  if (event.key === 'Enter' && chosen !== undefined) return follow(chosen);
  const all = callsShown().reverse();
  const index = all.findIndex(({ n }) => n === chosen);
  const next = {
    ArrowLeft: Math.min(index + 1, all.length - 1),
    ArrowRight: Math.max(index - 1, 0),
    Home: all.length - 1,
    End: 0,
  }[event.key];
  if (next === undefined || all.length === 0) return;
  event.preventDefault();
  const { n, at, ms, outcome } = all[next]!;
  choose(n);
  say(byId('chosen'), `Call ${n}: ${OUTCOMES[outcome]!.meaning}, after ${duration(ms)}, at ${secondOf(at)}`);
}

/** Describes the chart in words, and shows the legend of its marks. */
function showSum() {
  const all = callsShown();
  say(byId('chart-sum'), sumOf(all));
  const legend = byId('legend');
  const seen = seenIn(all);
  if (legend.dataset.shown === seen.join()) return;
  legend.dataset.shown = seen.join();
  const items = seen.map((outcome) => [markOf(outcome, OUTCOMES[outcome]!.path), OUTCOMES[outcome]!.meaning]);
  legend.replaceChildren(...items.map((item) => element('li', {}, ...item)));
}

/** Fits the chart into the space on the page. */
function fit() {
  const { clientWidth, clientHeight } = byId('chart');
  scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  // It is at least as wide as its labels.
  size = { width: Math.max(200, Math.floor(clientWidth / scale)), height: Math.floor(clientHeight / scale) };
  const svg = byId('chart').firstElementChild!;
  svg.setAttribute('width', String(size.width * scale));
  svg.setAttribute('height', String(size.height * scale));
  svg.setAttribute('viewBox', `0 0 ${size.width} ${size.height}`);
  chunks.clear();
  isStale = true;
}

/**
 * Puts the chart on the page. `onFollow` is called with the number of a call to follow; `clock` returns the time at the right
 * end of the chart, in milliseconds since 1970, and may jump.
 */
export function startChart(onFollow: (n: number) => void, clock: () => number) {
  [follow, now] = [onFollow, clock];
  const place = byId('chart');
  draw(place, [['svg', { 'aria-hidden': 'true' }]]);
  fit();
  new ResizeObserver(fit).observe(place);
  place.addEventListener('keydown', onKey);
  place.addEventListener('click', (event) => {
    const call = nearest(event);
    if (call) follow(call.n);
  });
  const span = byId<HTMLSelectElement>('span');
  span.addEventListener('change', () => {
    spanMs = Number(span.value) * 1000;
    fit();
  });
  setInterval(showSum, 1000);
  frame();
}
