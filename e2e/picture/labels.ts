interface Label {
  text: string;
  from: number;
  to: number;
  /** Of the text. */
  width: number;
}

/**
 * Labels between `left` and `right`, each in the middle of its band as far as there is room, with `gap` between two: where
 * both have no room, the wider band has its label.
 */
export function placed<L extends Label>(labels: L[], gap: number, left: number, right: number): (L & { at: number })[] {
  const taken: (L & { at: number })[] = [];
  const fitting = labels.filter(({ width }) => width <= right - left);
  for (const label of fitting.toSorted((one, other) => other.to - other.from - (one.to - one.from))) {
    const middle = (label.from + label.to) / 2;
    const at = Math.max(left + label.width / 2, Math.min(middle, right - label.width / 2));
    const isFree = taken.every((other) => Math.abs(at - other.at) >= (label.width + other.width) / 2 + gap);
    if (isFree) taken.push({ ...label, at });
  }
  return taken;
}
