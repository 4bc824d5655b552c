import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { bounded, msSince } from './requests.ts';

/** How long a refused caller has to read the answer, in ms. The kernel drops it when a connection ends with bytes unread. */
const LINGER_MS = 200;

/** What Node's parser refuses, by the code of its error. Everything else that it refuses is a 400. */
const REFUSALS: Record<string, [status: number, sentence: string]> = {
  HPE_INVALID_URL: [400, 'The URL is not valid; encode it, as `curl -G --data-urlencode "msg=…"` does.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the body are longer than 16 KiB.'],
  HPE_HEADER_OVERFLOW: [431, 'The head of the request is longer than 16 KiB.'],
};

/** Answers the requests that Node does not pass on to an application, each with `{"error": …}` and one line in the log. */
export function answerRefused(server: Server, logger: Logger) {
  function refuse(socket: Duplex, status: number, error: string, head = '') {
    if (!socket.writable) return; // it has its answer, or its caller has left
    const start = performance.now();
    const [, method = '-', path = '-'] = /^([A-Z]+) ([^ ?#]+)/.exec(head) ?? [];
    const request_id = randomUUID();
    const body = JSON.stringify({ error });
    const headers = {
      'x-request-id': request_id,
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      Date: new Date().toUTCString(),
      Allow: 'GET, HEAD',
      Connection: 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
    setTimeout(() => socket.destroy(), LINGER_MS);
    logger.info({ request_id, method, endpoint: bounded(path), status, latency_ms: msSince(start), error });
  }
  server.on('clientError', (error: any, socket) => {
    const [status, sentence] = REFUSALS[error.code] ?? [400, `The request is not valid HTTP: ${error.reason}.`];
    const parsed: string = error.rawPacket?.toString('latin1', 0, error.bytesParsed) ?? '';
    refuse(socket, status, sentence, parsed.split('\r\n\r\n').at(-1));
  });
  server.on('connect', ({ url }, socket) => {
    socket.on('error', () => {}); // Node no longer listens to it
    refuse(socket, 405, 'CONNECT is not taken here.', `CONNECT ${url}`);
  });
}
