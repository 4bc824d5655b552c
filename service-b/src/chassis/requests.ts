import { randomUUID } from 'node:crypto';
import { Router } from '@koa/router';
import Koa, { HttpError, type Middleware } from 'koa';
import type { Logger } from 'pino';

/** What a handler finds in `ctx.state`; what it puts into `log` becomes part of the request's line. */
export type RequestState = { requestId: string; log: Record<string, unknown> };
type Context = { listeningEnd?: Promise<void>; matched?: unknown[] };
export type App = Koa<RequestState, Context>;
type Handler = Middleware<RequestState, Context>;

/** Paths are exact: their case and a slash at the end count. */
export const newRouter = () => new Router<RequestState>({ sensitive: true, strict: true });

/** Routes as an application, with what any HTTP service does around them. It does not listen on a port. */
export function toApp(router: Router<RequestState>, logger: Logger): App {
  const app: App = new Koa();
  app.silent = true; // Koa would print the stack of every broken connection; the access log has its line
  app.use(accessLog(logger)).use(errorsAsJson).use(rulesOfHttp).use(router.routes()).use(noSuchRoute);
  return app;
}

/** The milliseconds since `start`, a time of `performance.now()`, to two digits. */
export const msSince = (start: number): number => Math.round((performance.now() - start) * 100) / 100;

export const bounded = (path: string) => (path.length > 200 ? `${path.slice(0, 200)}…` : path);

/**
 * Gives the request an id (the caller's `x-request-id` if that is 1 to 128 of `A-Za-z0-9._-`), and logs it in exactly one
 * line, once its answer has been sent or its caller has left.
 */
function accessLog(logger: Logger): Handler {
  return async (ctx, next) => {
    const start = performance.now();
    const given = ctx.get('x-request-id');
    const requestId = /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : randomUUID();
    ctx.state = { requestId, log: {} };
    ctx.set('x-request-id', requestId);
    // A proxy's absolute-form target is served as its path alone (RFC 9112, 3.2.2): its host may be malformed. A fragment
    // is removed, too: with one, Koa's parser takes `//user@[` in a path for a host, and throws.
    ctx.url = ctx.url.replace(/#.*/, '').replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*\/?/i, '/');
    await next();
    // After an answer now, the caller would open a new connection, which would be reset. Pipelined requests wait, too.
    if (ctx.res.socket) await ctx.listeningEnd;
    // Node drops what follows a request to upgrade; its caller must learn that no further answer will be sent.
    if (ctx.listeningEnd || ctx.get('Upgrade')) ctx.set('Connection', 'close');

    const log = () => {
      const aborted = !ctx.res.writableFinished;
      const status = aborted ? 499 : ctx.status; // nginx's number for a caller who has left; no status was sent
      const line = { request_id: requestId, method: ctx.method, endpoint: bounded(ctx.path), status };
      const extra = { ...(aborted && { aborted }), ...ctx.state.log };
      logger[status >= 500 ? 'error' : 'info']({ ...line, latency_ms: msSince(start), ...extra });
    };
    // Even when the caller has left already, the line waits for the handler, because it says what happened there.
    if (ctx.res.closed) log();
    else ctx.res.once('close', log);
  };
}

/** Sends the sentence of `ctx.throw(4xx, 'one sentence')` to the caller. Any other error is a bug and goes to the log. */
const errorsAsJson: Handler = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    const known = error instanceof HttpError && error.expose ? error : undefined;
    ctx.status = known?.status ?? 500;
    ctx.set(known?.headers ?? {});
    ctx.body = { error: known?.message ?? 'This service has a bug; its log has the details.' };
    if (!known) ctx.state.log.stack = error instanceof Error ? error.stack : String(error);
  }
};

/** Refuses what Node would refuse without a body: no host (RFC 9112, section 3.2), odd expectations (RFC 9110, 10.1.1). */
const rulesOfHttp: Handler = (ctx, next) => {
  const { host, expect = '100-continue' } = ctx.headers;
  if (ctx.req.httpVersion !== '1.1') return next();
  if (host === undefined) ctx.throw(400, 'HTTP/1.1 needs a Host header.', { headers: { Connection: 'close' } });
  if (!/\b100-continue\b/i.test(expect)) ctx.throw(417, 'The only expectation that is met here is 100-continue.');
  return next();
};

/** Comes after the routes, so it gets only requests that none of them answered. */
const noSuchRoute: Handler = (ctx) => {
  const path = bounded(ctx.path);
  if (ctx.matched?.length === 0) ctx.throw(404, `${path} does not exist here.`);
  ctx.throw(405, `${path} takes GET only.`, { headers: { Allow: 'GET, HEAD' } });
};
