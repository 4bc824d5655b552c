import type { Logger } from 'pino';
import { msSince, newRouter, toApp } from './chassis/requests.ts';
import type { ServiceA } from './service-a-client.ts';

const MAX_MSG_BYTES = 4096;

/** Service B as a value: it answers `/health` by itself and `/call-echo` by asking A, and listens nowhere. */
export function createApp(serviceA: ServiceA, logger: Logger) {
  const router = newRouter();

  router.get('/health', (ctx) => (ctx.body = { status: 'ok' }));

  router.get('/call-echo', async (ctx) => {
    const msg = new URLSearchParams(ctx.querystring).get('msg') ?? ''; // ctx.query decodes by other rules than the Web's
    const bytes = Buffer.byteLength(msg);
    if (bytes > MAX_MSG_BYTES) ctx.throw(414, `msg is ${bytes} bytes of UTF-8; at most ${MAX_MSG_BYTES} are taken.`);

    const start = performance.now();
    const answer = await serviceA.echo(msg, ctx.state.requestId, ctx.res);
    ctx.state.log.upstream_latency_ms = msSince(start);

    if ('echo' in answer) {
      ctx.body = { service_b: 'ok', service_a: { echo: answer.echo } };
      return;
    }
    Object.assign(ctx.state.log, answer);
    const { reason, error } = answer;
    ctx.status = 503;
    if (reason === 'overloaded') {
      ctx.body = { service_b: 'overloaded', service_a: 'not asked', error, reason };
    } else {
      ctx.body = { service_b: 'ok', service_a: 'unavailable', error, reason };
    }
  });

  return toApp(router, logger);
}
