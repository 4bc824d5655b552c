import type { Report } from './run.ts';
import { VARIANTS, type Variant } from './servers.ts';

const SHOWN: [figure: string, title: string][] = [
  ['B /call-echo, 32 connections: CPU per call', 'CPU of B per call'],
  ['B /call-echo, 32 connections: calls per second', 'calls per second, 32 connections (more is better)'],
  ['B /call-echo, 32 connections: p99', 'p99 latency, 32 connections'],
  ['A is stopped, 32 connections: CPU per answer', 'CPU of B per answer while A is stopped'],
];
const BAR = 18;
const GROUP = 3 * BAR + 44;
const LEFT = 70;
const WIDTH = 640;

/** The main figures as bars, each relative to plain, for light and dark backgrounds alike. An SVG document. */
export function chart({ date, machine, figures }: Report): string {
  const groups = SHOWN.flatMap(([name, title]) => {
    const figure = figures.find((each) => each.name === name);
    const { plain, floor } = figure?.ratios ?? {};
    return plain && floor ? [{ title, shares: { product: plain, plain: 1, floor: plain / floor } }] : [];
  });
  const height = groups.length * GROUP + 40;
  const caption = `${date}, ${machine.cpus} CPUs, ${machine.platform}, Node ${machine.node}; medians of interleaved rounds`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">
<style>
  text { fill: #1f2328 } .note { fill: #59636e } .product { fill: #0969da } .plain { fill: #9a6700 } .floor { fill: #818b98 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 } .product { fill: #4493f8 } .plain { fill: #d29922 } .floor { fill: #656c76 }
  }
</style>
<title>This pair, plain Koa and got, and bare node:http, each relative to plain</title>
${groups.map(({ title, shares }, i) => group(title, shares, i * GROUP)).join('\n')}
<text class="note" x="4" y="${height - 12}">${caption}</text>
</svg>
`;
}

function group(title: string, shares: Record<Variant, number>, top: number) {
  const unit = (WIDTH - LEFT - 60) / Math.max(...Object.values(shares));
  const bars = VARIANTS.map((variant, i) => {
    const y = top + 26 + i * BAR;
    const width = Math.round(shares[variant] * unit);
    return `<text x="${LEFT - 8}" y="${y + 13}" text-anchor="end">${variant}</text>
<rect class="${variant}" x="${LEFT}" y="${y + 2}" width="${width}" height="${BAR - 4}" rx="2"/>
<text x="${LEFT + width + 6}" y="${y + 13}">${shares[variant].toFixed(2)}</text>`;
  });
  return `<text x="4" y="${top + 16}" font-weight="600">${title}</text>\n${bars.join('\n')}`;
}
