/** What a pair that works in the lab may still get wrong, by the state of the world in which each is checked. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { get } from '../stack/http.ts';
import { tryFor } from '../stack/until.ts';
import type { Check } from './check.ts';
import { linesFor, shown, traceFailure } from './lab.ts';
import { blamesConnection, blamesRefusal, blamesTimeout, namesStatus, namesStatusCode } from './log-line.ts';
import { Fault, tells, Unjudged, word, type Exchange, type Pair } from './pair.ts';
import { printable } from '../stack/foreign-text.ts';

const robust = (check: Omit<Check, 'section'>): Check => ({ section: 'robustness', ...check });

const TEXTS = [
  ...['a b', 'a+b', 'a&b=c', 'a#b', '100%', '%26', 'a/b?c', 'a;b', '"quoted"', "it's", 'a\\b', '<b>', '{"echo":1}'],
  ...['line\nline', 'tab\ttab', 'zażółć', 'e\u0301', '日本語', '👋🏽', '&msg=other', '../health', 'x'.repeat(1000)],
];

/** Statuses with which B may say that A failed. The lab wants 503; 502 and 504 say the same of a wrong or late answer. */
const FAILED = [502, 503, 504];

const survivesA = robust({
  name: 'A echoes any text as it was',
  needs: ['a'],
  isHttp: true,
  why: 'A message is data: whatever is in it must neither change the answer nor break it.',
  fix: "Take msg from the framework's decoded query, and make the answer with its JSON library.",
  async run(pair) {
    for (const text of TEXTS) {
      const { sent, answer, received } = await pair.ask('a', `/echo?msg=${encodeURIComponent(text)}`);
      if (answer?.status !== 200 || !tells(answer, text)) {
        throw new Fault(sent, received, `200 and an answer that holds ${JSON.stringify(text)}`);
      }
    }
  },
});

const ODD_TARGETS = [
  '',
  '?msg',
  '?msg=',
  '?msg=1&msg=2',
  '?msg=%zz',
  '?msg=%FF',
  '?msg=%00',
  '?x=1',
  `?msg=${'x'.repeat(6000)}`,
];

const takesOddInput = robust({
  name: 'Odd and hostile input is answered, and breaks nothing',
  needs: ['a', 'b'],
  isHttp: true,
  why: 'Anybody can send anything: a request that is not understood must not become a crash, a 500 or a forged log line.',
  fix: 'Give a missing msg a default or answer 400, catch what parsing throws, and escape line ends in the log.',
  async run(pair) {
    for (const [name, path] of [
      ['a', '/echo'],
      ['b', '/call-echo'],
    ] as const) {
      const mark = await pair.stack[name].mark();
      const targets = [...ODD_TARGETS.map((query) => path + query), '/no/such/path', '//', '/%2e%2e/etc/passwd'];
      for (const target of targets) {
        const { sent, answer, received } = await pair.ask(name, target);
        if (!answer || answer.status === 500) throw new Fault(printable(sent), received, 'an answer other than 500');
      }
      const { sent, answer, received } = await pair.ask(name, path, undefined, 'DELETE');
      if (!answer || answer.status === 500) throw new Fault(sent, received, 'an answer other than 500');

      const forged = 'status=200 latency_ms=1 forged=yes';
      await pair.ask(name, `${path}?msg=${encodeURIComponent(`x\r\n${forged}`)}`);
      await speak(pair.stack[name].url, 'NONSENSE\r\n\r\n');
      await speak(pair.stack[name].url, `GET ${path} HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);

      const health = await pair.ask(name, '/health');
      const before = pair.traces[`${name}/health`]?.answer?.status ?? 200;
      if (health.answer?.status !== before)
        throw new Fault(`${health.sent}, after odd input`, health.received, `${before}`);
      const lines = await pair.newLines(name, mark, () => true);
      const forgery = lines.find((line) => line.trimStart().startsWith(forged));
      if (forgery) throw new Fault(`a msg with a line end`, `a log line of its own: "${forgery}"`, 'one line, escaped');
    }
  },
});

/** Sends bytes that need not be HTTP, and waits a little for an answer or the end. */
async function speak(url: string, text: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''));
  socket.on('error', () => {}).write(text);
  await Promise.race([once(socket, 'data').catch(() => {}), once(socket, 'close').catch(() => {}), sleep(500)]);
  socket.destroy();
}

function logsTheNumber(name: 'a' | 'b'): Check {
  const service = name.toUpperCase();
  return robust({
    name: `${service}'s log lines tell the HTTP status code`,
    needs: [name],
    isHttp: name === 'a',
    why: 'A word such as "ok" cannot tell a 503 from a 500 or a 404; the number can, and every tool counts by it.',
    fix: "Log the response's status code as a number, read from the response itself.",
    async run(pair) {
      const path = name === 'a' ? '/echo' : '/call-echo';
      const { sent, answer, lines } = pair.traces[name + path]!;
      const own = linesFor(lines, path);
      if (!answer || !own.some((line) => namesStatus(line, answer.status))) {
        throw new Unjudged('No line tells any status.');
      }
      if (!own.some((line) => namesStatusCode(line, answer.status))) {
        throw new Fault(sent, shown(own), `a log line with ${answer.status} in it`);
      }
    },
  });
}

const CALLS = 20;

const staysQuick = robust({
  name: `${CALLS} calls at once while A hangs are all answered, and /health stays quick`,
  needs: ['a', 'b'],
  why: 'Calls that wait one after the other make every caller wait for all others, and health checks with them.',
  fix: 'Serve requests in parallel: threads (ThreadingHTTPServer, gunicorn --threads), goroutines or async calls.',
  async run(pair) {
    if (pair.traces.hang?.isLate) throw new Unjudged('B has no timeout at all.');
    const { answerMs, healthMs } = pair.limits;
    const calls = Array.from({ length: CALLS }, () => pair.call(word()));
    await sleep(100);
    const health = await pair.ask('b', '/health');
    const exchanges = await Promise.all(calls);
    if (health.answer?.status !== 200 || health.answer.ms > healthMs) {
      throw new Fault(`${health.sent}, while ${CALLS} calls wait`, health.received, `200 within ${healthMs / 1000} s`);
    }
    const lost = exchanges.find(({ answer }) => !answer || !FAILED.includes(answer.status) || answer.ms > answerMs);
    if (lost) throw new Fault(`${lost.sent}, ${CALLS} times at once`, lost.received, `503 within ${answerMs / 1000} s`);
  },
});

const namesTheTimeout = robust({
  name: 'The log calls a timeout a timeout',
  needs: ['a', 'b'],
  why: 'A hanging service and a missing one are fixed differently, and at night the log is all there is to tell them apart.',
  fix: "Catch the client's timeout apart from its connection errors, and log which of them it was.",
  async run(pair) {
    const { sent, answer, lines } = pair.traces.hang!;
    if (!answer) throw new Unjudged('B did not answer while A hung.');
    const own = lines.filter((line) => pair.tellsOfFailure(line));
    if (!blamesTimeout(own) || blamesRefusal(own)) {
      throw new Fault(
        `${sent}, while A is frozen`,
        shown(lines),
        'a log line that names a timeout, and no other failure',
      );
    }
  },
});

const namesTheConnection = robust({
  name: 'The log calls a failed connection a failed connection',
  needs: ['a', 'b'],
  why: namesTheTimeout.why,
  fix: namesTheTimeout.fix,
  async run(pair) {
    // A name that is gone can take the resolver until B's timeout, and any call can be late on a busy machine.
    const isLate = ({ answer }: Exchange) => answer !== undefined && answer.ms > 500;
    for (let time = 0; time < 3 && isLate(pair.traces.gone!); time++) await traceFailure(pair, 'gone');
    const { sent, answer, lines } = pair.traces.gone!;
    if (!answer) throw new Unjudged('B did not answer while A was stopped.');
    const own = lines.filter((line) => pair.tellsOfFailure(line));
    if (own.length === 0) throw new Unjudged('B logged nothing about it.');
    const wasLate = isLate(pair.traces.gone!);
    if (!blamesConnection(own) && !(wasLate && blamesTimeout(own))) {
      throw new Fault(`${sent}, while A is stopped`, shown(lines), 'a log line that names the failed connection');
    }
  },
});

function stopsCleanly(name: 'a' | 'b'): Check {
  const service = name.toUpperCase();
  return robust({
    name: `${service} ends by itself when told to (SIGTERM)`,
    needs: [name],
    why: 'What does not end is killed after 10 s, with the requests that it was answering: every deployment is slow and loses some.',
    fix: 'Handle SIGTERM, and in a container start the program itself (CMD ["python", "app.py"]) or with init: true.',
    async run(pair) {
      const end = pair.ends[name];
      if (!end) throw new Unjudged(`${service} was not stopped.`);
      const { code, ms, survivor } = end;
      if (survivor)
        throw new Fault(`SIGTERM to service ${service}`, `something of it ${survivor}`, 'an end of all of it');
      if (code !== 0 && code !== 128 + constants.signals.SIGTERM) {
        const how = code === 128 + constants.signals.SIGKILL ? 'it had to be killed' : `exit code ${code}`;
        throw new Fault(
          `SIGTERM to service ${service}`,
          `${how} after ${(ms / 1000).toFixed(1)} s`,
          'an end within 10 s',
        );
      }
    },
  });
}

/** What has come to the stand-in since the last time. */
async function asked(pair: Pair): Promise<Asked> {
  return (await control(pair, 'asked')).json;
}

interface Asked {
  targets: string[];
  connections: string[];
  /** How many connections the system has refused or reset, all in all; undefined where it does not count them. */
  resets?: number;
}

const control = (pair: Pair, what: string) => get(`${pair.standIn!.url}/${what}`);

/** One call that the stand-in answers as `behaviour` says; it hangs up afterwards, so that B is free again. */
async function callWith(pair: Pair, behaviour: string): Promise<Exchange> {
  const msg = word();
  await control(pair, `play?as=${behaviour}&msg=${msg}`);
  const exchange = await pair.call(msg);
  await control(pair, 'release');
  return exchange;
}

const standsIn = (check: Omit<Check, 'section' | 'needs' | 'isHttp'>): Check =>
  robust({
    ...check,
    needs: ['a', 'b'],
    isHttp: true,
    async run(pair) {
      if (!pair.standIn) throw new Unjudged('B asked nobody in the place of A.');
      await check.run(pair);
    },
  });

const survivesB = standsIn({
  name: 'Any text survives the trip through B',
  why: 'Pasted unescaped into a URL, "&" and "#" cut the message short, and the answer is still 200.',
  fix: 'Let the client build the query (params=…, url.QueryEscape, URLSearchParams) instead of pasting strings.',
  async run(pair) {
    for (const text of TEXTS) {
      await asked(pair);
      const { sent, answer, received } = await pair.call(text);
      const [target] = (await asked(pair)).targets;
      if (answer?.status !== 200 || !tells(answer, text)) {
        throw new Fault(sent, received, `200 and an answer that holds ${JSON.stringify(text)}`);
      }
      const arrived = target && URL.parse(target, 'http://a')?.searchParams.get('msg');
      if (arrived !== text)
        throw new Fault(sent, `a request to A for ${target}`, `A asked for ${JSON.stringify(text)}`);
    }
  },
});

const asksOnce = standsIn({
  name: 'B asks A once for each call',
  why: 'Retries multiply the load on a service exactly when it is in trouble, and the caller retries too.',
  fix: "Turn the client's retries off and take a failure for an answer.",
  async run(pair) {
    const behaviours = { echo: 'answers', error500: 'answers 500', hangup: 'hangs up', reset: 'breaks the connection' };
    for (const [behaviour, what] of Object.entries(behaviours)) {
      await asked(pair);
      const { sent } = await callWith(pair, behaviour);
      await sleep(200);
      const { length } = (await asked(pair)).targets;
      if (length !== 1) throw new Fault(`${sent}, and A ${what}`, `${length} requests to A`, 'one request to A');
    }
    await expectOneAttempt(pair);
  },
});

/**
 * A refused connection reaches nobody who could count it; the system counts what it refuses, for all programs at once. One
 * call with no more than one attempt acquits B; calls convict it only when nobody else is refused in as long a time after
 * each of them. An attempt that comes later finds A back.
 */
async function expectOneAttempt(pair: Pair) {
  const allowed = await addressesOfA(pair); // one attempt tries each
  const resets = async () => (await asked(pair)).resets ?? NaN;
  let convicting = 0;
  let last: Exchange;
  try {
    for (let call = 0; call < 40 && convicting < 5; call++) {
      await control(pair, 'refuse');
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
      await control(pair, 'accept');
      last = await calling;
      const isTriedAgain = (await asked(pair)).connections.length > 0;
      if (refused === 0 && isTriedAgain) continue; // B had not begun yet
      if (refused <= allowed && !isTriedAgain) return;
      const after = await resets();
      await sleep(ms);
      if ((await resets()) === after) convicting++;
    }
  } finally {
    await control(pair, 'accept');
  }
  if (convicting < 5) return;
  throw new Fault(`${last!.sent}, and A refuses connections`, 'more than one attempt to connect', 'one attempt');
}

/** By how many addresses B knows A: with one of them refused, a B that knows another finds A there. */
async function addressesOfA(pair: Pair): Promise<number> {
  if (pair.standIn!.addresses === 1) return 1;
  await control(pair, 'refuse?host=127.0.0.1');
  await asked(pair);
  await pair.call(word());
  const { connections } = await asked(pair);
  await control(pair, 'accept');
  return connections.length > 0 ? pair.standIn!.addresses : 1;
}

/** What A does, in words, by the stand-in's name for it. */
function notPassedOn(name: string, why: string, fix: string, behaviours: Record<string, string>, waits?: string) {
  return standsIn({
    name,
    why,
    fix,
    async run(pair) {
      if (waits && pair.waits) throw new Unjudged(pair.waits);
      for (const [behaviour, what] of Object.entries(behaviours)) {
        const { sent, answer, received } = await callWith(pair, behaviour);
        if (!answer || !FAILED.includes(answer.status) || answer.ms > pair.limits.answerMs) {
          if (!answer) pair.waits = waits;
          throw new Fault(`${sent}, and A ${what}`, received, `503 within ${pair.limits.answerMs / 1000} s`);
        }
      }
    },
  });
}

const misbehaviours = [
  notPassedOn(
    "A's error status is not passed on as success",
    'A failure that arrives as 200 is found by nobody, least of all by the monitoring.',
    "Look at the status of A's answer (raise_for_status, resp.StatusCode != 200, response.ok) before its body.",
    { error500: 'answers 500, with a body like an echo', error404: 'answers 404, with a body like an echo' },
  ),
  notPassedOn(
    'A redirect is not passed on as success',
    'A redirect usually means that something else answers in the place of A, such as a proxy with a sign-in page.',
    "Do not follow redirects, take only 200 for success, and look whether the body is A's.",
    { redirect: 'redirects to a sign-in page' },
  ),
  notPassedOn(
    'A body that is not JSON is not passed on as success',
    'A proxy in between answers 200 with a page of its own, and B must not take it for an echo, nor break over it.',
    "Catch what parsing A's body throws, and answer 503.",
    {
      plaintext: 'answers 200 with plain text',
      page: 'answers 200 with an HTML page',
      nothing: 'answers 200 with an empty body',
    },
  ),
  notPassedOn(
    'JSON that is no echo is not passed on as success',
    'An answer of another shape comes from another version or another service; passed on, it breaks somebody further away.',
    "Look for the field that you need in A's JSON (is it there, is it a string?), and answer 503 when it is not.",
    { othershape: 'answers 200 with JSON of another shape', nullbody: 'answers 200 with null' },
  ),
  notPassedOn(
    'An answer that breaks off is a 503',
    'Connections break in the middle; half an answer is no answer, and no reason for a 500.',
    "Catch the client's errors while reading the body too, not only while connecting.",
    {
      reset: 'resets the connection',
      hangup: 'closes the connection without an answer',
      cutoff: 'closes the connection in the middle of its body',
    },
  ),
  notPassedOn(
    'An answer that stops half-way is a 503 in time',
    'A can hang after its first bytes too; a timeout for connecting alone does not help there.',
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
    'A timeout that starts anew with each byte never ends when A sends one byte at a time, and neither does the call.',
    'Give the whole call one deadline (http.Client.Timeout, AbortSignal.timeout, asyncio.timeout); a read timeout is none.',
    { trickle: 'answers a byte at a time', trickledbody: 'answers the body a byte at a time' },
    'B has no deadline for the whole call.',
  ),
  notPassedOn(
    'An endless answer is a 503 in time',
    "A body without an end fills B's memory until B is gone as well.",
    'Read at most a few kilobytes of the body, under the deadline of the whole call.',
    { endless: 'never stops answering' },
    'B reads without end.',
  ),
];

/** What only the inside knows: stacks, exception texts of the common clients, addresses. */
const LEAKS: Record<string, RegExp> = {
  'a stack':
    /Traceback \(most recent|File "[^"]+", line \d+|\bat .{1,200}:\d+:\d+\)?|goroutine \d+ \[|\.(?:java|kt|go|py|js|ts):\d+/,
  'an internal address':
    /https?:\/\/|\b\d{1,3}(?:\.\d{1,3}){3}\b|localhost|\bservice-a:\d+|\bhost=|\bport[=: ]+\d{2,}/i,
  "an exception's text":
    /\[?Errno|\bE(?:CONN|HOST|NOTFOUND|AI_|TIMEDOUT|PIPE)|HTTPConnectionPool|ConnectionPool|Max retries|urlopen error|dial tcp|context deadline exceeded|Client\.Timeout|getaddrinfo|socket hang up|fetch failed|object at 0x|Caused by|Connection aborted|Expecting value|Unexpected (?:token|end of JSON)|(?:java|javax|org|com)\.[a-z]+\.[\w.]*Exception|Response ended prematurely|IncompleteRead|Server Error:|invalid character .* looking for|unexpected EOF|RemoteDisconnected/,
};

const keepsItToItself = standsIn({
  name: 'No exception text, stack or internal address is in an answer',
  why: 'It tells strangers how the inside is built, and callers begin to depend on the wording of a library.',
  fix: 'Answer with a sentence of your own, and leave the exception to the log.',
  async run(pair) {
    if (pair.failures.length === 0) throw new Unjudged('B never answered with a failure.');
    for (const { sent, answer, received } of pair.failures) {
      for (const [what, leak] of Object.entries(LEAKS)) {
        const found = leak.exec(answer!.body);
        if (found) throw new Fault(sent, received, `an answer without ${what} (${printable(found[0])})`);
      }
    }
  },
});

export const withBothUp = [logsTheNumber('a'), logsTheNumber('b')];
export const whenAHangs = [namesTheTimeout];
export const whenAIsStopped = [namesTheConnection, stopsCleanly('a')];
export const whenBIsStopped = [stopsCleanly('b')];
export const whenAIsReplaced = [survivesB, asksOnce, ...misbehaviours, keepsItToItself];
export const givenOddInput = [survivesA, takesOddInput];
export const whenAHangsUnderLoad = [staysQuick];
