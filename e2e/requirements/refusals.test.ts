import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { isHealthy } from '../stack/health.ts';
import { processesOf } from './service-process.ts';

const head = 'GET /health HTTP/1.1\r\nHost: x\r\n';
const encode = 'The URL is not valid; encode it, as `curl -G --data-urlencode "msg=…"` does.';
const tooLong = 'The head of the request is longer than 16 KiB.';
const invalid = (reason: string) => `The request is not valid HTTP: ${reason}.`;
type Refused = [sent: string, status: number, error: string, logged: object];
const REFUSED: Record<string, Refused> = {
  "a student's name as it is": [
    'GET /echo?msg=J\xc3\xbcrgen HTTP/1.1\r\nHost: x\r\n\r\n',
    400,
    encode,
    { method: 'GET', endpoint: '/echo' },
  ],
  'a path with a control character, right behind another request': [
    `${head}\r\nGET /odd\x01 HTTP/1.1\r\n\r\n`,
    400,
    encode,
    { method: 'GET', endpoint: '/odd' },
  ],
  'what is not HTTP': ['\x16\x03\x01', 400, invalid('Invalid method encountered'), { endpoint: '-' }],
  'a header with a space in its name': [`${head}X : x\r\n\r\n`, 400, invalid('Invalid header token'), {}],
  'a request without a Host header': [
    'GET /health HTTP/1.1\r\n\r\n',
    400,
    'HTTP/1.1 needs a Host header.',
    { method: 'GET', endpoint: '/health' },
  ],
  CONNECT: [
    'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n',
    405,
    'CONNECT is not taken here.',
    { method: 'CONNECT', endpoint: 'x:443' },
  ],
  'half of a head': [`${head}X`, 408, 'The request did not arrive in time.', { endpoint: '-' }],
  'long chunk extensions': [
    `${head}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(17_000)}\r\n`,
    413,
    'The chunk extensions of the body are longer than 16 KiB.',
    {},
  ],
  'an expectation that is not known': [
    `${head}Expect: x\r\n\r\n`,
    417,
    'The only expectation that is met here is 100-continue.',
    { method: 'GET', endpoint: '/health' },
  ],
  'a head of more than 16 KiB': [`${head}X: ${'x'.repeat(17_000)}\r\n\r\n`, 431, tooLong, {}],
  'a head of 3 MB, which is read to its end before the answer': [
    `${head}X: ${'x'.repeat(3_000_000)}\r\n\r\n`,
    431,
    tooLong,
    {},
  ],
};

/** Sends a request and checks its answer; resolves to the request id in it. */
async function expectRefusal(port: number, [what, [sent, status, error]]: [string, Refused]) {
  const socket = connect(port).on('error', () => {});
  socket.write(sent, 'latin1');
  let received = '';
  for await (const chunk of socket) {
    received += chunk;
    if (received.endsWith('"}')) break;
  }
  const answer = received.slice(received.lastIndexOf(`HTTP/1.1 ${status} `));
  expect(answer, what).to.match(new RegExp(`^HTTP/1.1 ${status} [A-Z]`));
  const [headers, body] = answer.split('\r\n\r\n');
  expect(JSON.parse(body!), what).to.deep.equal({ error });
  expect(headers, what).to.match(/^Content-Type: application\/json; charset=utf-8\r?$/m);
  expect(headers, what).to.match(new RegExp(`^Content-Length: ${Buffer.byteLength(body!)}\r?$`, 'm'));
  if (status === 405) expect(headers, what).to.match(/^Allow: GET, HEAD\r?$/m);
  return /^x-request-id: ([0-9a-f-]{36})\r?$/m.exec(headers!)![1]!;
}

describe('Sent what Node does not pass on to an application', () => {
  const processes = ['service-a', 'service-b'].map((name) => ({ name, ...processesOf(name) }));
  type Launched = { name: string } & Awaited<ReturnType<(typeof processes)[0]['launchHealthy']>>;
  let services: Launched[];
  before(async () => {
    services = await Promise.all(
      processes.map(async ({ name, launchHealthy }) => ({ name, ...(await launchHealthy()) })),
    );
  });
  const onBoth = (test: (service: Launched) => Promise<void>) => () => Promise.all(services.map(test));

  it(
    'each service goes on after callers who leave instead of reading the answer',
    onBoth(async ({ port }) => {
      for (let count = 0; count < 50; count++) {
        const socket = connect(port).on('error', () => {});
        socket.write('GET /\xe9 HTTP/1.1\r\n\r\n', 'latin1', () => socket.resetAndDestroy());
      }
      await sleep(50);
      expect(await isHealthy(`http://127.0.0.1:${port}`)).to.equal(true);
    }),
  );

  it(
    "each service answers with the contract's error and an id, and logs one line with them",
    onBoth(async ({ name, child, ended, port }) => {
      const cases = Object.entries(REFUSED);
      const ids = await Promise.all(cases.map((refused) => expectRefusal(port, refused)));
      child.kill('SIGTERM');
      const { lines, code } = await ended();
      expect(code).to.equal(0);
      for (const [index, [what, [, status, , logged]]] of cases.entries()) {
        const [line, ...others] = lines.filter(({ request_id }) => request_id === ids[index]);
        expect(others, what).to.be.empty;
        expect(line, what).to.include.all.keys('time', 'method', 'endpoint', 'latency_ms');
        expect(line, what).to.include({ level: 'info', service: name, status, ...logged });
      }
    }),
  );
});
