/** What B does when A is replaced by one that misbehaves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { tryFor } from '../stack/until.ts';
import { robust, type Check } from './check.ts';
import { expectFailure, expectText } from './expect.ts';
import { word, type Pair } from './pair.ts';
import { Fault, Unjudged, waitsOf, type Exchange } from './record.ts';
import { printable } from '../stack/foreign-text.ts';
import { FAILED, TEXTS } from './robustness.ts';

/** One call that the stand-in answers as `behaviour` says; it hangs up afterwards, so that B is free again. */
async function callWith(pair: Pair, behaviour: string): Promise<Exchange> {
  const msg = word();
  await pair.tellStandIn(`play?as=${behaviour}&msg=${msg}`);
  const exchange = await pair.call(msg);
  await pair.tellStandIn('release');
  return exchange;
}

/** A check while the stand-in replaces A; `act` is left out if B has not found the stand-in. */
function standsIn<Seen>(check: Omit<Check<Seen>, 'section' | 'needs' | 'isHttp'>): Check {
  return robust<Seen | undefined>({
    ...check,
    needs: ['a', 'b'],
    isHttp: true,
    act: async (pair) => (pair.record.hasFoundStandIn ? check.act?.(pair) : undefined),
    judge(record, seen, statuses) {
      if (!record.hasFoundStandIn) throw new Unjudged('B did not ask the stand-in that replaced A.');
      check.judge(record, seen!, statuses);
    },
  });
}

const survivesB = standsIn<(Exchange & { text: string; targets: string[] })[]>({
  name: 'Any text survives the trip through B',
  why: 'Pasted unescaped into a URL, "&" and "#" cut the message short, and the answer is still 200.',
  fix: 'Let the client build the query (params=…, url.QueryEscape, URLSearchParams) instead of pasting strings.',
  async act(pair) {
    const seen = [];
    for (const text of TEXTS) {
      await pair.requestsToStandIn();
      const exchange = await pair.call(text);
      seen.push({ ...exchange, text, targets: (await pair.requestsToStandIn()).targets });
    }
    return seen;
  },
  judge(_record, calls) {
    for (const call of calls) {
      const { sent, text, targets } = call;
      expectText(call, text);
      const [target] = targets;
      if (target && URL.parse(target, 'http://a')?.searchParams.get('msg') === text) continue;
      throw new Fault(sent, `a request to A for ${target}`, `a request to A for ${JSON.stringify(text)}`);
    }
  },
});

interface Attempts {
  calls: { sent: string; what: string; requests: number }[];
  /** A call to an A that refuses, for which the system counted more than one attempt. */
  convicted?: string;
}

const asksOnce = standsIn<Attempts>({
  name: 'B asks A once for each call',
  why: 'Retries multiply the load on a service exactly when it is in trouble, and the caller retries too.',
  fix: "Turn the client's retries off and accept a failure as the result.",
  async act(pair) {
    const behaviours = { echo: 'answers', error500: 'answers 500', hangup: 'hangs up', reset: 'breaks the connection' };
    const calls = [];
    for (const [behaviour, what] of Object.entries(behaviours)) {
      await pair.requestsToStandIn();
      const { sent } = await callWith(pair, behaviour);
      await sleep(200);
      calls.push({ sent, what, requests: (await pair.requestsToStandIn()).targets.length });
    }
    return { calls, convicted: await attemptsWhenRefused(pair) };
  },
  judge(_record, { calls, convicted }) {
    for (const { sent, what, requests } of calls)
      if (requests !== 1) throw new Fault(`${sent}, and A ${what}`, `${requests} requests to A`, 'one request to A');
    if (convicted)
      throw new Fault(`${convicted}, and A refuses connections`, 'more than one attempt to connect', 'one attempt');
  },
});

/**
 * No program sees a refused connection, but the system counts how many it has refused, for all programs together. One call
 * with a single attempt acquits B; calls convict B only if no one else is refused in an equally long time after each of
 * them. An attempt that comes later reaches A, which accepts again. Resolves to the call that convicts B.
 */
async function attemptsWhenRefused(pair: Pair): Promise<string | undefined> {
  const allowed = await addressesOfA(pair); // one attempt tries each
  const resets = async () => (await pair.requestsToStandIn()).resets ?? NaN;
  let convicting = 0;
  let last: Exchange;
  try {
    for (let call = 0; call < 40 && convicting < 5; call++) {
      await pair.tellStandIn('refuse');
      const before = await resets();
      if (Number.isNaN(before)) return;
      const start = performance.now();
      let isAnswered = false;
      const calling = pair.call(word()).finally(() => (isAnswered = true));
      let refused = 0;
      await tryFor(1000, async () => (refused = (await resets()) - before) > 0 || isAnswered, 5);
      await Promise.race([calling, sleep(100)]);
      refused = (await resets()) - before;
      const ms = performance.now() - start;
      await pair.tellStandIn('accept');
      last = await calling;
      const isTriedAgain = (await pair.requestsToStandIn()).connections.length > 0;
      if (refused === 0 && isTriedAgain) continue; // B had not begun yet
      if (refused <= allowed && !isTriedAgain) return;
      const after = await resets();
      await sleep(ms);
      if ((await resets()) === after) convicting++;
    }
  } finally {
    await pair.tellStandIn('accept');
  }
  return convicting < 5 ? undefined : last!.sent;
}

/** Counts the addresses by which B knows A: if one refuses, a B that knows another finds A there. */
async function addressesOfA(pair: Pair): Promise<number> {
  if (pair.standIn!.addresses === 1) return 1;
  await pair.tellStandIn('refuse?host=127.0.0.1');
  await pair.requestsToStandIn();
  await pair.call(word());
  const { connections } = await pair.requestsToStandIn();
  await pair.tellStandIn('accept');
  return connections.length > 0 ? pair.standIn!.addresses : 1;
}

/** Makes a call for each behaviour until one gets no answer; `waits` is what that shows about B. */
function notPassedOn(
  name: string,
  why: string,
  fix: string,
  behaviours: Record<string, string>,
  waits = 'B has no timeout at all.',
) {
  return standsIn<{ calls: (Exchange & { what: string })[]; waits?: string }>({
    name,
    why,
    fix,
    async act(pair) {
      const known = waitsOf(pair.record) ?? pair.waits;
      if (known) return { calls: [], waits: known };
      const calls = [];
      for (const [behaviour, what] of Object.entries(behaviours)) {
        calls.push({ ...(await callWith(pair, behaviour)), what });
        if (!calls.at(-1)!.isLate) continue;
        pair.waits = waits;
        break;
      }
      return { calls };
    },
    judge(record, { calls, waits }) {
      if (waits) throw new Unjudged(waitsOf(record) ?? waits);
      for (const call of calls) expectFailure(call, `and A ${call.what}`, record.limits.answerMs, FAILED, fix);
    },
  });
}

const misbehaviours = [
  notPassedOn(
    "A's error status is not passed on as success",
    'No one notices a failure that arrives as 200, and no monitoring does.',
    "Look at the status of A's answer (raise_for_status, resp.StatusCode != 200, response.ok) before its body.",
    { error500: 'answers 500, with a body like an echo', error404: 'answers 404, with a body like an echo' },
  ),
  notPassedOn(
    'A redirect is not passed on as success',
    'A redirect usually means that something else answers instead of A, such as a proxy with a sign-in page.',
    "Do not follow redirects, accept only 200 as success, and check that the body is A's.",
    { redirect: 'redirects to a sign-in page' },
  ),
  notPassedOn(
    'A body that is not JSON is not passed on as success',
    'A proxy in between can answer 200 with its own page: B must not take that for an echo, and must not fail with a 500.',
    "Catch the errors of parsing A's body, and answer 503.",
    {
      plaintext: 'answers 200 with plain text',
      page: 'answers 200 with an HTML page',
      nothing: 'answers 200 with an empty body',
    },
  ),
  notPassedOn(
    'JSON that is no echo is not passed on as success',
    'An answer of another shape comes from another version or another service; if B passes it on, it breaks a program that calls B.',
    "Look for the field that you need in A's JSON (is it there, is it a string?), and answer 503 when it is not.",
    { othershape: 'answers 200 with JSON of another shape', nullbody: 'answers 200 with null' },
  ),
  notPassedOn(
    'An answer that breaks off is a 503',
    'Connections can break in the middle of an answer: that is a failure of A (503), and not a bug of B (500).',
    "Catch the client's errors while reading the body too, not only while connecting.",
    {
      reset: 'resets the connection',
      hangup: 'closes the connection without an answer',
      cutoff: 'closes the connection in the middle of its body',
    },
  ),
  notPassedOn(
    'An answer that stops half-way is a 503 in time',
    'A can also hang after its first bytes, and then a timeout for connecting alone does not help.',
    'Let the timeout cover reading the headers and the body as well.',
    {
      silence: 'takes the request and is silent',
      halfheaders: 'stops in the middle of its headers',
      halfbody: 'stops in the middle of its body',
    },
    "B's timeout does not cover the whole answer.",
  ),
  notPassedOn(
    'A trickling answer is a 503 in time',
    'A timeout that starts again with each byte never ends when A sends one byte at a time, and neither does the call.',
    'Give the whole call one deadline (http.Client.Timeout, AbortSignal.timeout, asyncio.timeout); a read timeout does not limit the whole call.',
    { trickle: 'answers a byte at a time', trickledbody: 'answers the body a byte at a time' },
    'B has no deadline for the whole call.',
  ),
  notPassedOn(
    'An endless answer is a 503 in time',
    "A body without an end fills B's memory until B ends as well.",
    'Read at most a few kilobytes of the body, under the deadline of the whole call.',
    { endless: 'never stops answering' },
    'B reads without end.',
  ),
];

/** What no caller should see: stacks, exception texts of the common clients, addresses. */
const LEAKS: Record<string, RegExp> = {
  'a stack':
    /Traceback \(most recent|File "[^"]+", line \d+|\bat .{1,200}:\d+:\d+\)?|goroutine \d+ \[|\.(?:java|kt|go|py|js|ts):\d+/,
  'an internal address':
    /https?:\/\/|\b\d{1,3}(?:\.\d{1,3}){3}\b|localhost|\bservice-a:\d+|\bhost=|\bport[=: ]+\d{2,}/i,
  "an exception's text":
    /\[?Errno|\bE(?:CONN|HOST|NOTFOUND|AI_|TIMEDOUT|PIPE)|HTTPConnectionPool|ConnectionPool|Max retries|urlopen error|dial tcp|context deadline exceeded|Client\.Timeout|getaddrinfo|socket hang up|fetch failed|object at 0x|Caused by|Connection aborted|Expecting value|Unexpected (?:token|end of JSON)|(?:java|javax|org|com)\.[a-z]+\.[\w.]*Exception|Response ended prematurely|IncompleteRead|Server Error:|invalid character .* looking for|unexpected EOF|RemoteDisconnected/,
};

const keepsItToItself = standsIn<undefined>({
  name: 'No exception text, stack or internal address is in an answer',
  why: 'It shows strangers how the service is built, and callers begin to depend on the wording of a library.',
  fix: 'Answer with your own sentence, and write the exception into the log only.',
  judge({ failures }) {
    if (failures.length === 0) throw new Unjudged('B never answered with a failure.');
    for (const { sent, answer, received } of failures) {
      for (const [what, leak] of Object.entries(LEAKS)) {
        const found = leak.exec(answer!.body);
        if (found) throw new Fault(sent, received, `an answer without ${what} (${printable(found[0])})`);
      }
    }
  },
});

export const whenAIsReplaced = [survivesB, asksOnce, ...misbehaviours, keepsItToItself];
