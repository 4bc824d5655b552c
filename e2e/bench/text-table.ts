import type { Figure, Target } from './figures.ts';

const HEADER = ['', 'product', 'least to greatest', 'plain', 'floor', '÷ plain', '÷ floor', 'target'];

/** The figures as lines of text in columns. */
export function textTable(figures: Figure[]): string {
  const rows = figures.map(({ name, unit, medians, spread, ratios, targets }) => [
    `${name}${unit && `, ${unit}`}`,
    number(medians.product),
    spread && spread[0] < spread[1] ? `${number(spread[0])} to ${number(spread[1])}` : '',
    number(medians.plain),
    number(medians.floor),
    number(ratios.plain),
    number(ratios.floor),
    targets.map((target) => `${goal(target.of, target.atMost)}: ${target.isMet ? 'met' : 'MISSED'}`).join(', '),
  ]);
  const all = [HEADER, ...rows];
  const widths = HEADER.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const align = (cell: string, column: number) =>
    column === 0 || column === HEADER.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return all.map((row) => row.map(align).join('  ').trimEnd()).join('\n');
}

/** Three significant digits, which is more than the machine's noise leaves. */
function number(value: number | undefined): string {
  if (value === undefined) return '';
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

function goal(of: keyof Target, atMost: number) {
  return of === 'limit' ? `≤ ${atMost}` : `≤ ${atMost} × ${of}`;
}
