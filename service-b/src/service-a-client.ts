import { once } from 'node:events';
import { request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import got, { TimeoutError, type RequestError } from 'got';
import { Replicas } from './replicas.ts';

/** Of 2,000 calls at once while A hangs, B answers so many at the deadline and sheds the others, and none is late. */
const MAX_IN_FLIGHT = 256;
/** For calls that were sent without waiting for the answer before, so that one connection cannot take all of them. */
const MAX_PIPELINED = 128;
const MAX_BODY_BYTES = 64 * 1024;
const LOOKUP_MS = 800;

/** Every way in which a call can end without an echo, in a sentence that a caller may see. */
const SENTENCES = {
  dns: 'Service A has no address: its name could not be resolved.',
  refused: 'Service A refused the connection: nothing listens on its port.',
  unreachable: 'Service A could not be reached over the network.',
  reset: 'Service A broke the connection before its whole answer was received.',
  timeout: 'Service A did not give its whole answer within the deadline.',
  bad_status: 'Service A answered with a status other than 200.',
  bad_body: 'Service A answered 200, but not with the echo of the message.',
  overloaded: 'Service B did not ask service A: it has no room for another call.',
  aborted: 'Service B stopped asking service A: its own caller has left.',
};
type Reason = keyof typeof SENTENCES;

/** What the codes of errors mean; where none of these is given, the step that failed says more. */
const REASONS: Record<string, Reason> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ERR_HTTP_CONTENT_LENGTH_MISMATCH: 'reset',
  // What B itself has run out of: files, memory, ports.
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
  ENOBUFS: 'overloaded',
  ENOMEM: 'overloaded',
  EADDRNOTAVAIL: 'overloaded',
};

/** `error` is safe to show to a caller; the rest is for the log alone. The address is there once it is known. */
type Failure = { reason: Reason; error: string; code?: string; upstream: string; upstream_address?: string };
type Answer = { echo: string } | Failure;
/** B's answer to its own caller. When it closes before it was sent, the caller has left. */
type Response = Pick<ServerResponse, 'socket' | 'once' | 'off'>;
export type ServiceA = { echo(msg: string, requestId: string, response: Response): Promise<Answer> };

/**
 * The one place that knows how to reach A. A call is one attempt and takes, from the name lookup to the last byte of the
 * body, at most `timeoutMs`. Every failure of A is returned; whatever is thrown is a bug of B's.
 */
export function createServiceA(url: string, timeoutMs: number, replicas = new Replicas()): ServiceA {
  const { host } = new URL(url);
  const client = got.extend({
    prefixUrl: url,
    timeout: { lookup: LOOKUP_MS, request: timeoutMs },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    dnsLookup: replicas.lookup,
    // Node copies a request's options several times; of the forty that got hands on, a plain GET needs these.
    request: (url, { headers, lookup }) => request(url, { agent: replicas.agent, headers, lookup }),
  });
  let inFlight = 0;

  async function echo(msg: string, requestId: string, response: Response): Promise<Answer> {
    const tried: string[] = []; // A's addresses, in their order
    let reason: Reason | undefined;
    const failure = (reason: Reason, code?: string, address = tried.at(-1)): Failure => {
      return { reason, error: SENTENCES[reason], code, upstream: host, upstream_address: address };
    };
    const isPipelined = response.socket === null; // Node gives it one when the answers before it have been sent
    if (inFlight >= (isPipelined ? MAX_PIPELINED : MAX_IN_FLIGHT)) return failure('overloaded');

    const call = client.stream('echo', { searchParams: { msg }, headers: { 'x-request-id': requestId } });
    const leave = () => call.destroy(new CallerLeft());
    response.once('close', leave);
    inFlight++;
    try {
      call.on('error', () => {}); // an error that comes between two awaits would otherwise end the process
      let connection: Socket | undefined;
      call.once('socket', (socket: Socket) => {
        connection = socket;
        const attempt = (address: string) => {
          tried.push(address);
          replicas.begin(address);
        };
        if (socket.remoteAddress)
          attempt(socket.remoteAddress); // a kept connection; a new one has no address yet
        else socket.on('connectionAttempt', attempt);
      });
      call.once('upgrade', (response) => call.emit('response', response)); // a 101

      const [{ statusCode }] = await once(call, 'response');
      if (statusCode !== 200) {
        call.destroy();
        connection?.destroy(); // Node would keep it open for ever when the whole answer has been received already
        return failure('bad_status', `HTTP_${statusCode}`);
      }
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of call) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_BODY_BYTES) return failure('bad_body'); // leaving the loop ends the call
      }
      return isEcho(Buffer.concat(chunks), msg) ? { echo: msg } : failure('bad_body');
    } catch (error) {
      const why = explain(error as RequestError);
      if (!why) throw error;
      reason = why.reason;
      return failure(reason, why.code, why.address);
    } finally {
      response.off('close', leave);
      inFlight--;
      replicas.end(tried, reason === 'timeout' || reason === 'aborted');
    }
  }
  return { echo };
}

class CallerLeft extends Error {}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // what is not UTF-8 is not JSON

function isEcho(body: Buffer, msg: string): boolean {
  try {
    return JSON.parse(utf8.decode(body)).echo === msg;
  } catch {
    return false;
  }
}

/** Why a call failed; undefined for a bug of B's. */
function explain(error: RequestError): { reason: Reason; code?: string; address?: string } | undefined {
  if (error instanceof TimeoutError) return { reason: error.event === 'lookup' ? 'dns' : 'timeout', code: error.code };
  if (error.cause instanceof CallerLeft) return { reason: 'aborted' };
  if (error.code?.startsWith('HPE_')) return { reason: 'bad_body', code: error.code }; // from Node's parser: not HTTP
  // When A has several addresses, one that refused speaks for all, and otherwise the last one tried.
  const causes: any[] = error.cause instanceof AggregateError ? error.cause.errors : [error.cause ?? {}];
  const { code = error.code, syscall, address } = causes.find(({ code }) => code === 'ECONNREFUSED') ?? causes.at(-1);
  const reason = REASONS[code] ?? (syscall === 'getaddrinfo' ? 'dns' : syscall && 'unreachable');
  return reason && { reason, code, address };
}
