import { createServer, type Server } from 'node:http';
import { json } from 'node:stream/consumers';
import { createHash, timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { sanitize, printable } from '../stack/foreign-text.ts';
import { historyText } from '../experiment/history-file.ts';
import { pageFiles, pageHtml } from './build-page.ts';
import type { Experiment } from './experiment.ts';
import { dotOf, MAX_RATE, Refused, type News } from './protocol.ts';
import type { Tour } from './tour.ts';
import { transcript } from './transcript.ts';

const MAX_BODY_BYTES = 16 * 1024;
const MAX_MSG_CHARS = 8000;

const PAGE = pageHtml();
const [, OWN_SCRIPT] = /<script>([^]*?)<\/script>/.exec(PAGE)!;
const HASH = createHash('sha256').update(OWN_SCRIPT!).digest('base64');

const HEADERS = {
  'Content-Security-Policy': `default-src 'none'; script-src 'self' 'sha256-${HASH}'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/**
 * Answers only to its own Host, or to the Host of a proxy in front of it, which may end TLS. So neither a name that was
 * rebound to this address nor the page of another site can use it. Links from other sites may open the page itself.
 */
export function guard(port: number, allowedHost?: string): Middleware {
  // Browsers leave out the default port of http.
  const hosts = ['localhost', '127.0.0.1', '[::1]'].map((name) => new URL(`http://${name}:${port}`).host);
  const isAllowed = (url: string) => allowedHost !== undefined && URL.parse(url)?.hostname === allowedHost;
  return async (ctx, next) => {
    ctx.set(HEADERS);
    const { host } = ctx;
    if (!hosts.includes(host) && !isAllowed(`http://${host}`)) {
      const hint = 'behind a proxy, start it again with --allow-host and the name that the browser shows';
      ctx.throw(421, `This is no page of ${printable(host, 100)}. Open the link that the terminal shows; ${hint}.`);
    }
    const origin = ctx.get('Origin');
    const site = ctx.get('Sec-Fetch-Site');
    const isLink = ctx.method === 'GET' && ctx.path === '/' && ctx.get('Sec-Fetch-Mode') === 'navigate';
    const isOwn = origin === `http://${host}` || isAllowed(origin); // a proxy may end TLS, and send another Host
    const isForeign = (origin && !isOwn) || (site && !['same-origin', 'none'].includes(site));
    if (isForeign && !isLink) ctx.throw(403, 'Only the page of this server may ask this.');
    if (ctx.method === 'POST' && !origin) ctx.throw(403, 'A change must come from the page, with its Origin.');
    await next();
  };
}

/** Answers only callers who have the link. A token in the address is for requests without own headers, and allows no change. */
function needsToken(token: string): Middleware {
  return async (ctx, next) => {
    const given = ctx.get('X-Token') || (ctx.method === 'POST' ? '' : String(ctx.query.token));
    if (!isSame(given, token)) ctx.throw(403, 'The token is missing or wrong: open the link that the terminal shows.');
    await next();
  };
}

function isSame(one: string, other: string) {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const errors: Middleware = async (ctx, next) => {
  try {
    await next();
    if (ctx.status === 404 && !ctx.body) ctx.throw(404, 'There is nothing here.');
  } catch (error) {
    const { status = 500, expose, message } = error as Error & { status?: number; expose?: boolean };
    const isRefused = error instanceof Refused;
    ctx.status = isRefused ? 409 : status;
    if (!isRefused && !expose) console.error(error);
    const sentence = isRefused || expose ? message : 'The page has a bug; its terminal has the details.';
    ctx.body = ctx.path === '/' ? `${sentence}\n` : { error: sentence }; // a person reads the first, the page the second
  }
  if (ctx.type === 'application/json') ctx.body = toJson(ctx.body);
};

/** Writes JSON for the page with all texts sanitized: strangers wrote the log lines, the answers and the names. */
const toJson = (value: unknown) =>
  JSON.stringify(value, (_, part) => (typeof part === 'string' ? sanitize(part) : part));

async function bodyOf(ctx: Context): Promise<Record<string, unknown>> {
  const length = Number(ctx.get('Content-Length') || NaN);
  if (!ctx.is('application/json') || !(length <= MAX_BODY_BYTES)) ctx.throw(413, 'Send JSON of at most 16 KiB.');
  const body = await json(ctx.req).catch(() => ctx.throw(400, 'This is not JSON.'));
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}

function changeRoutes(router: Router, experiment: Experiment, tour: Tour) {
  router.post('/faults/:id', async (ctx) => {
    const { behaviour } = await bodyOf(ctx);
    await experiment.cause(ctx.params.id!, typeof behaviour === 'string' ? behaviour : undefined);
    ctx.body = {};
  });
  router.post('/calls', async (ctx) => {
    const { msg } = await bodyOf(ctx);
    if (typeof msg !== 'string' || msg.length > MAX_MSG_CHARS || !msg.isWellFormed()) {
      ctx.throw(400, `A message is a text of at most ${MAX_MSG_CHARS} characters.`);
    }
    const { n } = await experiment.caller.send(msg as string);
    ctx.body = { n };
  });
  router.post('/rate', async (ctx) => {
    const { callsPerSecond } = await bodyOf(ctx);
    const isRate =
      Number.isInteger(callsPerSecond) && Number(callsPerSecond) >= 1 && Number(callsPerSecond) <= MAX_RATE;
    if (!isRate) ctx.throw(400, `Calls per second are a whole number from 1 to ${MAX_RATE}.`);
    experiment.setRate(callsPerSecond as number);
    ctx.body = {};
  });
  router.post('/tour/:step', async (ctx) => {
    const { outcome, wait } = await bodyOf(ctx);
    await tour.step(ctx.params.step!, { outcome: String(outcome), wait: String(wait) });
    ctx.body = {};
  });
}

function readRoutes(router: Router, experiment: Experiment, tour: Tour) {
  const { history } = experiment;
  router.get('/', (ctx) => {
    ctx.type = 'html';
    ctx.body = PAGE;
  });
  // A page asks this again and again and holds no connection open: a browser has only six for a host.
  router.get('/news', (ctx) => {
    const { version } = experiment;
    const { calls, isAll } = history.since(Number(ctx.query.ended));
    const news: News = {
      ...{ version, ended: history.ended, calls: calls.map(dotOf), isAll, now: Date.now() },
      ...(version !== Number(ctx.query.version) && { view: { ...experiment.view(), tour: tour.view() } }),
    };
    ctx.body = news;
  });
  router.get('/calls/:n', async (ctx) => {
    const call = await experiment.settledCallView(Number(ctx.params.n));
    if (!call) ctx.throw(404, 'This call is not kept any more.');
    ctx.body = call;
  });
  const file = (name: string, type: string, write: () => string) =>
    router.get(`/${name}`, (ctx) => {
      ctx.type = type;
      ctx.attachment(name);
      ctx.body = write();
    });
  file('transcript.md', 'text/markdown', () => transcript(experiment, tour));
  file('history.jsonl', 'application/jsonl', () => historyText(history.events()));
}

/** Serves the page and its requests on the loopback interface only. Rejects with the system's error if the port is taken. */
export async function serve(
  { experiment, tour }: { experiment: Experiment; tour: Tour },
  port: number,
  token: string,
  allowedHost?: string,
): Promise<Server[]> {
  const [files, router] = [new Router(), new Router()];
  for (const { path, type, text } of pageFiles()) {
    files.get(path, (ctx) => {
      ctx.type = type;
      ctx.body = text; // it is the same for everyone, and no secret
    });
  }
  readRoutes(router, experiment, tour);
  changeRoutes(router, experiment, tour);
  const app = new Koa();
  app.silent = true;
  app.use(errors).use(guard(port, allowedHost)).use(files.routes());
  app.use(needsToken(token)).use(router.routes()).use(router.allowedMethods());
  const answer = app.callback();
  const listen = (host: string) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer(answer);
      server.once('error', reject).listen({ port, host }, () => resolve(server));
    });
  const server = await listen('127.0.0.1');
  // A browser may try the IPv6 address of localhost first.
  const second = await listen('::1').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') return undefined;
    server.close();
    throw error;
  });
  return second ? [server, second] : [server];
}
