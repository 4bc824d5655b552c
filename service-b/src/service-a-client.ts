import { Agent, request } from 'node:http';
import got, { TimeoutError, type RequestError } from 'got';
import { dnsLookup } from './dns-lookup.ts';

/** Of 2,000 calls at once while A hangs, B answers so many at the deadline and sheds the others, and none is late. */
const MAX_IN_FLIGHT = 256;
const MAX_BODY_BYTES = 64 * 1024;
/** B lets go of an idle connection before A does (Node after 5 s, others after 2), or a call could meet A's goodbye. */
const IDLE_MS = 1000;

/** Every way in which a call can fail: a sentence that a caller may see, and the system codes that mean it. */
const FAILURES = {
  dns: ['Service A has no address: its name could not be resolved.'],
  refused: ['Service A refused the connection: nothing listens on its port.', 'ECONNREFUSED'],
  unreachable: ['Service A could not be reached over the network.', 'EHOSTUNREACH', 'ENETUNREACH'],
  reset: [
    'Service A broke the connection before its whole answer came.',
    'ECONNRESET',
    'EPIPE',
    'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  ],
  timeout: ['Service A did not give its whole answer within the deadline.'],
  bad_status: ['Service A answered with a status other than 200.'],
  bad_body: ['Service A answered 200, but with something that is not an echo.'],
  overloaded: ['Service B did not ask service A: too many of its calls are still in flight.'],
};
type Reason = keyof typeof FAILURES;

/** `error` is safe to show to a caller; `code` is the system's name for what happened, for the log alone. */
type Failure = { reason: Reason; error: string; code?: string };
type Answer = { echo: string } | Failure;
export type ServiceA = { echo(msg: string, requestId: string): Promise<Answer> };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // what is not UTF-8 is not JSON

const failure = (reason: Reason, code?: string): Failure => ({ reason, error: FAILURES[reason][0]!, code });

/**
 * The one place that knows how to reach A. A call is one attempt and takes, from the DNS lookup to the last byte of
 * the body, at most `timeoutMs`. Every failure of A is returned; whatever is thrown is a bug of B's.
 */
export function createServiceA(prefixUrl: string, timeoutMs: number, lookup = dnsLookup): ServiceA {
  const client = got.extend({
    prefixUrl,
    timeout: { request: timeoutMs },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    dnsLookup: lookup,
    agent: { http: new Agent({ keepAlive: true, timeout: IDLE_MS }) },
    // Node copies a request's options several times; of the forty that got hands on, a plain GET needs these.
    request: (url, { agent, headers, lookup }) => request(url, { agent, headers, lookup }),
  });

  let inFlight = 0;
  function echo(msg: string, requestId: string) {
    if (inFlight >= MAX_IN_FLIGHT) return Promise.resolve(failure('overloaded'));
    const call = client.stream('echo', { searchParams: { msg }, headers: { 'x-request-id': requestId } });
    inFlight++;
    const chunks: Buffer[] = [];
    let size = 0;
    // Listeners, not `for await`: an error that comes between two awaits would find nobody listening and end the process.
    const answer = new Promise<Answer>((resolve, reject) => {
      const giveUp = (answer: Failure) => {
        resolve(answer);
        call.destroy();
      };
      // Node hands over the connection of a 101 and forgets it.
      call.on('upgrade', (_response, socket) => {
        socket.destroy();
        giveUp(failure('bad_status', 'HTTP_101'));
      });
      call.on('response', ({ statusCode }) => {
        if (statusCode !== 200) giveUp(failure('bad_status', `HTTP_${statusCode}`));
      });
      call.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if ((size += chunk.length) > MAX_BODY_BYTES) giveUp(failure('bad_body'));
      });
      call.on('end', () => resolve(parse(Buffer.concat(chunks))));
      call.on('error', (error: RequestError) => {
        const reason = reasonOf(error);
        if (reason) resolve(failure(reason, error.code));
        else reject(error);
      });
    });
    return answer.finally(() => inFlight--);
  }
  return { echo };
}

function parse(body: Buffer): Answer {
  try {
    const { echo } = JSON.parse(utf8.decode(body));
    if (typeof echo === 'string') return { echo };
  } catch {}
  return failure('bad_body');
}

function reasonOf(error: RequestError): Reason | undefined {
  // When A has several addresses, the last one tried speaks for all.
  const cause = error.cause instanceof AggregateError ? error.cause.errors.at(-1) : error.cause;
  const { code = error.code, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  if (error instanceof TimeoutError) return 'timeout';
  if (error.code.startsWith('HPE_')) return 'bad_body'; // from Node's parser: this was not HTTP
  if (/^(getaddrinfo|query)/.test(syscall ?? '')) return 'dns'; // first, as a resolver can refuse a connection too
  for (const [reason, [, ...codes]] of Object.entries(FAILURES)) {
    if (codes.includes(code)) return reason as Reason;
  }
  return syscall === 'connect' ? 'unreachable' : undefined;
}
