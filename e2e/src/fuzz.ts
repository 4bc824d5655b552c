import { METHODS } from 'node:http';

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
   * refuses, or a CONNECT, and what came before may go unanswered with it. `damaged`: nobody can tell; `expected` is empty.
   */
  kind: 'understood' | 'refused' | 'damaged';
  /** Goes away as soon as everything is sent, by closing or by a reset; `stays` waits for the answers. */
  end: 'stays' | 'closes' | 'resets';
}

/** Whole numbers below the one given, the same for the same seed (a xorshift, Marsaglia 2003). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
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
  ...'Expect: anything|Expect: 100-continue|Connection: x|TE: x|X:|Accept: [|Accept: a\r\nAccept: b'.split('|'),
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

/** A caller of `service-a` or `service-b`, made of what `random` picks. `nextId` gives a text never given before. */
export function makeConversation(
  service: string,
  random: (below: number) => number,
  nextId: () => string,
): Conversation {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const some = (list: readonly string[], most: number) =>
    Array.from({ length: random(most + 1) }, () => pick(list)).join('');
  const end = pick(['stays', 'stays', 'stays', 'stays', 'closes', 'resets'] as const);
  const kind = pick(['understood', 'understood', 'understood', 'refused', 'damaged'] as const);
  const isHeard = end === 'stays' && kind === 'understood'; // only then does a generated id get known here
  const paths = ['/health', service === 'service-a' ? '/echo' : '/call-echo'];

  function request(isLast: boolean): { bytes: string; expected: Expected } {
    const method = random(3) > 0 ? 'GET' : pick(METHODS_BUT_CONNECT);
    const isAbsolute = random(4) === 0;
    const path = random(3) > 0 ? pick(paths) : isAbsolute && random(4) === 0 ? '' : `/${some(SEGMENTS, 5)}`;
    let query = Array.from({ length: random(4) }, () => pick(KEYS) + some(TEXTS, 6)).join('&');
    if (random(20) === 0) query = `msg=${'x'.repeat(4090 + random(12))}`;
    const fragment = (path || query) && random(4) === 0 ? `#${some(TEXTS, 3)}` : '';
    const origin = isAbsolute ? pick(ORIGINS) : '';
    const target = `${origin}${path}${query && `?${query}`}${fragment}`;

    const hasId = !isHeard || random(3) > 0;
    const id = hasId ? nextId() : undefined;
    const lines = [
      'Host: x',
      ...(hasId ? [`X-Request-Id: ${id}`] : random(2) ? [`x-request-id: ${pick(ODD_IDS)}`] : []),
    ];
    for (let count = random(4); count > 0; count--) lines.push(pick(HEADERS));
    if (isLast && random(4) === 0) lines.push(pick(LAST_HEADERS));
    const body = random(6) === 0 ? pick(BODIES) : '\r\n';
    const bytes = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n${body}`;
    return { bytes, expected: { method, path: path || '/', id, ...answerOf(method, path || '/', query) } };
  }

  function answerOf(method: string, path: string, query: string) {
    if (!paths.includes(path)) return { status: 404, json: { error: `${path} does not exist here.` } };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, json: { error: `${path} takes GET only.` } };
    if (path === '/health') return { status: 200, json: { status: 'ok' } };
    const echo = new URLSearchParams(query).get('msg') ?? '';
    const size = Buffer.byteLength(echo);
    if (size > 4096) return { status: 414, json: { error: `msg is ${size} bytes of UTF-8; at most 4096 are taken.` } };
    return { status: 200, json: service === 'service-a' ? { echo } : { service_b: 'ok', service_a: { echo } } };
  }

  function damaged(bytes: string): string {
    const [at, cut] = [random(bytes.length), random(3)];
    const put = random(2)
      ? String.fromCharCode(random(256))
      : pick([...SEGMENTS, ...HEADERS, '\r', '\n', ' ', '#', '?']);
    return bytes.slice(0, at) + put + bytes.slice(at + cut);
  }

  const length = random(8) + (kind === 'refused' ? 0 : 1);
  const requests = Array.from({ length }, (_, index) => request(index === length - 1));
  let bytes = requests.map((made) => made.bytes).join('');
  if (kind === 'refused') bytes += pick(REFUSED);
  if (kind === 'damaged') {
    bytes = bytes.replaceAll(/x-request-id|smuggled/gi, 'damaged'); // its ids could become others', its bodies requests
    for (let count = random(4); count >= 0; count--) bytes = damaged(bytes);
  }
  const cuts = kind === 'refused' ? [] : Array.from({ length: random(4) }, () => random(bytes.length));
  const ends = [...cuts.sort((a, b) => a - b), bytes.length];
  const pieces = ends.map((end, index) => bytes.slice(index ? ends[index - 1] : 0, end));
  return { pieces, expected: kind === 'damaged' ? [] : requests.map((made) => made.expected), kind, end };
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
    const isChunked = headers['transfer-encoding'] === 'chunked'; // only Node's own answer without a body is
    const size =
      methods[answers.length] === 'HEAD' ? 0 : isChunked ? '0\r\n\r\n'.length : Number(headers['content-length'] ?? 0);
    if (rest.length < size) break;
    answers.push({ status, headers, body: isChunked ? '' : rest.slice(0, size) });
    rest = rest.slice(size);
  }
  return answers;
}
