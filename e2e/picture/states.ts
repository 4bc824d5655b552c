/** What A goes through in an experiment: how a phase of it is called, and which band it has in a picture. */

export const BANDS = ['stopped', 'starting', 'paused', 'replaced'] as const;
export type Band = (typeof BANDS)[number];

interface Phase {
  /** Said of A. */
  name: string;
  /** Absent while A simply runs. */
  band?: Band;
}

const STATES = {
  running: { name: 'A runs' },
  stopping: { name: 'A stops', band: 'stopped' },
  stopped: { name: 'A stopped', band: 'stopped' },
  starting: { name: 'A starts', band: 'starting' },
  paused: { name: 'A paused', band: 'paused' },
  'cut off': { name: 'A cut off', band: 'paused' },
  recreated: { name: 'A recreated', band: 'stopped' },
  replaced: { name: 'A replaced', band: 'replaced' },
} satisfies Record<string, Phase>;
export type State = keyof typeof STATES;

export const phaseOf = (state: State): Phase => STATES[state];
