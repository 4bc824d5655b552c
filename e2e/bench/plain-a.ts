import { randomUUID } from 'node:crypto';
import { Router } from '@koa/router';
import Koa from 'koa';
import { pino } from 'pino';

const logger = pino({ base: { service: 'service-a' } });
const app = new Koa();
const router = new Router();

app.use(async (ctx, next) => {
  const start = performance.now();
  const requestId = ctx.get('x-request-id') || randomUUID();
  ctx.set('x-request-id', requestId);
  await next();
  const { method, path, status } = ctx;
  logger.info({ request_id: requestId, method, endpoint: path, status, latency_ms: performance.now() - start });
});

router.get('/health', (ctx) => {
  ctx.body = { status: 'ok' };
});

router.get('/echo', (ctx) => {
  ctx.body = { echo: ctx.query.msg ?? '' };
});

app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env.PORT));
