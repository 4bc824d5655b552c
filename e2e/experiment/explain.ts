/** Says in words how a call ended, and why. */
import type { Call } from './calls.ts';
import type { Name, Phase } from './history.ts';
import { OUTCOMES, REASONS } from '../picture/outcomes.ts';
import type { State } from '../picture/states.ts';

const JUST_MS = 1000;
const DRAIN_MS = 3000; // A stops listening at SIGTERM and ends within two seconds
const LAG_MS = 20; // a change this short before the end of a call came too late to change its outcome

/** The lines of each log about a call: the lines with its id, or, where the service logs no ids, the lines of its time. */
export type Found = Record<Name, { lines: string[]; by: 'id' | 'time' }>;

/** The explanation of a call, and its lines in each log. */
export interface Explained {
  explanation: string;
  logs: Record<Name, { lines: string[]; remark: string }>;
}

/** What is known of A around a call. */
interface Seen {
  /** Whether A was in one of these states during the call, early enough to matter. */
  was: (...states: State[]) => boolean;
  /** Whether A had ended less than a second before the call began and was still down. */
  hasJustEnded: boolean;
  /** Whether A ended during the call; or up to a second after it; or up to three seconds after it. */
  endsDuring: boolean;
  endsSoon: boolean;
  isDraining: boolean;
  /** Whether A has a line of the call. */
  isReceived: boolean;
  /** The error code of the system and B's reason, both from B's own log line. */
  code: string;
  reason: string;
}

/** Why a call had its outcome: the first row that applies is used; if none does, no cause is given. */
const CAUSES: [outcome: string, applies: (seen: Seen) => boolean, cause: (seen: Seen) => string][] = [
  ['dns', ({ code }) => code === 'ETIMEDOUT', () => 'The lookup of its name got no answer by the deadline.'],
  ['dns', ({ was }) => was('cut off'), () => 'It ran without a network, and so without a name.'],
  ['dns', ({ was }) => was('recreated'), () => 'Its old container was removed, and the new one was not there yet.'],
  ['dns', ({ was }) => was('stopped', 'stopping'), () => 'While it is stopped, its name has no address.'],
  ['dns', ({ endsSoon }) => endsSoon, () => 'It was about to end, and its name was already gone.'],
  ['dns', ({ was }) => was('starting'), () => 'It had only begun to start, and its name was not there yet.'],
  ['refused', ({ was }) => was('starting'), () => 'It had its address but did not listen yet.'],
  ['refused', ({ was }) => was('replaced'), () => 'The fake had its address but did not listen yet.'],
  [
    'refused',
    ({ hasJustEnded }) => hasJustEnded,
    () => 'Its address was still known, or known again, but nothing listened there.',
  ],
  ['refused', ({ isDraining }) => isDraining, () => 'It was about to end and no longer listened.'],
  ['refused', ({ was }) => was('stopped'), () => 'Nothing listens at its address while it is stopped.'],
  [
    'unreachable',
    ({ was, hasJustEnded, endsDuring }) => was('stopped') || hasJustEnded || endsDuring,
    () => 'Its address was gone.',
  ],
  ['unreachable', ({ was }) => was('cut off'), () => 'No network led to it any more.'],
  [
    'reset',
    ({ was, hasJustEnded, endsDuring }) => (hasJustEnded || endsDuring) && !was('replaced'),
    () => 'It ended, and its connections ended with it.',
  ],
  [
    'timeout',
    ({ was }) => was('paused'),
    () => 'While it is paused, connections to it are accepted and never answered.',
  ],
  [
    'timeout',
    ({ was }) => was('cut off'),
    () => 'B still had a connection to it, or its address, but nothing arrives there any more.',
  ],
  [
    'timeout',
    ({ was, endsDuring, isReceived }) => endsDuring && was('running') && isReceived,
    () => 'It ended before it had answered.',
  ],
  ['timeout', ({ was, endsDuring }) => endsDuring && was('running'), () => 'It ended while B waited.'],
  [
    'timeout',
    ({ hasJustEnded }) => hasJustEnded,
    () => 'The call went to an address where nothing accepted it: the old one, or a new one that was not in use yet.',
  ],
  ['timeout', ({ was }) => was('starting'), () => 'The call went to an address where nothing accepted it yet.'],
  ['bad_status', ({ code }) => /^HTTP_\d+$/.test(code), ({ code }) => `The answer had the status ${code.slice(5)}.`],
  ['bad_body', ({ code }) => code.startsWith('HPE_'), () => 'The answer was not valid HTTP.'],
  [
    'bad_body',
    ({ code, reason }) => reason === 'bad_body' && !code,
    () => 'The answer had the status 200, and another body.',
  ],
];

/**
 * Says what an outcome means, why the call had it, and what the two logs show of the call. `phases` are A's phases around
 * the call; `fake` is what the fake in A's place did, as the end of a sentence that begins with "A".
 */
export function explain(call: Call, { phases, fake }: { phases: Phase[]; fake?: string }, found: Found): Explained {
  const { at, ms, outcome, body = '' } = call;
  const during = phases.filter(({ from, to }) => from <= at + ms && to > at);
  const early = during.filter(({ from }) => from <= Math.max(at, at + ms - LAG_MS));
  const ends = phases.filter(isEnd).map(({ from }) => from);
  const now = phases.findLast(({ from }) => from <= at);
  const endsWithin = (from: number, to: number) => ends.some((end) => end > from && end <= to);
  const seen: Seen = {
    was: (...states) => early.some(({ state }) => states.includes(state)),
    hasJustEnded: endsWithin(at - JUST_MS, at) && now?.state !== 'running' && now?.state !== 'starting',
    endsDuring: endsWithin(at, at + ms),
    endsSoon: endsWithin(at, at + ms + JUST_MS),
    isDraining: endsWithin(at, at + ms + DRAIN_MS),
    isReceived: found.a.by === 'id' && found.a.lines.length > 0,
    ...saidByB(found.b),
  };
  const isOfFake = during.length > 0 && during.every(({ state }) => state === 'replaced');
  const sentence = /"error"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  const { saw, tells } = OUTCOMES[outcome]!;
  const isAboutA = REASONS.includes(outcome) || ['200', '503'].includes(outcome);
  const parts = [
    saw && sentence && `B says: ${sentence}`,
    saw && `What B saw of A: ${saw}.`,
    outcome === '200' && seen.was('replaced')
      ? isOfFake
        ? 'B asked A, and the fake in its place gave the echo in time.'
        : 'B had the echo in time.'
      : tells,
    isAboutA && stateIn(during, outcome, fake),
    CAUSES.find(([of, applies]) => of === outcome && applies(seen))?.[2](seen),
  ];
  return {
    explanation: parts.filter(Boolean).join(' '),
    logs: {
      b: { lines: found.b.lines, remark: remarkOnB(found.b, outcome) },
      a: { lines: found.a.lines, remark: remarkOnA(found.a, outcome, seen, isOfFake) },
    },
  };
}

/** Whether A ended when this phase began. A restart may be visible only as the start that follows it. */
const isEnd = ({ state }: Phase, index: number, phases: Phase[]) =>
  ['stopping', 'stopped', 'recreated'].includes(state) ||
  (state === 'starting' && phases[index - 1]?.state === 'running');

function stateIn(during: Phase[], outcome: string, fake: string | undefined): string {
  const all = during.map(({ is }) => is);
  // What the engine said last is out of date when A answers, and when A is said to run but does not answer.
  const isKnown = outcome === '200' ? during[0]?.state === 'replaced' : during[0]?.state !== 'running';
  if (all.length === 0 || (all.length === 1 && !isKnown)) return '';
  const then = all.length === 1 ? `A was ${all[0]} then.` : `A was ${all.join(', then ')} during the call.`;
  const isAnswered = !['dns', 'refused', 'unreachable'].includes(outcome);
  return fake && isAnswered && during.some(({ state }) => state === 'replaced') ? `${then} The fake ${fake}.` : then;
}

/** Reads the code and the reason from B's line of the call, if it is JSON and has them. */
function saidByB({ lines, by }: Found['b']): Pick<Seen, 'code' | 'reason'> {
  for (const line of by === 'id' ? lines : []) {
    try {
      const { code = '', reason = '' } = JSON.parse(line);
      if (reason) return { code: String(code), reason: String(reason) };
    } catch {
      // it is no JSON
    }
  }
  return { code: '', reason: '' };
}

const BY_TIME =
  'This service logs no request ids, so these are the lines that it wrote during the call; with several calls at once, some may be of others.';

function remarkOnB({ lines, by }: Found['b'], outcome: string): string {
  if (lines.length > 0) return by === 'time' ? BY_TIME : '';
  if (by === 'time') return 'B wrote nothing at the time of the call.';
  return outcome === 'none'
    ? 'B has no line of this call: it did not receive it, or did not live to answer it.'
    : 'B has no line of this call, although it answered: the line may be on its way.';
}

function remarkOnA({ lines, by }: Found['a'], outcome: string, { was }: Seen, isOfFake: boolean): string {
  if (lines.length > 0 && by === 'time') return BY_TIME;
  if (lines.length > 0 && outcome === '200') return '';
  if (lines.length > 0)
    return `A received the request${REASONS.includes(outcome) ? ', but B had no echo from it' : ''}.`;
  if (isOfFake) return 'A has no line: the fake was in its place.';
  if (outcome === '200') return 'A has no line of this call, although B has its echo: A may not log each request.';
  if (was('paused'))
    return 'A has no line: it was paused. The request waited in its kernel, and A may write a line once it runs again.';
  if (by === 'time') return 'A wrote nothing at the time of the call.';
  if (['dns', 'refused', 'unreachable', 'overloaded'].includes(outcome))
    return 'A has no line: the request never reached it.';
  return 'A has no line of this call: the request did not reach it, or A did not live to answer it, or has not done so yet.';
}
