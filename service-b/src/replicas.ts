import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';

/**
 * For how long calls use a connection, and how long it then stays open: a new replica of A has calls within seconds, and
 * B closes an idle connection before A does (Node after 5 s, others after 2), or a call could be sent on a closing one.
 */
const KEEP_MS = 1000;
/** For how long a silent address is tried last. Swarm takes a lost machine's out of DNS after some 6 s. */
const SILENT_MS = 10_000;
/** Of calls that begin at once, each replica gets its share: that one of them owes an answer for so long says nothing. */
const BURST_MS = 10;
const MAX_REPLICAS = 1000;

/** `since` is when its last call was answered; while any is unanswered, when the first of those began. */
type Replica = { unanswered: number; since: number };

/**
 * Spreads calls over the addresses of A's name. A new connection tries first the one that has been idle for longest, and
 * last the one that owes most answers, for longest: a frozen machine's kernel still accepts connections.
 */
export class Replicas {
  #replicas = new Map<string, Replica>();
  #agent = new Agent();
  #agentSince = -Infinity;
  #find: typeof findAll;
  #pending: ReturnType<typeof findAll> | undefined;

  constructor(find = findAll) {
    this.#find = find;
  }

  get agent(): Agent {
    if (performance.now() - this.#agentSince > KEEP_MS) {
      this.#agent = new Agent({ keepAlive: true, timeout: KEEP_MS });
      this.#agentSince = performance.now();
    }
    return this.#agent;
  }

  /** Node runs two lookups at a time and queues the rest, so calls that need A's address share the one that is pending. */
  lookup: LookupFunction = (name, { all }, callback) => {
    this.#pending ??= this.#find(name).finally(() => (this.#pending = undefined));
    const answer = (found: LookupAddress[]) => {
      const inTurn = found.toSorted((a, b) => this.#rank(a.address) - this.#rank(b.address));
      return all ? callback(null, inTurn) : callback(null, inTurn[0]!.address, inTurn[0]!.family);
    };
    // Not at once: the call must be listening to its connection before an address is tried.
    this.#pending.then(
      (found) => setImmediate(answer, found),
      (error) => callback(error, []),
    );
  };

  #rank(address: string): number {
    const { unanswered, since } = this.#replicas.get(address) ?? { unanswered: 0, since: 0 };
    const age = performance.now() - since;
    return unanswered > 0 ? unanswered * (BURST_MS + age) : -age;
  }

  /** A call tries `address`. */
  begin(address: string) {
    if (this.#replicas.size > MAX_REPLICAS) this.#replicas.clear(); // replaced ones would add up over months
    const replica = this.#replicas.get(address) ?? { unanswered: 0, since: 0 };
    if (replica.unanswered++ === 0) replica.since = performance.now();
    this.#replicas.set(address, replica);
  }

  /** The call that tried these addresses has ended; all were silent but the last, unless that one `wasSilent` too. */
  end(tried: string[], wasSilent: boolean) {
    const replicas = tried.map((address) => this.#replicas.get(address));
    const last = wasSilent ? undefined : replicas.pop();
    if (last) {
      last.unanswered--;
      last.since = performance.now();
    }
    for (const silent of replicas) if (silent) setTimeout(() => silent.unanswered--, SILENT_MS).unref();
  }
}

const findAll = (name: string) => lookup(name, { all: true });
