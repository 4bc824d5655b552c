/** What a pair that works in the lab may still get wrong, by the state of the world in which each is checked. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { robust, type Check } from './check.ts';
import { expectText } from './expect.ts';
import { linesFor, shown, traceFailures, wordsInAll, wordsOfFailure } from './logging.ts';
import { blamesConnection, blamesTimeout, tellsStatus, tellsStatusCode } from './log-line.ts';
import { word, type Pair } from './pair.ts';
import { Fault, tellsOfFailure, tracesOf, Unjudged, waitsOf, type Exchange, type Name, type Trace } from './record.ts';
import { printable } from '../stack/foreign-text.ts';

export const TEXTS = [
  ...['a b', 'a+b', 'a&b=c', 'a#b', '100%', '%26', 'a/b?c', 'a;b', '"quoted"', "it's", 'a\\b', '<b>', '{"echo":1}'],
  ...['line\nline', 'tab\ttab', 'zażółć', 'e\u0301', '日本語', '👋🏽', '&msg=other', '../health', 'x'.repeat(1000)],
];

/** Statuses with which B may say that A failed. The lab wants 503; 502 and 504 say the same of a wrong or late answer. */
export const FAILED = [502, 503, 504];

export const survivesA = robust<(Exchange & { text: string })[]>({
  name: 'A echoes any text as it was',
  needs: ['a'],
  isHttp: true,
  why: 'A message is data: no text in it may change the rest of the answer or break it.',
  fix: "Take msg from the framework's decoded query, and make the answer with its JSON library.",
  async act(pair) {
    const seen = [];
    for (const text of TEXTS) seen.push({ ...(await pair.ask('a', `/echo?msg=${encodeURIComponent(text)}`)), text });
    return seen;
  },
  judge(_record, calls) {
    for (const call of calls) expectText(call, call.text);
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

interface OddInput {
  calls: Exchange[];
  health: Exchange;
  lines: string[];
}

const FORGED = 'status=200 latency_ms=1 forged=yes';

const CRASHED =
  'The request ended the whole process: catch the errors of reading it, for example of parsing its URL, and answer 400.';

export const takesOddInput = robust<Record<Name, OddInput>>({
  name: 'Odd and hostile input is answered, and breaks nothing',
  needs: ['a', 'b'],
  isHttp: true,
  why: 'Anyone can send anything: a request that is not understood must not become a crash, a 500 or a forged log line.',
  fix: 'Give a missing msg a default or answer 400, catch what parsing throws, and escape line ends in the log.',
  act: async (pair) => ({ a: await sendOddInput(pair, 'a', '/echo'), b: await sendOddInput(pair, 'b', '/call-echo') }),
  judge(record, seen) {
    for (const name of ['a', 'b'] as const) {
      const { calls, health, lines } = seen[name];
      for (const { sent, answer, received } of calls)
        if (!answer || answer.status === 500)
          throw new Fault(printable(sent), received, 'an answer other than 500', health.answer ? undefined : CRASHED);
      const before = tracesOf(record, `${name}/health`)[0]?.answer?.status ?? 200;
      if (health.answer?.status !== before)
        throw new Fault(`${health.sent}, after odd input`, health.received, `${before}`);
      const forgery = lines.find((line) => line.trimStart().startsWith(FORGED));
      if (forgery) throw new Fault(`a msg with a line end`, `a log line of its own: "${forgery}"`, 'one line, escaped');
    }
  },
});

async function sendOddInput(pair: Pair, name: Name, path: string): Promise<OddInput> {
  const position = await pair.stack[name].mark();
  const targets = [...ODD_TARGETS.map((query) => path + query), '/no/such/path', '//', '/%2e%2e/etc/passwd'];
  const calls = [];
  for (const target of targets) calls.push(await pair.ask(name, target));
  calls.push(await pair.ask(name, path, undefined, 'DELETE'));
  await pair.ask(name, `${path}?msg=${encodeURIComponent(`x\r\n${FORGED}`)}`);
  await speak(pair.stack[name].url, 'NONSENSE\r\n\r\n');
  await speak(pair.stack[name].url, `GET ${path} HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);
  const health = await pair.ask(name, '/health');
  return { calls, health, lines: await pair.newLines(name, position, () => true) };
}

/** Sends bytes that need not be HTTP, and waits up to 0.5 s for an answer or the end. */
async function speak(url: string, text: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''));
  socket.on('error', () => {}).write(text);
  await Promise.race([once(socket, 'data').catch(() => {}), once(socket, 'close').catch(() => {}), sleep(500)]);
  socket.destroy();
}

export function logsTheNumber(name: Name): Check {
  const service = name.toUpperCase();
  return robust({
    name: `${service}'s log lines tell the HTTP status code`,
    needs: [name],
    isHttp: name === 'a',
    why: 'A word such as "ok" cannot tell a 503 from a 500 or a 404; the number can, and every monitoring tool counts it.',
    fix: "Log the response's status code as a number, read from the response itself.",
    judge(record) {
      const path = name === 'a' ? '/echo' : '/call-echo';
      const { sent, answer, lines } = tracesOf(record, name + path)[0]!;
      const own = linesFor(lines, path);
      if (!answer || !own.some((line) => tellsStatus(line, answer.status))) {
        throw new Unjudged('No line tells any status.');
      }
      if (!own.some((line) => tellsStatusCode(line, answer.status))) {
        throw new Fault(sent, shown(own), `a log line with ${answer.status} in it`);
      }
    },
  });
}

const CALLS = 20;

export const staysQuick = robust<{ calls: Exchange[]; health: Exchange } | undefined>({
  name: `${CALLS} calls at once while A hangs are all answered, and /health stays quick`,
  needs: ['a', 'b'],
  why: 'If calls wait for each other, every caller waits for all others, and so do health checks.',
  fix: 'Serve requests in parallel: threads (ThreadingHTTPServer, gunicorn --threads), goroutines or async calls.',
  async act(pair) {
    if (waitsOf(pair.record)) return;
    const calls = Array.from({ length: CALLS }, () => pair.call(word()));
    await sleep(100);
    const health = await pair.ask('b', '/health');
    return { calls: await Promise.all(calls), health };
  },
  judge(record, seen) {
    if (!seen) throw new Unjudged(waitsOf(record)!);
    const { calls, health } = seen;
    const { answerMs, healthMs } = record.limits;
    if (health.answer?.status !== 200 || health.answer.ms > healthMs) {
      throw new Fault(`${health.sent}, while ${CALLS} calls wait`, health.received, `200 within ${healthMs / 1000} s`);
    }
    const lost = calls.find(({ answer }) => !answer || !FAILED.includes(answer.status) || answer.ms > answerMs);
    if (lost) throw new Fault(`${lost.sent}, ${CALLS} times at once`, lost.received, `503 within ${answerMs / 1000} s`);
  },
});

export const namesTheTimeout = robust({
  name: 'The log calls a timeout a timeout',
  needs: ['a', 'b'],
  why: 'A hanging service and a missing one are fixed differently, and often only the log can tell which of them it was.',
  fix: "Catch the client's timeout and its connection errors separately, and log which of them it was.",
  judge(record) {
    const last = tracesOf(record, 'hang').at(-1)!;
    if (!last.answer) throw new Unjudged('B did not answer while A hung.');
    if (wordsOfFailure(record, 'hang', ['slow', 'gone']).some(blamesTimeout)) return;
    const told = wordsOfFailure(record, 'hang', ['slow']);
    if (told.some((words) => blamesTimeout(words) && !blamesConnection(words))) return;
    const [own, other] = [wordsInAll(record, 'hang', 'gone'), wordsInAll(record, 'gone', 'hang')];
    // This works in any language: each failure has a word of its own.
    if (own.length > 0 && other.length > 0 && !blamesConnection(own) && !blamesTimeout(other)) return;
    throw new Fault(
      `${last.sent}, while A is frozen`,
      shown(last.lines),
      'a log line that names a timeout, and no other failure',
    );
  },
});

/** The resolver may need until B's timeout for a name that is gone, and any call can be late on a busy machine. */
const isSlow = ({ answer }: Trace) => answer !== undefined && answer.ms > 500;

export const namesTheConnection = robust({
  name: 'The log calls a failed connection a failed connection',
  needs: ['a', 'b'],
  why: namesTheTimeout.why,
  fix: namesTheTimeout.fix,
  async act(pair) {
    if (tracesOf(pair.record, 'gone').every(isSlow)) await traceFailures(pair, 'gone');
  },
  judge(record) {
    const traces = tracesOf(record, 'gone');
    if (traces.some(({ answer }) => !answer)) throw new Unjudged('B did not answer while A was stopped.');
    if (!tellsOfFailure(record)) throw new Unjudged('B logged nothing about it.');
    if (traces.every(isSlow)) return;
    const told = wordsOfFailure(record, 'gone', ['slow']);
    if (wordsOfFailure(record, 'gone', ['slow', 'hang']).some((words) => words.length > 0)) return;
    // If both have the same words, the words of one are wrong; if neither has a name, the other check says so.
    if (told.some((words) => blamesConnection(words) && !blamesTimeout(words))) return;
    if (!told.some(blamesTimeout)) throw new Unjudged('The log has one name for all failures.');
    const { sent, lines } = traces.at(-1)!;
    throw new Fault(
      `${sent}, while A is stopped`,
      shown(lines),
      'a log line that tells this failure from a timeout, by the error of the connection',
    );
  },
});

export function stopsCleanly(name: Name): Check {
  const service = name.toUpperCase();
  return robust({
    name: `${service} ends by itself when told to (SIGTERM)`,
    needs: [name],
    why: 'A process that does not end is killed after 10 s, with the requests that it is answering: each deployment is slow and loses requests.',
    fix: 'Handle SIGTERM, and in a container start the program itself (CMD ["python", "app.py"]) or with init: true.',
    judge({ ends }) {
      const end = ends[name];
      if (!end) throw new Unjudged(`${service} was not stopped.`);
      const { code, ms, survivor } = end;
      if (survivor)
        throw new Fault(`SIGTERM to service ${service}`, `a part of it ${survivor}`, 'the end of all its processes');
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
