import { expect } from 'chai';
import { drawCalls } from './calls-chart.ts';
import { placed } from './labels.ts';
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

  it('has no label on another, however many bands there are', () => {
    const bands = Array.from({ length: 60 }, (_, n) => ({
      text: `A stopped ${n}`,
      from: n * 9,
      to: n * 9 + 7,
      width: 70,
    }));
    const wide = { text: 'A paused', from: 200, to: 300, width: 50 };
    const labels = placed([...bands, wide], 6);
    expect(labels[0]!.text).to.equal('A paused');
    const places = labels.map(({ at, width }) => [at - width / 2, at + width / 2]).sort((a, b) => a[0]! - b[0]!);
    expect(places).to.have.length.above(4);
    for (const [index, [left]] of places.slice(1).entries()) expect(left).to.be.above(places[index]![1]!);
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
