/** What every picture of this project has in common: a card, two axes, a colour and a shape for each outcome. */

/** How an outcome of a call on B is drawn. Colours are for the names in `COLOURS`; the shape says the same without them. */
interface Mark {
  meaning: string;
  /** SVG path commands, relative, from the mark's middle. */
  path: string;
  isFilled?: boolean;
}

/** For each outcome of a call on B, by its status or by the reason of its 503: how it is drawn and what it means. */
export const MARKS: Record<string, Mark> = {
  200: { meaning: '200', path: 'm-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0', isFilled: true },
  dns: { meaning: '503 dns: A has no address', path: 'm-2.2-2.2l4.4 4.4m0-4.4l-4.4 4.4' },
  refused: { meaning: '503 refused: nothing listens', path: 'm-2-2h4v4h-4z', isFilled: true },
  unreachable: { meaning: '503 unreachable: no way to A', path: 'm0-3.2l3.2 3.2l-3.2 3.2l-3.2-3.2z', isFilled: true },
  reset: { meaning: '503 reset: A broke the connection', path: 'm-3 0h6m-3-3v6' },
  timeout: { meaning: '503 timeout: A is silent', path: 'm0-2.8l2.8 4.8h-5.6z', isFilled: true },
  bad_status: { meaning: '503 bad_status: not a 200', path: 'm-2.4-2.4h4.8v4.8h-4.8z' },
  bad_body: { meaning: '503 bad_body: not an echo', path: 'm-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0 -4.8 0' },
  overloaded: { meaning: '503 overloaded: A was not asked', path: 'm0 2.8l2.8-4.8h-5.6z' },
  503: { meaning: '503', path: 'm-2.8-1.4h5.6v2.8h-5.6z', isFilled: true },
  none: { meaning: 'no answer', path: 'm-3-2h6m-3 0v5' },
  other: { meaning: 'anything else', path: 'm-3 0h6' },
};

/** What A goes through: each has a band of its own behind the calls, and its name written on it. */
export const STATES = ['runs', 'stopped', 'starting', 'paused', 'replaced'] as const;

/**
 * By name, in light and in dark. Outcomes have a contrast of at least 3 to the card and to every band, and those of
 * calls that reached the network differ from each other for every kind of colour vision (by at least 18 in CIELAB).
 */
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
  'outcome-200': ['#0066f5', '#3388ff'],
  'outcome-dns': ['#d025b4', '#db5799'],
  'outcome-refused': ['#997500', '#ffce85'],
  'outcome-unreachable': ['#1f2328', '#f0f6fc'],
  'outcome-reset': ['#0e4e3e', '#bcf1d6'],
  'outcome-timeout': ['#7a2100', '#e63d00'],
  'outcome-bad_status': ['#4620b6', '#ae9aea'],
  'outcome-bad_body': ['#007a7a', '#85ebff'],
  'outcome-overloaded': ['#57606a', '#a9b1bb'],
  'outcome-503': ['#997500', '#ffce85'],
  'outcome-none': ['#7a2100', '#e63d00'],
  'outcome-other': ['#57606a', '#a9b1bb'],
};

const variables = (theme: 0 | 1) =>
  Object.entries(COLOURS)
    .map(([name, colours]) => `--${name}: ${colours[theme]}`)
    .join('; ');

/** The colours as CSS variables, such as `var(--outcome-dns)`; they follow the reader's choice of light or dark. */
export const THEME = `:root { color-scheme: light dark; ${variables(0)} }
@media (prefers-color-scheme: dark) { :root { ${variables(1)} } }`;

const MARK_STYLES = Object.entries(MARKS).map(([outcome, { isFilled }]) => {
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
${STATES.slice(1)
  .map((state) => `.band-${state} { fill: var(--band-${state}) }`)
  .join('\n')}
.mark { stroke-width: 1.2 }
.bar-product { fill: var(--bar-product) }
.bar-plain { fill: var(--bar-plain) }
.bar-floor { fill: var(--bar-floor) }
${MARK_STYLES.join('\n')}`;

/** An SVG document: `parts` on a card. `title` and `story` are what it tells those who cannot see it. */
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

const [FASTEST_MS, SLOWEST_MS] = [1, 3000];

/** The lines of a scale of latencies, by their labels, in milliseconds. */
export const LATENCIES: Record<string, number> = { '1 ms': 1, '10 ms': 10, '100 ms': 100, '1 s': 1000 };

/** Where a latency stands on a logarithmic scale from 1 ms (0) to 3 s (1); what is quicker or slower stands at its end. */
export function shareOf(ms: number): number {
  const within = Math.min(Math.max(ms, FASTEST_MS), SLOWEST_MS);
  return Math.log(within / FASTEST_MS) / Math.log(SLOWEST_MS / FASTEST_MS);
}
