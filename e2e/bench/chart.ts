import { picture } from '../picture/picture.ts';
import type { Bench } from './run.ts';
import { VARIANTS, type Variant } from './servers.ts';

const SHOWN: [figure: string, title: string][] = [
  ['B /call-echo, 32 connections: CPU per call', 'CPU of B per call'],
  ['B /call-echo, 32 connections: calls per second', 'Calls per second, 32 connections (more is better)'],
  ['B /call-echo, 32 connections: p99', 'p99 latency, 32 connections'],
  ['A is stopped, 32 connections: CPU per answer', 'CPU of B per answer while A is stopped'],
];
const NAMES: Record<Variant, string> = { product: 'B', plain: 'plain', floor: 'floor' };
const [WIDTH, LEFT, RIGHT, TOP] = [860, 58, 800, 44];
const [BAR, GROUP] = [18, 86];

/** The main figures as bars, each relative to plain. An SVG document. */
export function chart({ date, machine, figures }: Bench): string {
  const groups = SHOWN.flatMap(([name, title]) => {
    const figure = figures.find((each) => each.name === name);
    const { plain, floor } = figure?.ratios ?? {};
    return plain && floor ? [{ title, shares: { product: plain, plain: 1, floor: plain / floor } }] : [];
  });
  const height = TOP + groups.length * GROUP + 30;
  const caption = `${date}, ${machine.cpus} CPUs, ${machine.platform}, Node ${machine.node}; medians of interleaved rounds`;
  const told = groups.map(({ title, shares }) => {
    const figures = VARIANTS.map((variant) => `${NAMES[variant]} ${shares[variant].toFixed(2)}`);
    return `${title}: ${figures.join(', ')}.`;
  });
  return picture(WIDTH, height, 'What a call costs, relative to plain', told.join(' '), [
    `<text class="heading" x="${LEFT}" y="24">What a call costs: this B, plain Koa and got, and bare node:http (floor), relative to plain</text>`,
    ...groups.flatMap(({ title, shares }, index) => group(title, shares, TOP + index * GROUP)),
    `<text class="quiet" x="${LEFT}" y="${height - 14}">${caption}</text>`,
  ]);
}

function group(title: string, shares: Record<Variant, number>, top: number): string[] {
  const unit = (RIGHT - LEFT) / Math.max(...Object.values(shares));
  const bars = VARIANTS.flatMap((variant, index) => {
    const y = top + 22 + index * BAR;
    const width = Math.round(shares[variant] * unit);
    return [
      `<text class="end" x="${LEFT - 6}" y="${y + 13}">${NAMES[variant]}</text>`,
      `<rect class="bar-${variant}" x="${LEFT}" y="${y + 2}" width="${width}" height="${BAR - 4}" rx="2"/>`,
      `<text x="${LEFT + width + 6}" y="${y + 13}">${shares[variant].toFixed(2)}</text>`,
    ];
  });
  return [`<text class="strong" x="${LEFT}" y="${top + 16}">${title}</text>`, ...bars];
}
