/** A small sound pair whose A speaks gRPC: `node grpc-pair.ts a|b`. With "an answer of its own", B asks A for nothing. */
import { createServer } from 'node:http';
import { connect, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';

const [role, fault] = process.argv.slice(2);
const TIMEOUT_MS = 300;

function log(service: string, endpoint: string, status: number, start: number, error?: string) {
  const line = `service=${service} endpoint=${endpoint} status=${status} latency_ms=${(performance.now() - start).toFixed(1)}`;
  console.log(error ? `${line} level=error error="${error}"` : line);
}

/** A: the request's message is the answer's, as both have their text in field 1. */
function echo() {
  const server = createHttp2Server().on('stream', (stream: ServerHttp2Stream, { ':path': path }) => {
    const start = performance.now();
    const message: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => message.push(chunk));
    stream.on('end', () => {
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.end(Buffer.concat(message));
      log('echoer', path!, 0, start);
    });
  });
  return server.on('sessionError', () => {});
}

/** Resolves to A's echo; rejects with the kind of the failure. */
function callA(msg: string): Promise<string> {
  const session = connect(process.env.SERVICE_A_URL!);
  return new Promise<string>((resolve, reject) => {
    setTimeout(reject, TIMEOUT_MS, new Error('timeout'));
    session.on('error', () => reject(new Error('connection refused')));
    session.on('close', () => reject(new Error('reset')));
    if (fault === 'an answer of its own') return session.once('remoteSettings', () => resolve(msg));
    const text = Buffer.from(msg);
    const head = Buffer.from([0, 0, 0, 0, text.length + 2, 0x0a, text.length]); // for a text of at most 127 bytes
    const message: Buffer[] = [];
    const call = session.request({ ':method': 'POST', ':path': '/Echo/Echo', 'content-type': 'application/grpc' });
    call.on('error', () => {}); // the session says more
    call.on('data', (chunk: Buffer) => message.push(chunk));
    call.on('end', () => resolve(Buffer.concat(message).subarray(head.length).toString()));
    call.end(Buffer.concat([head, text]));
  }).finally(() => session.destroy());
}

function caller() {
  return createServer(async ({ url }, response) => {
    const start = performance.now();
    const { pathname, searchParams } = URL.parse(url!, 'http://x') ?? new URL('http://x/?');
    const reply = async (): Promise<[status: number, body: object, error?: string]> => {
      if (pathname === '/health') return [200, { status: 'ok' }];
      if (pathname !== '/call-echo') return [404, {}];
      return callA(searchParams.get('msg') ?? '').then(
        (echo) => [200, { service_b: 'ok', service_a: { echo } }],
        ({ message }) => [
          503,
          { service_b: 'ok', service_a: 'unavailable', error: 'service A did not answer' },
          message,
        ],
      );
    };
    const [status, body, error] = await reply();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    log('caller', pathname, status, start, error);
  });
}

(role === 'a' ? echo() : caller()).listen(Number(process.env.PORT));
process.on('SIGTERM', () => process.exit(0));
