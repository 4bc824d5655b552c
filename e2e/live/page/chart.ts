import uPlot from 'uplot';
import { OUTCOMES, OUTCOME_NAMES } from '../../picture/outcomes.ts';
import { placed } from '../../picture/labels.ts';
import { LATENCIES } from '../../picture/picture.ts';
import { MAX_CALLS, type Band, type Dot, type View } from '../protocol.ts';
import { add, at, clear, count, kind, LATE_MS, ms, n, placesSince } from './dots.ts';
import { coloursOf, spriteOf } from './sprites.ts';
import { showSum } from './sum.ts';
import { byId, clock, duration, element, say } from './dom.ts';

const [FASTEST_MS, SLOWEST_MS] = [1, 3000];
const SLOWEST_OF_OTHERS_MS = 12_000; // anybody's pair may wait for longer than this repository's
const MARK_SIZE = 1.35;
const TEXT_PX = 12;
const PAD_PX = 16; // for the half of a mark that is beyond the scale
const AHEAD = 0.1;
const REACH_PX = 14;

let plot: uPlot;
let bands: Band[] = [];
let deadlineMs = 0;
let slowestMs = SLOWEST_MS;
let spanMs = 30_000;
let chosen: number | undefined;
let drawnAt = 0;
let isStale = true;
let scale = 1; // of the text and the marks: the page has larger ones on a large screen
let isStill = false;
let clockAhead = 0; // of the server's clock before this one's
let sprites: HTMLCanvasElement[] = [];
/** All marks, on a canvas that reaches a little into the future, and another one to move them to. */
let [layer, spare] = [element('canvas'), element('canvas')];
let layerKey = '';
let layerAt = 0;
let layerCount = 0; // of the calls that are on it
let generation = 0; // of what is drawn anew in whole
let colours: Record<string, string> = {};
let follow: (n: number) => void;

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

/** The places of the calls that may be on the chart, the newest first. */
const recent = () => placesSince(left() - LATE_MS);
const now = () => Date.now() + clockAhead;
const left = () => drawnAt - spanMs;

export function addDots(dots: Dot[], isAll: boolean) {
  if (isAll) {
    clear();
    generation++;
  }
  add(dots);
}

export function showChart(view: View) {
  bands = view.bands;
  deadlineMs = view.deadlineMs;
  const slowest = view.isOwn ? SLOWEST_MS : SLOWEST_OF_OTHERS_MS;
  if (slowest !== slowestMs) {
    slowestMs = slowest;
    plot.setScale('y', { min: FASTEST_MS, max: slowestMs });
  }
  isStale = true;
}

/** Whether the chart stands still, because nothing is known of what happens now. */
export function setStill(still: boolean, serverTime?: number) {
  isStill = still;
  if (serverTime) clockAhead = serverTime - Date.now();
  isStale = true;
}

/** Marks a call as the one that is followed. */
export function choose(number: number) {
  chosen = number;
  isStale = true;
}

function readColours() {
  colours = coloursOf(dark.matches ? 1 : 0);
  sprites = OUTCOME_NAMES.map((outcome) => spriteOf(outcome, colours, MARK_SIZE * scale * devicePixelRatio));
  generation++;
  isStale = true;
}

/** For so many of its own pixels in one of the page's. */
const fontOf = (ratio: number) => `${TEXT_PX * scale * ratio}px system-ui, sans-serif`;

function drawBands({ ctx, bbox }: uPlot) {
  ctx.save();
  ctx.font = `600 ${fontOf(devicePixelRatio)}`;
  ctx.textAlign = 'center';
  const labels = bands.flatMap(({ name, colour, from, to }) => {
    if ((to ?? Infinity) < left()) return [];
    const x0 = Math.max(bbox.left, plot.valToPos(from / 1000, 'x', true));
    const x1 = Math.min(bbox.left + bbox.width, plot.valToPos((to ?? drawnAt) / 1000, 'x', true));
    ctx.fillStyle = colours[`band-${colour}`]!;
    ctx.fillRect(x0, bbox.top, Math.max(1, x1 - x0), bbox.height);
    return [{ text: name, from: x0, to: x1, width: ctx.measureText(name).width }];
  });
  ctx.fillStyle = colours.text!;
  for (const { text, at } of placed(labels, 8 * devicePixelRatio, bbox.left, bbox.left + bbox.width)) {
    ctx.fillText(text, at, bbox.top - 6 * devicePixelRatio);
  }
  ctx.restore();
}

/** Where a call is on the canvas, in its own pixels. */
function positionOf(place: number): [x: number, y: number] {
  const shown = Math.min(Math.max(ms[place]!, FASTEST_MS), slowestMs);
  return [plot.valToPos(at[place]! / 1000, 'x', true), plot.valToPos(shown, 'y', true)];
}

function drawMarks({ ctx, bbox }: uPlot) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top - PAD_PX, bbox.width, bbox.height + 2 * PAD_PX);
  ctx.clip();
  ctx.strokeStyle = colours.quiet!;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  const deadline = Math.round(plot.valToPos(deadlineMs, 'y', true)) + 0.5;
  ctx.beginPath();
  ctx.moveTo(bbox.left, deadline);
  ctx.lineTo(bbox.left + bbox.width, deadline);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillStyle = colours.quiet!;
  ctx.font = fontOf(devicePixelRatio);
  ctx.textAlign = 'left';
  ctx.fillText("B's deadline", bbox.left + 6 * devicePixelRatio, deadline - 6 * devicePixelRatio);

  drawNewMarks(bbox);
  ctx.drawImage(layer, bbox.left, bbox.top - PAD_PX);
  drawChosen(ctx);
  ctx.restore();
}

/** Moves the marks that are there to the left, and adds those of the calls that have ended since. */
function drawNewMarks({ width, height }: uPlot['bbox']) {
  const pixelMs = spanMs / width;
  const key = [width, height, spanMs, slowestMs, generation].join();
  if (key !== layerKey) {
    layerKey = key;
    layerCount = 0;
    for (const canvas of [layer, spare]) {
      canvas.width = width * (1 + AHEAD); // which clears it
      canvas.height = height + 2 * PAD_PX;
    }
  } else if (drawnAt !== layerAt) {
    const context = spare.getContext('2d')!;
    context.clearRect(0, 0, spare.width, spare.height);
    context.drawImage(layer, -Math.round((drawnAt - layerAt) / pixelMs), 0);
    [layer, spare] = [spare, layer];
  }
  layerAt = drawnAt;

  const context = layer.getContext('2d')!;
  const perDecade = height / Math.log10(slowestMs / FASTEST_MS);
  const half = (sprites[0]?.width ?? 0) >> 1;
  for (let index = Math.max(layerCount, count - MAX_CALLS); index < count; index++) {
    const place = index % MAX_CALLS;
    const x = width - Math.round((drawnAt - at[place]!) / pixelMs);
    const shown = Math.min(Math.max(ms[place]!, FASTEST_MS), slowestMs);
    const y = PAD_PX + Math.round(height - Math.log10(shown / FASTEST_MS) * perDecade);
    if (x > -half) context.drawImage(sprites[kind[place]!]!, x - half, y - half);
  }
  layerCount = count;
}

function drawChosen(ctx: CanvasRenderingContext2D) {
  if (chosen === undefined) return;
  for (const place of recent()) {
    if (n[place] !== chosen) continue;
    const [x, y] = positionOf(place);
    ctx.strokeStyle = colours.text!;
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.arc(x, y, 8 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.stroke();
    return;
  }
}

function makePlot(place: HTMLElement): uPlot {
  const grid = { stroke: () => colours.line!, width: 1 };
  const font = fontOf(1);
  const stroke = () => colours.text!;
  return new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight,
      padding: [22 * scale, 10, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: true, auto: false },
        y: { distr: 3, auto: false, range: () => [FASTEST_MS, slowestMs] },
      },
      axes: [
        { stroke, font, grid: { show: false }, ticks: grid, space: 90, values: (_, splits) => splits.map(secondOf) },
        {
          stroke,
          font,
          grid,
          ticks: { show: false },
          size: 58 * scale,
          splits: () => [...Object.values(LATENCIES), 10_000].filter((value) => value <= slowestMs),
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map((value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`)),
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: { drawClear: [drawBands], draw: [drawMarks] },
    },
    [
      [0, 1],
      [null, null],
    ],
    place,
  );
}

const secondOf = (second: number) => clock(second * 1000).slice(0, 8);

function frame() {
  const time = isStill ? drawnAt : now();
  // The chart moves by whole pixels, and only each second for those who want little motion.
  const pixelMs = spanMs / (plot.bbox.width || 1);
  if (time - drawnAt >= (calm.matches ? Math.max(1000, pixelMs) : pixelMs) || isStale) {
    if (!isStill) drawnAt = Math.floor(time / pixelMs) * pixelMs;
    isStale = false;
    plot.setScale('x', { min: left() / 1000, max: drawnAt / 1000 });
  }
  requestAnimationFrame(frame);
}

/** The call nearest to a point of the page, if there is one in reach. */
function nearest(pageX: number, pageY: number): number | undefined {
  const { left: x0, top: y0 } = plot.root.querySelector('canvas')!.getBoundingClientRect();
  const [x, y] = [(pageX - x0) * devicePixelRatio, (pageY - y0) * devicePixelRatio];
  let best: number | undefined;
  let bestDistance = REACH_PX * devicePixelRatio;
  for (const place of recent()) {
    const [markX, markY] = positionOf(place);
    const distance = Math.hypot(markX - x, markY - y);
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = n[place]!;
  }
  return best;
}

function onKey(event: KeyboardEvent) {
  const places = [...recent()].filter((place) => at[place]! >= left());
  if (event.key === 'Enter' && chosen !== undefined) return follow(chosen);
  const index = places.findIndex((place) => n[place] === chosen);
  const next = {
    ArrowLeft: Math.min(index + 1, places.length - 1),
    ArrowRight: Math.max(index - 1, 0),
    Home: places.length - 1,
    End: 0,
  }[event.key];
  if (next === undefined || places.length === 0) return;
  event.preventDefault();
  const place = places[next]!;
  choose(n[place]!);
  const meaning = OUTCOMES[OUTCOME_NAMES[kind[place]!]!]!.meaning;
  say(byId('chosen'), `Call ${n[place]}: ${meaning}, after ${duration(ms[place]!)}, at ${secondOf(at[place]! / 1000)}`);
}

/** Puts the chart on the page; `onFollow` is called with the number of a call that is to be followed. */
export function startChart(onFollow: (n: number) => void) {
  follow = onFollow;
  drawnAt = Date.now();
  scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  readColours();
  const place = byId('chart');
  plot = makePlot(place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: place.clientHeight })).observe(place);
  dark.addEventListener('change', readColours);
  place.addEventListener('keydown', onKey);
  place.addEventListener('click', ({ clientX, clientY }) => {
    const number = nearest(clientX, clientY);
    if (number !== undefined) follow(number);
  });
  const span = byId<HTMLSelectElement>('span');
  span.addEventListener('change', () => {
    spanMs = Number(span.value) * 1000;
    drawnAt = 0;
  });
  setInterval(() => showSum(left()), 1000);
  requestAnimationFrame(frame);
}
