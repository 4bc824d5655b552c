import { OUTCOMES, OUTCOME_NAMES } from '../../picture/outcomes.ts';
import { byId, element, markOf, say } from './dom.ts';
import { at, kind, LATE_MS, placesSince } from './dots.ts';

/** Says what the chart shows since `left`, for those who cannot see it, and what the marks that are on it mean. */
export function showSum(left: number) {
  const counts = new Map<string, number>();
  for (const place of placesSince(left - LATE_MS)) {
    const outcome = OUTCOME_NAMES[kind[place]!]!;
    if (at[place]! >= left) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  const total = [...counts.values()].reduce((sum, some) => sum + some, 0);
  const parts = [...counts].sort((one, other) => other[1] - one[1]).map(([outcome, some]) => `${some} × ${outcome}`);
  say(byId('chart-sum'), total > 0 ? `${total} calls: ${parts.join(', ')}.` : 'No calls yet.');
  const legend = byId('legend');
  const shown = OUTCOME_NAMES.filter((outcome) => counts.has(outcome));
  if (legend.dataset.shown === shown.join()) return;
  legend.dataset.shown = shown.join();
  legend.replaceChildren(
    ...shown.map((outcome) => element('li', {}, markOf(outcome, OUTCOMES[outcome]!.path), OUTCOMES[outcome]!.meaning)),
  );
}
