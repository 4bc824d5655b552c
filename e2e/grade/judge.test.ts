import { expect } from 'chai';
import type { Exchange, Recorded } from '../requirements/record.ts';
import {
  ok,
  recordOf,
  sound,
  unavailable,
  WHY,
  type Pretended,
  type Request,
  type State,
} from './fixtures/pretended.ts';
import { judge } from './judge.ts';

const failedIn = (pretended: Partial<Pretended>) =>
  judge(recordOf({ ...sound, ...pretended })).filter(({ verdict }) => verdict !== 'pass');
const namesIn = (pretended: Partial<Pretended>) => failedIn(pretended).map(({ name }) => name);

const time = (ms: number) => new Date(1_790_000_000_000 + ms).toISOString();
const why = (state: State) => (state === 'up' ? '' : ` ${WHY[state]}`);
const S = { a: 'A', b: 'B' };

/** How sound pairs write their lines. The lines of known false alarms are among them. */
const FORMATS: Record<string, Pretended['log']> = {
  JSON: ({ service, path, status, ms, state, id }) => [
    JSON.stringify({
      level: state === 'up' ? 'info' : 'error',
      time: time(ms),
      service: `service-${service}`,
      endpoint: path,
      status,
      latency_ms: ms,
      request_id: id,
      ...(state !== 'up' && { error: WHY[state] }),
    }),
  ],
  'nested JSON': ({ service, path, status, ms, state }) => [
    JSON.stringify({
      ts: time(ms),
      app: { name: `svc-${service}` },
      http: { path, status },
      took: `${ms.toFixed(1)}ms`,
      err: WHY[state] || null,
    }),
  ],
  'key=value with the level': ({ service, path, status, ms, state }) => [
    `${time(ms)} ${state === 'up' ? 'INFO' : 'ERROR'} service=${S[service]} endpoint=${path} status=${status} duration=${(ms / 1000).toFixed(4)}s${why(state)}`,
  ],
  'a service that is called by name': ({ service, path, status, ms, state }) => [
    ...(path === '/call-echo' ? ['service=B calling service=A /echo'] : []),
    `service=${S[service]} endpoint=${path} status=${status} latency=${ms.toFixed(2)}ms${why(state)}`,
  ],
  'a service of two words, unquoted': ({ service, path, status, ms, state }) => [
    `service=Service ${S[service]} endpoint=${path} status=${status} latency=${ms.toFixed(2)}ms${why(state)}`,
  ],
  'Time taken': ({ service, path, status, ms, state }) => [
    `[Service ${S[service]}] ${path} - Status: ${status} - Time taken: ${ms.toFixed(2)} ms${why(state)}`,
  ],
  'latency(ms)=': ({ service, path, status, ms, state }) => [
    `Service : ${S[service]} | ${path} | ${status} | latency(ms)=${ms.toFixed(2)}${why(state)}`,
  ],
  'Latency (ms):': ({ service, path, status, ms, state }) => [
    `service_name: ${S[service]}, endpoint: ${path}, status: ${status}, Latency (ms): ${ms.toFixed(1)}${why(state)}`,
  ],
  'Latency with a full stop': ({ service, path, status, ms, state }) => [
    `${S[service]}: ${path} answered ${status}. Latency: ${ms.toFixed(2)}ms.${why(state)}`,
  ],
  'Duration in whole milliseconds': ({ service, path, status, ms, state }) => [
    `service-${service} ${path} ${status} Duration(ms): ${Math.round(ms)}${why(state)}`,
  ],
  'Completed in': ({ service, path, status, ms, state }) => [
    `[${S[service]}] GET ${path} ${status} Completed in: ${Math.round(ms)}ms${why(state)}`,
  ],
  "Go's durations": ({ service, path, status, ms, state }) => [
    `svc=${service} path=${path} code=${status} dur=${ms < 1 ? `${Math.round(ms * 1000)}µs` : ms < 1000 ? `${ms.toFixed(3)}ms` : `${(ms / 1000).toFixed(4)}s`}${why(state)}`,
  ],
  'a bare CSV': ({ service, path, status, ms, state }) => [
    `${time(ms)},service-${service},${path},${status},${(ms / 1000).toFixed(6)}${why(state)}`,
  ],
  'request and response on two lines with one id': ({ service, path, status, ms, state, id }) => [
    `service=${S[service]} id=${id} request ${path}`,
    `service=${S[service]} id=${id} response ${status} in ${ms.toFixed(2)} ms${why(state)}`,
  ],
  'no response, without a level': ({ service, path, status, ms, state }) => [
    `service=${S[service]} endpoint=${path} status=${status} latency=${ms.toFixed(2)}ms`,
    ...(state === 'hang' ? ['No response from Service A in time'] : state === 'gone' ? ['Service A is offline'] : []),
  ],
  'a problem, without a level': ({ service, path, status, ms, state }) => [
    ...(state === 'hang'
      ? ['Problem calling Service A: it took too long']
      : state === 'gone'
        ? ['Problem calling Service A: reason=service_a_down']
        : []),
    `service=${S[service]} endpoint=${path} status=${status} latency=${ms.toFixed(2)}ms`,
  ],
};

/** What a server or a framework writes by itself, beside the service's own line. */
const ACCESS: Record<string, Pretended['log']> = {
  "Flask's": ({ path, msg, status }) => [
    `127.0.0.1 - - [27/Nov/2026 03:04:05] "GET ${path}?msg=${msg} HTTP/1.1" ${status} -`,
  ],
  "uvicorn's": ({ path, msg, status }) => [
    `INFO:     127.0.0.1:${40_000 + msg.length} - "GET ${path}?msg=${msg} HTTP/1.1" ${status} ${status === 200 ? 'OK' : 'Service Unavailable'}`,
  ],
  "gunicorn's": ({ path, msg, status }) => [
    `127.0.0.1 - - [27/Nov/2026:03:04:05 +0000] "GET ${path}?msg=${msg} HTTP/1.1" ${status} 36 "-" "node"`,
  ],
};
for (const [whose, access] of Object.entries(ACCESS))
  FORMATS[`${whose} lines beside the service's own`] = (request) => [...access(request), ...sound.log(request)];

/** What the libraries of several languages say about a timeout and about a refused connection. */
const LIBRARIES: Record<string, Record<'hang' | 'gone', string>> = {
  "Python's requests": {
    hang: "HTTPConnectionPool(host='service-a', port=8080): Read timed out. (read timeout=1.0)",
    gone: "HTTPConnectionPool(host='service-a', port=8080): Max retries exceeded with url: /echo (Caused by NewConnectionError('Failed to establish a new connection: [Errno 111] Connection refused'))",
  },
  "Python's urllib": { hang: 'timed out', gone: '<urlopen error [Errno 111] Connection refused>' },
  "Python's httpx": { hang: 'ReadTimeout', gone: 'ConnectError: [Errno -2] Name or service not known' },
  "Go's net/http": {
    hang: 'Get "http://service-a:8080/echo": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    gone: 'Get "http://service-a:8080/echo": dial tcp 172.18.0.2:8080: connect: connection refused',
  },
  "Node's fetch": {
    hang: 'TimeoutError: The operation was aborted due to timeout',
    gone: 'TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:8080',
  },
  axios: {
    hang: 'AxiosError: timeout of 1000ms exceeded code=ECONNABORTED',
    gone: 'AxiosError: connect ECONNREFUSED 127.0.0.1:8080 code=ECONNREFUSED',
  },
  got: { hang: "Timeout awaiting 'request' for 1000ms", gone: 'getaddrinfo ENOTFOUND service-a' },
  "Java's client": { hang: 'java.net.http.HttpTimeoutException: request timed out', gone: 'java.net.ConnectException' },
  German: { hang: 'Zeitüberschreitung beim Aufruf', gone: 'Verbindung abgelehnt' },
  Spanish: { hang: 'tiempo de espera agotado', gone: 'servicio no disponible' },
};
for (const [whose, words] of Object.entries(LIBRARIES))
  FORMATS[`the errors of ${whose}`] = ({ state, ...request }) =>
    sound.log({ ...request, state: 'up' }).map((line) => (state === 'up' ? line : `${line} ${words[state]}`));

/** How log lines name the services. */
const NAMES: Record<string, (service: 'a' | 'b') => string> = {
  'one name in the other': (service) => `service=${service === 'a' ? 'echo' : 'call-echo'}-service`,
  'the service that is called': (service) =>
    `service=service-${service}${service === 'b' ? ' upstream=service-a' : ''}`,
  'the service that calls': (service) => `service=service-${service}${service === 'a' ? ' caller=service-b' : ''}`,
  numbers: (service) => `service=${service === 'a' ? 1 : 2}`,
  'host and port': (service) => `service=localhost:${service === 'a' ? 8080 : 8081}`,
  'a field in German': (service) => `dienst=${service === 'a' ? 'echo-dienst' : 'anrufer'}`,
  'the letters, with an article in the log': (service) => `Service ${S[service]} answered a request to`,
  'the end of a sentence': (service) => `handled by ${service === 'a' ? 'echoer' : 'gateway'}`,
};
for (const [how, name] of Object.entries(NAMES))
  FORMATS[`names as ${how}`] = ({ service, path, status, ms, state }) => [
    `${name(service)} path=${path} status=${status} took ${ms.toFixed(2)} ms${why(state)}`,
  ];

/** What comes before the latency is not always the same. */
const LATENCIES: Record<string, (request: Request) => string> = {
  "Gin's, padded": ({ path, status, ms }) =>
    `[GIN] | ${status} | ${`${ms.toFixed(6)}ms`.padStart(13)} | 127.0.0.1 | ${path}`,
  "Morgan's": ({ path, msg, status, ms }) => `GET ${path}?msg=${msg} ${status} ${ms.toFixed(3)} ms - 36`,
  'behind the message': ({ path, msg, status, ms }) =>
    JSON.stringify({ path, status, msg, latency_ms: Number(ms.toFixed(2)) }),
  'behind an id of letters': ({ path, status, ms, id }) =>
    `path=${path} status=${status} id=hheuggg_EO${String.fromCharCode(97 + Number(id[22]))}A latency_ms=${ms.toFixed(2)}`,
  'behind a query in a CSV': ({ path, msg, status, ms }) =>
    `,GET,${path}?msg=${msg},${status},${(ms / 1000).toFixed(6)}`,
  'at the end of a line with pictures': ({ path, status, ms }) =>
    `${'🚀'.repeat(8)} ${path} ${status} took=${ms.toFixed(2)}`,
  'beside two times': ({ path, status, ms }) =>
    `start=${time(0)} ${path} ${status} took=${ms.toFixed(2)} end=${time(ms)}`,
  'with a comma': ({ path, status, ms }) =>
    `${path} antwortet ${status}, das dauerte ${(ms / 1000).toFixed(4).replace('.', ',')} Sekunden.`,
};
for (const [how, latency] of Object.entries(LATENCIES))
  FORMATS[`a latency ${how}`] = (request) => [`svc=${S[request.service]} ${latency(request)}${why(request.state)}`];

describe('A record of a sound pair', () => {
  for (const [format, log] of Object.entries(FORMATS))
    it(`passes every check, with log lines as ${format}`, () => {
      const failed = failedIn({ log });
      expect(
        failed.map(({ name, sent, received, expected, because }) => ({ name, sent, received, expected, because })),
      ).to.deep.equal([]);
    });
});

const failure = (state: State, status = 503) => ({ status, ms: state === 'hang' ? 1003 : 5.1, body: unavailable });
const entryOf = (record: Recorded, name: string) => record.entries.find(({ check }) => check === name)!;
/** The usual line with something else in it. */
const logging =
  (change: (line: string, request: Request) => string): Pretended['log'] =>
  (request) =>
    sound.log(request).map((line) => change(line, request));

describe('A record of a pair that writes very much about each request', () => {
  it('is judged in five seconds of CPU time', () => {
    const flood = Array.from({ length: 200 }, (_, index) => `n${index}=${index * 3}.${index}`).join(' ');
    const start = process.cpuUsage();
    failedIn({ log: (request) => [...sound.log(request), ...Array(10).fill(`${flood} ${request.path}`)] });
    const { user, system } = process.cpuUsage(start); // microseconds
    expect((user + system) / 1000).to.be.below(5000);
  });
});

describe('A record of a pair with one fault fails exactly the checks about', () => {
  const PLANTED: Record<string, [pretended: Partial<Pretended>, failed: string[]]> = {
    'a B that answers 500 while A is stopped': [
      { answer: (state, msg, count) => (state === 'gone' ? failure(state, 500) : sound.answer(state, msg, count)) },
      ['B answers 503 while A is stopped'],
    ],
    'a B that answers 504 to a timeout': [
      { answer: (state, msg, count) => (state === 'hang' ? failure(state, 504) : sound.answer(state, msg, count)) },
      ['B answers 503 while A hangs'],
    ],
    'a B whose second failure is a 200 with an apology': [
      {
        answer: (state, msg, count) =>
          state === 'gone' && count === 3 ? { status: 200, ms: 5, body: unavailable } : sound.answer(state, msg, count),
      },
      ['B answers 503 while A is stopped'],
    ],
    'a B that has an old answer for a message that it knows': [
      {
        answer: (state, msg, count) =>
          state === 'gone' && count === 2 ? { status: 200, ms: 1, body: ok(msg) } : sound.answer(state, msg, count),
      },
      ['B answers 503 while A is stopped'],
    ],
    'a B that waits for 9 s': [
      {
        answer: (state, msg, count) => ({ ...sound.answer(state, msg, count), ...(state === 'hang' && { ms: 9000 }) }),
      },
      ['B answers 503 while A hangs'],
    ],
    'a B that logs 200 for its 503': [
      { log: logging((line, { state }) => (state === 'gone' ? line.replace('=503', '=200') : line)) },
      ["B's log lines tell service, endpoint, status and latency"],
    ],
    'a constant latency': [
      { log: logging((line) => line.replace(/latency_ms=[\d.]+/, 'latency=0.155')) },
      ["The latency in B's log lines is the time that the request took"],
    ],
    'a line with each latency that might be wanted': [
      {
        log: (request) =>
          [1, 100, 200, 300].flatMap((ms) =>
            sound.log(request).map((line) => line.replace(/latency_ms=[\d.]+/, `latency_ms=${ms}`)),
          ),
      },
      ["The latency in B's log lines is the time that the request took"],
    ],
    'both statuses in each line': [
      { log: logging((line) => line.replace(/status=\d+/, 'status=200,503')) },
      ["B's log lines tell service, endpoint, status and latency"],
    ],
    'no latency at all': [
      { log: logging((line) => line.replace(/latency_ms=[\d.]+ /, '')) },
      [
        "A's log lines tell service, endpoint, status and latency",
        "B's log lines tell service, endpoint, status and latency",
        "The latency in B's log lines is the time that the request took",
      ],
    ],
    'a constant field with a unit': [
      { log: logging((line) => line.replace(/latency_ms=[\d.]+/, 'latency=160ms')) },
      ["The latency in B's log lines is the time that the request took"],
    ],
    'both names in both logs': [
      { log: logging((line) => line.replace(/service=service-./, 'services=service-a,service-b')) },
      [
        "A's log lines tell service, endpoint, status and latency",
        "B's log lines tell service, endpoint, status and latency",
      ],
    ],
    "a B that calls itself by A's name": [
      { log: logging((line) => line.replace('service-b', 'service-a')) },
      [
        "A's log lines tell service, endpoint, status and latency",
        "B's log lines tell service, endpoint, status and latency",
      ],
    ],
    'a latency of 0': [
      { log: logging((line) => line.replace(/latency_ms=[\d.]+/, 'latency_ms=0')) },
      ["The latency in B's log lines is the time that the request took"],
    ],
    'a B without a word of its failures': [
      { log: logging((line) => line.replace(/ error=.*/, '')) },
      [
        'B logs an error while A is stopped',
        'The log calls a timeout a timeout',
        'The log calls a failed connection a failed connection',
      ],
    ],
    'a B that calls every failure a timeout': [
      { log: logging((line) => line.replace(/ error=.*/, ' error="the call to A timed out"')) },
      ['The log calls a failed connection a failed connection'],
    ],
    'an A that does not log its /health': [
      { log: (request) => (request.service === 'a' && request.path === '/health' ? [] : sound.log(request)) },
      ['A logs a line for each request to /health'],
    ],
    "Flask's own lines": [
      {
        log: ({ service, path, status, ms, state, id, msg }) =>
          service === 'a'
            ? [`127.0.0.1 - - [26/Nov/2026 10:00:0${msg.length % 10}] "GET ${path}?msg=${msg} HTTP/1.1" ${status} -`]
            : sound.log({ service, path, status, ms, state, id, msg }),
      },
      ["A's log lines tell service, endpoint, status and latency"],
    ],
    'an A that answers hello to everything': [
      {
        answer: (state, msg, count) => ({
          ...sound.answer(state, msg, count),
          ...(state === 'up' && { body: ok('hello') }),
        }),
        change: (record) => {
          const { answer } = entryOf(record, 'A answers /echo with the message').seen as Exchange;
          answer!.body = '{"echo":"hello"}';
          for (const name of [
            'B answers 200 again once A goes on',
            'B answers 200 again once A is started, without a restart of B',
          ])
            (entryOf(record, name).seen as { isInTime: boolean }).isInTime = false; // B never passed on a message
          const asks = entryOf(record, 'B asks A for each answer, and passes on what A says');
          const { echoed } = asks.seen as { echoed: Exchange & { msg: string } };
          echoed.answer!.body = ok(echoed.msg); // the stand-in echoes
        },
      },
      [
        'A answers /echo with the message',
        "B answers /call-echo with A's answer in it",
        'B answers 200 again once A goes on',
        'B answers 200 again once A is started, without a restart of B',
      ],
    ],
    'an A that is started again by something else': [
      {
        change: (record) => {
          const entry = entryOf(record, 'A no longer answers once it is stopped');
          const { atOnce } = entry.seen as { atOnce: Exchange };
          entry.seen = { atOnce, later: record.traces['a/health']![0] };
        },
      },
      ['A no longer answers once it is stopped'],
    ],
    'a B that was restarted': [
      {
        change: (record) => {
          const entry = entryOf(record, 'B answers 200 again once A is started, without a restart of B');
          entry.seen = { ...(entry.seen as object), isSameLife: false };
        },
      },
      ['B answers 200 again once A is started, without a restart of B'],
    ],
    'a B that retries': [
      {
        change: (record) => {
          entryOf(record, 'B asks A once for each call').seen = {
            calls: [{ sent: 'GET', what: 'hangs up', requests: 3 }],
          };
        },
      },
      ['B asks A once for each call'],
    ],
    'a B that shows a stack': [
      { change: ({ failures }) => (failures[0]!.answer!.body = '{"error":"Traceback (most recent call last)"}') },
      ['No exception text, stack or internal address is in an answer'],
    ],
    'a B that had to be killed': [
      { change: ({ ends }) => (ends.b!.code = 137) },
      ['B ends by itself when told to (SIGTERM)'],
    ],
  };

  for (const [what, [pretended, names]] of Object.entries(PLANTED))
    it(what, () => expect(namesIn(pretended)).to.have.members(names));
});
