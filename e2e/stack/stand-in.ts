/**
 * Stands in for service A, on PORT, and does to a caller of `/echo` what the caller's `msg` says: one of the behaviours
 * below by its name, or the echo of any other text. A raw socket, so that it can misbehave in ways no HTTP server would.
 * If its environment has a BEHAVIOUR, it does that to every caller, whatever the message. On a CONTROL_PORT, which may be
 * the path of a socket, it takes requests whose paths begin with its CONTROL_KEY: `/play?as=late&msg=xyz` gives a behaviour,
 * or another echo, to a message, `/speak?msg=xyz&body=<xyz>&type=text/plain` gives an answer of A that is imitated, `/asked`
 * tells what came since the last `/asked`, `/release` hangs up on all callers, `/refuse` closes PORT (with `?host=`, only at
 * that address), and `/accept` opens it. It needs nothing but Node, and runs from its text alone.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

const port = Number(process.env.PORT);
const hosts = (process.env.HOSTS ?? '0.0.0.0').split(' ');
const sockets = new Set<Socket>();
const parts = new Map<string, string>();
let servers: Server[] = [];
let targets: string[] = [];
let connections: string[] = [];

/** A real answer of A to a message: some callers accept the echo only in the place where A puts it. */
let sample = { msg: 'msg', body: '{"echo":"msg"}', type: 'application/json' };

function http(status: string, body: string, headers = `Content-Type: ${sample.type}\r\n`) {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${headers}\r\n${body}`;
}
const json = (value: unknown) => http('200 OK', JSON.stringify(value), JSON_TYPE);
const echo = (msg: string) => fill(sample.body, msg);
const JSON_TYPE = 'Content-Type: application/json\r\n';
const PAGE = '<!doctype html><title>Sign in</title><p>Please sign in.';
const HTML = 'Content-Type: text/html\r\n';

/** Replaces the sample's message in a text with another one; also inside JSON, and inside JSON that is a string of JSON. */
function fill(text: string, msg: string): string {
  try {
    return JSON.stringify(JSON.parse(text, (_key, value) => (typeof value === 'string' ? fill(value, msg) : value)));
  } catch {
    return text.replaceAll(sample.msg, () => msg);
  }
}

/** Writes a piece now and then, until the caller has gone or was hung up on. */
function drip(socket: Socket, everyMs: number, piece: () => string) {
  const timer = setInterval(() => socket.write(piece(), 'latin1'), everyMs);
  socket.once('close', () => clearInterval(timer));
}

function trickle(socket: Socket, answer: string, atOnce: number) {
  let sent = atOnce;
  socket.write(answer.slice(0, atOnce));
  drip(socket, 50, () => answer[sent++] ?? '');
}

interface Behaviour {
  /** The end of a sentence that begins with "A". */
  what: string;
  /** Gets the connection once a whole request has come, and its message. */
  act: (socket: Socket, msg: string) => void;
}

let slowerMs = 0;

export const BEHAVIOURS: Record<string, Behaviour> = {
  late: {
    what: 'answers after three seconds',
    act: (socket, msg) => setTimeout(() => socket.end(http('200 OK', echo(msg))), 3000),
  },
  silence: { what: 'never answers', act: () => {} },
  trickle: {
    what: 'answers a byte at a time',
    act: (socket, msg) => trickle(socket, http('200 OK', echo(msg).padStart(4000)), 0),
  },
  trickledbody: {
    what: 'sends its body a byte at a time',
    act: (socket, msg) => trickle(socket, http('200 OK', echo(msg).padStart(4000)), 150),
  },
  halfheaders: {
    what: 'stops in the middle of the head of its answer',
    act: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Type: appl'),
  },
  halfbody: {
    what: 'stops in the middle of its body',
    act: (socket, msg) => socket.write(http('200 OK', echo(msg)).slice(0, -6)),
  },
  endless: {
    what: 'never ends its answer',
    act: (socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"echo":\r\n',
      );
      drip(socket, 20, () => `2000\r\n${' '.repeat(0x2000)}\r\n`); // slow enough for a B that keeps it all
    },
  },
  error500: { what: 'answers 500', act: (socket, msg) => socket.end(http('500 Internal Server Error', echo(msg))) },
  error404: { what: 'answers 404', act: (socket, msg) => socket.end(http('404 Not Found', echo(msg))) },
  redirect: {
    what: 'redirects',
    act: (socket, msg) => socket.end(http('302 Found', echo(msg), `${JSON_TYPE}Location: /sign-in\r\n`)),
  },
  plaintext: {
    what: 'answers what is not JSON',
    act: (socket) => socket.end(http('200 OK', 'hello', 'Content-Type: text/plain\r\n')),
  },
  page: { what: 'answers with a page', act: (socket) => socket.end(http('200 OK', PAGE, HTML)) },
  nothing: { what: 'answers nothing but a 200', act: (socket) => socket.end(http('200 OK', '')) },
  othershape: { what: 'answers JSON of another shape', act: (socket) => socket.end(json({ nothing: 'of the kind' })) },
  nullbody: { what: 'answers null', act: (socket) => socket.end(json(null)) },
  cutoff: { what: 'ends its answer early', act: (socket, msg) => socket.end(http('200 OK', echo(msg)).slice(0, -6)) },
  midreset: {
    what: 'resets the connection in mid-answer',
    act: (socket, msg) => {
      socket.write(http('200 OK', echo(msg)).slice(0, -6), () => setTimeout(() => socket.resetAndDestroy(), 20));
    },
  },
  reset: { what: 'resets the connection at once', act: (socket) => socket.resetAndDestroy() },
  hangup: { what: 'closes the connection without an answer', act: (socket) => socket.end() },
  garbage: { what: 'does not speak HTTP', act: (socket) => socket.end('220 not HTTP at all\r\n\r\n') },
  badchunk: {
    what: 'breaks HTTP in mid-answer',
    act: (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
  },
  stale: {
    what: 'breaks a kept connection on its second use',
    act: (socket, msg) => {
      socket.write(http('200 OK', echo(msg)).replace('Connection: close', 'Connection: keep-alive'));
      socket.once('data', () => socket.resetAndDestroy());
    },
  },
  slower: {
    what: 'answers each call 0.6 s later than the one before',
    act: (socket, msg) => setTimeout(() => socket.end(http('200 OK', echo(msg))), (slowerMs += 600)),
  },
};

function answer(socket: Socket, target: string) {
  const url = URL.parse(target, 'http://service-a');
  if (url?.pathname === '/health') return socket.end(json({ status: 'ok' }));
  if (url?.pathname === '/sign-in') return socket.end(http('200 OK', PAGE, HTML));
  targets.push(target);
  const msg = url?.searchParams.get('msg') ?? '';
  const part = process.env.BEHAVIOUR || (parts.get(msg) ?? msg);
  const behaviour = Object.hasOwn(BEHAVIOURS, part) && BEHAVIOURS[part];
  if (behaviour) behaviour.act(socket, msg);
  else socket.end(http('200 OK', echo(part)));
}

/**
 * Answers a caller that speaks gRPC with its own message, in which the echo that is played replaces the text. This fits a
 * caller whose requests and answers have their text in the same place, and a text of the same length.
 */
const http2 = createHttp2Server().on('stream', (stream: ServerHttp2Stream, { ':path': path }) => {
  let message = '';
  stream.on('error', () => {}); // callers hang up on it
  stream.setEncoding('latin1').on('data', (chunk: string) => (message += chunk));
  stream.on('end', () => {
    targets.push(`${path} ${message}`);
    if (stream.closed) return; // its caller has given up
    for (const [msg, part] of parts) message = message.replaceAll(msg, part);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.end(message, 'latin1');
  });
});
http2.on('sessionError', () => {});

function take(socket: Socket) {
  sockets.add(socket);
  connections.push(socket.remoteAddress ?? '');
  socket.on('error', () => {}); // callers hang up on it; that is what it is for
  socket.once('close', () => sockets.delete(socket));
  let head = '';
  const read = (chunk: Buffer) => {
    const isWhole = head.includes('\r\n\r\n');
    head += chunk.toString('latin1');
    if (isWhole || !head.includes('\r\n\r\n')) return;
    if (!head.startsWith('PRI * HTTP/2.0')) return answer(socket, /^\S+ (.*) HTTP\/\d/.exec(head)?.[1] ?? '');
    socket.off('data', read).pause();
    socket.unshift(Buffer.from(head, 'latin1'));
    http2.emit('connection', socket);
  };
  socket.on('data', read);
}

async function accept() {
  refuse(new URLSearchParams());
  servers = hosts.map(() => createServer(take).on('error', ({ message }) => console.error(message)));
  const open = (server: Server, host: string | undefined) =>
    new Promise<void>((resolve) => server.once('error', () => resolve()).listen(port, host, resolve));
  await Promise.all(servers.map((server, index) => open(server, hosts[index])));
}

function refuse(query: URLSearchParams) {
  const host = query.get('host');
  for (const [index, server] of servers.entries()) if (!host || host === hosts[index]) server.close();
  for (const socket of sockets) socket.destroy();
}

/** How many connections to it the system has refused, and others that it has reset; undefined where it does not count. */
function resets(): number | undefined {
  try {
    const [names, counts] = readFileSync('/proc/net/snmp', 'utf8').match(/^Tcp:.*$/gm)!;
    return Number(counts!.split(' ')[names!.split(' ').indexOf('OutRsts')]);
  } catch {
    return undefined;
  }
}

const controls: Record<string, (query: URLSearchParams) => unknown> = {
  play: (query) => void parts.set(query.get('msg')!, query.get('as')!),
  speak: (query) => void (sample = Object.fromEntries(query) as typeof sample),
  asked() {
    const asked = { targets, connections, resets: resets() };
    [targets, connections] = [[], []];
    return asked;
  },
  release() {
    for (const socket of sockets) socket.destroy();
  },
  refuse,
  accept,
};

async function main() {
  await accept();
  if (process.env.CONTROL_PORT) {
    if (process.env.CONTROL_PORT.startsWith('/')) rmSync(process.env.CONTROL_PORT, { force: true });
    createHttpServer(async ({ url }, response) => {
      const { pathname = '', searchParams = new URLSearchParams() } = URL.parse(url!, 'http://stand-in') ?? {};
      const [, key, name] = pathname.split('/');
      if (key !== process.env.CONTROL_KEY) return response.writeHead(403).end();
      response.end(JSON.stringify((await controls[name!]?.(searchParams)) ?? {}));
    }).listen(process.env.CONTROL_PORT);
  }
  process.once('SIGTERM', () => process.exit()); // as the first process of a container, it would ignore it
}

if (import.meta.main) await main();
