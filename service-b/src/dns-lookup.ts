import type { LookupAddress } from 'node:dns';
import { lookup as getaddrinfo, Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP, type LookupFunction } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

const SILENCE_MS = 800;
const resolver = new Resolver({ timeout: 200, tries: 2 }); // gives up by itself too, but after anything from 0.4 to 1 s
const SHARED_MS = 50;
const shared = new Map<string, Promise<LookupAddress[]>>();

/**
 * Finds a host's addresses in /etc/hosts or by DNS, and gives up on a silent resolver after 0.8 s. Calls that need a
 * name within 50 ms share one lookup; an older one may be waiting in vain while A has come back, perhaps elsewhere.
 * Node's own lookup, getaddrinfo, would block a thread for several seconds on each name, two at a time, and keep the
 * lookups behind them waiting even after the resolver is back.
 */
export const dnsLookup: LookupFunction = (hostname, _options, callback) => {
  let lookup = shared.get(hostname);
  if (!lookup) {
    shared.set(hostname, (lookup = find(hostname)));
    setTimeout(() => shared.delete(hostname), SHARED_MS).unref();
  }
  lookup.then(
    (addresses) => callback(null, addresses),
    (error) => callback(error, []),
  );
};

async function find(hostname: string) {
  const hosts = await readFile('/etc/hosts', 'utf8').catch(() => '');
  const entries = hosts.split('\n').map((line) => line.replace(/#.*/, '').trim().split(/\s+/));
  const local = entries.flatMap(([address, ...names]) => (names.includes(hostname) ? [address!] : []));
  if (local.length > 0) return local.map(toAddress);
  return Promise.race([askDns(hostname), silence()]);
}

async function askDns(hostname: string) {
  const answers = Promise.any([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  return answers
    .then((addresses) => addresses.map(toAddress))
    .catch(({ errors: [error] }) => {
      // What DNS does not know may still have a meaning here: getaddrinfo tries the search domains that Kubernetes relies on.
      if (error.code !== 'ETIMEOUT') return getaddrinfo(hostname, { all: true });
      throw error;
    });
}

async function silence(): Promise<never> {
  await sleep(SILENCE_MS, undefined, { ref: false });
  await nextTurn(); // a busy process may not have read the answer yet
  throw Object.assign(new Error('The resolver is silent'), { code: 'ETIMEOUT', syscall: 'query' });
}

const toAddress = (address: string) => ({ address, family: isIP(address) });
