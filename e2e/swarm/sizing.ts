import { callMany, closedLoop } from '../experiment/load.ts';
import { NODES, type Machines } from './machines.ts';

const CALLERS = 8; // for each B: enough to keep a fifth of a core busy
const WARM_UP_CALLS = 4000; // at a fifth of a core, code that is not compiled yet would be measured for a minute
const ROUNDS = 12; // of a second each: how much a core gets done here changes from one second to the next

const PATH = ':8081/call-echo?msg=hello';

const addressesOf = (reader: Machines, nodes = NODES) => Promise.all(nodes.map((node) => reader.addressOf(node)));

/** Has each B serve some calls, before it is held to anything. */
export async function warmUp(reader: Machines) {
  const addresses = await addressesOf(reader);
  await Promise.all(addresses.map((address) => callMany(`http://${address}${PATH}`, WARM_UP_CALLS)));
}

/**
 * Measures how many calls a second the Bs on one, two and three machines serve together. Each number is the mean of twelve
 * rounds; each round measures all three and begins with another machine.
 */
export async function servedByMachines(reader: Machines): Promise<number[]> {
  const addresses = await addressesOf(reader);
  const sums = addresses.map(() => 0);
  for (let round = 0; round < ROUNDS; round++) {
    addresses.push(addresses.shift()!);
    for (const [index] of sums.entries()) sums[index]! += await callsPerSecond(addresses.slice(0, index + 1));
  }
  return sums.map((sum) => sum / ROUNDS);
}

/** The calls a second that one replica serves while it is held to `cpus` cores; of A's, behind all Bs. */
export async function servedByReplica(reader: Machines, service: 'service-a' | 'service-b', cpus: number) {
  const list = `docker ps --quiet --filter name=${service}`;
  const counts: number[] = [];
  for (const node of NODES) {
    await reader.run(`on ${node} sh -c 'for id in $(${list}); do docker update --cpus ${cpus} $id; done'`);
    counts.push(Number(await reader.run(`on ${node} sh -c '${list} | wc -l'`)));
  }
  const addresses = await addressesOf(reader, service === 'service-a' ? NODES : NODES.slice(0, 1));
  const replicas = service === 'service-a' ? counts.reduce((sum, count) => sum + count) : 1;
  let sum = 0;
  for (let round = 0; round < ROUNDS; round++) sum += await callsPerSecond(addresses);
  return sum / ROUNDS / replicas;
}

async function callsPerSecond(addresses: string[]): Promise<number> {
  const loads = addresses.map((address) => closedLoop(`http://${address}${PATH}`, CALLERS, 1));
  return (await Promise.all(loads)).reduce((sum, { perSecond }) => sum + perSecond, 0);
}
