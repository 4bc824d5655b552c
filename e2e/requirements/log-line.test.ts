import { expect } from 'chai';
import {
  apart,
  failureWords,
  latencyPlaces,
  namesEndpoint,
  tellsFailure,
  tellsLatency,
  tellsStatus,
  tellsStatusCode,
  type Logged,
} from './log-line.ts';
import { ownWords, tellsService } from './service-name.ts';

/** Real lines about a `/health` that was answered with 200, by what they tell: service, endpoint, status, latency. */
const LINES: Record<string, string> = {
  // what the lab asks for, in the ways that people write it
  'service=A endpoint=/health status=200 latency_ms=0': 'service endpoint status latency',
  'INFO:root:service=A endpoint=/health status=ok latency_ms=3': 'service endpoint word latency',
  '2026/01/10 12:00:00 service=A endpoint=/health status=200 latency_ms=0': 'service endpoint status latency',
  '[A] GET /health 200 1.23ms': 'service endpoint status latency',
  '2026-01-10 12:00:00,123 [service-a] GET /health -> 200 (0.002s)': 'service endpoint status latency',
  '2026-01-10 12:00:00,123 - service_a - INFO - GET /health 200 - 1.2 ms': 'service endpoint status latency',
  'service-a | endpoint=health | status: 200 | took 3 ms': 'service endpoint status latency',
  'A /health 200 0.0012': 'service endpoint status latency',
  '02:33:42 A /health 200 0.000033s': 'service endpoint status latency',
  'Service A: GET /health? status 200 latency 65 us': 'service endpoint status latency',
  'service=A endpoint=/health status=200 latency=0.13ms': 'service endpoint status latency',
  'service=A endpoint=/health latency=200ms': 'service endpoint latency',
  'service=A endpoint=/health duration=200 port=8080 bytes=200': 'service endpoint latency',
  'service=A endpoint=/health status=200 port=8080': 'service endpoint status',
  'service=A endpoint=/health status=200 msg=5': 'service endpoint status',
  "{'service': 'A', 'endpoint': '/health', 'status': 200, 'latency_ms': 0.05}": 'service endpoint status latency',
  '{"ts":"2026-01-10T12:00:00Z","start":1700000000.5,"service":"a","path":"/health","status":200}':
    'service endpoint status',
  '{"timestamp":1731234567,"service":"service-a","endpoint":"/health","status":200}': 'service endpoint status',
  '{"time":1731234567890,"service":"service-a","endpoint":"/health","status":200,"latency_ms":1.2}':
    'service endpoint status latency',
  '{"service": "a", "path": "/health", "status_code": 200, "duration": "1.234µs"}': 'service endpoint status latency',
  'service=A endpoint=/health status=200 took=0:00:00.000123': 'service endpoint status latency',
  'service=A endpoint=/health status=200 took=0:00:00': 'service endpoint status latency',
  'service=A GET /health returned in 5ms from port 200': 'service endpoint latency',
  // Flask and Werkzeug, plain and coloured (the colours are taken off before), http.server
  '127.0.0.1 - - [10/Jan/2026 12:00:00] "GET /health HTTP/1.1" 200 -': 'endpoint status',
  'INFO:werkzeug:127.0.0.1 - - [10/Jan/2026 12:00:00] "GET /health HTTP/1.1" 200 -': 'endpoint status',
  '127.0.0.1 - - [10/Jan/2026 12:00:00] "GET /health HTTP/1.1" 200 - 0.000312': 'endpoint status latency',
  // Flask's app.logger, and names in front of a colon
  '[2026-01-10 12:00:00,123] INFO in service_a: service-a GET /health -> 200 (0.20 ms)':
    'service endpoint status latency',
  '[2026-01-10 12:00:00,123] INFO in service_a: 200 GET /health 0.20 ms': 'service endpoint status latency',
  '[2026-01-10 12:00:00,123] INFO in app: GET /health 200 1.3ms': 'endpoint status latency',
  '[2026-01-10 12:00:00,123] INFO in app: /health 200 1.3ms': 'endpoint status latency',
  '2026-01-10 12:00:00,123 INFO service-a: GET /health 200 1.3ms': 'service endpoint status latency',
  '2026-01-10 12:00:00,123 - INFO - service-a: GET /health 200 1.3ms': 'service endpoint status latency',
  '[INFO] 2026-01-10 12:00:00 GET /health service-a: 200 in 1.3 ms': 'service endpoint status latency',
  'service: A, endpoint: /health, status: 200, latency: 1.3 ms': 'service endpoint status latency',
  '12:00:00 service: A endpoint: /health status: 200 latency: 1.3 ms': 'service endpoint status latency',
  'Service: A | Endpoint: /health | Status: 200 | Latency: 0.0012s': 'service endpoint status latency',
  'Service A: GET /health -> 200 in 1.2ms': 'service endpoint status latency',
  'service:service-a endpoint:/health status:200 latency:1.2ms': 'service endpoint status latency',
  'service=A endpoint=/health status=200 t=0.3ms': 'service endpoint status latency',
  'service=A endpoint=/health status=200 lat=0.3': 'service endpoint status latency',
  'service=A endpoint=/health status=200 t=1731234567.1': 'service endpoint status',
  // gunicorn, as it is and with %(L)s
  '172.18.0.1 - - [10/Jan/2026:12:00:00 +0000] "GET /health HTTP/1.1" 200 15 "-" "curl/8.5.0"': 'endpoint status',
  '172.18.0.1 - - [10/Jan/2026:12:00:00 +0000] "GET /health HTTP/1.1" 200 15 0.001234': 'endpoint status latency',
  '[2026-01-10 12:00:00 +0000] [7] [INFO] GET /health 200 in 1.2ms': 'endpoint status latency',
  // uvicorn
  'INFO:     127.0.0.1:51234 - "GET /health HTTP/1.1" 200 OK': 'endpoint status',
  'INFO:service_a:/health 200 0.41ms': 'service endpoint status latency',
  // Go: log, slog as text and as JSON
  '2026/01/10 12:00:00 GET /health 200 71.292µs': 'endpoint status latency',
  'service-a: 2026/01/10 12:00:00 main.go:31: GET /health 200 13.2µs': 'service endpoint status latency',
  'time=2026-01-10T12:00:00.000+01:00 level=INFO msg=request service=a endpoint=/health status=200 duration=71µs':
    'service endpoint status latency',
  'time=2026-01-10T12:00:00.000Z level=INFO msg="GET /health" status=200': 'endpoint status',
  '{"time":"2026-01-10T12:00:00.000000001Z","level":"INFO","msg":"request","service":"a","path":"/health","status":200,"duration":71292}':
    'service endpoint status latency',
  // winston, as JSON and with printf
  '{"endpoint":"/health","latency":"2ms","level":"info","message":"request","service":"service-a","status":200}':
    'service endpoint status latency',
  'info: GET /health 200 {"service":"service-a","latencyMs":0.8}': 'service endpoint status latency',
  '2026-01-10T12:00:00.000Z [service-a] info: GET /health 200 3ms': 'service endpoint status latency',
  // morgan: dev, tiny, combined
  'GET /health 200 1.234 ms - 15': 'endpoint status latency',
  'GET /health 200 15 - 1.234 ms': 'endpoint status latency',
  '::1 - - [10/Jan/2026:12:00:00 +0000] "GET /health HTTP/1.1" 200 15 "-" "curl/8.5.0"': 'endpoint status',
  // pino and pino-http
  '{"level":30,"time":1731234567890,"pid":200,"hostname":"x","name":"service-a","path":"/health","status":200,"responseTime":2}':
    'service endpoint status latency',
  '{"level":30,"time":1731234567890,"pid":7,"hostname":"h","req":{"id":200,"method":"GET","url":"/health","headers":{"host":"localhost:8080"},"remotePort":54200},"res":{"statusCode":200,"headers":{}},"responseTime":1,"msg":"request completed"}':
    'endpoint status latency',
  // Spring Boot
  '2026-01-10T12:00:00.000Z  INFO 1 --- [service-a] [nio-8080-exec-1] c.e.a.AccessLog : GET /health 200 3 ms':
    'service endpoint status latency',
  '2026-01-10T12:00:00.000Z  INFO 200 --- [nio-8080-exec-1] c.e.a.Log : service=a uri=/health status=200 time=12':
    'service endpoint status latency',
  '2026-01-10 12:00:00.000  INFO 1 --- [nio-8080-exec-1] c.e.Log : service=a path=/health status=200 took=PT0.0012S':
    'service endpoint status latency',
  // .NET: console, the host's own line, JSON
  '      service=A endpoint=/health status=200 latency_ms=1': 'service endpoint status latency',
  '      Request finished HTTP/1.1 GET http://localhost:8080/health - 200 - application/json 12.3456ms':
    'endpoint status latency',
  '{"EventId":0,"LogLevel":"Information","Category":"ServiceA.Program","Message":"GET /health 200","State":{"Service":"service-a","StatusCode":200,"ElapsedMilliseconds":1.5}}':
    'service endpoint status latency',
  'service=A endpoint=/health status=200 elapsed=00:00:00.0012345': 'service endpoint status latency',
};

/** A success and a failure as one and the same program writes them, and whether the failure's line tells of an error. */
const FAILURES: [what: string, success: string, failure: string, tells: boolean][] = [
  [
    'a status alone',
    'service=B endpoint=/call-echo status=200 latency_ms=3',
    'service=B endpoint=/call-echo status=503 latency_ms=3',
    false,
  ],
  ['a status with its phrase', 'GET /call-echo 200 OK 3ms', 'GET /call-echo 503 Service Unavailable 3ms', false],
  [
    'a server’s own line',
    'INFO: 1.2.3.4:5 - "GET /call-echo HTTP/1.1" 200 OK',
    'INFO: 1.2.3.4:5 - "GET /call-echo HTTP/1.1" 503 Service Unavailable',
    false,
  ],
  ['errors=0', 'b /call-echo 200 errors=0', 'b /call-echo 503 errors=0', false],
  ['errors=1', 'b /call-echo 200 errors=0', 'b /call-echo 503 errors=1', true],
  [
    'fields that say no',
    '{"status":200,"error":null,"aborted":false}',
    '{"status":503,"error":null,"aborted":false}',
    false,
  ],
  ['an error field', '{"status":200,"error":null}', '{"status":503,"error":"connect ECONNREFUSED"}', true],
  ['a level', 'level=INFO status=200', 'level=ERROR status=503', true],
  ['pino’s level', '{"level":30,"status":200}', '{"level":50,"status":503}', true],
  ['an exception', 'b 200', 'requests.exceptions.ConnectionError: Max retries exceeded', true],
  ['a word of its own', 'b 200', 'service A is unavailable', true],
  ['a warning that is always there', 'WARNING: development server', 'WARNING: development server', false],
  ['a word for the status', 'b /call-echo status=ok', 'b /call-echo status=error', true],
];

const call = (causedMs: number, lines: string[], more: Partial<Logged> = {}): Logged => {
  return { msg: 'bcdfg', status: 200, ms: causedMs + 8, causedMs, lines, ...more };
};
const timed = (format: (ms: number) => string) =>
  [4, 152, 351].map((ms) => call(ms < 100 ? 0 : ms - 5, [format(ms + 0.4)]));
const time = () => new Date(1_790_000_000_000 + Math.random() * 1e9).toISOString();

describe('The latency in a log line', () => {
  const TOLD: Record<string, (ms: number) => string> = {
    'a key in ms': (ms) => `service=B endpoint=/call-echo status=200 latency_ms=${Math.round(ms)}`,
    words: (ms) => `Service B | Endpoint: /call-echo | Status: 200 | Time taken: ${ms.toFixed(2)} ms`,
    'a unit in brackets': (ms) => `service=B endpoint=/call-echo status=200 latency(ms)=${ms.toFixed(2)}`,
    'a full stop behind it': (ms) => `Service B answered /call-echo with status 200. Latency: ${ms.toFixed(2)}ms.`,
    'another name': (ms) => `[B] /call-echo -> 200, Completed in: ${Math.round(ms)}ms`,
    seconds: (ms) => `B handled /call-echo with status 200 in ${(ms / 1000).toFixed(4)} seconds`,
    'no name': (ms) => `${time()},B,/call-echo,200,${ms.toFixed(2)}`,
    "Go's durations": (ms) =>
      `path=/call-echo took=${ms < 1 ? `${ms * 1000}µs` : ms > 300 ? `${ms / 1000}s` : `${ms}ms`}`,
    "Python's timedelta": (ms) => `latency=0:00:${(ms / 1000).toFixed(6).padStart(9, '0')} /call-echo`,
    "Java's Duration": (ms) => `/call-echo 200 PT${ms / 1000}S`,
    microseconds: (ms) =>
      `{"svc":"b","path":"/call-echo","code":200,"elapsed_us":${Math.round(ms * 1000)},"ts":1790000000}`,
    JSON: (ms) =>
      JSON.stringify({ time: time(), path: '/call-echo', status: 200, bytes: 43, pid: 4711, latency_ms: ms }),
    'a power of ten': (ms) => `B /call-echo 200 took ${(ms / 1000).toExponential(3)}s`,
  };
  for (const [what, format] of Object.entries(TOLD)) {
    it(`is found as ${what}`, () => expect(latencyPlaces(timed(format))).to.have.length(1));
  }

  const NONE: Record<string, (ms: number) => string> = {
    nothing: () => 'service=B endpoint=/call-echo status=200 port=8081',
    'a constant': () => 'service=B endpoint=/call-echo status=200 latency=0.155 next=160ms',
    'a time of day': () => `B ${time()} /call-echo 200`,
    "Flask's own line": () => `127.0.0.1 - - [${new Date().toUTCString()}] "GET /call-echo?msg=bcd HTTP/1.1" 200 -`,
  };
  for (const [what, format] of Object.entries(NONE)) {
    it(`is not found in ${what}`, () => expect(latencyPlaces(timed(format))).to.deep.equal([]));
  }
});

describe('A failure in the log', () => {
  const good = [call(0, ['INFO service=B endpoint=/call-echo status=200 latency=3 msg=bcdfg'])];
  const failed = (...lines: string[]) => ['fghjk', 'qrstv', 'xzbcd'].map((msg) => call(0, lines, { msg, status: 503 }));
  const TOLD = [
    'No response from Service A',
    'Service A is offline',
    'Problem calling Service A',
    'service=B endpoint=/call-echo status=503 reason=service_a_down latency=4',
    'ERROR service=B endpoint=/call-echo status=503 error="connection refused"',
    '{"level":50,"status":503,"err":{"message":"connect ECONNREFUSED 127.0.0.1:8080"}}',
  ];
  for (const line of TOLD) {
    it(`is told by: ${line}`, () => expect(tellsFailure(failed(line), good)).to.equal(true));
  }
  const NONE = [
    'INFO service=B endpoint=/call-echo status=503 latency=4',
    'INFO service=B endpoint=/call-echo status=503 Service Unavailable latency=4',
    'INFO service=B endpoint=/call-echo status=unavailable latency=4 msg=xzbcd',
    String.raw`INFO service=B\nendpoint=/call-echo status=503 latency=4`,
  ];
  for (const line of NONE) {
    it(`is not told by: ${line}`, () => expect(tellsFailure(failed(line), good)).to.equal(false));
  }

  it('is not told when only some of the calls tell it', () => {
    const calls = [...failed(TOLD[0]!).slice(0, 2), ...failed(NONE[0]!).slice(0, 1)];
    expect(failureWords(calls, good)).to.deep.equal([]);
  });
});

describe("A service's name in its lines", () => {
  const lines = (name: string) => [`${name} GET /health 200 1 ms`, `${name} GET /health 200 0.4 ms`];
  for (const [a, b] of [
    ['service=Service A', 'service=Service B'],
    ['Service : A |', 'Service : B |'],
    ['{"meta":{"service":"service-a"}}', '{"meta":{"service":"service-b"}}'],
    ['[ServiceA]', '[ServiceB]'],
    ['echo-svc', 'gateway'],
  ]) {
    it(`is found: ${a}`, () => expect(ownWords(lines(a!), lines(b!))).not.to.deep.equal([]));
  }
  it('is not what both have', () => expect(ownWords(lines('a and b'), lines('a and b'))).to.deep.equal([]));
});

describe('A log line', () => {
  for (const [line, expected] of Object.entries(LINES)) {
    it(`tells ${expected}: ${line}`, () => {
      const other = line.replaceAll(/service([-_ ]?)a\b/gi, 'service$1b').replaceAll(/\bA\b/gi, 'B');
      const told = {
        service: tellsService('a', [line], [other])(line),
        endpoint: namesEndpoint(line, '/health'),
        status: tellsStatusCode(line, 200),
        word: !tellsStatusCode(line, 200) && tellsStatus(line, 200),
        latency: tellsLatency(line, undefined, []),
      };
      expect(
        Object.entries(told)
          .flatMap(([what, isTold]) => (isTold ? [what] : []))
          .join(' '),
      ).to.equal(expected);
    });
  }

  for (const [what, success, failure, tells] of FAILURES) {
    it(`tells ${tells ? 'of a failure' : 'of no failure'} by ${what}`, () => {
      const [good, bad] = [call(0, [success]), call(0, [failure], { status: 503 })];
      expect(tellsFailure([bad], [good])).to.equal(tells);
    });
  }

  it('is apart again from one that a race has written into it, and no other line is divided', () => {
    const [one, other] = ['Service A: /echo took 1', 'Service A: /echo took 2'];
    expect(apart([one, `${other}${one}`, other], '/echo')).to.deep.equal([one, other, one, other]);
    const emoji = ['🚀🚀🚀 /echo took 12', '🚀🚀🚀 /echo took 13'];
    expect(apart(emoji, '/echo')).to.deep.equal(emoji);
    const twice = ['2026-11-27T01 /echo since 2026-11-27T00', '2026-11-28T02 /echo since 2026-11-27T00'];
    expect(apart(twice, '/echo')).to.deep.equal(twice);
  });

  it('names its service only by a name that is its own', () => {
    const named = (line: string, role: 'a' | 'b', other: string) => tellsService(role, [line], [other])(line);
    expect(named('service=service-a /call-echo 200 1ms', 'b', 'service=service-a /echo 200 1ms')).to.equal(false);
    expect(named('service=service-a /echo 200 1ms', 'a', 'service=service-a /call-echo 200 1ms')).to.equal(false);
    expect(named('GET /health 200 1.2ms', 'a', 'GET /health 200 1.3ms')).to.equal(false);
    expect(named('echoer GET /health 200 1.2ms', 'a', 'caller GET /health 200 1.2ms')).to.equal(true);
    expect(named('[caller] GET /health 200 1.2ms', 'b', '[echoer] GET /health 200 1.2ms')).to.equal(true);
    expect(named('A request for /health: 200 1.2ms', 'a', 'A request for /health: 200 1.3ms')).to.equal(false);
    const inApp = '[2026-01-10 12:00:00,123] INFO in app:';
    expect(named(`${inApp} /echo 200 1.3ms`, 'a', `${inApp} /call-echo 200 1.3ms`)).to.equal(false);
    expect(named('GET /call-echo from service-a 200', 'b', 'GET /echo 200')).to.equal(false);
    expect(named('GET /health 200 by servicea 1ms', 'a', 'GET /health 200 by serviceb 1ms')).to.equal(true);
  });

  it('is read in less than a second, however hard it is to read', () => {
    for (const line of [
      'k: [ '.repeat(3200),
      `k: ${'[ '.repeat(5000)}${'k: v '.repeat(1000)}`,
      '12:00:00 k: '.repeat(1300),
    ]) {
      const start = performance.now();
      latencyPlaces([call(350, [line]), call(150, [line])]);
      tellsService('a', [line], ['x'])(line);
      tellsLatency(line, undefined, []);
      tellsStatus(line, 200);
      expect(performance.now() - start).to.be.below(1000);
    }
  });

  it('names /call-echo and not /echo, and the other way round', () => {
    expect(namesEndpoint('GET /call-echo?msg=x 200', '/echo')).to.equal(false);
    expect(namesEndpoint('GET /echo?msg=x 200', '/call-echo')).to.equal(false);
    expect(namesEndpoint('endpoint=call_echo', '/call-echo')).to.equal(true);
  });
});
