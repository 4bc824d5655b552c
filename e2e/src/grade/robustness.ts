/** What a pair that works in the lab may still get wrong, by the state of the world in which each is checked. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { get } from '../http.ts';
import type { Check } from './check.ts';
import { linesFor, shown } from './lab.ts';
import {
  blamesConnection,
  blamesRefusal,
  blamesTimeout,
  namesStatus,
  namesStatusCode,
  tellsOfFailure,
} from './log-line.ts';
import { Fault, holds, NotApplicable, printable, type Exchange, type Pair } from './pair.ts';

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
  why: 'A message is data: whatever is in it must neither change the answer nor break it.',
  mend: "Take msg from the framework's decoded query, and make the answer with its JSON library.",
  async run(pair) {
    for (const text of TEXTS) {
      const { sent, answer, came } = await pair.ask('a', `/echo?msg=${encodeURIComponent(text)}`);
      if (answer?.status !== 200 || !holds(answer.json, text)) {
        throw new Fault(sent, came, `200 and JSON that holds ${JSON.stringify(text)}`);
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
  why: 'Anybody can send anything: a request that is not understood must not become a crash, a 500 or a forged log line.',
  mend: 'Give a missing msg a default or answer 400, catch what parsing throws, and escape line ends in the log.',
  async run(pair) {
    for (const [name, path] of [
      ['a', '/echo'],
      ['b', '/call-echo'],
    ] as const) {
      const { length } = await pair.stack[name].logs();
      const targets = [...ODD_TARGETS.map((query) => path + query), '/no/such/path', '//', '/%2e%2e/etc/passwd'];
      for (const target of targets) {
        const { sent, answer, came } = await pair.ask(name, target);
        if (!answer || answer.status === 500) throw new Fault(printable(sent), came, 'an answer other than 500');
      }
      const { sent, answer, came } = await pair.ask(name, path, undefined, 'DELETE');
      if (!answer || answer.status === 500) throw new Fault(sent, came, 'an answer other than 500');

      const forged = 'status=200 latency_ms=1 forged=yes';
      await pair.ask(name, `${path}?msg=${encodeURIComponent(`x\r\n${forged}`)}`);
      await speak(pair.stack[name].url, 'NONSENSE\r\n\r\n');
      await speak(pair.stack[name].url, `GET ${path} HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);

      const health = await pair.ask(name, '/health');
      const before = pair.traces[`${name}/health`]?.answer?.status ?? 200;
      if (health.answer?.status !== before)
        throw new Fault(`${health.sent}, after odd input`, health.came, `${before}`);
      const lines = await pair.newLines(name, length, () => true);
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
    why: 'A word such as "ok" cannot tell a 503 from a 500 or a 404; the number can, and every tool counts by it.',
    mend: "Log the response's status code as a number, read from the response itself.",
    async run(pair) {
      const path = name === 'a' ? '/echo' : '/call-echo';
      const { sent, answer, lines } = pair.traces[name + path]!;
      const own = linesFor(lines, path);
      if (!answer || !own.some((line) => namesStatus(line, answer.status))) {
        throw new NotApplicable('No line tells any status.');
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
  mend: 'Serve requests in parallel: threads (ThreadingHTTPServer, gunicorn --threads), goroutines or async calls.',
  async run(pair) {
    if (pair.waits) throw new NotApplicable(pair.waits);
    const { answerMs, healthMs } = pair.limits;
    const calls = Array.from({ length: CALLS }, () => pair.call('hello'));
    await sleep(100);
    const health = await pair.ask('b', '/health');
    const exchanges = await Promise.all(calls);
    if (health.answer?.status !== 200 || health.answer.ms > healthMs) {
      throw new Fault(`${health.sent}, while ${CALLS} calls wait`, health.came, `200 within ${healthMs / 1000} s`);
    }
    const lost = exchanges.find(({ answer }) => !answer || !FAILED.includes(answer.status) || answer.ms > answerMs);
    if (lost) throw new Fault(`${lost.sent}, ${CALLS} times at once`, lost.came, `503 within ${answerMs / 1000} s`);
  },
});

const namesTheTimeout = robust({
  name: 'The log calls a timeout a timeout',
  needs: ['a', 'b'],
  why: 'A hanging service and a missing one are mended differently, and at night the log is all there is to tell them apart.',
  mend: "Catch the client's timeout apart from its connection errors, and log which of them it was.",
  async run(pair) {
    const { sent, answer, lines } = pair.traces.hang!;
    if (!answer) throw new NotApplicable('B did not answer while A hung.');
    const own = lines.filter(tellsOfFailure);
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
  mend: namesTheTimeout.mend,
  async run(pair) {
    const { sent, answer, lines } = pair.traces.gone!;
    if (!answer) throw new NotApplicable('B did not answer while A was stopped.');
    const own = lines.filter(tellsOfFailure);
    if (own.length === 0) throw new NotApplicable('B logged nothing about it.');
    const wasLate = answer.ms > 500; // a name that is gone can take the resolver until B's timeout
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
    mend: 'Handle SIGTERM, and in a container start the program itself (CMD ["python", "app.py"]) or with init: true.',
    async run(pair) {
      const end = pair.ends[name];
      if (!end) throw new NotApplicable(`${service} was not stopped.`);
      const { code, ms } = end;
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

/** What the stand-in was asked for since the last time. */
async function requestsTo(pair: Pair): Promise<string[]> {
  return (await get(`${pair.standIn!.url}/requests`)).json;
}

/** One call that the stand-in answers as `behaviour` says; it hangs up afterwards, so that B is free again. */
async function callWith(pair: Pair, behaviour: string): Promise<Exchange> {
  const exchange = await pair.call(behaviour);
  await get(`${pair.standIn!.url}/release`);
  return exchange;
}

const standsIn = (check: Omit<Check, 'section' | 'needs'>): Check =>
  robust({
    ...check,
    needs: ['a', 'b'],
    async run(pair) {
      if (!pair.standIn) throw new NotApplicable('B did not find the stand-in in the place of A.');
      await check.run(pair);
    },
  });

const survivesB = standsIn({
  name: 'Any text survives the trip through B',
  why: 'Pasted unescaped into a URL, "&" and "#" cut the message short, and the answer is still 200.',
  mend: 'Let the client build the query (params=…, url.QueryEscape, URLSearchParams) instead of pasting strings.',
  async run(pair) {
    for (const text of TEXTS) {
      await requestsTo(pair);
      const { sent, answer, came } = await pair.call(text);
      const [target] = await requestsTo(pair);
      if (answer?.status !== 200 || !holds(answer.json, text)) {
        throw new Fault(sent, came, `200 and JSON that holds ${JSON.stringify(text)}`);
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
  mend: "Turn the client's retries off and take a failure for an answer.",
  async run(pair) {
    for (const msg of ['once', 'error500']) {
      await requestsTo(pair);
      const { sent } = await callWith(pair, msg);
      await sleep(200);
      const requests = await requestsTo(pair);
      if (requests.length !== 1) throw new Fault(sent, `${requests.length} requests to A`, 'one request to A');
    }
  },
});

/** What A does, in words, by the stand-in's name for it. */
function notPassedOn(name: string, why: string, mend: string, behaviours: Record<string, string>, waits?: string) {
  return standsIn({
    name,
    why,
    mend,
    async run(pair) {
      if (waits && pair.waits) throw new NotApplicable(pair.waits);
      for (const [behaviour, what] of Object.entries(behaviours)) {
        const { sent, answer, came } = await callWith(pair, behaviour);
        if (!answer || !FAILED.includes(answer.status) || answer.ms > pair.limits.answerMs) {
          if (!answer) pair.waits = waits;
          throw new Fault(`${sent}, and A ${what}`, came, `503 within ${pair.limits.answerMs / 1000} s`);
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
  mend: 'Answer with a sentence of your own, and leave the exception to the log.',
  async run(pair) {
    for (const { sent, answer, came } of pair.failures) {
      for (const [what, leak] of Object.entries(LEAKS)) {
        const found = leak.exec(answer!.body);
        if (found) throw new Fault(sent, came, `an answer without ${what} (${printable(found[0])})`);
      }
    }
    if (pair.failures.length === 0) throw new NotApplicable('B never answered with a failure.');
  },
});

export const withBothUp = [survivesA, takesOddInput, logsTheNumber('a'), logsTheNumber('b')];
export const whenAHangs = [namesTheTimeout, staysQuick];
export const whenAIsStopped = [namesTheConnection, stopsCleanly('a')];
export const whenAIsReplaced = [survivesB, asksOnce, ...misbehaviours, keepsItToItself];
export const whenBIsStopped = [stopsCleanly('b')];
