import { expect } from 'chai';
import {
  isServersOwn,
  namesEndpoint,
  namesLatency,
  namesService,
  namesStatus,
  namesStatusCode,
  tellsOfFailure,
} from '../src/grade/log-line.ts';

describe('A log line', () => {
  const COMPLETE = [
    'service=A endpoint=/health status=200 latency_ms=0',
    'INFO:root:service=A endpoint=/health status=ok latency_ms=3',
    '2026/01/10 12:00:00 service=A endpoint=/health status=200 latency_ms=0',
    '{"time":1731234567890,"service":"service-a","endpoint":"/health","status":200,"latency_ms":1.2}',
    '{"service": "a", "path": "/health", "status_code": 200, "duration": "1.234µs"}',
    '[A] GET /health 200 1.23ms',
    '2026-01-10 12:00:00,123 [service-a] GET /health -> 200 (0.002s)',
    'service-a | endpoint=health | status: 200 | took 3 ms',
    '2026-01-10T12:00:00.000Z  INFO 1 --- [nio-8080-exec-1] c.e.a.Log : service=a uri=/health status=200 time=12',
    'A /health 200 0.0012',
  ];
  for (const line of COMPLETE) {
    it(`tells all four: ${line}`, () => {
      const told = [namesEndpoint(line, '/health'), namesStatus(line, 200), namesLatency(line)];
      expect([...told, namesService(line, [line.replace(/\bA\b/, 'B')])]).to.deep.equal([true, true, true, true]);
    });
  }

  it("tells no latency when its only numbers are a clock's, an address or the status", () => {
    for (const line of [
      '2026-01-10 12:00:00,123 service=A endpoint=/health status=200',
      '{"time":1731234567890,"service":"service-a","endpoint":"/health","status":200}',
      'time=2026-01-10T12:00:00Z 10.0.0.1:51234 GET /health 200',
      '127.0.0.1 - - [10/Jan/2026 12:00:00] "GET /health HTTP/1.1" 200 -',
    ]) {
      expect(namesLatency(line), line).to.equal(false);
    }
  });

  it('tells no status code by a latency, a port or a word', () => {
    for (const line of [
      'latency=200ms',
      'took 200 ms',
      'localhost:2000',
      'latency_ms=1.200',
      'status=ok',
      '10.200.0.1',
    ]) {
      expect(namesStatusCode(line, 200), line).to.equal(false);
    }
  });

  it('tells its service only by what the lines of the other do not have', () => {
    const line = 'GET /health 200 1.2ms';
    expect(namesService(line, [line])).to.equal(false);
    expect(namesService(`echoer ${line}`, [`caller ${line}`])).to.equal(true);
  });

  it('names /call-echo and not /echo, and the other way round', () => {
    expect(namesEndpoint('GET /call-echo?msg=x 200', '/echo')).to.equal(false);
    expect(namesEndpoint('GET /echo?msg=x 200', '/call-echo')).to.equal(false);
    expect(namesEndpoint('endpoint=call_echo', '/call-echo')).to.equal(true);
  });

  it("tells of a failure in the service's own words, not in the server's", () => {
    const servers = '127.0.0.1 - - [10/Jan/2026 12:00:00] "GET /call-echo?msg=x HTTP/1.1" 503 -';
    expect(isServersOwn(servers)).to.equal(true);
    expect(tellsOfFailure(servers)).to.equal(false);
    expect(tellsOfFailure('service=B endpoint=/call-echo status=503 latency_ms=3')).to.equal(true);
    expect(tellsOfFailure('ERROR service A is unavailable')).to.equal(true);
    expect(tellsOfFailure('service=B endpoint=/call-echo status=200 latency_ms=503')).to.equal(false);
  });
});
