/** The states of A in an experiment: the name of each, and its band in a picture. */

export const BANDS = ['stopped', 'starting', 'paused', 'replaced'] as const;
export type Band = (typeof BANDS)[number];

interface Phase {
  /** The label in a picture. */
  name: string;
  /** The words that follow "A was" in a sentence. */
  is: string;
  /** Absent while A simply runs. */
  band?: Band;
}

const STATES = {
  running: { name: 'A runs', is: 'running' },
  stopping: { name: 'A stops', is: 'stopping', band: 'stopped' },
  stopped: { name: 'A stopped', is: 'stopped', band: 'stopped' },
  starting: { name: 'A starts', is: 'starting', band: 'starting' },
  paused: { name: 'A paused', is: 'paused', band: 'paused' },
  'cut off': { name: 'A cut off', is: 'cut off from its network', band: 'paused' },
  recreated: { name: 'A recreated', is: 'being recreated', band: 'stopped' },
  replaced: { name: 'A replaced', is: 'replaced with a fake', band: 'replaced' },
} satisfies Record<string, Phase>;
export type State = keyof typeof STATES;

export const phaseOf = (state: State): Phase & { state: State } => ({ state, ...STATES[state] });
