/**
 * Stands in for service A, on PORT, and does to a caller of `/echo` what the caller's `msg` says: one of the behaviours
 * below by its name, or the echo of any other text. A raw socket, so that it can misbehave in ways no HTTP server would.
 * `/requests` tells the targets that it was asked for since the last such question; `/release` hangs up on all others.
 * It needs nothing but Node, and runs from its text alone.
 */
import { createServer, type Socket } from 'node:net';

const port = Number(process.env.PORT);
const sockets = new Set<Socket>();
let requests: string[] = [];

function http(status: string, body: string, headers = 'Content-Type: application/json\r\n') {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${headers}\r\n${body}`;
}
const json = (value: unknown) => http('200 OK', JSON.stringify(value));
const echo = (msg: string | null) => JSON.stringify({ echo: msg });
const PAGE = '<!doctype html><title>Sign in</title><p>Please sign in.';
const HTML = 'Content-Type: text/html\r\n';

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

/** Named after what A does; each gets the connection once a whole request has come. */
const behaviours: Record<string, (socket: Socket) => void> = {
  silence: () => {},
  trickle: (socket) => trickle(socket, http('200 OK', echo('trickle').padStart(4000)), 0),
  trickledbody: (socket) => trickle(socket, http('200 OK', echo('trickledbody').padStart(4000)), 150),
  halfheaders: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Type: appl'),
  halfbody: (socket) => socket.write(http('200 OK', echo('halfbody')).slice(0, -6)),
  endless(socket) {
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"echo":\r\n',
    );
    drip(socket, 20, () => `2000\r\n${' '.repeat(0x2000)}\r\n`); // slow enough for a B that keeps it all
  },
  cutoff: (socket) => socket.end(http('200 OK', echo('cutoff')).slice(0, -6)),
  reset: (socket) => socket.resetAndDestroy(),
  hangup: (socket) => socket.end(),
  error500: (socket) => socket.end(http('500 Internal Server Error', echo('error500'))),
  error404: (socket) => socket.end(http('404 Not Found', echo('error404'))),
  redirect: (socket) =>
    socket.end(http('302 Found', echo('redirect'), 'Content-Type: application/json\r\nLocation: /sign-in\r\n')),
  plaintext: (socket) => socket.end(http('200 OK', 'hello', 'Content-Type: text/plain\r\n')),
  page: (socket) => socket.end(http('200 OK', PAGE, HTML)),
  nothing: (socket) => socket.end(http('200 OK', '')),
  othershape: (socket) => socket.end(json({ message: 'nothing of the kind' })),
  nullbody: (socket) => socket.end(json(null)),
  late: (socket) => setTimeout(() => socket.end(http('200 OK', echo('late'))), 3000),
  garbage: (socket) => socket.end('220 not HTTP at all\r\n\r\n'),
  badchunk: (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
  midreset(socket) {
    socket.write(http('200 OK', echo('midreset')).slice(0, -6), () => setTimeout(() => socket.resetAndDestroy(), 20));
  },
  /** Answers and keeps the connection, only to reset it when the next request comes on it. */
  stale(socket) {
    socket.write(http('200 OK', echo('stale')).replace('Connection: close', 'Connection: keep-alive'));
    socket.once('data', () => socket.resetAndDestroy());
  },
};

function answer(socket: Socket, target: string) {
  const url = URL.parse(target, 'http://service-a');
  if (url?.pathname === '/release') {
    for (const other of sockets) if (other !== socket) other.destroy();
    return socket.end(json({}));
  }
  if (url?.pathname === '/requests') {
    socket.end(json(requests));
    requests = [];
    return;
  }
  if (url?.pathname === '/health') return socket.end(json({ status: 'ok' }));
  if (url?.pathname === '/sign-in') return socket.end(http('200 OK', PAGE, HTML));
  requests.push(target);
  const msg = url?.searchParams.get('msg') ?? '';
  const misbehave = Object.hasOwn(behaviours, msg) && behaviours[msg];
  if (misbehave) misbehave(socket);
  else socket.end(http('200 OK', echo(msg)));
}

function listen(host: string) {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // callers hang up on it; that is what it is for
    socket.once('close', () => sockets.delete(socket));
    let head = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      const isWhole = head.includes('\r\n\r\n');
      head += chunk;
      if (isWhole || !head.includes('\r\n\r\n')) return;
      answer(socket, /^\S+ (.*) HTTP\/\d/.exec(head)?.[1] ?? '');
    });
  });
  server.on('error', ({ message }) => console.error(message)).listen(port, host);
}
for (const host of (process.env.HOSTS ?? '0.0.0.0').split(' ')) listen(host);
process.once('SIGTERM', () => process.exit()); // as the first process of a container, it would ignore it
