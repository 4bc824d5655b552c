/** All that can be done to a pair, once each: what it is called, where it leaves its service, and the command that does it, where there is one. */
import type { State } from '../picture/states.ts';
import { NODE } from '../stack/docker/program.ts';
import type { Name } from './history.ts';

/** What commands on a pair in containers name; all fit to be pasted. */
export interface ContainerNames {
  /** `docker compose`, with what says which project is meant. */
  compose: string;
  a: string;
  b: string;
  /** A's container, and its networks with its names in each. */
  container: string;
  networks: { name: string; aliases: string[] }[];
  /** The stand-in's container, what begins the command that runs it, with all its options but one, and its image. */
  standIn: { name: string; run: string; image: string };
}

/** What commands on a pair of processes name. */
export interface ProcessNames {
  kill: (signal: string, name: Name) => string;
  start: Record<Name, string>;
  /** A's. */
  port: string;
}

/** How a service is, as far as it decides what can be done to it. */
export interface Seen {
  state: 'running' | 'starting' | 'paused' | 'stopped' | 'replaced';
  isCutOff: boolean;
}

interface Fault {
  label: string;
  target: Name;
  /** What the target goes through until it is done, if that takes time, and where it is then. */
  during?: State;
  leaves: State;
  /** What brings the target back. */
  undoneBy?: string;
  isPossible: (service: Seen) => boolean;
  /** Its command, where it can be done; `behaviour` is the stand-in's, or empty for what each message says. */
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

/** Undefined for a name that is none of a fault. */
export const faultOf = (name: string): Fault | undefined =>
  Object.hasOwn(FAULTS, name) ? FAULTS[name as FaultName] : undefined;

const aliases = (network: { aliases: string[] }) => network.aliases.map((alias) => `--alias ${alias} `).join('');
