import { OUTCOMES, REASONS } from '../picture/outcomes.ts';
import { table } from './markdown.ts';

/** The README's table of reasons, in Markdown. */
export const reasonsTable = () => table([['`reason`', 'what B saw of A'], ...REASONS.map(row)]);

function row(reason: string): string[] {
  const { saw, usually } = OUTCOMES[reason]!;
  return [`\`${reason}\``, usually ? `${saw}: ${usually}` : saw!];
}
