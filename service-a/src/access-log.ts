import { randomUUID } from 'node:crypto';
import { HttpError, type Middleware } from 'koa';
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';

/** One JSON line per event, on standard output unless told otherwise. */
export function createLogger(service: string, destination?: DestinationStream): Logger {
  const formatters = { level: (level: string) => ({ level }) };
  return pino({ base: { service }, timestamp: stdTimeFunctions.isoTime, formatters }, destination);
}

/**
 * What both services do around every request: it gets an id (the caller's `x-request-id` if that is 1 to 128 of
 * `A-Za-z0-9._-`), its failure becomes `{"error": "one sentence"}`, and it is logged in exactly one line, once its
 * answer is out or its caller gone. Handlers fail with `ctx.throw(4xx, …)` and add to the line in `ctx.state.log`.
 */
export function accessLog(logger: Logger): Middleware {
  return async (ctx, next) => {
    const start = performance.now();
    const given = ctx.get('x-request-id');
    const requestId = /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : randomUUID();
    ctx.state = { requestId, log: {} };
    ctx.set('x-request-id', requestId);
    // A proxy's absolute-form target is served as its path alone (RFC 9112, 3.2.2): its host may be malformed. A fragment
    // goes too: with one in it, Koa has the path parsed in a way that takes `//user@[` for a host, and throws.
    ctx.url = ctx.url.replace(/#.*/, '').replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*\/?/i, '/');
    try {
      await next();
      if (ctx.matched.length === 0) ctx.throw(404, `${ctx.path} does not exist here.`);
      if (ctx.status === 404) ctx.throw(405, `${ctx.path} takes GET only.`, { headers: { Allow: 'GET, HEAD' } });
    } catch (error) {
      const known = error instanceof HttpError && error.expose ? error : undefined;
      ctx.status = known?.status ?? 500;
      ctx.set(known?.headers ?? {});
      ctx.body = { error: known?.message ?? 'This service has a bug; its log has the details.' };
      if (!known) ctx.state.log.stack = error instanceof Error ? error.stack : String(error);
    }
    // Node does not see what came right behind a request to upgrade; its caller must learn that no answer will come.
    if (ctx.draining || ctx.get('Upgrade')) ctx.set('Connection', 'close');

    const log = () => {
      const aborted = !ctx.res.writableFinished;
      const status = aborted ? 499 : ctx.status; // nginx's number for a caller who left: no status went out
      const latency_ms = Math.round((performance.now() - start) * 100) / 100;
      const line = { request_id: requestId, method: ctx.method, endpoint: ctx.path, status, latency_ms };
      logger[ctx.status >= 500 ? 'error' : 'info']({ ...line, ...(aborted && { aborted }), ...ctx.state.log });
    };
    // Not before the handler is done, even if the caller has left: the line tells what the handler met.
    if (ctx.res.closed) log();
    else ctx.res.once('close', log);
  };
}
