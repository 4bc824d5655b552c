import { Router } from '@koa/router';
import Koa from 'koa';
import type { Logger } from 'pino';
import { accessLog } from './access-log.ts';
import type { ServiceA } from './service-a-client.ts';

const MAX_MSG_BYTES = 4096;

/** Service B as a value: it answers `/health` by itself and `/call-echo` by asking A, and listens nowhere. */
export function createApp(serviceA: ServiceA, logger: Logger): Koa {
  const router = new Router({ sensitive: true, strict: true });

  router.get('/health', (ctx) => (ctx.body = { status: 'ok' }));

  router.get('/call-echo', async (ctx) => {
    const msg = new URLSearchParams(ctx.querystring).get('msg') ?? ''; // ctx.query decodes by other rules than the Web's
    const bytes = Buffer.byteLength(msg);
    if (bytes > MAX_MSG_BYTES) ctx.throw(414, `msg is ${bytes} bytes of UTF-8; at most ${MAX_MSG_BYTES} are taken.`);

    const start = performance.now();
    const answer = await serviceA.echo(msg, ctx.state.requestId);
    const upstream_latency_ms = Math.round((performance.now() - start) * 100) / 100;
    if ('echo' in answer) {
      ctx.body = { service_b: 'ok', service_a: { echo: answer.echo } };
      ctx.state.log = { upstream_latency_ms };
    } else {
      const { reason, error } = answer;
      ctx.status = 503;
      const wasAsked = reason !== 'overloaded';
      const [service_b, service_a] = wasAsked ? ['ok', 'unavailable'] : ['overloaded', 'not asked'];
      ctx.body = { service_b, service_a, error, reason };
      ctx.state.log = { upstream_latency_ms, ...answer };
    }
  });

  const app = new Koa();
  app.silent = true; // Koa would print the stack of every broken connection; the access log has its line
  app.use(accessLog(logger));
  app.use(router.routes());
  return app;
}
