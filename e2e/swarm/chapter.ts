import { readFileSync } from 'node:fs';
import { slowest, type Call } from '../experiment/calls.ts';
import { callsOf, type Event } from '../experiment/history.ts';
import { run } from '../experiment/run.ts';
import { ROOT } from '../stack/paths.ts';
import { tryFor } from '../stack/until.ts';
import { examplesIn, type Example } from '../docs/page.ts';
import { callAny, newMachines, NODES, type Served } from './machines.ts';

export const FOLDER = `${ROOT}e2e/swarm`;
const examples = examplesIn(readFileSync(`${FOLDER}/README.md`, 'utf8'));
export const sections = Object.groupBy(examples, ({ section }) => section) as Record<string, Example[]>;
export const CALLS_PER_SECOND = Number(process.env.CALLS_PER_SECOND || 100);
export const DEADLINE_MS = 1000;
/** The sections in which calls are made, on the Bs of these nodes, and for how long after the last command if not for 3 s. */
export const ACTS: Record<string, { nodes: string[]; restMs?: number }> = {
  'A new version of A': { nodes: NODES },
  'A version that never becomes healthy': { nodes: NODES },
  'More replicas': { nodes: NODES, restMs: 10_000 },
  'A replica is killed': { nodes: NODES },
  'A machine is frozen': { nodes: ['node1', 'node2'] },
  'A machine is killed, and replaced': { nodes: ['node1', 'node2'] },
  'The manager is lost': { nodes: ['node2', 'node3'] },
  'Fewer replicas': { nodes: NODES },
  'A new version of B': { nodes: NODES },
};
const ANSWER_PATIENCE_MS = 60_000; // Swarm may need that long
const ASK_EVERY_MS = 1000; // each question takes a quarter of a second of CPU, which the services need

/** A section of the chapter, acted out under steady calls. */
export interface Section {
  title: string;
  history: Event[];
  /** The calls that got 200, with what served each. */
  served: (Served & Call)[];
}

/** Follows the chapter on machines of its own. */
export async function newActor() {
  const reader = await newMachines();

  /** Rejects with what was printed, if that is not what the chapter says, within a minute where it asks how things are. */
  async function enact({ command, output }: Example) {
    const isQuestion = /docker (service|node) (ls|inspect)|^curl/.test(command);
    let printed = '';
    const matches = async () => (printed = await reader.run(command).catch((error) => `${error}`)) === output;
    if (await tryFor(isQuestion ? ANSWER_PATIENCE_MS : 0, matches, ASK_EVERY_MS)) return;
    throw new Error(`${command}\nprinted\n${printed}\nwhere the chapter has\n${output}`);
  }

  /** Calls the Bs in turn, CALLS_PER_SECOND times a second, from a second before the first command on. */
  async function actOut(title: string): Promise<Section> {
    const { nodes, restMs = 3000 } = ACTS[title]!;
    const since = Date.now() / 1000;
    const addresses = await Promise.all(nodes.map((node) => reader.addressOf(node)));
    let next = 0;
    const call = (id: string) => {
      const turn = next++ % addresses.length;
      return callAny([...addresses.slice(turn), ...addresses.slice(0, turn)], id);
    };
    const examples = sections[title]!.values();
    const script = [1000, ...sections[title]!.map(({ command }) => command), restMs];
    const perform = () => enact(examples.next().value!);
    const history = await run(script, perform, { perSecond: CALLS_PER_SECOND, ask: call });
    const byId = new Map(callsOf(history).map((call) => [call.id, call]));
    const served = (await reader.served(NODES, since)).flatMap((line) => {
      const call = byId.get(line.requestId);
      return call ? [{ ...line, ...call }] : [];
    });
    return { title, history, served };
  }

  return { reader, enact, actOut };
}

export const lostIn = (history: Event[]) => callsOf(history).filter(({ status }) => status !== 200);

/** A row of the chapter's table, and why each lost call was lost. */
export function inWords({ title, history }: Section): string {
  const calls = callsOf(history);
  const lost = lostIn(history).map(({ reason, error, ms }) => `${reason ?? error} after ${Math.round(ms)} ms`);
  const slowestMs = slowest(calls.filter(({ status }) => status === 200));
  const figures = `${lost.length} of ${calls.length} calls lost, slowest 200 after ${Math.round(slowestMs)} ms`;
  return [`${title}: ${figures}`, ...lost.slice(0, 10)].join('\n  ');
}
