import type { Controls } from './controls.ts';
import type { Name, ServiceView } from './protocol.ts';

/** Something else is being done to the pair, or this cannot be done now. */
export class Refused extends Error {}

/** All that a page may have done to the pair: this list, and nothing that comes from outside. */
export interface Action {
  id: string;
  label: string;
  target: Name;
  /** A process begins in it: until that answers, its target is shown as starting. */
  isStart?: true;
  isPossible: (service: ServiceView & { isCutOff: boolean }) => boolean;
  run: (controls: Controls, behaviour: string) => Promise<unknown>;
}

type Test = Action['isPossible'];
const isUp: Test = ({ state }) => state === 'running' || state === 'starting';
const isStopped: Test = ({ state }) => state === 'stopped';
const isPaused: Test = ({ state }) => state === 'paused';

export const ACTIONS: Action[] = [
  { id: 'stop-a', label: 'Stop A', target: 'a', isPossible: isUp, run: ({ stack }) => stack.a.stop() },
  {
    id: 'start-a',
    label: 'Start A',
    target: 'a',
    isStart: true,
    isPossible: isStopped,
    run: ({ stack }) => stack.a.start(),
  },
  { id: 'pause-a', label: 'Pause A', target: 'a', isPossible: isUp, run: ({ stack }) => stack.a.pause() },
  { id: 'resume-a', label: 'Resume A', target: 'a', isPossible: isPaused, run: ({ stack }) => stack.a.resume() },
  {
    id: 'kill-a',
    label: 'Kill A',
    target: 'a',
    isPossible: (a) => isUp(a) || isPaused(a),
    run: ({ stack }) => stack.a.kill(),
  },
  {
    id: 'restart-a',
    label: 'Restart A',
    target: 'a',
    isStart: true,
    isPossible: isUp,
    run: (controls) => controls.restart(),
  },
  {
    id: 'cut-a',
    label: "Cut A's network",
    target: 'a',
    isPossible: (a) => isUp(a) && !a.isCutOff,
    run: (controls) => controls.cut(),
  },
  {
    id: 'reconnect-a',
    label: 'Reconnect A',
    target: 'a',
    isPossible: (a) => a.isCutOff,
    run: (controls) => controls.reconnect(),
  },
  {
    id: 'replace-a',
    label: 'Replace A',
    target: 'a',
    isStart: true,
    isPossible: (a) => !a.isCutOff,
    run: (controls, behaviour) => controls.replace(behaviour),
  },
  {
    id: 'put-back-a',
    label: 'Put A back',
    target: 'a',
    isStart: true,
    isPossible: ({ state }) => state === 'replaced',
    run: (controls) => controls.putBack(),
  },
  { id: 'stop-b', label: 'Stop B', target: 'b', isPossible: isUp, run: ({ stack }) => stack.b.stop() },
  {
    id: 'start-b',
    label: 'Start B',
    target: 'b',
    isStart: true,
    isPossible: isStopped,
    run: ({ stack }) => stack.b.start(),
  },
  {
    id: 'kill-b',
    label: 'Kill B',
    target: 'b',
    isPossible: (b) => isUp(b) || isPaused(b),
    run: ({ stack }) => stack.b.kill(),
  },
];
