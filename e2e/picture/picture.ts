/** The parts that all pictures of this project share: the card, the scale of latencies, and the colours for light and dark. */
import { OUTCOMES } from './outcomes.ts';
import { BANDS } from './states.ts';

/** Each colour has a name, and a value for light and for dark. */
export const COLOURS: Record<string, [light: string, dark: string]> = {
  text: ['#1f2328', '#f0f6fc'],
  quiet: ['#59636e', '#9198a1'],
  card: ['#ffffff', '#0d1117'],
  line: ['#d1d9e0', '#3d444d'],
  'band-stopped': ['#e4e8ed', '#262c34'],
  'band-starting': ['#f2f4f7', '#1a1f27'],
  'band-paused': ['#dfeaf7', '#192b42'],
  'band-replaced': ['#f6eadb', '#36291b'],
  'bar-product': ['#0066f5', '#3388ff'],
  'bar-plain': ['#997500', '#d2a13a'],
  'bar-floor': ['#818b98', '#656c76'],
  ...Object.fromEntries(Object.entries(OUTCOMES).map(([name, { colours }]) => [`outcome-${name}`, colours])),
};

const variables = (theme: 0 | 1) =>
  Object.entries(COLOURS)
    .map(([name, colours]) => `--${name}: ${colours[theme]}`)
    .join('; ');

/** The colours as CSS variables, such as `var(--outcome-dns)`; they follow the reader's choice of light or dark. */
const THEME = `:root { color-scheme: light dark; ${variables(0)} }
@media (prefers-color-scheme: dark) { :root { ${variables(1)} } }`;

const MARK_STYLES = Object.entries(OUTCOMES).map(([outcome, { isFilled }]) => {
  const colour = `var(--outcome-${outcome})`;
  return `.outcome-${outcome} { stroke: ${colour}; fill: ${isFilled ? colour : 'none'} }`;
});

/** CSS for what the functions below draw, and for marks: paths of the class `mark` and `outcome-…`. */
export const STYLE = `${THEME}
text { font: 12px system-ui, sans-serif; fill: var(--text) }
.heading { font-size: 14px; font-weight: 600 }
.strong { font-weight: 600 }
.quiet { fill: var(--quiet) }
.middle { text-anchor: middle }
.end { text-anchor: end }
.card { fill: var(--card); stroke: var(--line) }
.line { fill: none; stroke: var(--line) }
${BANDS.map((band) => `.band-${band} { fill: var(--band-${band}) }`).join('\n')}
.mark { stroke-width: 1.2 }
.bar-product { fill: var(--bar-product) }
.bar-plain { fill: var(--bar-plain) }
.bar-floor { fill: var(--bar-floor) }
${MARK_STYLES.join('\n')}`;

/** Makes an SVG document: `parts` on a card. `title` and `story` describe it to people who cannot see it. */
export function picture(width: number, height: number, title: string, story: string, parts: string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title story">
<title id="title">${title}</title>
<desc id="story">${story}</desc>
<style>
${STYLE}
</style>
<rect class="card" x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="6"/>
${parts.join('\n')}
</svg>
`;
}

const FASTEST_MS = 1;
/** The upper end of a scale of latencies, if no other is given. */
export const SLOWEST_MS = 3000;

/** The lines of a scale of latencies, by their labels, in milliseconds. */
export const LATENCIES: Record<string, number> = { '1 ms': 1, '10 ms': 10, '100 ms': 100, '1 s': 1000 };

/** Maps a latency to a logarithmic scale from 1 ms (0) to the slowest (1); what is beyond an end gets that end. */
export function shareOf(ms: number, slowestMs = SLOWEST_MS): number {
  const within = Math.min(Math.max(ms, FASTEST_MS), slowestMs);
  return Math.log(within / FASTEST_MS) / Math.log(slowestMs / FASTEST_MS);
}
