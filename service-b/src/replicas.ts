import type { LookupAddress } from 'node:dns';
import dns from 'node:dns/promises';
import { Agent } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import type { Request } from 'got';

/**
 * How long calls use a connection, in ms, and how long it then stays open. So a new replica of A gets calls within
 * seconds. And B closes an idle connection before A does (Node after 5 s, others after 2 s), so no call uses a closing one.
 */
const KEEP_MS = 1000;
/** How long a silent address owes an answer, in ms. Swarm removes a lost machine's address from DNS after about 6 s. */
const SILENT_MS = 10_000;

const newAgent = () => new Agent({ keepAlive: true, timeout: KEEP_MS, autoSelectFamily: true });

/**
 * Spreads calls over the addresses of A's name. A new connection tries first the address that owes the fewest answers:
 * a frozen machine still accepts connections, so only its silence shows. Among equals, the one tried longest ago is first.
 */
export function createReplicas(find = (name: string) => dns.lookup(name, { all: true })) {
  const owed = new Map<string, number>(); // answers owed by each address; the last key is the address tried last
  let pending: Promise<LookupAddress[]> | undefined;
  let agent = newAgent();
  let agentSince = -Infinity;

  /** The agent with the connections that calls may use. The first call after a second gets a new agent. */
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

  /** Calls share a pending lookup, because Node runs only two lookups at a time. */
  const lookup: LookupFunction = (name, _options, callback) => {
    pending ??= find(name).finally(() => (pending = undefined));
    // The answer waits for a moment, because the call must listen to its connection before an address is tried.
    pending.then(
      (found) => setImmediate(() => callback(null, inOrder(found))),
      (error) => callback(error, []),
    );
  };

  /** Notes in `tried` which addresses a call tries. `end` ends the call; every address before the last one was silent. */
  function track(call: Request) {
    const tried: string[] = [];
    const attempt = (address: string) => {
      const owes = owed.get(address) ?? 0;
      owed.delete(address); // so that it becomes the last key
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
