import { request } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import got, { AbortError, TimeoutError, type Request, type RequestError } from 'got';
import { createReplicas } from './replicas.ts';

const MAX_BODY_BYTES = 64 * 1024;

/** Every way in which a call can end without an echo, in a sentence that a caller may see. */
const SENTENCES = {
  dns: 'Service A has no address: its name could not be resolved.',
  refused: 'Service A refused the connection: nothing listens on its port.',
  unreachable: 'Service A could not be reached over the network.',
  reset: 'Service A broke the connection before its whole answer was received.',
  timeout: 'Service A did not give its whole answer within the deadline.',
  bad_status: 'Service A answered with a status other than 200.',
  bad_body: 'The answer of service A is not the echo of the message.',
  overloaded: 'Service B did not ask service A: it has no room for another call.',
  aborted: 'Service B stopped asking service A: its own caller has left.',
};
type Reason = keyof typeof SENTENCES;

/** What the code of an error means. For any other code, the step that failed gives the reason. */
const CODES: [Reason, RegExp][] = [
  ['refused', /^ECONNREFUSED$/],
  ['reset', /^(ECONNRESET|EPIPE|ERR_HTTP_CONTENT_LENGTH_MISMATCH)$/],
  ['bad_body', /^HPE_/], // Node's parser says that it is not HTTP
  ['overloaded', /^(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)$/], // B has run out of files, memory or ports
];

/** `error` is safe to show to a caller; the rest is for the log alone. The address is there if it is known. */
type Failure = { reason: Reason; error: string; code?: string; upstream?: string; upstream_address?: string };
export type Answer = { echo: string } | Failure;
/** An aborted `signal` ends the call: no one waits for its answer any more. */
export type ServiceA = { echo(msg: string, call: { requestId: string; signal: AbortSignal }): Promise<Answer> };

export const NO_ROOM: Failure = { reason: 'overloaded', error: SENTENCES.overloaded };

/**
 * The one place that knows how to reach A. A call is one attempt and takes, from the name lookup to the last byte of the
 * body, at most `timeoutMs`; `signal` ends it sooner. Every failure of A is returned; an error that is thrown is a bug of B's.
 */
export function createServiceA(url: string, timeoutMs: number, replicas = createReplicas()): ServiceA {
  const { host, hostname } = new URL(url);
  const isName = isIP(hostname.replace(/[[\]]/g, '')) === 0;
  const client = got.extend({
    prefixUrl: url,
    timeout: { request: timeoutMs },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    dnsLookup: replicas.lookup,
    // Node copies a request's options several times. Of the forty that got passes on, a plain GET needs only these.
    request: (url, { headers, lookup }) => request(url, { agent: replicas.currentAgent(), headers, lookup }),
  });

  const echo: ServiceA['echo'] = async (msg, { requestId, signal }) => {
    const call = client.stream(`echo?${new URLSearchParams({ msg })}`, { headers: { 'x-request-id': requestId } });
    signal.addEventListener('abort', () => call.destroy(new AbortError(call))); // got's own `signal` costs more
    const { tried, end } = replicas.track(call);
    const received = await receive(call);
    end(received.error instanceof TimeoutError || received.error instanceof AbortError);
    const [reason, code, address = tried.at(-1)] = judge(received, msg, isName && tried.length === 0);
    if (!reason) return { echo: msg };
    return { reason, error: SENTENCES[reason], code, upstream: host, upstream_address: address };
  };
  return { echo };
}

/** What B got of A's answer: `status` when its head arrived, `body` when it arrived whole, `error` when the call failed. */
type Received = { status?: number; body?: Buffer; error?: RequestError };

/** Reads A's answer to its end, whatever its status. A body that is too long is left out, and its connection is closed. */
function receive(call: Request): Promise<Received> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let status: number | undefined;
    call.once('response', (response) => (status = response.statusCode));
    call.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (call.downloadProgress.transferred <= MAX_BODY_BYTES) return;
      resolve({ status });
      call.destroy();
    });
    call.once('end', () => resolve({ status, body: Buffer.concat(chunks) }));
    call.once('upgrade', (response, socket) => {
      resolve({ status: response.statusCode });
      socket.destroy();
    });
    call.on('error', (error: RequestError) => resolve({ status, error }));
  });
}

type Verdict = [reason?: Reason, code?: string, address?: string];

/** Gives the reason why there is no echo, or none when there is one. Throws an error that is a bug of B. */
function judge({ status, body, error }: Received, msg: string, isUnresolved: boolean): Verdict {
  if (error instanceof AbortError) return ['aborted'];
  if (status !== undefined && status !== 200) return ['bad_status', `HTTP_${status}`];
  if (error instanceof TimeoutError) return [isUnresolved ? 'dns' : 'timeout', error.code];
  if (!error) return isEcho(body, msg) ? [] : ['bad_body'];
  // When A has several addresses, the one that refused gives the reason; if none refused, the last one tried does.
  const causes: any[] = error.cause instanceof AggregateError ? error.cause.errors : [error.cause ?? {}];
  const { code = error.code, syscall, address } = causes.find(({ code }) => code === 'ECONNREFUSED') ?? causes.at(-1);
  // This code means that B has no port left, or that it has no IPv6.
  if (code === 'EADDRNOTAVAIL' && isIPv6(address) && !hasIPv6()) return ['unreachable', code, address];
  const [known] = CODES.find(([, codes]) => codes.test(code)) ?? [];
  const reason = known ?? (syscall === 'getaddrinfo' ? 'dns' : syscall && 'unreachable');
  if (!reason) throw error;
  return [reason, code, address];
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }); // JSON must be UTF-8

function isEcho(body: Buffer | undefined, msg: string): boolean {
  try {
    return JSON.parse(utf8.decode(body)).echo === msg;
  } catch {
    return false;
  }
}

const hasIPv6 = () => Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'));
