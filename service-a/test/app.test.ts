import { once } from 'node:events';
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { createApp } from '../src/app.ts';
import { createLogger } from '../src/chassis/logger.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

describe('Service A', () => {
  let server: Server;
  let lines: Record<string, unknown>[];

  beforeEach(async () => {
    lines = [];
    const logger = createLogger(
      'service-a',
      newOutput((line) => lines.push(JSON.parse(line))),
    );
    server = createServer(createApp(logger).callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const port = () => (server.address() as AddressInfo).port;

  async function ask(path: string, { method = 'GET', headers = {} as IncomingHttpHeaders } = {}) {
    const call = request({ port: port(), path, method, headers }).end();
    const [response] = await once(call, 'response');
    const body = await text(response);
    return { status: response.statusCode, headers: response.headers, body, json: body && JSON.parse(body) };
  }

  async function logged(count = 1) {
    while (lines.length < count) await new Promise((resolve) => setImmediate(resolve));
    return lines;
  }

  describe('asked for its health', () => {
    it('answers 200 and ok', async () => {
      const { status, headers, json } = await ask('/health');
      expect(status).to.equal(200);
      expect(headers['content-type']).to.equal(JSON_TYPE);
      expect(json).to.deep.equal({ status: 'ok' });
    });
  });

  describe('asked to echo', () => {
    const decoded: Record<string, [query: string, echo: string]> = {
      'a word': ['?msg=hello', 'hello'],
      'nothing, when msg is absent': ['', ''],
      'nothing, when only other parameters are given': ['?message=hello', ''],
      'nothing, when msg is empty': ['?msg=', ''],
      'nothing, when msg has no value': ['?msg', ''],
      'nothing, when a second question mark is part of the key': ['??msg=hello', ''],
      'the first, when msg is given twice': ['?msg=first&msg=second', 'first'],
      'the first, even when it is empty': ['?msg=&msg=second', ''],
      'msg after a thousand other keys': [`?${'k=v&'.repeat(1500)}msg=last`, 'last'],
      'an ampersand, a hash, a plus, a percent sign': ['?msg=%26%23%2B%25', '&#+%'],
      'quotes, a backslash and angle brackets': ['?msg=%22%27%5C%3Cb%3E', '"\'\\<b>'],
      'a plus as a space': ['?msg=a+b', 'a b'],
      'an equals sign in the value': ['?msg=a=b', 'a=b'],
      'an escaped key': ['?%6Dsg=hello', 'hello'],
      'newlines and NUL': ['?msg=%0D%0A%00', '\r\n\0'],
      'emoji and accents': ['?msg=%F0%9F%91%8B%20h%C3%A9', '👋 hé'],
      'a stray percent sign unchanged': ['?msg=100%', '100%'],
      'half an escape unchanged': ['?msg=%zz%4', '%zz%4'],
      'U+FFFD for bytes that are not UTF-8': ['?msg=%FF%C3', '\uFFFD\uFFFD'],
      'what comes before a fragment': ['?msg=before#after', 'before'],
      'other parameters left out': ['?x=1&msg=hello&y=2', 'hello'],
    };
    for (const [rule, [query, echo]] of Object.entries(decoded)) {
      it(`gives back ${rule}`, async () => {
        const { status, headers, json } = await ask(`/echo${query}`);
        expect({ status, json }).to.deep.equal({ status: 200, json: { echo } });
        expect(headers['content-type']).to.equal(JSON_TYPE);
      });
    }

    it('takes 4,096 bytes of UTF-8, in any encoding', async () => {
      const msg = '€'.repeat(1365) + 'x';
      expect((await ask(`/echo?msg=${encodeURIComponent(msg)}`)).json).to.deep.equal({ echo: msg });
    });

    it('answers 414 to one byte more, and says so', async () => {
      const { status, json } = await ask(`/echo?msg=${'x'.repeat(4097)}`);
      expect(status).to.equal(414);
      expect(json).to.deep.equal({ error: 'msg is 4097 bytes of UTF-8; at most 4096 are taken.' });
    });

    it('counts bytes, not characters', async () => {
      expect((await ask(`/echo?msg=${encodeURIComponent('é'.repeat(2049))}`)).status).to.equal(414);
    });
  });

  describe('asked for what it does not have', () => {
    for (const path of ['/', '/nope', '/health/', '/Echo', '//echo', '/echo/x', '/../echo', '/call-echo', '/%']) {
      it(`answers 404 to ${path}`, async () => {
        const { status, headers, json } = await ask(path);
        expect({ status, json }).to.deep.equal({ status: 404, json: { error: `${path} does not exist here.` } });
        expect(headers['content-type']).to.equal(JSON_TYPE);
      });
    }

    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'TRACE']) {
      it(`answers 405 to ${method}, and names what is allowed`, async () => {
        const { status, headers, json } = await ask('/echo?msg=hello', { method });
        expect({ status, json }).to.deep.equal({ status: 405, json: { error: '/echo takes GET only.' } });
        expect(headers.allow).to.equal('GET, HEAD');
      });
    }

    it('answers HEAD like GET, without the body', async () => {
      for (const path of ['/health', '/echo?msg=h%C3%A9', '/nope', `/echo?msg=${'x'.repeat(5000)}`]) {
        const get = await ask(path);
        const head = await ask(path, { method: 'HEAD' });
        expect(head.body).to.equal('');
        expect(head.status).to.equal(get.status);
        for (const name of ['content-type', 'content-length', 'allow']) {
          expect(head.headers[name], `${name} of ${path}`).to.equal(get.headers[name]);
        }
      }
    });
  });

  describe('sent odd requests over a raw socket', () => {
    const answers: Record<string, [request: string, answer: RegExp]> = {
      'the absolute form of a target': [
        'GET http://x/echo?msg=hi HTTP/1.1\r\nHost: x\r\n\r\n',
        /200 OK.*{"echo":"hi"}$/s,
      ],
      'an absolute form whose host is malformed': ['GET http://[x/echo?msg=hi HTTP/1.1\r\nHost: x\r\n\r\n', /200 OK/],
      'an absolute form without a path': [
        'GET http://x?msg=hi HTTP/1.1\r\nHost: x\r\n\r\n',
        /404 .*"\/ does not exist/s,
      ],
      'a path like a malformed host, with a fragment': [
        'GET //u@[x/health#f HTTP/1.1\r\nHost: x\r\n\r\n',
        /404 .*"\/\/u@\[x\/health does not exist/s,
      ],
      'no host': ['GET /health HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
      'bytes that are not HTTP': ['\x16\x03\x01\r\n\r\n', /^HTTP\/1.1 400 /],
      'a raw byte beyond ASCII': ['GET /echo?msg=\xe9 HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1.1 400 /],
      'headers of more than 16 KiB': [
        `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17000)}\r\n\r\n`,
        /^HTTP\/1.1 431 /,
      ],
      'HTTP/1.0': ['GET /health HTTP/1.0\r\n\r\n', /200 OK.*{"status":"ok"}$/s],
      'a body with GET': [
        'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi',
        /200 OK.*{"status":"ok"}$/s,
      ],
    };
    for (const [what, [sent, answer]] of Object.entries(answers)) {
      it(`answers ${what}`, async () => {
        const socket = connect(port(), '127.0.0.1').setEncoding('latin1');
        socket.write(sent, 'latin1');
        let received = '';
        for await (const chunk of socket) {
          received += chunk;
          if (answer.test(received)) break;
        }
        expect(received).to.match(answer);
      });
    }
  });

  describe('given a request id', () => {
    for (const id of ['a', 'Trace-1.2_3', 'x'.repeat(128)]) {
      it(`keeps ${id.slice(0, 12)}, in the answer and in the log`, async () => {
        const { headers } = await ask('/health', { headers: { 'x-request-id': id } });
        expect(headers['x-request-id']).to.equal(id);
        expect((await logged())[0]).to.include({ request_id: id });
      });
    }

    for (const id of ['', 'x'.repeat(129), 'with space', 'h\xe9', 'a,b', '{"level":"fatal"}']) {
      it(`replaces ${JSON.stringify(id.slice(0, 20))}`, async () => {
        const { headers } = await ask('/health', { headers: { 'x-request-id': id } });
        expect(headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
        expect((await logged())[0]).to.include({ request_id: headers['x-request-id'] });
      });
    }

    it('makes a new one for each request without an id', async () => {
      const first = await ask('/health');
      const second = await ask('/nope');
      expect(first.headers['x-request-id']).to.not.equal(second.headers['x-request-id']);
    });
  });

  describe('its log', () => {
    it('has one line for a request, with every field of the contract', async () => {
      await ask('/echo?msg=secret', { headers: { 'x-request-id': 'one' } });
      const [line] = await logged();
      expect(line).to.have.all.keys(
        ...['level', 'time', 'service', 'request_id', 'method', 'endpoint', 'status', 'latency_ms'],
      );
      expect(line).to.include({ level: 'info', service: 'service-a', request_id: 'one' });
      expect(line).to.include({ method: 'GET', endpoint: '/echo', status: 200 });
      expect(line!.time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(line!.latency_ms).to.be.a('number').within(0, 1000);
      expect(String(line!.latency_ms)).to.match(/^\d+(\.\d{1,2})?$/);
    });

    it('has a line for every answer, probes and refusals too', async () => {
      await ask('/health');
      await ask('/nope?msg=x');
      await ask('/echo', { method: 'POST' });
      await ask(`/echo?msg=${'x'.repeat(5000)}`);
      const seen = (await logged(4)).map(({ method, endpoint, status }) => `${method} ${endpoint} ${status}`);
      expect(seen).to.deep.equal(['GET /health 200', 'GET /nope 404', 'POST /echo 405', 'GET /echo 414']);
    });

    it('cuts a long path, visibly, as the answer does', async () => {
      const path = `/${'x'.repeat(12_000)}`;
      const { status, json } = await ask(path);
      const cut = `${path.slice(0, 200)}…`;
      expect({ status, json }).to.deep.equal({ status: 404, json: { error: `${cut} does not exist here.` } });
      expect((await logged())[0]).to.include({ endpoint: cut });
    });

    it('cannot be forged by what a caller sends', async () => {
      const forged = '%0A{"level":"fatal","service":"service-a","endpoint":"/forged"}';
      await ask(`/${forged}?msg=${forged}`, { headers: { 'x-request-id': 'a"}\t{"x":"' } });
      await ask('/health');
      expect(await logged(2)).to.have.length(2);
      expect(lines[0]).to.include({ level: 'info', status: 404, endpoint: `/${forged}` });
    });
  });
});

/** Gives each line of a log to `take` as soon as it is written. */
function newOutput(take: (line: string) => void) {
  return new Writable({
    write(chunk, _encoding, done) {
      take(String(chunk));
      done();
    },
  });
}
