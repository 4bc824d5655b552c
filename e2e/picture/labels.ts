interface Label {
  text: string;
  from: number;
  to: number;
  /** Of the text. */
  width: number;
}

/** Labels, each in the middle of its band, with `gap` between two: where both have no room, the wider band has its label. */
export function placed<L extends Label>(labels: L[], gap: number): (L & { at: number })[] {
  const taken: (L & { at: number })[] = [];
  for (const label of labels.toSorted((one, other) => other.to - other.from - (one.to - one.from))) {
    const at = (label.from + label.to) / 2;
    const isFree = taken.every((other) => Math.abs(at - other.at) >= (label.width + other.width) / 2 + gap);
    if (isFree) taken.push({ ...label, at });
  }
  return taken;
}
