import type { Logger } from 'pino';
import { newRouter, toApp } from './chassis/requests.ts';

const MAX_MSG_BYTES = 4096;

/** Service A as a value: it answers `/health` and `/echo`, but does not listen on a port. */
export function createApp(logger: Logger) {
  const router = newRouter();

  router.get('/health', (ctx) => (ctx.body = { status: 'ok' }));

  router.get('/echo', (ctx) => {
    const msg = new URLSearchParams(ctx.search).get('msg') ?? ''; // ctx.query does not decode as the URL standard does
    const bytes = Buffer.byteLength(msg);
    if (bytes > MAX_MSG_BYTES) ctx.throw(414, `msg is ${bytes} bytes of UTF-8; at most ${MAX_MSG_BYTES} are taken.`);
    ctx.body = { echo: msg };
  });

  return toApp(router, logger);
}
