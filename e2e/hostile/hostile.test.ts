import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { answersIn, conversationOf, plans, type Conversation, type Expected, type RawAnswer } from './fuzz.ts';
import { callSteadily } from '../experiment/calls.ts';
import { isHealthy } from '../stack/health.ts';
import { get } from '../stack/http.ts';
import { startProcesses } from '../pairs/commands.ts';
import { hasProc, resourcesOf } from '../stack/process/resources.ts';
import type { Service, Stack } from '../stack/service.ts';
import { until } from '../stack/until.ts';

const { FUZZ_SEED, FUZZ_CONVERSATIONS, FUZZ_PATH } = process.env;
const SEED = Number(FUZZ_SEED || 20261123); // another finds other bytes
const CONVERSATIONS = Number(FUZZ_CONVERSATIONS || 600); // with each service
const AT_ONCE = 8;

const A_TIMEOUT_MS = 1500; // B's deadline; long enough for what two loaded cores do at once
const HEAP_MB = 96; // a service that holds on to more ends
const KEPT_MIB = 150; // of memory, by V8 and malloc, against the next load

const OF_EVERY_LINE = ['level', 'time', 'service', 'request_id', 'method', 'endpoint', 'status', 'latency_ms'];

interface SlowCaller {
  /** How many of them there are, at once. */
  count?: number;
  act(socket: Socket, echo: string): void;
  /** All that it gets until it is cut off. */
  answer: RegExp;
  /** When it is cut off, in milliseconds. */
  between: [number, number];
}

const LATE = /^HTTP\/1.1 408 /;
const OK_THEN_LATE = /^HTTP\/1.1 200 .*{"status":"ok"}HTTP\/1.1 408 /s;
const OK = /^HTTP\/1.1 200 .*{"status":"ok"}$/s;

const slowCallers: Record<string, SlowCaller> = {
  'who never speak': { count: 300, act() {}, answer: LATE, between: [5000, 6000] },
  'who send half a head': {
    act: (socket) => socket.write('GET /health HTTP/1.1\r\nHo'),
    answer: LATE,
    between: [5000, 6000],
  },
  'who send their head a byte at a time': {
    act: (socket) => sendSlowly(socket, 'GET /health HTTP/1.1\r\nX: '),
    answer: LATE,
    between: [5000, 6000],
  },
  'who send their body a byte at a time': {
    act: (socket) => sendSlowly(socket, 'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n'),
    answer: OK_THEN_LATE,
    between: [10_000, 11_000],
  },
  'who fall silent after an answer': {
    act: (socket) => socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
    answer: OK,
    between: [5000, 6000],
  },
  'who send an empty line every 4 s after an answer': {
    act(socket) {
      socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      const timer = setInterval(() => socket.write('\r\n'), 4000);
      socket.once('close', () => clearInterval(timer));
    },
    answer: OK,
    between: [6000, 7000],
  },
  'who ask for more and more, and read no answer': { act: flood, answer: /^/, between: [6000, 20_000] },
};

type Step = [sent: string, thenMs: number];

const GET = 'GET /health HTTP/1.1\r\nHost: x\r\n';
const slowBody: Step[] = [
  [`${GET}Content-Length: 3\r\n\r\n`, 1800],
  ...Array.from({ length: 3 }, (): Step => ['x', 1800]),
  [`${GET}\r\n`, 0],
];
const odd: Step[] = [
  [`${GET}\r\n`, 4000],
  [`${GET}Expect: x\r\n\r\n`, 3000],
  [`${GET}\r\n`, 0],
];
/** What is sent on one connection, and all of its answers. */
const uses: Record<string, [steps: Step[], answers: RegExp]> = {
  'the end of a slow body': [slowBody, /^HTTP\/1.1 200 .*HTTP\/1.1 200 /s],
  'an expectation that is refused': [odd, /^HTTP\/1.1 200 .*HTTP\/1.1 417 .*HTTP\/1.1 200 /s],
};

describe('Under hostile callers', () => {
  let stack: Stack;
  let atFirst: Record<string, Awaited<ReturnType<typeof resources>>>;
  let cutOff: Record<string, Promise<Received[]>>;
  let used: Record<string, Promise<string[]>>;

  before(async () => {
    const NODE_OPTIONS = `--max-old-space-size=${HEAP_MB}`;
    stack = await startProcesses({ SERVICE_A_TIMEOUT_MS: String(A_TIMEOUT_MS), NODE_OPTIONS });
    if (hasProc) atFirst = { 'service-a': await resources(stack.a), 'service-b': await resources(stack.b) };
    // All of these begin now, and the last tests wait for their ends.
    cutOff = {};
    used = {};
    for (const [who, { count = 1, act }] of Object.entries(slowCallers)) {
      cutOff[`service-a ${who}`] = Promise.all(Array.from({ length: count }, () => begin(stack.a, act, '/echo')));
      cutOff[`service-b ${who}`] = Promise.all(Array.from({ length: count }, () => begin(stack.b, act, '/call-echo')));
    }
    for (const [what, use] of Object.entries(uses))
      used[what] = Promise.all([stack.a, stack.b].map((service) => useConnection(service, ...use)));
  });

  async function begin(service: Service, act: SlowCaller['act'], echo: string) {
    const socket = await open(service);
    const receiving = receive(socket);
    act(socket, echo);
    return receiving;
  }

  after(() => stack.down());

  for (const name of ['service-a', 'service-b']) {
    describe(name, () => {
      let service: Service;
      let linesBefore: number;

      before(() => {
        service = name === 'service-a' ? stack.a : stack.b;
      });

      beforeEach(async () => {
        linesBefore = (await service.logs()).length;
      });

      afterEach(async () => {
        expect(await isHealthy(service.url), 'still healthy').to.equal(true);
        await newLines(); // all of them JSON
      });

      /** What the service has written since the test began, on standard error too. Rejects if that is not JSON. */
      async function newLines(): Promise<Record<string, any>[]> {
        const read = async () => (await service.logs()).slice(linesBefore).map((line) => JSON.parse(line));
        return read().catch(() => sleep(100).then(read)); // the rest of the last line may have been on its way
      }

      describe('sent one odd request', () => {
        const id = randomUUID();
        const rest = `HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n`;
        const requests: Record<string, [sent: string, answer: RegExp, logged: object[]]> = {
          'answers 417 to an expectation that it does not know': [
            `GET /health ${rest}Expect: anything\r\n\r\n`,
            /^HTTP\/1.1 417 .*"The only expectation that is met here is 100-continue."}$/s,
            [{ endpoint: '/health', status: 417 }],
          ],
          'answers 404 to a path that looks like a malformed host': [
            `GET //u@[x/health#f ${rest}\r\n`,
            /^HTTP\/1.1 404 .*"\/\/u@\[x\/health does not exist here."}$/s,
            [{ endpoint: '//u@[x/health', status: 404 }],
          ],
          'answers 404 to an absolute form without a path': [
            `GET http://x?msg=x ${rest}\r\n`,
            /^HTTP\/1.1 404 .*"\/ does not exist here."}$/s,
            [{ endpoint: '/', status: 404 }],
          ],
          'answers a request to upgrade as any other, and closes, as Node drops what came right behind it': [
            `GET /health ${rest}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /health ${rest}\r\n`,
            /^HTTP\/1.1 200 .*\r\nConnection: close\r\n.*{"status":"ok"}$/s,
            [{ endpoint: '/health', status: 200 }],
          ],
          'answers 400 to a body that does not parse': [
            `GET /health ${rest}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
            /^HTTP\/1.1 400 /,
            [{ endpoint: '/health', status: 499, aborted: true }],
          ],
        };
        for (const [promise, [sent, answer, logged]] of Object.entries(requests)) {
          it(promise, async () => {
            const socket = await open(service);
            socket.write(sent);
            const { received } = await receive(socket, (text) => answer.test(text), 2000);
            expect(received).to.match(answer);
            const ofThis = async () => (await newLines()).filter((line) => line.request_id === id);
            await until('its line in the log', async () => (await ofThis()).length >= logged.length, 2000);
            const lines = await ofThis();
            expect(lines).to.have.length(logged.length);
            for (const [index, line] of lines.entries()) expect(line).to.include(logged[index]!);
          });
        }

        it('answers 405 to a CONNECT, and closes its connection', async () => {
          const socket = await open(service);
          socket.write(`CONNECT x:443 ${rest}Transfer-Encoding: chunked\r\n\r\nzz`);
          const { received, isLate } = await receive(socket, undefined, 2000);
          expect(received).to.match(
            /^HTTP\/1.1 405 .*\r\nAllow: GET, HEAD\r\n.*{"error":"CONNECT is not taken here."}$/s,
          );
          expect(isLate).to.equal(false);
        });

        it('survives a CONNECT that is reset', async () => {
          for (let count = 0; count < 20; count++) {
            const socket = await open(service);
            socket.write(`CONNECT x:443 ${rest}\r\n`, () => socket.resetAndDestroy());
          }
          await sleep(50);
        });
      });

      describe('fuzzed', () => {
        it(`answers each request as it must, and logs it once (FUZZ_SEED=${SEED})`, async function () {
          const limitMs = 30_000 + CONVERSATIONS * 50;
          this.timeout(limitMs + 30_000);
          let ids = 0;
          const nextId = () => `${name}.${SEED}.${++ids}`;
          const answered: [Conversation, RawAnswer[]][] = [];
          const property = fc.asyncProperty(plans(name), async (plan) => {
            const conversation = conversationOf(plan, name, nextId);
            answered.push([conversation, await hold(conversation)]);
          });
          const share = { numRuns: Math.ceil(CONVERSATIONS / AT_ONCE), interruptAfterTimeLimit: limitMs };
          const callers = FUZZ_PATH
            ? [fc.check(property, { seed: SEED, path: FUZZ_PATH, endOnFailure: true })]
            : Array.from({ length: AT_ONCE }, (_, index) => fc.check(property, { ...share, seed: SEED + index }));

          using probes = callSteadily(20, () => get(`${service.url}/health`, { 'x-request-id': randomUUID() }));
          for (const details of await Promise.all(callers)) {
            if (!details.failed) continue;
            const replay = `FUZZ_SEED=${details.seed} FUZZ_PATH=${details.counterexamplePath}`;
            throw new Error(`To replay: ${replay} npx mocha e2e/hostile/hostile.test.ts -g '${name} fuzzed'
${await fc.asyncDefaultReportMessage(details)}`);
          }
          const healths = await probes.stop();
          await sleep(A_TIMEOUT_MS); // what was asked last by callers who left is logged by then
          checkLog(await newLines(), answered);
          for (const { status } of healths) expect(status).to.equal(200);
          const [median] = healths
            .map(({ ms }) => ms)
            .sort((a, b) => a - b)
            .slice(healths.length / 2);
          expect(median, 'the median of /health, in ms').to.be.below(500);
        });

        /** Says and hears one conversation; resolves to the answers, once they are found to be right. */
        async function hold(conversation: Conversation): Promise<RawAnswer[]> {
          const { pieces, expected, kind, end } = conversation;
          const methods = expected.map(({ method }) => method);
          const socket = await open(service);
          const isAll = (text: string) => kind === 'understood' && answersIn(text, methods).length >= expected.length;
          const hearing = receive(socket, isAll, 5000);
          for (const piece of pieces) {
            socket.write(piece, 'latin1');
            if (pieces.length > 1) await sleep(1);
          }
          if (kind === 'damaged') await sleep(20); // it may never be answered
          if (kind === 'damaged' || end === 'closes') socket.destroy();
          if (end === 'resets') socket.resetAndDestroy();
          const { received, isLate } = await hearing;
          try {
            expect(isLate, 'no answer for 5 s').to.equal(false);
            if (kind === 'damaged') {
              expect(received).to.match(/^(HTTP\/1\.1 \d{3} [A-Z]|$)/);
              return [];
            }
            const answers = answersIn(received, methods);
            const hasRefusal = answers.length > 0 && isRefusal(answers.at(-1)!, expected[answers.length - 1]);
            if (hasRefusal) {
              expect(kind).to.equal('refused');
              const { status, headers, body } = answers.pop()!;
              expect(status).to.be.oneOf([400, 405, 413, 431]);
              expect(headers).to.include({ connection: 'close' });
              if (methods[answers.length] !== 'HEAD') expect(JSON.parse(body)).to.have.all.keys('error');
            }
            if (end === 'stays' && kind === 'understood') expect(answers).to.have.length(expected.length);
            if (end === 'stays' && kind === 'refused' && expected.length === 0) expect(hasRefusal).to.equal(true);
            for (const [index, answer] of answers.entries()) checkAnswer(answer, expected[index]!);
            return answers;
          } catch (error) {
            throw new Error(JSON.stringify({ sent: pieces, received }, null, 1).slice(0, 4000), { cause: error });
          }
        }

        /** Each request that is sent together with one that is refused has an id of its own. */
        function isRefusal({ headers }: RawAnswer, expected: Expected | undefined) {
          return !expected || (expected.id !== undefined && headers['x-request-id'] !== expected.id);
        }

        function checkAnswer({ status, headers, body }: RawAnswer, expected: Expected) {
          expect(status).to.equal(expected.status);
          if (expected.id) expect(headers['x-request-id']).to.equal(expected.id);
          else expect(headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
          expect(headers['content-length']).to.equal(String(Buffer.byteLength(JSON.stringify(expected.json))));
          if (expected.method === 'HEAD') expect(body).to.equal('');
          else expect(JSON.parse(Buffer.from(body, 'latin1').toString())).to.deep.equal(expected.json);
        }

        function checkLog(lines: Record<string, any>[], answered: [Conversation, RawAnswer[]][]) {
          const byId = new Map(lines.map((line) => [line.request_id, line]));
          expect(byId.size, 'as many request ids as lines').to.equal(lines.length);
          for (const [{ expected }, answers] of answered) {
            for (const [index, { status, headers }] of answers.entries()) {
              const { method, path } = expected[index]!;
              const line = byId.get(headers['x-request-id']);
              const its = { method, endpoint: path, level: 'info' };
              expect(line, `the line of ${headers['x-request-id']}`).to.include(its);
              expect(line!.status).to.be.oneOf([status, 499]); // a caller may have got its answer, and reset even so
            }
          }
          // None is forged: a caller can send whole lines, but they stay within a line's `endpoint`.
          for (const line of lines) {
            expect(line).to.include.all.keys(...OF_EVERY_LINE);
            expect(line.service).to.equal(name);
            expect(line.level).to.be.oneOf(['info', 'error']);
            expect(line, 'a bug').to.not.have.property('stack');
            expect(line.endpoint, "a body's").to.not.equal('/smuggled');
          }
        }
      });
    });
  }

  describe('A connection that is used', () => {
    for (const [what, [, answers]] of Object.entries(uses)) {
      it(`still has its time after ${what}`, async function () {
        this.timeout(30_000);
        for (const received of await used[what]!) expect(received).to.match(answers);
      });
    }
  });

  for (const name of ['service-a', 'service-b']) {
    describe(`${name}, kept waiting`, () => {
      for (const [who, { answer, between }] of Object.entries(slowCallers)) {
        const [from, to] = between;
        it(`cuts off callers ${who}, after ${from / 1000} to ${to / 1000} s`, async function () {
          this.timeout(30_000);
          for (const { received, ms } of await cutOff[`${name} ${who}`]!) {
            expect(received).to.match(answer);
            // The service counts from when it took the connection, and timers on both sides may be late.
            expect(ms).to.be.within(from * 0.9, to + 3000);
          }
        });
      }

      (hasProc ? it : it.skip)('has no more open files and sockets than at first, and lets go of memory', async () => {
        const service = name === 'service-a' ? stack.a : stack.b;
        const { files, memoryMiB } = atFirst[name]!;
        await until('files and sockets to be closed', async () => (await resources(service)).files <= files, 8000);
        expect((await resources(service)).memoryMiB).to.be.below(memoryMiB + KEPT_MIB);
      });
    });
  }
});

async function open(service: Service): Promise<Socket> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => {}); // some get a reset, as they may
  await once(socket, 'connect');
  return socket;
}

interface Received {
  received: string;
  /** How long the connection stayed open, in milliseconds. */
  ms: number;
  /** The connection was closed from here, because neither the service did nor enough had come. */
  isLate: boolean;
}

/** What comes until the service closes the connection, or it `isEnough`, or `patience` (in milliseconds) is at its end. */
async function receive(socket: Socket, isEnough = (_text: string) => false, patience = 30_000): Promise<Received> {
  const start = performance.now();
  let received = '';
  let isLate = false;
  socket.on('data', (chunk) => {
    received += chunk;
    if (isEnough(received)) socket.destroy();
  });
  const late = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, patience);
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(late);
  return { received, ms: performance.now() - start, isLate };
}

/** Sends the steps, and resolves to what came. */
async function useConnection(service: Service, steps: Step[], answers: RegExp): Promise<string> {
  const socket = await open(service);
  const receiving = receive(socket, (text) => answers.test(text), 12_000);
  for (const [sent, thenMs] of steps) {
    socket.write(sent);
    await sleep(thenMs);
  }
  return (await receiving).received;
}

/** Sends this at once and then a byte ten times a second, as long as the connection is open. */
function sendSlowly(socket: Socket, first: string) {
  socket.write(first);
  const timer = setInterval(() => socket.write('x'), 100);
  socket.once('close', () => clearInterval(timer));
}

/**
 * Asks for more than the connection's buffers can hold the answers to, and reads none of them. What it sends is cut into
 * whole requests wherever the service stops reading, so that it is not cut off as one who is late with the rest of one.
 */
function flood(socket: Socket, echo: string) {
  const end = ' HTTP/1.1\r\nHost: x\r\n\r\n';
  const request = `GET ${echo}?msg=${'%01'.repeat(1300)}`.padEnd(4096 - end.length, '&') + end;
  const write = () => {
    for (let count = 0; count < 3 && socket.writableLength === 0; count++) socket.write(request);
  };
  const timer = setInterval(write, 10);
  socket.once('close', () => clearInterval(timer)).pause();
}

const resources = async (service: Service) => resourcesOf(String(service.pid));
