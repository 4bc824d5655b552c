import { randomUUID } from 'node:crypto';
import { Router } from '@koa/router';
import got from 'got';
import Koa from 'koa';
import { pino } from 'pino';

const url = `${process.env.SERVICE_A_URL}/echo`;
const timeout = { request: Number(process.env.SERVICE_A_TIMEOUT_MS) };
const logger = pino({ base: { service: 'service-b' } });
const app = new Koa();
const router = new Router();

app.use(async (ctx, next) => {
  const start = performance.now();
  const requestId = ctx.get('x-request-id') || randomUUID();
  ctx.set('x-request-id', requestId);
  ctx.state.requestId = requestId;
  await next();
  const { method, path, status } = ctx;
  logger.info({ request_id: requestId, method, endpoint: path, status, latency_ms: performance.now() - start });
});

router.get('/health', (ctx) => {
  ctx.body = { status: 'ok' };
});

router.get('/call-echo', async (ctx) => {
  const searchParams = { msg: String(ctx.query.msg ?? '') };
  const headers = { 'x-request-id': ctx.state.requestId };
  try {
    const { echo } = await got(url, { searchParams, headers, timeout, retry: { limit: 0 } }).json<{ echo: string }>();
    ctx.body = { service_b: 'ok', service_a: { echo } };
  } catch (error) {
    ctx.status = 503;
    ctx.body = { service_b: 'ok', service_a: 'unavailable', error: (error as Error).message };
  }
});

app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env.PORT));
