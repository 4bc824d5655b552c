import { expect } from 'chai';
import { markup, movingChart, type Plot } from './calls-chart.ts';
import { drawTimeline } from './timeline.ts';

const MINUTE = 60_000;
const HALF_AN_HOUR = 30 * MINUTE;
const END = 29_000_000 * MINUTE;
const clock = (ms: number) => new Date(ms).toISOString().slice(11, 19);

/** What the page shows at the end of the time in which there were a call each second and forty breaks. */
function halfAnHour(width = 1198, spanMs = 30_000) {
  const from = END - HALF_AN_HOUR;
  const calls = Array.from({ length: 1800 }, (_, n) => ({
    at: from + n * 1000,
    ms: 5,
    outcome: n % 9 ? '200' : 'dns',
  }));
  const bands = Array.from({ length: 40 }, (_, n) => {
    const begin = from + n * 45_000 + 15_000;
    return { name: `Break ${n}`, band: 'stopped' as const, from: begin, to: n < 39 ? begin + 12_000 : Infinity };
  });
  const size = { width, height: 304 };
  const shown: Plot = { ...size, bands, from: END - spanMs, to: END, deadlineMs: 1000, zero: 0, labelOf: clock };
  return { calls, bands, shown };
}

const rowsOf = (svg: string) => [
  ...svg.matchAll(/<g transform="translate\(0 \d+\)">\n([^]*?)\n<\/g>\n(?=<g|<\/svg>)/g),
];
const textsIn = (row: string, kind: string) =>
  [...row.matchAll(new RegExp(`<text class="${kind}" x="([\\d.]+)"[^>]*>([^<]+)<`, 'g'))].map(([, x, text]) => {
    return { text: text!, left: Number(x) - text!.length * 3.5, right: Number(x) + text!.length * 3.5 };
  });

describe('The timeline that is kept', () => {
  for (const [where, width, spanMs] of [
    ['on a large screen', 1198, 30_000],
    ['on a large screen that shows three minutes', 1198, 3 * MINUTE],
    ['on a small screen', 720, MINUTE],
  ] as const) {
    describe(`after half an hour and forty breaks, ${where}`, () => {
      const { calls, bands, shown } = halfAnHour(width, spanMs);
      const svg = drawTimeline(shown, calls);
      const rows = rowsOf(svg).map(([, row]) => row!);

      it('has rows that can be read, and each says its time', () => {
        expect(rows).to.have.length.within(6, 12);
        for (const row of rows) expect(textsIn(row, 'middle')).to.have.length.above(1);
        expect(textsIn(rows[0]!, 'middle')[0]!.text <= clock(calls[0]!.at + MINUTE)).to.equal(true);
      });

      it('names each break, and has no label on another or outside', () => {
        const labels = rows.map((row) => textsIn(row, 'strong middle'));
        expect(labels.flat().map(({ text }) => text)).to.include.members(bands.map(({ name }) => name));
        for (const row of [...labels, ...rows.map((row) => textsIn(row, 'middle'))]) {
          row.sort((one, other) => one.left - other.left);
          for (const [index, { left }] of row.slice(1).entries()) expect(left).to.be.above(row[index]!.right);
          for (const { left, right } of row) expect([left, width - right].every((room) => room >= 0)).to.equal(true);
        }
      });

      it('ends with exactly what the page shows', () => {
        const callsIn = (from: number, to: number) => calls.filter(({ at }) => at >= from && at < to);
        expect(rows.at(-1)).to.equal(movingChart(shown, callsIn).map(markup).join('\n'));
      });

      it('has each call, sums them up, and has one legend', () => {
        const marks = [...svg.matchAll(/<path class="mark outcome-[^>]* d="(M[^"]*)"/g)];
        const places = marks.flatMap(([, path]) => path!.match(/M/g)!);
        expect(places.length).to.be.within(calls.length, calls.length * 1.2); // a chunk may lie in two rows
        expect(svg).to.include('<desc id="story">1800 calls: 1600 × 200, 200 × dns.</desc>');
        expect(svg.match(/503 dns: A has no address/g)).to.have.length(1);
      });
    });
  }

  it('is one row while no more is known than the page shows', () => {
    const { calls, shown } = halfAnHour();
    for (const some of [calls.slice(-20), []]) expect(rowsOf(drawTimeline(shown, some))).to.have.length(1);
  });

  it('has what others named as text', () => {
    const { shown } = halfAnHour();
    const band = { name: '<b>&', band: 'paused' as const, from: shown.from, to: shown.to };
    expect(drawTimeline({ ...shown, bands: [band] }, [])).to.include('>&lt;b>&amp;</text>');
  });
});
