import { OUTCOMES } from '../picture/outcomes.ts';
import type { Call } from '../experiment/calls.ts';
import type { Name } from '../experiment/history.ts';
import type { CallView } from './protocol.ts';

type Found = Record<Name, { lines: string[]; by: 'id' | 'time' }>;

/** What an outcome means, and what the lines of the two logs, or their absence, say about the call. */
export function explain(
  { outcome, body = '' }: Call,
  found: Found,
  band: string | undefined,
): Pick<CallView, 'explanation' | 'logs'> {
  const { saw, tells } = OUTCOMES[outcome]!;
  const sentence = /"error"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  const explanation = saw ? `${sentence ? `B says: ${sentence} ` : ''}What B saw of A: ${saw}.` : tells;
  return {
    explanation: `${explanation}${band ? ` At the time: ${band}.` : ''}`,
    logs: {
      b: { lines: found.b.lines, remark: remarkOnB(found.b) },
      a: { lines: found.a.lines, remark: remarkOnA(found.a, outcome, band) },
    },
  };
}

const BY_TIME =
  'This service logs no request ids, so these are the lines that it wrote during the call; with several calls at once, some may be of others.';

function remarkOnB({ lines, by }: Found['b']): string {
  if (lines.length === 0)
    return 'B has no line of this call: it did not receive it, or ended before it could write one.';
  return by === 'time' ? BY_TIME : '';
}

function remarkOnA({ lines, by }: Found['a'], outcome: string, band: string | undefined): string {
  if (lines.length > 0) {
    if (by === 'time') return BY_TIME;
    return outcome === '200'
      ? ''
      : 'A did receive the request, but B had no use for its answer, or did not wait for it.';
  }
  if (outcome === '200' && band !== 'A replaced')
    return 'A has no line of this call, although B has its echo: A may not log each request.';
  if (band === 'A paused')
    return 'A has no line: it is frozen. The request waits in its kernel, and A may write a line once it goes on.';
  if (band === 'A replaced') return 'A has no line: another program answers in its place.';
  if (outcome === 'none') return 'A has no line: the request did not get past B.';
  return 'A has no line: the request never reached it, or A ended before it could write one. All that is known of it is in the log of B.';
}
