import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createServer } from 'node:http';

const MAX_MSG_BYTES = 4096;

export type Reply = { status: number; body: unknown; log?: object };
type Handler = (msg: string, requestId: string) => Reply | Promise<Reply>;

/** The services' contract with nothing but `node:http`: `/health`, one path of the service's own, one log line each. */
export function serve(service: string, path: string, handle: Handler) {
  const server = createServer(async (req, res) => {
    const start = performance.now();
    const given = req.headers['x-request-id'] as string | undefined;
    const requestId = given && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : randomUUID();
    const [endpoint, query] = req.url!.split('?', 2);
    const { status, body, log } = await answer(endpoint!, query, requestId);
    const text = JSON.stringify(body);
    res.once('close', () => {
      const latency_ms = Math.round((performance.now() - start) * 100) / 100;
      const level = status >= 500 ? 'error' : 'info';
      const event = { request_id: requestId, method: req.method, endpoint, status, latency_ms, ...log };
      writeSync(1, JSON.stringify({ level, time: new Date().toISOString(), service, ...event }) + '\n');
    });
    res.writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      'x-request-id': requestId,
    });
    res.end(text);
  });

  function answer(endpoint: string, query: string | undefined, requestId: string) {
    if (endpoint === '/health') return { status: 200, body: { status: 'ok' } };
    if (endpoint !== path) return { status: 404, body: { error: `${endpoint} does not exist here.` } };
    const msg = new URLSearchParams(query).get('msg') ?? '';
    if (Buffer.byteLength(msg) > MAX_MSG_BYTES) return { status: 414, body: { error: 'msg is too long.' } };
    return handle(msg, requestId);
  }

  server.listen(Number(process.env.PORT));
}
