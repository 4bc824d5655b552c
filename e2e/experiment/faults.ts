/** Everything that can be done to a pair: a row for each fault, with its label, the state it leaves A or B in, and its commands. */
import type { State } from '../picture/states.ts';
import { NODE } from '../stack/docker/program.ts';
import type { Name } from './history.ts';

/** The names in commands on a pair in containers, each quoted so that it can be pasted. */
export interface ContainerNames {
  /** `docker compose` with the options that choose the project. */
  compose: string;
  a: string;
  b: string;
  /** A's container, and its networks with A's names in each. */
  container: string;
  networks: { name: string; aliases: string[] }[];
  /** The stand-in's container, the start of the command that runs it, and its image. */
  standIn: { name: string; run: string; image: string };
}

/** The parts of commands on a pair of processes. */
export interface ProcessNames {
  kill: (signal: string, name: Name) => string;
  start: Record<Name, string>;
  /** A's port. */
  port: string;
}

/** The state of a service, as far as it decides which faults are possible. */
export interface Seen {
  state: 'running' | 'starting' | 'paused' | 'stopped' | 'replaced';
  isCutOff: boolean;
}

interface Fault {
  label: string;
  target: Name;
  /** The state of the target while the fault takes effect, if that takes time, and the state after it. */
  during?: State;
  leaves: State;
  /** The name of the fault that brings the target back. */
  undoneBy?: string;
  isPossible: (service: Seen) => boolean;
  /** Its command, where it can be done. `behaviour` is the stand-in's; if it is empty, each message says what to do. */
  containers?: (names: ContainerNames, behaviour: string) => string;
  processes?: (names: ProcessNames, behaviour: string) => string;
}

const isUp = ({ state }: Seen) => state === 'running' || state === 'starting';
const isIn = (wanted: Seen['state']) => (service: Seen) => service.state === wanted;
const START = { during: 'starting', leaves: 'running' } as const;
const STAND_IN = `${NODE.join(' ')} "$(cat e2e/stack/stand-in.ts)"`;
const label = (verb: string, target: Name) => `${verb} ${target.toUpperCase()}`;

const stop = (target: Name): Fault => ({
  ...{ label: label('Stop', target), target, during: 'stopping', leaves: 'stopped', undoneBy: `start-${target}` },
  isPossible: isUp,
  containers: (names) => `${names.compose} stop ${names[target]}`,
  processes: ({ kill }) => kill('TERM', target),
});
const start = (target: Name): Fault => ({
  ...{ label: label('Start', target), target, ...START },
  isPossible: isIn('stopped'),
  containers: (names) => `${names.compose} start ${names[target]}`,
  processes: ({ start }) => start[target],
});
const kill = (target: Name): Fault => ({
  ...{ label: label('Kill', target), target, leaves: 'stopped', undoneBy: `start-${target}` },
  isPossible: (service) => isUp(service) || service.state === 'paused',
  containers: (names) => `${names.compose} kill ${names[target]}`,
  processes: ({ kill }) => kill('KILL', target),
});

export const FAULTS = {
  'stop-a': stop('a'),
  'start-a': start('a'),
  'pause-a': {
    ...{ label: 'Pause A', target: 'a', leaves: 'paused', undoneBy: 'resume-a' },
    isPossible: isUp,
    containers: ({ compose, a }) => `${compose} pause ${a}`,
    processes: ({ kill }) => kill('STOP', 'a'),
  },
  'resume-a': {
    ...{ label: 'Resume A', target: 'a', leaves: 'running' },
    isPossible: isIn('paused'),
    containers: ({ compose, a }) => `${compose} unpause ${a}`,
    processes: ({ kill }) => kill('CONT', 'a'),
  },
  'kill-a': kill('a'),
  'restart-a': {
    ...{ label: 'Restart A', target: 'a', ...START },
    isPossible: isUp,
    containers: ({ compose, a }) => `${compose} restart ${a}`,
    processes: ({ kill, start }) => `${kill('TERM', 'a')}; ${start.a}`,
  },
  'recreate-a': { label: 'Recreate A', target: 'a', during: 'recreated', leaves: 'running', isPossible: isUp },
  'cut-a': {
    ...{ label: "Cut A's network", target: 'a', leaves: 'cut off', undoneBy: 'reconnect-a' },
    isPossible: (a) => isUp(a) && !a.isCutOff,
    containers: ({ networks, container }) =>
      networks.map(({ name }) => `docker network disconnect ${name} ${container}`).join(' && '),
  },
  'reconnect-a': {
    ...{ label: 'Reconnect A', target: 'a', leaves: 'running' },
    isPossible: ({ isCutOff }) => isCutOff,
    containers: ({ networks, container }) =>
      networks.map((network) => `docker network connect ${aliases(network)}${network.name} ${container}`).join(' && '),
  },
  'replace-a': {
    ...{ label: 'Replace A', target: 'a', during: 'starting', leaves: 'replaced', undoneBy: 'put-back-a' },
    isPossible: ({ isCutOff }) => !isCutOff,
    containers: ({ compose, a, networks, standIn: { name, run, image } }, behaviour) =>
      [
        `${compose} kill ${a}; docker rm --force ${name}; `,
        `${run} --name ${name} --env BEHAVIOUR=${behaviour} ${image} ${STAND_IN}`,
        ...networks.slice(1).map((more) => ` && docker network connect ${aliases(more)}${more.name} ${name}`),
      ].join(''),
    processes: ({ kill, port }, behaviour) =>
      `${kill('KILL', 'a')}; PORT=${port} BEHAVIOUR=${behaviour} npx node e2e/stack/stand-in.ts`,
  },
  'put-back-a': {
    ...{ label: 'Put A back', target: 'a', ...START },
    isPossible: isIn('replaced'),
    containers: ({ compose, a, standIn }) => `docker rm --force ${standIn.name}; ${compose} start ${a}`,
    processes: ({ kill, start }) => `${kill('KILL', 'a')}; ${start.a}`,
  },
  'stop-b': stop('b'),
  'start-b': start('b'),
  'kill-b': kill('b'),
} satisfies Record<string, Fault>;
export type FaultName = keyof typeof FAULTS;

/** Finds a fault by its name; undefined if there is none. */
export const faultOf = (name: string): Fault | undefined =>
  Object.hasOwn(FAULTS, name) ? FAULTS[name as FaultName] : undefined;

const aliases = (network: { aliases: string[] }) => network.aliases.map((alias) => `--alias ${alias} `).join('');
