/**
 * A small sound pair on plain node:http, with the faults that it is given: `node faulty-pair.ts a|b [FAULT…]`. The faults of a service
 * are the strings that its code asks `has` for.
 */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

const [role, ...faults] = process.argv.slice(2);
const TIMEOUT_MS = 300;
const MAX_BYTES = 64 * 1024;
const UNREACHED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];
const has = (name: string) => faults.includes(name);

type Reply = { status: number; body: unknown; error?: string };

function log(path: string, { status, error }: Reply, ms: number, msg: string) {
  if (has('no line for health') && path === '/health') return;
  if (has('no line for a refusal') && error === 'refused') return;
  if (has('lines that come by themselves')) return;
  const line = [`service=${role === 'a' || has("A's name") ? 'echoer' : 'caller'}`, `endpoint=${path}`];
  if (has('a word for the status')) line.push(`status=${status < 400 ? 'ok' : 'error'}`);
  else if (!has('no status in the log')) line.push(`status=${status}`);
  if (!has('no latency in the log')) line.push(`latency_ms=${has('a latency of 0') ? 0 : ms.toFixed(1)}`);
  if (has('forged log lines')) line.push(`msg=${msg}`);
  if (error && !has('no word of the failure')) line.push('level=error', `error="${blame(error)}"`);
  console.log(line.join(' '));
}

function blame(error: string) {
  if (has('a timeout called a refusal') && error === 'timeout') return 'connection refused';
  if (has('a refusal called a timeout') && error === 'refused') return 'timeout';
  if (has('one name for all failures')) return 'service A is unavailable';
  return error === 'refused' ? 'connection refused' : error;
}

function echo(url: URL): Reply {
  const msg = url.searchParams.get('msg');
  if (has('500 to a missing msg') && msg === null) throw new Error('no msg');
  if (has('hello to everything')) return { status: 200, body: { echo: 'hello' } };
  return { status: 200, body: { echo: msg ?? '' } };
}

class Failed extends Error {}

/** One call to A, or a Failed with the kind of its failure. */
async function callA(msg: string): Promise<string> {
  const query = has('an unescaped msg')
    ? msg.replaceAll(' ', '+').replace(/[^ -~]/g, encodeURIComponent)
    : encodeURIComponent(msg);
  const call = request(`${process.env.SERVICE_A_URL}/echo?msg=${query}`, { agent: false }).end();
  let reason: string | undefined;
  const giveUp = (why: string) => {
    reason ??= why;
    call.destroy();
  };
  call.on('error', () => {}); // whoever waits for the response or its body gets it too
  const timer = setTimeout(giveUp, has('no timeout') ? 2 ** 30 : TIMEOUT_MS, 'timeout');
  if (has('a timeout for each read')) call.on('socket', (socket) => socket.on('data', () => timer.refresh()));
  try {
    const [response]: IncomingMessage[] = await once(call, 'response');
    if (has('a timeout for the headers alone')) clearTimeout(timer);
    const { statusCode } = response!;
    const isTaken = has('errors taken for success')
      ? statusCode! >= 400
      : has('redirects taken for success') && statusCode! < 400;
    if (statusCode !== 200 && !isTaken) throw new Failed('bad status');
    let size = 0;
    response!.on('data', ({ length }: Buffer) => {
      if ((size += length) > 8192 && has('death by an endless answer')) process.exit(1);
      if (size > MAX_BYTES) giveUp('bad body');
    });
    const body = await text(response!).catch((error) => {
      if (has('500 to half an answer') && !reason) throw new TypeError('half an answer');
      throw error;
    });
    return echoIn(body);
  } catch (error) {
    if (error instanceof Failed || error instanceof TypeError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failed(reason ?? (UNREACHED.includes(code!) ? 'refused' : 'reset'), { cause: message });
  } finally {
    clearTimeout(timer);
    call.destroy();
  }
}

function echoIn(body: string): string {
  let json: any;
  try {
    json = JSON.parse(body);
  } catch {
    if (has('500 to what is not JSON')) throw new TypeError('not JSON');
    throw new Failed('bad body');
  }
  if (typeof json?.echo === 'string' || has('any JSON taken for an echo')) return json?.echo;
  throw new Failed('bad body');
}

/** Not the echo of A, but whether A is there. */
async function pingA(msg: string): Promise<string> {
  const isThere = await fetch(`${process.env.SERVICE_A_URL}/health`, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then(
    ({ ok }) => ok,
    ({ name }) => Promise.reject(new Failed(name === 'TimeoutError' ? 'timeout' : 'refused')),
  );
  return isThere ? msg : Promise.reject(new Failed('bad status'));
}

let isLatched = false;
let sawRefusal = false;
let queue: Promise<unknown> = Promise.resolve();

async function callEcho(url: URL): Promise<Reply> {
  const msg = url.searchParams.get('msg') ?? '';
  if (has('500 to bad escapes')) decodeURIComponent(url.search);
  try {
    if (isLatched) throw new Failed('still broken');
    const attempt = () => (has('an answer of its own') ? pingA(msg) : callA(msg));
    const retry = (error: Error) => {
      const isRetried = has('a retry') || (has('a retry of a refusal') && error.message === 'refused');
      return isRetried ? attempt() : Promise.reject(error);
    };
    const echo = await attempt().catch(retry);
    sawRefusal = false;
    return { status: 200, body: { service_b: 'ok', service_a: { echo } } };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    const kind = error.message;
    sawRefusal ||= kind === 'refused';
    isLatched ||=
      (has('no recovery from a refusal') && kind === 'refused') ||
      (has('no recovery from a timeout') && kind === 'timeout');
    if (has('an end after each failure')) setTimeout(process.exit, 20);
    const status = has('500 to a refusal') && kind === 'refused' ? 500 : 503;
    const told = has('exception text') && error.cause ? error.cause : 'service A did not answer';
    return { status, body: { service_b: 'ok', service_a: 'unavailable', error: told }, error: kind };
  }
}

async function reply(url: URL): Promise<Reply> {
  if (url.pathname === '/health') {
    if (has('no health') || (has("A's health in its own") && sawRefusal)) return { status: 404, body: {} };
    return { status: 200, body: { status: 'ok' } };
  }
  if (role === 'a' && url.pathname === '/echo') return echo(url);
  if (role === 'b' && url.pathname === '/call-echo') return callEcho(url);
  if (role === 'a' && url.pathname === '/end') process.exit(0);
  return { status: 404, body: {} };
}

const server = createServer(async ({ url }, response) => {
  const start = performance.now();
  const target = URL.parse(url!, 'http://x') ?? new URL('http://x/?');
  if (has('death by an odd path') && url === '//') process.exit(1);
  const answering = has('one call at a time') ? (queue = queue.then(() => reply(target))) : reply(target);
  const answer = await (answering as Promise<Reply>).catch(() => ({ status: 500, body: {} }) as Reply);
  const msg = target.searchParams.get('msg') ?? '';
  const pasted = has('pasted JSON') && target.pathname === '/echo';
  response.writeHead(answer.status, { 'content-type': 'application/json', connection: 'close' });
  response.end(pasted ? `{"echo":"${msg}"}` : JSON.stringify(answer.body));
  log(target.pathname, answer, performance.now() - start, msg);
});
server.listen(Number(process.env.PORT));

if (has('lines that come by themselves')) {
  const paths = ['/health', role === 'a' ? '/echo' : '/call-echo'];
  setInterval(() => {
    for (const path of paths) console.log(`service=${role} endpoint=${path} status=200 latency_ms=${Math.random()}`);
  }, 50);
}

process.on('SIGTERM', async () => {
  if (has('deaf to SIGTERM')) return;
  if (has('an end for both')) await fetch(`${process.env.SERVICE_A_URL}/end`).catch(() => {});
  process.exit(0);
});
