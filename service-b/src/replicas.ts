import type { LookupAddress } from 'node:dns';
import dns from 'node:dns/promises';
import { Agent } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import type { Request } from 'got';

/**
 * How long calls use a connection, in ms, and how long it then stays open. A new replica of A has calls within seconds.
 * B closes an idle connection before A does (Node after 5 s, others after 2), or a call could be sent on a closing one.
 */
const KEEP_MS = 1000;
/** How long a silent address owes its answer, in ms. Swarm takes a lost machine's address out of DNS after about 6 s. */
const SILENT_MS = 10_000;

const newAgent = () => new Agent({ keepAlive: true, timeout: KEEP_MS, autoSelectFamily: true });

/**
 * Spreads calls over the addresses of A's name. A new connection tries first the address that owes the fewest answers:
 * a frozen machine still accepts connections, and only its silence shows. Among equals, the longest untried is first.
 */
export function createReplicas(find = (name: string) => dns.lookup(name, { all: true })) {
  const owed = new Map<string, number>(); // answers by address; the address that was tried last stands last
  let pending: Promise<LookupAddress[]> | undefined;
  let agent = newAgent();
  let agentSince = -Infinity;

  /** Holds the connections that calls may use. A new one takes its place for the first call that comes after a second. */
  function currentAgent(): Agent {
    if (performance.now() - agentSince > KEEP_MS) {
      agent = newAgent();
      agentSince = performance.now();
    }
    return agent;
  }

  function inOrder(found: LookupAddress[]): LookupAddress[] {
    const owes = ({ address }: LookupAddress) => owed.get(address) ?? 0;
    const turns = [...owed.keys()];
    return found.toSorted((a, b) => owes(a) - owes(b) || turns.indexOf(a.address) - turns.indexOf(b.address));
  }

  /** Calls share a pending lookup, as Node runs two at a time and lets the others wait. */
  const lookup: LookupFunction = (name, _options, callback) => {
    pending ??= find(name).finally(() => (pending = undefined));
    // The answer waits for a moment, because the call must listen to its connection before an address is tried.
    pending.then(
      (found) => setImmediate(() => callback(null, inOrder(found))),
      (error) => callback(error, []),
    );
  };

  /** Notes in `tried` which addresses a call tries. `end` says that it is over; all addresses but the last were silent. */
  function track(call: Request) {
    const tried: string[] = [];
    const attempt = (address: string) => {
      const owes = owed.get(address) ?? 0;
      owed.delete(address); // so that it stands last
      owed.set(address, owes + 1);
      tried.push(address);
    };
    call.once('socket', (socket: Socket) => {
      if (socket.connecting) socket.on('connectionAttempt', attempt);
      else if (socket.remoteAddress) attempt(socket.remoteAddress); // the connection was kept
    });
    const settle = (address: string) => owed.set(address, owed.get(address)! - 1);
    const end = (wasSilent: boolean) => {
      for (const [index, address] of tried.entries()) {
        if (wasSilent || index < tried.length - 1) setTimeout(settle, SILENT_MS, address).unref();
        else settle(address);
      }
    };
    return { tried, end };
  }
  return { currentAgent, lookup, track };
}
