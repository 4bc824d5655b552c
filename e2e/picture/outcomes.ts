/** Every way in which a call on B can end: its name, its meaning, its mark and its colours. */

interface Outcome {
  /** Its text in a legend. */
  meaning: string;
  /** Only for the reasons that B gives: what B saw of A, and the usual cause. Both are clauses in Markdown. */
  saw?: string;
  usually?: string;
  /** What the outcome tells a caller, if B gives no reason. */
  tells?: string;
  /** Relative SVG path commands from the mark's middle. The shape says the same as the colour. */
  path: string;
  isFilled?: boolean;
  /** Each has a contrast of at least 3 to the card and to every band. Two reasons differ by at least 18 in CIELAB. */
  colours: [light: string, dark: string];
}

/** The keys are the status of B's answer, or the reason of its 503, or `none` or `other`. */
export const OUTCOMES: Record<string, Outcome> = {
  200: {
    meaning: '200',
    tells: 'B asked A, and A gave the echo in time.',
    path: 'm-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0',
    isFilled: true,
    colours: ['#0066f5', '#3388ff'],
  },
  dns: {
    meaning: '503 dns: A has no address',
    saw: 'it has no address',
    usually: 'it is stopped, or was never started',
    path: 'm-2.2-2.2l4.4 4.4m0-4.4l-4.4 4.4',
    colours: ['#d025b4', '#db5799'],
  },
  refused: {
    meaning: '503 refused: nothing listens',
    saw: 'it has an address, but nothing listens there',
    usually: 'it is starting',
    path: 'm-2-2h4v4h-4z',
    isFilled: true,
    colours: ['#997500', '#ffce85'],
  },
  unreachable: {
    meaning: '503 unreachable: no way to A',
    saw: 'its address cannot be reached',
    path: 'm0-3.2l3.2 3.2l-3.2 3.2l-3.2-3.2z',
    isFilled: true,
    colours: ['#1f2328', '#f0f6fc'],
  },
  reset: {
    meaning: '503 reset: A broke the connection',
    saw: 'it broke the connection before its answer was complete',
    path: 'm-3 0h6m-3-3v6',
    colours: ['#0e4e3e', '#bcf1d6'],
  },
  timeout: {
    meaning: '503 timeout: A is silent',
    saw: 'it gave no complete answer by the deadline',
    usually: 'it is paused, or slow',
    path: 'm0-2.8l2.8 4.8h-5.6z',
    isFilled: true,
    colours: ['#7a2100', '#e63d00'],
  },
  bad_status: {
    meaning: '503 bad_status: not a 200',
    saw: 'it answered with a status other than 200',
    path: 'm-2.4-2.4h4.8v4.8h-4.8z',
    colours: ['#4620b6', '#ae9aea'],
  },
  bad_body: {
    meaning: '503 bad_body: not an echo',
    saw: 'its answer was not the echo of the message',
    path: 'm-2.4 0a2.4 2.4 0 1 0 4.8 0a2.4 2.4 0 1 0 -4.8 0',
    colours: ['#007a7a', '#85ebff'],
  },
  overloaded: {
    meaning: '503 overloaded: A was not asked',
    saw: 'nothing, it was not asked: B has no room for another call (256 at once)',
    path: 'm0 2.8l2.8-4.8h-5.6z',
    colours: ['#57606a', '#a9b1bb'],
  },
  503: {
    meaning: '503',
    tells: 'B answered 503, without a reason of the kind that this page knows.',
    path: 'm-2.8-1.4h5.6v2.8h-5.6z',
    isFilled: true,
    colours: ['#997500', '#ffce85'],
  },
  none: {
    meaning: 'no answer',
    tells: 'The caller had no answer from B: B failed, or the way to B did, and B cannot say so itself.',
    path: 'm-3-2h6m-3 0v5',
    colours: ['#7a2100', '#e63d00'],
  },
  other: {
    meaning: 'anything else',
    tells: 'B answered with a status that is about the request or about B itself.',
    path: 'm-3 0h6',
    colours: ['#57606a', '#a9b1bb'],
  },
};

export const OUTCOME_NAMES = Object.keys(OUTCOMES);
/** The reasons that B gives for a 503. */
export const REASONS = OUTCOME_NAMES.filter((name) => OUTCOMES[name]!.saw);

/** Names the outcome of a call. No status means that no whole answer arrived. A reason that B does not know counts as `503`. */
export function outcomeOf({ status, reason }: { status?: number; reason?: string }): string {
  if (status === undefined) return 'none';
  if (status === 503) return REASONS.find((known) => known === reason) ?? '503';
  return status === 200 ? '200' : 'other';
}

/** Names an outcome so that it can follow "B answered". */
export function nameOf(outcome: string): string {
  if (outcome === 'none') return 'nothing';
  if (outcome === 'other') return 'something else';
  return REASONS.includes(outcome) ? `503 ${outcome}` : outcome;
}
