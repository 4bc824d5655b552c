import { expect } from 'chai';
import { drawCalls } from './calls-chart.ts';
import { OUTCOMES, OUTCOME_NAMES } from './outcomes.ts';

describe('A chart of calls', () => {
  const chart = (outcomes: string[]) =>
    drawCalls({
      title: 'Title',
      story: 'Story.',
      heading: 'Heading',
      calls: outcomes.map((outcome, index) => ({ at: 1000 + index * 100, ms: 10, outcome })),
      bands: [
        { name: 'before', band: 'paused', from: 0, to: 900 },
        { name: 'A stopped', band: 'stopped', from: 900, to: 1500 },
        { name: 'A runs', from: 1500, to: 3000 },
      ],
      from: 1000,
      to: 3000,
      deadlineMs: 1000,
    });
  const widthOf = (text: string) => Number(/<rect class="band-stopped" x="58" .*?width="([\d.]+)"/.exec(text)![1]);

  it('has a mark and a line of the legend for each outcome that was seen', () => {
    const drawn = chart(['200', 'refused', 'refused', 'never heard of']);
    expect(drawn.match(/class="mark outcome-/g)).to.have.length(2 * 3);
    expect(drawn.match(/<path class="mark outcome-refused" d="M[^"]*M[^"]*"\/>$/m), 'two calls').to.not.be.null;
    for (const outcome of ['200', 'refused', 'other']) expect(drawn).to.include(`>${OUTCOMES[outcome]!.meaning}<`);
  });

  it('has no label on another, and none outside, however many bands there are', () => {
    const bands = Array.from({ length: 60 }, (_, n) => ({
      ...{ name: `A stopped ${n}`, band: 'stopped' as const, from: n * 50, to: n * 50 + 40 },
    }));
    const wide = { name: 'A paused', band: 'paused' as const, from: 1200, to: 1700 };
    const about = { title: '', story: '', heading: '', calls: [], from: 0, to: 3000 };
    const drawn = drawCalls({ ...about, bands: [...bands, wide] });
    const labels = [...drawn.matchAll(/<text class="strong middle" x="([\d.]+)" y="[\d.]+">([^<]+)</g)];
    const places = labels
      .map(([, x, text]) => [Number(x) - text!.length * 3.8, Number(x) + text!.length * 3.8] as const)
      .sort(([one], [other]) => one - other);
    expect(labels.map(([, , text]) => text)).to.include('A paused');
    expect(places).to.have.length.above(4);
    for (const [index, [left]] of places.slice(1).entries()) expect(left).to.be.above(places[index]![1]);
    expect(places[0]![0]).to.be.at.least(58);
    expect(places.at(-1)![1]).to.be.at.most(840);
  });

  it('has a band for each state but running, cut at the end of the axis', () => {
    const drawn = chart(['200']);
    expect(drawn).to.not.include('before').and.to.not.include('A runs');
    expect(widthOf(drawn)).to.be.closeTo((840 - 58) / 4, 0.1);
  });

  it('keeps the legend within its width, in as many lines as it takes', () => {
    const drawn = chart(OUTCOME_NAMES);
    const places = [...drawn.matchAll(/<text x="([\d.]+)" y="\d+">([^<]+)</g)];
    expect(places).to.have.length(OUTCOME_NAMES.length);
    for (const [, x, text] of places) expect(Number(x) + text!.length * 6.3, text).to.be.below(860);
  });
});
