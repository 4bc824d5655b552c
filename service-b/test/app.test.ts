import { once } from 'node:events';
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createApp } from '../src/app.ts';
import { createLogger } from '../src/chassis/logger.ts';
import { createReplicas } from '../src/replicas.ts';
import { createServiceA, type ServiceA } from '../src/service-a-client.ts';
import { http, startStandIn, type Behaviour } from './stand-in.ts';

const DEADLINE_MS = 500;
const LATE_MS = 1000; // a busy machine may be this late; without a deadline, these answers of A never end
const JSON_TYPE = 'application/json; charset=utf-8';

const echoing: Behaviour = (socket, sent) => {
  const msg = new URL(sent.split(' ')[1]!, 'http://a').searchParams.get('msg');
  socket.write(http('200 OK', JSON.stringify({ echo: msg })));
};

describe('Service B', () => {
  let server: Server | undefined;
  let standIn: Awaited<ReturnType<typeof startStandIn>> | undefined;
  let lines: Record<string, unknown>[];

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    standIn?.close();
    server = standIn = undefined;
  });

  async function startB(serviceA: ServiceA) {
    lines = [];
    const logger = createLogger(
      'service-b',
      newOutput((line) => lines.push(JSON.parse(line))),
    );
    server = createServer(createApp(serviceA, logger).callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
  }

  async function startBWith(behaviour: Behaviour) {
    standIn = await startStandIn(behaviour);
    await startB(createServiceA(standIn.url, DEADLINE_MS));
    return standIn;
  }

  const port = () => (server!.address() as AddressInfo).port;

  async function ask(path: string, { method = 'GET', headers = {} as IncomingHttpHeaders } = {}) {
    const start = performance.now();
    const [response] = await once(request({ port: port(), path, method, headers, agent: false }).end(), 'response');
    const body = await text(response);
    const ms = performance.now() - start;
    return { status: response.statusCode, headers: response.headers, body, json: body && JSON.parse(body), ms };
  }

  async function logged(count = 1) {
    while (lines.length < count) await sleep(1);
    return lines;
  }

  describe('asked for its health', () => {
    it('answers for itself, without asking A', async () => {
      const { requests } = await startBWith(echoing);
      const { status, headers, json } = await ask('/health');
      expect({ status, json }).to.deep.equal({ status: 200, json: { status: 'ok' } });
      expect(headers['content-type']).to.equal(JSON_TYPE);
      expect(requests).to.be.empty;
    });
  });

  describe('when A answers', () => {
    beforeEach(() => startBWith(echoing));

    it("answers 200 with A's echo in it", async () => {
      const { status, headers, json } = await ask('/call-echo?msg=hello');
      expect({ status, json }).to.deep.equal({
        status: 200,
        json: { service_b: 'ok', service_a: { echo: 'hello' } },
      });
      expect(headers['content-type']).to.equal(JSON_TYPE);
    });

    const texts = [
      '',
      '&',
      '#',
      '+',
      '%',
      '%26',
      'a=b',
      '"\'\\',
      '\r\n\t',
      '\0',
      '👋',
      'é\u0301',
      '\uFEFF',
      ' ',
      '?/;',
    ];
    for (const msg of [...texts, texts.join(''), 'x'.repeat(4096), '\x01'.repeat(4096), '€'.repeat(1365)]) {
      it(`returns ${JSON.stringify(msg).slice(0, 24)} unchanged`, async () => {
        const { json } = await ask(`/call-echo?msg=${encodeURIComponent(msg)}`);
        expect(json.service_a.echo).to.equal(msg);
      });
    }

    it('uses the first msg, and takes a missing one as empty', async () => {
      expect((await ask('/call-echo?msg=1&msg=2')).json.service_a.echo).to.equal('1');
      expect((await ask('/call-echo')).json.service_a.echo).to.equal('');
      expect((await ask('/call-echo?msg')).json.service_a.echo).to.equal('');
      expect((await ask('/call-echo??msg=1')).json.service_a.echo).to.equal('');
    });

    it('decodes as the URL standard does', async () => {
      expect((await ask('/call-echo?msg=a+%zz%FF%')).json.service_a.echo).to.equal('a %zz\uFFFD%');
    });

    it('answers 414 to more than 4,096 bytes, without asking A', async () => {
      const { status, json } = await ask(`/call-echo?msg=${'x'.repeat(4097)}`);
      expect(status).to.equal(414);
      expect(json).to.deep.equal({ error: 'msg is 4097 bytes of UTF-8; at most 4096 are taken.' });
      expect(standIn!.requests).to.be.empty;
    });

    it('asks A once for each call, with the request id that the caller gave', async () => {
      const { headers } = await ask('/call-echo?msg=hello', { headers: { 'x-request-id': 'follow-me' } });
      expect(headers['x-request-id']).to.equal('follow-me');
      expect(standIn!.requests).to.have.length(1);
      expect(standIn!.requests[0]).to.match(/^GET \/echo\?msg=hello HTTP/);
      expect(standIn!.requests[0]).to.match(/x-request-id: follow-me/i);
      expect((await logged())[0]).to.include({ request_id: 'follow-me' });
    });

    it('sends A the request id that it made, when the caller gave none or a bad one', async () => {
      const { headers } = await ask('/call-echo', { headers: { 'x-request-id': 'not this one' } });
      expect(headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
      expect(standIn!.requests[0]).to.contain(headers['x-request-id']);
    });

    it('logs how long the call to A took, and no failure', async () => {
      await ask('/call-echo?msg=secret');
      const [line] = await logged();
      expect(line).to.have.all.keys(
        ...['level', 'time', 'service', 'request_id', 'method', 'endpoint', 'status', 'latency_ms'],
        'upstream_latency_ms',
      );
      expect(line).to.include({ level: 'info', service: 'service-b', endpoint: '/call-echo', status: 200 });
      expect(line!.upstream_latency_ms)
        .to.be.a('number')
        .within(0, line!.latency_ms as number);
    });

    it('uses one connection to A for calls that follow each other', async () => {
      for (let call = 0; call < 5; call++) await ask('/call-echo');
      expect(standIn!.sockets.size).to.equal(1);
    });

    it('closes an idle connection to A after a second, before A would', async () => {
      await ask('/call-echo');
      await sleep(900);
      expect(standIn!.sockets.size).to.equal(1);
      await sleep(400);
      expect(standIn!.sockets.size).to.equal(0);
    });

    it('answers HEAD like GET, without the body', async () => {
      const get = await ask('/call-echo?msg=hello');
      const head = await ask('/call-echo?msg=hello', { method: 'HEAD' });
      expect(head).to.include({ status: 200, body: '' });
      expect(head.headers['content-length']).to.equal(get.headers['content-length']);
    });

    it('answers 404 to an unknown path and 405 to a wrong method, without asking A', async () => {
      expect(await ask('/echo?msg=x')).to.deep.include({ status: 404, json: { error: '/echo does not exist here.' } });
      const wrong = await ask('/call-echo', { method: 'POST' });
      expect(wrong).to.deep.include({ status: 405, json: { error: '/call-echo takes GET only.' } });
      expect(wrong.headers.allow).to.equal('GET, HEAD');
      expect(standIn!.requests).to.be.empty;
    });
  });

  describe('when A is slow, but within the deadline', () => {
    it('answers 200, on a connection that is not taken for idle', async () => {
      standIn = await startStandIn((...args) => setTimeout(() => echoing(...args), 1300));
      await startB(createServiceA(standIn.url, 2000));
      expect((await ask('/call-echo?msg=slow')).json).to.deep.include({ service_a: { echo: 'slow' } });
    });
  });

  describe('when A does not answer', () => {
    const echo = JSON.stringify({ echo: 'x' });
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

    const drip: Behaviour = (socket) => {
      const answer = http('200 OK', echo.padEnd(2000));
      let sent = 0;
      const timer = setInterval(() => socket.write(answer[sent++]!), 5);
      socket.once('close', () => clearInterval(timer));
    };
    const endless = (socket: Socket, status = '200 OK') => {
      const flood = () => {
        while (!socket.destroyed && socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`));
      };
      socket.write(chunked.replace('200 OK', status));
      socket.on('drain', flood);
      flood();
    };

    const failures: Record<string, [behaviour: Behaviour, reason: string, code?: string]> = {
      'never answers': [() => {}, 'timeout', 'ETIMEDOUT'],
      'answers a byte at a time': [drip, 'timeout', 'ETIMEDOUT'],
      'stops in the middle of its headers': [(s) => s.write('HTTP/1.1 200 OK\r\nContent-'), 'timeout', 'ETIMEDOUT'],
      'stops after its headers': [
        (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'),
        'timeout',
        'ETIMEDOUT',
      ],
      'stops in the middle of its body': [(s) => s.write(`${chunked}5\r\n{"ech\r\n`), 'timeout', 'ETIMEDOUT'],
      'closes without an answer': [(s) => s.end(), 'reset', 'ECONNRESET'],
      'resets the connection without an answer': [(s) => s.resetAndDestroy(), 'reset', 'ECONNRESET'],
      'closes in the middle of its headers': [(s) => s.end('HTTP/1.1 200 OK\r\nContent-'), 'reset', 'ECONNRESET'],
      'closes in the middle of its body': [
        (s) => s.end(http('200 OK', echo).slice(0, -3)),
        'reset',
        'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
      ],
      'closes before the last chunk': [(s) => s.end(`${chunked}5\r\n{"ech\r\n`), 'reset', 'ECONNRESET'],
      'resets in the middle of its body': [
        (s) => s.write(`${chunked}5\r\n{"ech\r\n`, () => setTimeout(() => s.resetAndDestroy(), 20)),
        'reset',
        'ECONNRESET',
      ],
      'resets right behind its headers': [(s) => s.write(chunked, () => s.resetAndDestroy()), 'reset', 'ECONNRESET'],
      'answers 500': [(s) => s.write(http('500 Oops', echo)), 'bad_status', 'HTTP_500'],
      'answers 404': [(s) => s.write(http('404 No', '{"error":"no"}')), 'bad_status', 'HTTP_404'],
      'answers 201': [(s) => s.write(http('201 Created', echo)), 'bad_status', 'HTTP_201'],
      'answers 204': [(s) => s.write('HTTP/1.1 204 No Content\r\n\r\n'), 'bad_status', 'HTTP_204'],
      redirects: [(s) => s.write(http('302 Found', '', 'Location: /echo?msg=x\r\n')), 'bad_status', 'HTTP_302'],
      'answers 304': [(s) => s.write('HTTP/1.1 304 Not Modified\r\n\r\n'), 'bad_status', 'HTTP_304'],
      'answers 500 and never ends': [(s) => s.write('HTTP/1.1 500 Oops\r\n\r\n'), 'bad_status', 'HTTP_500'],
      'answers 500 and never stops': [(s) => endless(s, '500 Oops'), 'bad_status', 'HTTP_500'],
      'answers 500 and 64 KiB and a byte': [
        (s) => s.write(http('500 Oops', echo.padEnd(65537))),
        'bad_status',
        'HTTP_500',
      ],
      'answers 500 and resets in the middle of its body': [
        (s) => s.write(http('500 Oops', echo).slice(0, -3), () => s.resetAndDestroy()),
        'bad_status',
        'HTTP_500',
      ],
      'answers what is not JSON': [(s) => s.write(http('200 OK', 'hello')), 'bad_body'],
      'switches protocols': [
        (s) => s.write('HTTP/1.1 101 Hi\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
        'bad_status',
        'HTTP_101',
      ],
      'answers what is not UTF-8': [
        (s) => s.write(http('200 OK', '{"echo":"?"}').replace('?', '\xff'), 'latin1'),
        'bad_body',
      ],
      'answers nothing': [(s) => s.write(http('200 OK', '')), 'bad_body'],
      'answers null': [(s) => s.write(http('200 OK', 'null')), 'bad_body'],
      'answers an array': [(s) => s.write(http('200 OK', '["echo"]')), 'bad_body'],
      'answers an echo that is no string': [(s) => s.write(http('200 OK', '{"echo":1}')), 'bad_body'],
      'answers with the echo of another call': [(s) => s.write(http('200 OK', '{"echo":"y"}')), 'bad_body'],
      'answers another shape': [(s) => s.write(http('200 OK', '{"message":"x"}')), 'bad_body'],
      'answers two documents': [(s) => s.write(http('200 OK', echo + echo)), 'bad_body'],
      'answers 64 KiB and a byte': [(s) => s.write(http('200 OK', echo.padEnd(65537))), 'bad_body'],
      'never stops answering': [(s) => endless(s), 'bad_body'],
      'answers compressed, unasked': [
        (s) => s.write(http('200 OK', '\x1f\x8b', 'Content-Encoding: gzip\r\n')),
        'bad_body',
      ],
      'does not speak HTTP': [(s) => s.write('220 smtp ready\r\n'), 'bad_body', 'HPE_INVALID_CONSTANT'],
      'breaks off HTTP in the middle of its body': [
        (s) => s.write(`${chunked}zz\r\n`),
        'bad_body',
        'HPE_INVALID_CHUNK_SIZE',
      ],
      'sends more headers than Node takes': [
        (s) => s.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20000)}\r\n\r\n`),
        'bad_body',
        'HPE_HEADER_OVERFLOW',
      ],
    };

    for (const [what, [behaviour, reason, code]] of Object.entries(failures)) {
      it(`answers 503 and ${reason} when A ${what}`, async () => {
        const { requests, sockets } = await startBWith(behaviour);
        const { status, headers, json, ms } = await ask('/call-echo?msg=x', { headers: { 'x-request-id': 'lost' } });
        expect(status).to.equal(503);
        expect(headers['content-type']).to.equal(JSON_TYPE);
        expect(json).to.have.all.keys('service_b', 'service_a', 'error', 'reason');
        expect(json).to.include({ service_b: 'ok', service_a: 'unavailable', reason });
        expectSafe(json.error);
        if (reason === 'timeout') expect(ms).to.be.within(DEADLINE_MS - 5, DEADLINE_MS + LATE_MS);

        const [line] = await logged();
        expect(line).to.include({ level: 'error', request_id: 'lost', endpoint: '/call-echo', status: 503, reason });
        expect(line).to.include({ error: json.error });
        expect(line!.code).to.equal(code);
        expect(line).to.include({ upstream: new URL(standIn!.url).host });
        expect(line!.latency_ms).to.be.below(DEADLINE_MS + LATE_MS);
        expect(line!.upstream_latency_ms)
          .to.be.a('number')
          .within(0, line!.latency_ms as number);
        expect(lines).to.have.length(1);

        await sleep(20);
        expect(requests, 'requests that A saw').to.have.length(1);
        expect(sockets.size, 'connections that B left open').to.be.at.most(reason.startsWith('bad_') ? 1 : 0);
      });
    }

    it('answers 503 and dns at the deadline when the lookup of its name has not ended', async () => {
      const find = () => new Promise<never>(() => {});
      await startB(createServiceA('http://service-a:8080', DEADLINE_MS, createReplicas(find)));
      const { json, ms } = await ask('/call-echo?msg=x');
      expect(json).to.include({ service_a: 'unavailable', reason: 'dns' });
      expect(ms).to.be.within(DEADLINE_MS - 5, DEADLINE_MS + LATE_MS);
      expect((await logged())[0])
        .to.include({ code: 'ETIMEDOUT' })
        .and.not.to.have.property('upstream_address');
    });

    const unreached: Record<string, [url: string, reason: string, code: string]> = {
      'has no address': ['http://service-a.invalid:8080', 'dns', 'ENOTFOUND'],
      'does not listen': ['http://127.0.0.1:1', 'refused', 'ECONNREFUSED'],
      'does not listen on any of its addresses': ['http://localhost:1', 'refused', 'ECONNREFUSED'],
      'cannot be routed to': ['http://255.255.255.255:8080', 'unreachable', 'ENETUNREACH'],
    };
    for (const [what, [url, reason, code]] of Object.entries(unreached)) {
      it(`answers 503 and ${reason} when A ${what}`, async () => {
        await startB(createServiceA(url, DEADLINE_MS));
        const { status, json, ms } = await ask('/call-echo?msg=x');
        expect(status).to.equal(503);
        expect(json).to.include({ service_b: 'ok', service_a: 'unavailable', reason });
        expectSafe(json.error);
        expect(ms).to.be.below(DEADLINE_MS + LATE_MS);
        const [line] = await logged();
        expect(line).to.include({ level: 'error', status: 503, reason, code, upstream: new URL(url).host });
      });
    }

    it('logs which host and address it asked, on a new connection and on a kept one, and tells no caller', async () => {
      standIn = await startStandIn((socket) => socket.write(http('500 Oops', '{}')));
      const { port } = new URL(standIn.url);
      await startB(createServiceA(`http://localhost:${port}`, DEADLINE_MS));
      for (let call = 0; call < 2; call++)
        expect((await ask('/call-echo')).body).not.to.match(/127\.0|localhost|\d{4}/);
      for (const line of await logged(2)) {
        expect(line).to.include({ upstream: `localhost:${port}`, upstream_address: '127.0.0.1' });
      }
    });

    const addresses: Record<string, string[]> = {
      'of the address that refused, when A has several': ['127.0.0.1', '255.255.255.255'],
      'of the same address in the other order, too': ['255.255.255.255', '127.0.0.1'],
    };
    for (const [which, found] of Object.entries(addresses)) {
      it(`gives the reason, the code and the address ${which}`, async () => {
        const find = async () => found.map((address) => ({ address, family: 4 }));
        await startB(createServiceA('http://service-a:1', DEADLINE_MS, createReplicas(find)));
        expect((await ask('/call-echo')).json.reason).to.equal('refused');
        expect((await logged())[0]).to.include({ code: 'ECONNREFUSED', upstream_address: '127.0.0.1' });
      });
    }

    it('uses one connection to A for answers with another status than 200 that follow each other', async () => {
      const { requests, sockets } = await startBWith((socket) => socket.write(http('500 Oops', '{"error":"no"}')));
      const used = new Set<unknown>();
      for (let call = 0; call < 20; call++) {
        expect((await ask('/call-echo')).json.reason).to.equal('bad_status');
        for (const socket of sockets) used.add(socket);
      }
      expect(requests).to.have.length(20);
      expect(used.size).to.equal(1);
    });

    it('stays healthy, and answers 200 again once A answers', async () => {
      let isBroken = true;
      await startBWith((socket, sent) => (isBroken ? socket.destroy() : echoing(socket, sent)));
      expect((await ask('/call-echo')).status).to.equal(503);
      expect((await ask('/health')).status).to.equal(200);
      isBroken = false;
      expect((await ask('/call-echo')).status).to.equal(200);
    });

    it('holds the deadline for each of many calls at once', async () => {
      let isHanging = false;
      const { requests } = await startBWith((...sent) => isHanging || echoing(...sent));
      const askMany = () => Promise.all(Array.from({ length: 100 }, () => ask('/call-echo')));
      const slowest = (answers: { ms: number }[]) => Math.max(...answers.map(({ ms }) => ms));
      const unhindered = slowest(await askMany()); // the time that this machine takes for 100 calls, however busy it is
      isHanging = true;
      const answers = await askMany();
      for (const { json } of answers) expect(json.reason).to.equal('timeout');
      expect(slowest(answers)).to.be.below(DEADLINE_MS + 100 + 2 * unhindered);
      expect(requests).to.have.length(200);
    });
  });

  describe('when 256 of its calls to A are in flight', () => {
    it('answers 503 and overloaded to more, at once and without asking A', async () => {
      const { url, requests, close } = (standIn = await startStandIn(() => {}));
      await startB(createServiceA(url, 20 * DEADLINE_MS));
      const waiting = Array.from({ length: 256 }, () => ask('/call-echo'));
      while (requests.length < 256) await sleep(1);
      const { status, json, ms } = await ask('/call-echo?msg=x', { headers: { 'x-request-id': 'shed' } });
      expect(status).to.equal(503);
      expect(json).to.include({ service_b: 'overloaded', service_a: 'not asked', reason: 'overloaded' });
      expect(json.error).to.match(/^Service B did not ask service A: [^.]+\.$/);
      expect(ms).to.be.below(DEADLINE_MS);
      expect((await ask('/health')).status).to.equal(200);
      close();
      for (const { json } of await Promise.all(waiting)) expect(json.reason).to.equal('reset');
      expect(requests).to.have.length(256);
      expect(lines.find((line) => line.request_id === 'shed')).to.include({ level: 'error', reason: 'overloaded' });
    });

    it('asks A again as soon as one of them has ended', async () => {
      let isBroken = true;
      await startBWith((socket, sent) => (isBroken ? socket.destroy() : echoing(socket, sent)));
      for (let round = 0; round < 6; round++) await Promise.all(Array.from({ length: 100 }, () => ask('/call-echo')));
      isBroken = false;
      expect((await ask('/call-echo')).status).to.equal(200);
    });
  });

  describe('when B itself has a bug', () => {
    it('answers 500, logs the stack, and says nothing of it or of A', async () => {
      await startB({
        echo() {
          throw new TypeError('Cannot read properties of http://service-a:8080');
        },
      });
      const { status, headers, body, json } = await ask('/call-echo?msg=x');
      expect(status).to.equal(500);
      expect(headers['content-type']).to.equal(JSON_TYPE);
      expect(json).to.have.all.keys('error');
      expect(body).not.to.match(/TypeError|service-a|unavailable/);
      const [line] = await logged();
      expect(line).to.include({ level: 'error', status: 500, endpoint: '/call-echo' });
      expect(line!.stack).to.match(/^TypeError: Cannot read properties/);
    });

    it('does not take an error of its own in the client for a failure of A', async () => {
      await startB(createServiceA('http://127.0.0.1:1', DEADLINE_MS));
      const broken = createServiceA('http://127.0.0.1:1', DEADLINE_MS);
      const call = { requestId: 'an id\nwith a newline', signal: new AbortController().signal };
      const thrown = await broken.echo('x', call).catch((error: Error) => error);
      expect(thrown).to.be.an('error').with.property('code', 'ERR_INVALID_CHAR');
    });
  });

  describe('when its caller leaves before the answer', () => {
    /** Makes `count` calls, each on its own connection, and closes the connections once A has the calls. */
    async function leave({ requests }: { requests: string[] }, count: number) {
      const sockets = Array.from({ length: count }, () => connect(port(), '127.0.0.1'));
      for (const socket of sockets) socket.write('GET /call-echo?msg=x HTTP/1.1\r\nHost: x\r\n\r\n');
      while (requests.length < count) await sleep(1);
      for (const socket of sockets) socket.destroy();
    }

    it('logs one line, marked as aborted', async () => {
      await leave(await startBWith(() => {}), 1);
      const [line] = await logged();
      expect(line).to.include({ endpoint: '/call-echo', status: 499, level: 'info', aborted: true, reason: 'aborted' });
      expect(line!.latency_ms).to.be.below(DEADLINE_MS);
      await sleep(50);
      expect(lines).to.have.length(1);
    });

    it('ends the call to A', async () => {
      const serviceA = await startBWith(() => {});
      await leave(serviceA, 1);
      await logged();
      await sleep(20);
      expect(serviceA.sockets.size).to.equal(0);
    });

    it('has room for others, even when 256 have left', async () => {
      let isHanging = true;
      standIn = await startStandIn((...sent) => isHanging || echoing(...sent));
      await startB(createServiceA(standIn.url, 20 * DEADLINE_MS));
      await leave(standIn, 256);
      isHanging = false;
      await logged(256);
      expect((await ask('/call-echo?msg=x')).status).to.equal(200);
    });
  });
});

/** A sentence for people, without what only the inside knows: exception texts, stacks, addresses. */
function expectSafe(error: string) {
  expect(error).to.match(/^(The answer of s|S)ervice A [^.:]+(: [^.]+)?\.$/);
  expect(error).not.to.match(/http:|127\.0|:\d|\bE[A-Z]{4,}|Error|socket|\bat /);
}

/** Gives each line of a log to `take` as soon as it is written. */
function newOutput(take: (line: string) => void) {
  return new Writable({
    write(chunk, _encoding, done) {
      take(String(chunk));
      done();
    },
  });
}
