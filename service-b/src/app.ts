import type { Logger } from 'pino';
import { msSince, newRouter, toApp } from './chassis/requests.ts';
import { NO_ROOM, type ServiceA } from './service-a-client.ts';

const MAX_MSG_BYTES = 4096;
const MAX_IN_FLIGHT = 256; // keeps answers at most 50 ms after the deadline; 0.3 s with 2,000 calls at once

/** Service B as a value: it answers `/health` by itself and `/call-echo` by asking A, but does not listen on a port. */
export function createApp(serviceA: ServiceA, logger: Logger) {
  const router = newRouter();
  let inFlight = 0;

  /** Asks A while there is room. A call that first waited for room would be answered too late. */
  const ask: ServiceA['echo'] = async (msg, call) => {
    if (inFlight >= MAX_IN_FLIGHT) return NO_ROOM;
    inFlight++;
    return serviceA.echo(msg, call).finally(() => inFlight--);
  };

  router.get('/health', (ctx) => (ctx.body = { status: 'ok' }));

  router.get('/call-echo', async (ctx) => {
    const msg = new URLSearchParams(ctx.search).get('msg') ?? ''; // ctx.query does not decode as the URL standard does
    const bytes = Buffer.byteLength(msg);
    if (bytes > MAX_MSG_BYTES) ctx.throw(414, `msg is ${bytes} bytes of UTF-8; at most ${MAX_MSG_BYTES} are taken.`);

    const caller = new AbortController();
    ctx.res.once('close', () => ctx.res.writableFinished || caller.abort()); // the caller has left before the answer
    const start = performance.now();
    const answer = await ask(msg, { requestId: ctx.state.requestId, signal: caller.signal });
    ctx.state.log.upstream_latency_ms = msSince(start);

    if ('echo' in answer) return (ctx.body = { service_b: 'ok', service_a: { echo: answer.echo } });

    Object.assign(ctx.state.log, answer);
    const { reason, error } = answer;
    const [service_b, service_a] = reason === 'overloaded' ? ['overloaded', 'not asked'] : ['ok', 'unavailable'];
    ctx.status = 503;
    ctx.body = { service_b, service_a, error, reason };
  });

  return toApp(router, logger);
}
