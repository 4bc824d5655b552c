import { expect } from 'chai';
import { COLOURS, LATENCIES, shareOf } from './picture.ts';
import { OUTCOMES, OUTCOME_NAMES } from './outcomes.ts';
import { BANDS } from './states.ts';

/** The contrast of two colours (`#rrggbb`), from 1 to 21, as WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const share = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

describe('A picture', () => {
  for (const [theme, name] of ['light', 'dark'].entries()) {
    const grounds = ['card', ...BANDS.map((band) => `band-${band}`)];
    const worst = (colour: string) =>
      Math.min(...grounds.map((ground) => contrast(COLOURS[colour]![theme]!, COLOURS[ground]![theme]!)));

    it(`has marks that stand out from the card and from every band in ${name}`, () => {
      for (const outcome of OUTCOME_NAMES) expect(worst(`outcome-${outcome}`), outcome).to.be.at.least(3);
    });

    it(`has text that can be read on the card and on every band in ${name}`, () => {
      for (const colour of ['text', 'quiet']) expect(worst(colour), colour).to.be.at.least(4.5);
    });
  }

  it('shows each outcome by a shape of its own', () => {
    const shapes = Object.values(OUTCOMES).map(({ path, isFilled }) => `${path} ${isFilled}`);
    expect(new Set(shapes).size).to.equal(shapes.length);
  });

  it('has latencies on a logarithmic scale that ends at 1 ms and at 3 s', () => {
    const steps = Object.values(LATENCIES).map((ms) => shareOf(ms));
    expect(steps[0]).to.equal(0);
    for (const [index, step] of steps.slice(1).entries()) expect(step - steps[index]!).to.be.closeTo(steps[1]!, 1e-9);
    expect([0, 3000, 60_000].map((ms) => shareOf(ms))).to.deep.equal([0, 1, 1]);
  });
});
