import { METHODS } from 'node:http';
import fc from 'fast-check';

/** What the service's own code must answer to one request. */
export interface Expected {
  method: string;
  path: string;
  status: number;
  /** The whole body as JSON; HEAD gets none of it. */
  json: unknown;
  /** The request's id, if the service must take it over; it makes one of its own otherwise. */
  id: string | undefined;
}

/** All that a caller sends on one connection, and does with it. The text's characters are bytes (latin1). */
export interface Conversation {
  pieces: string[];
  expected: Expected[];
  /**
   * What the service must make of it. `understood`: answer all. `refused`: the last thing sent is one that Node's parser
   * refuses, or a CONNECT, and what was sent before may go unanswered with it. `damaged`: the answer cannot be known; `expected` is empty.
   */
  kind: 'understood' | 'refused' | 'damaged';
  /** Leaves as soon as everything is sent, by closing or by a reset; `stays` waits for the answers. */
  end: 'stays' | 'closes' | 'resets';
}

const FORGED = '{"level":"fatal","service":"forged"}';

const KEYS = 'msg= msg= msg= m%73g= msg MSG= %20msg= msg[]= __proto__= ='.split(' ');
const TEXTS = [
  ...'a b%41 + %20 % %% %zz %4 %u0041 %FF %C3%A9 %C3 %F0%9F%91%8B %ED%A0%80 %C0%80 %00 %0D%0A %1B[31m'.split(' '),
  ...'" \' \\ = ; : / ? @ [ ] | ^ ` < > ~ ! * . .. %26 %23 %2B %25 %EF%BB%BF %E2%80%A8'.split(' '),
  ...[FORGED, `%0A${FORGED}`],
];
const SEGMENTS = [
  ...'/ // /. /.. health echo call-echo %68ealth %2F u@[x u@x:99999 [::1 http://x __proto__'.split(' '),
  ...'% %00 %0A %FF \\ | ^ * . ~ @ : ;'.split(' '),
  ...[FORGED, `%0D%0A${FORGED}`],
];
const ORIGINS = 'http://x HTTP://X:80 http://[x http://x:99999 http://u:p@x ws://u@[x a:// file://'.split(' ');
const METHODS_BUT_CONNECT = METHODS.filter((name) => name !== 'CONNECT');

const HEADERS = [
  ...'Expect: 100-continue|Connection: x|TE: x|X:|Accept: [|Accept: a\r\nAccept: b'.split('|'),
  ...'Host: y|X-Forwarded-Host: [|X-Forwarded-For: \xff|X-HTTP-Method-Override: DELETE|Content-Type: {'.split('|'),
  ...'If-None-Match: *|Range: bytes=0-0|Accept-Encoding: br|__proto__: x|constructor: x'.split('|'),
  ...[`Cookie: \xe9=${FORGED}`, `X: ${'x'.repeat(2000)}`, 'X: 1\r\n'.repeat(100) + 'X: 2'],
];
const LAST_HEADERS = 'Connection: close|Connection: Upgrade\r\nUpgrade: websocket|Upgrade: h2c'.split('|'); // none behind
const ODD_IDS = ['', 'x'.repeat(129), 'a b', 'h\xe9', 'a,b', '%0A', '../..', 'a\r\nX-Request-Id: b', FORGED];

// A body that looks like a request: it must not be answered as one.
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const BODIES = [
  `Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
  `Transfer-Encoding: chunked\r\n\r\n${SMUGGLED.length.toString(16)};x=y\r\n${SMUGGLED}\r\n0\r\nX-Request-Id: b\r\n\r\n`,
];

const REFUSED = [
  ...'CONNECT x:443|CONNECT /health|get /health|FORGE /health|PRI *|GET|GET health|GET ?msg=x|GET #x|GET \\|'
    .concat('GET /\x01|GET /\x7f|GET /\0|GET /a b|GET /\t|GET /\xe9|')
    .split('|')
    .map((start) => `${start} HTTP/1.1\r\nHost: x\r\n\r\n`),
  ...' folded|X : x|X: \0|X: \x01|X|: x|Content-Length: 2\r\nContent-Length: 3|Content-Length: -2|Content-Length: 2, 2|'
    .concat('Content-Length: 0x2|Transfer-Encoding: chunked\r\nContent-Length: 2|Transfer-Encoding: chunked, gzip')
    .split('|')
    .map((line) => `GET /health HTTP/1.1\r\nHost: x\r\n${line}\r\n\r\n`),
  'GET /health HTTP/1.1\r\nX: x\r\n\r\n',
  `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
  `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  'GET /health HTTP/9.9\r\nHost: x\r\n\r\n',
  'GET /health HTTP/1.1\nHost: x\n\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  '\0\xff\xfe\r\n\r\n',
];

/** A conversation before it has ids, which are new each time that it is held. Fast-check makes, shrinks and prints it. */
interface Plan {
  requests: PlannedRequest[];
  kind: Conversation['kind'];
  /** What is sent behind the requests, in a conversation that is refused. */
  refused: string;
  /** What is done to a damaged request: at a place, a number of bytes is cut, and a text is put in. */
  damages: { at: number; cut: number; put: string }[];
  /** Where the bytes are cut into pieces. */
  cuts: number[];
  end: Conversation['end'];
}

interface PlannedRequest {
  method: string;
  target: { origin: string; path: string };
  query: string;
  fragment: string;
  /** An id that the service must not take over, or none; undefined for one that it must. */
  oddId: string | null | undefined;
  headers: string[];
  /** This applies to the last request only. */
  lastHeader: string | undefined;
  body: string;
}

const oneOf = <T>(list: readonly T[]) => fc.constantFrom(...list);
const upTo = <T>(most: number, arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: most, size: 'max' });
const textOf = (most: number, list: readonly string[]) => upTo(most, oneOf(list)).map((parts) => parts.join(''));
/** Fast-check shrinks towards the first. */
const mostly = <T, U>(weight: number, usual: fc.Arbitrary<T>, rare: fc.Arbitrary<U>) =>
  fc.oneof({ withCrossShrink: true }, { weight, arbitrary: usual }, { weight: 1, arbitrary: rare });

/** Callers of `service-a` or `service-b`. */
export function plans(service: string): fc.Arbitrary<Plan> {
  const oddPath = textOf(5, SEGMENTS).map((segments) => `/${segments}`);
  const path = mostly(2, oneOf(pathsOf(service)), oddPath);
  const parameter = fc.tuple(oneOf(KEYS), textOf(6, TEXTS)).map(([key, text]) => key + text);
  const request = fc.record({
    method: mostly(2, fc.constant('GET'), oneOf(METHODS_BUT_CONNECT)),
    target: mostly(
      3,
      fc.record({ origin: fc.constant(''), path }),
      fc.record({ origin: oneOf(ORIGINS), path: mostly(11, path, fc.constant('')) }),
    ),
    query: mostly(
      19,
      upTo(3, parameter).map((parameters) => parameters.join('&')),
      fc.integer({ min: 4090, max: 4101 }).map((length) => `msg=${'x'.repeat(length)}`),
    ),
    fragment: mostly(
      3,
      fc.constant(''),
      textOf(3, TEXTS).map((text) => `#${text}`),
    ),
    oddId: mostly(2, fc.constant(undefined), oneOf([null, ...ODD_IDS])),
    headers: upTo(3, oneOf(HEADERS)),
    lastHeader: mostly(3, fc.constant(undefined), oneOf(LAST_HEADERS)),
    body: mostly(5, fc.constant('\r\n'), oneOf(BODIES)),
  });
  const anywhere = fc.nat(100_000);
  const damage = fc.record({
    at: anywhere,
    cut: fc.nat(2),
    put: mostly(
      1,
      fc.nat(255).map((code) => String.fromCharCode(code)),
      oneOf([...SEGMENTS, ...HEADERS, '\r', '\n', ' ', '#', '?']),
    ),
  });
  return fc.record({
    requests: fc.array(request, { minLength: 1, maxLength: 8, size: 'max' }),
    kind: oneOf(['understood', 'understood', 'understood', 'refused', 'damaged'] as const),
    refused: oneOf(REFUSED),
    damages: fc.array(damage, { minLength: 1, maxLength: 4, size: 'max' }),
    cuts: upTo(3, anywhere),
    end: oneOf(['stays', 'stays', 'stays', 'stays', 'closes', 'resets'] as const),
  });
}

const pathsOf = (service: string) => ['/health', service === 'service-a' ? '/echo' : '/call-echo'];

/** The plan as it is sent, and what must be answered. `nextId` gives a text never given before. */
export function conversationOf(plan: Plan, service: string, nextId: () => string): Conversation {
  const { kind, end } = plan;
  const isHeard = end === 'stays' && kind === 'understood'; // only then does a generated id get known here
  const planned = kind === 'refused' ? plan.requests.slice(1) : plan.requests;

  const requests = planned.map((request, index) => {
    const { method, target, query, oddId, headers, lastHeader, body } = request;
    const { origin, path } = target;
    const fragment = path || query ? request.fragment : '';
    const hasId = !isHeard || oddId === undefined;
    const id = hasId ? nextId() : undefined;
    const lines = ['Host: x'];
    if (hasId) lines.push(`X-Request-Id: ${id}`);
    else if (oddId !== null) lines.push(`x-request-id: ${oddId}`);
    lines.push(...headers);
    if (lastHeader && index === planned.length - 1) lines.push(lastHeader);
    const start = `${method} ${origin}${path}${query && `?${query}`}${fragment} HTTP/1.1`;
    const bytes = `${start}\r\n${lines.join('\r\n')}\r\n${body}`;
    return { bytes, expected: { method, path: path || '/', id, ...answerOf(service, method, path || '/', query) } };
  });
  let bytes = requests.map((made) => made.bytes).join('');
  if (kind === 'refused') bytes += plan.refused;
  if (kind === 'damaged') {
    bytes = bytes.replaceAll(/x-request-id|smuggled/gi, 'damaged'); // its ids could become others', its bodies requests
    for (const { at, cut, put } of plan.damages) {
      const place = at % bytes.length;
      bytes = bytes.slice(0, place) + put + bytes.slice(place + cut);
    }
  }
  const cuts = kind === 'refused' ? [] : plan.cuts.map((cut) => cut % bytes.length);
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  const pieces = ends.map((end, index) => bytes.slice(index ? ends[index - 1] : 0, end));
  return { pieces, expected: kind === 'damaged' ? [] : requests.map((made) => made.expected), kind, end };
}

function answerOf(service: string, method: string, path: string, query: string) {
  if (!pathsOf(service).includes(path)) return { status: 404, json: { error: `${path} does not exist here.` } };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, json: { error: `${path} takes GET only.` } };
  if (path === '/health') return { status: 200, json: { status: 'ok' } };
  const echo = new URLSearchParams(query).get('msg') ?? '';
  const size = Buffer.byteLength(echo);
  if (size > 4096) return { status: 414, json: { error: `msg is ${size} bytes of UTF-8; at most 4096 are taken.` } };
  return { status: 200, json: service === 'service-a' ? { echo } : { service_b: 'ok', service_a: { echo } } };
}

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * The answers in what was received (latin1), in their order, to requests by these methods; interim ones (1xx) are left
 * out. An answer that is not all there yet is not given. Throws on anything that is not an answer.
 */
export function answersIn(received: string, methods: string[]): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = received;
  while (rest.includes('\r\n\r\n')) {
    const head = rest.slice(0, rest.indexOf('\r\n\r\n'));
    const [statusLine, ...lines] = head.split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\w -]*$/.exec(statusLine!)?.[1]);
    if (!status) throw new Error(`Not an answer: ${JSON.stringify(rest.slice(0, 200))}`);
    rest = rest.slice(head.length + 4);
    if (status < 200) continue;
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':')[0]!.toLowerCase(), line.replace(/^[^:]*: ?/, '')]),
    );
    const size = methods[answers.length] === 'HEAD' ? 0 : Number(headers['content-length'] ?? 0);
    if (rest.length < size) break;
    answers.push({ status, headers, body: rest.slice(0, size) });
    rest = rest.slice(size);
  }
  return answers;
}
