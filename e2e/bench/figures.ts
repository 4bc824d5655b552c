import { VARIANTS, type Variant } from './servers.ts';

/** What a figure of the product's may be at most: times plain's, times floor's, or in its own unit. */
export interface Target {
  plain?: number;
  floor?: number;
  limit?: number;
}

/** A figure over all rounds. Medians, and for the product also the least and the greatest value. */
export interface Figure {
  name: string;
  unit: string;
  medians: Partial<Record<Variant, number>>;
  spread: [least: number, greatest: number] | undefined;
  /** The product's value over a reference's: the median of the rounds' own ratios, so that a slow minute cancels out. */
  ratios: { plain?: number; floor?: number };
  /** `value` is the median of the rounds, `best` the least. */
  targets: { of: keyof Target; atMost: number; value: number; best: number; isMet: boolean }[];
}

/** The values measured so far, one a round. */
export class Figures {
  readonly #figures = new Map<string, { unit: string; target: Target; values: Record<Variant, number[]> }>();

  /** Adds a round's value. Undefined stands for what cannot be measured on this machine, and adds nothing. */
  add(name: string, unit: string, variant: Variant, value: number | undefined, target: Target = {}) {
    if (value === undefined) return;
    let figure = this.#figures.get(name);
    if (!figure) this.#figures.set(name, (figure = { unit, target, values: { product: [], plain: [], floor: [] } }));
    figure.values[variant].push(value);
  }

  /** Undefined while nothing of that name was measured. */
  median(name: string, variant: Variant): number | undefined {
    const values = this.#figures.get(name)?.values[variant];
    return values?.length ? median(values) : undefined;
  }

  list(): Figure[] {
    return [...this.#figures].map(([name, { unit, target, values }]) => {
      const medians: Figure['medians'] = {};
      for (const variant of VARIANTS) medians[variant] = this.median(name, variant);
      const ofRounds = (of: keyof Target) =>
        of === 'limit' ? values.product : values[of].map((value, round) => values.product[round]! / value);
      const ratios: Figure['ratios'] = {};
      for (const reference of ['plain', 'floor'] as const) {
        if (values[reference].length > 0) ratios[reference] = median(ofRounds(reference));
      }
      const targets: Figure['targets'] = [];
      for (const [of, atMost] of Object.entries(target) as [keyof Target, number][]) {
        const rounds = ofRounds(of);
        if (rounds.length === 0) continue;
        const value = median(rounds);
        targets.push({ of, atMost, value, best: Math.min(...rounds), isMet: value <= atMost });
      }
      const { product } = values;
      const spread =
        product.length > 0 ? ([Math.min(...product), Math.max(...product)] as [number, number]) : undefined;
      return { name, unit, medians, spread, ratios, targets };
    });
  }
}

/**
 * The ratios that were more than twice their target in every round. In every one, so that a machine which is busy with
 * other things for a second does not count; limits in ms or MB are left out, so that a slow machine does not either.
 */
export function farOff(figures: Figure[]): string[] {
  return figures.flatMap(({ name, targets }) =>
    targets.filter(({ of, best, atMost }) => of !== 'limit' && best > 2 * atMost).map(({ of }) => `${name} (÷ ${of})`),
  );
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The variants in an order that moves on with each round, so that none is always the first. */
export function turn(round: number): Variant[] {
  const first = round % VARIANTS.length;
  return [...VARIANTS.slice(first), ...VARIANTS.slice(0, first)];
}
