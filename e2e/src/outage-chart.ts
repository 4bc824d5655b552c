import { outcomesIn, type Outage } from './outage.ts';

/** Each outcome's colour, apart from the others' for every kind of colour vision (after Okabe and Ito), and meaning. */
const OUTCOMES: Record<string, [colour: string, meaning: string]> = {
  200: ['#0072b2', '200'],
  dns: ['#cc79a7', '503 dns: A has no address'],
  refused: ['#e69f00', '503 refused: nothing listens'],
  unreachable: ['#000000', '503 unreachable: no way to A'],
  reset: ['#009e73', '503 reset: A broke off'],
  timeout: ['#d55e00', '503 timeout: A is silent'],
};

const [WIDTH, HEIGHT] = [860, 300];
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 840, 60, 268];
const [FASTEST_MS, SLOWEST_MS] = [1, 3000]; // a quicker answer is drawn at the bottom
const DEADLINE_MS = 1000;

/** The calls as an SVG picture: time to the right, B's answer time upwards (on a log scale), a dot for each call. */
export function drawOutage({ calls, phases }: Outage): string {
  const seconds = Math.floor(phases.at(-1)!.to / 1000);
  const slowest = Math.round(Math.max(...calls.map(({ ms }) => ms)));
  const story = phases.map((phase) => `${phase.name}: ${outcomesIn(phase, calls).join(', ')}.`).join(' ');

  const x = (time: number) => round(LEFT + (time / phases.at(-1)!.to) * (RIGHT - LEFT));
  const y = (ms: number) => {
    const share = Math.log(Math.max(ms, FASTEST_MS) / FASTEST_MS) / Math.log(SLOWEST_MS / FASTEST_MS);
    return round(BOTTOM - share * (BOTTOM - TOP));
  };

  const bands = phases
    .filter(({ name }) => name !== 'A runs')
    .flatMap(({ name, from, to }) => [
      `<rect class="${name === 'A starts' ? 'starts' : 'away'}" x="${x(from)}" y="${TOP}" width="${round(x(to) - x(from))}" height="${BOTTOM - TOP}"/>`,
      `<text class="phase" x="${x((from + to) / 2)}" y="${TOP + 15}">${name}</text>`,
    ]);
  const answerTimes = Object.entries({ '1 ms': 1, '10 ms': 10, '100 ms': 100, '1 s': 1000 }).flatMap(([label, ms]) => [
    `<path class="grid" d="M${LEFT} ${y(ms)}H${RIGHT}"/>`,
    `<text class="left" x="${LEFT - 6}" y="${y(ms) + 4}">${label}</text>`,
  ]);
  const times = Array.from({ length: Math.floor(seconds / 5) + 1 }, (_, index) => index * 5).map(
    (second) => `<text class="below" x="${x(second * 1000)}" y="${BOTTOM + 18}">${second} s</text>`,
  );
  const drawn = Object.keys(OUTCOMES).filter((outcome) => calls.some((call) => call.outcome === outcome));
  const dots = drawn.map((outcome) => {
    const own = calls.filter((call) => call.outcome === outcome);
    return `<path class="dots" stroke="${OUTCOMES[outcome]![0]}" d="${own.map(({ at, ms }) => `M${x(at)} ${y(ms)}h0`).join('')}"/>`;
  });
  const legend = drawn.map((outcome) => {
    const [colour, meaning] = OUTCOMES[outcome]!;
    return `<tspan fill="${colour}">●</tspan> ${meaning}`;
  });

  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title story">
<title id="title">How long service B takes to answer while service A fails</title>
<desc id="story">50 calls a second for ${seconds} seconds. What B answered: ${story} The slowest answer took ${slowest} ms.</desc>
<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.heading { font-size: 14px; font-weight: 600 }
.phase { font-weight: 600; text-anchor: middle }
.left { text-anchor: end }
.below { text-anchor: middle }
.card { fill: #fff; stroke: #d0d7de }
.away { fill: #e7ebf0 }
.starts { fill: #f1f4f7 }
.grid { stroke: #d0d7de }
.deadline { stroke: #24292f; stroke-dasharray: 5 4 }
.dots { stroke-width: 3.8; stroke-linecap: round }
</style>
<rect class="card" x=".5" y=".5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="6"/>
<text class="heading" x="${LEFT}" y="24">How long B takes to answer while A fails: 50 calls a second, each a dot</text>
<text x="${LEFT}" y="46">${legend.join('&#8195;')}</text>
${[...bands, ...answerTimes, ...times].join('\n')}
<path class="deadline" d="M${LEFT} ${y(DEADLINE_MS)}H${RIGHT}"/>
<text x="${LEFT + 6}" y="${y(DEADLINE_MS) - 6}">B's deadline</text>
${dots.join('\n')}
</svg>
`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
