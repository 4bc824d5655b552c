import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { bounded, msSince } from './requests.ts';

/** How long a refused caller has to read the answer, in ms. The kernel drops it when a connection ends with bytes unread. */
const LINGER_MS = 200;

/** The answer to what Node's parser refuses, by the code of its error. Any other code gets a 400. */
const REFUSALS: Record<string, [status: number, sentence: string]> = {
  HPE_INVALID_URL: [400, 'The URL is not valid; encode it, as `curl -G --data-urlencode "msg=…"` does.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the body are longer than 16 KiB.'],
  HPE_HEADER_OVERFLOW: [431, 'The head of the request is longer than 16 KiB.'],
};

/** Answers the requests that Node does not pass on to an application, each with `{"error": …}` and one line in the log. */
export function answerRefused(server: Server, logger: Logger) {
  function refuse(socket: Duplex, status: number, error: string, head = '') {
    if (!socket.writable) return; // the caller already has its answer, or has left
    const start = performance.now();
    const [, method = '-', path = '-'] = /^([A-Z]+) ([^ ?#]+)/.exec(head) ?? [];
    const request_id = randomUUID();
    const body = JSON.stringify({ error });
    const statusLine = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`;
    const headers = `Date: ${new Date().toUTCString()}\r\nConnection: close\r\nAllow: GET, HEAD\r\nx-request-id: ${request_id}`;
    const type = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}`;
    socket.end([statusLine, headers, type, '', body].join('\r\n'));
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
