import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { PassThrough } from 'node:stream';
import { json } from 'node:stream/consumers';
import { createHash, timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import { STYLE } from '../picture/picture.ts';
import { harmless } from '../stack/foreign-text.ts';
import { ROOT } from '../stack/paths.ts';
import { Refused } from './tour.ts';
import type { Experiment } from './experiment.ts';
import { MAX_RATE, type Dot } from './protocol.ts';
import { transcript } from './transcript.ts';

const SEND_EVERY_MS = 100;
const MAX_PAGES = 16;
const MAX_UNREAD_BYTES = 4 * 1024 * 1024; // of a page that does not read: twice what it gets first
const MAX_BODY_BYTES = 16 * 1024;
const MAX_MSG_CHARS = 8000;

const LIVE = `${ROOT}e2e/live/`;
/** The page's modules, served under their own paths, without their types. */
const MODULES = [
  'e2e/live/page/page.ts',
  'e2e/live/page/dom.ts',
  'e2e/live/page/system.ts',
  'e2e/live/page/chart.ts',
  'e2e/live/page/dots.ts',
  'e2e/live/page/calls.ts',
  'e2e/live/page/tour.ts',
  'e2e/live/protocol.ts',
  'e2e/live/timeline.ts',
  'e2e/picture/calls-chart.ts',
  'e2e/picture/picture.ts',
  'e2e/picture/outcomes.ts',
  'e2e/picture/states.ts',
];

const PAGE = readFileSync(`${LIVE}page/page.html`, 'utf8').replaceAll('\r\n', '\n'); // as a browser hashes its script
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

/** What is the same for everybody, and no secret. */
function fileRoutes(router: Router) {
  const serve = (path: string, type: string, text: string) =>
    router.get(path, (ctx) => {
      ctx.type = type;
      ctx.body = text;
    });
  serve('/page.css', 'css', readFileSync(`${LIVE}page/page.css`, 'utf8'));
  serve('/icon.svg', 'svg', readFileSync(`${LIVE}page/icon.svg`, 'utf8'));
  serve('/picture.css', 'css', STYLE);
  for (const file of MODULES) serve(`/${file}`, 'js', stripTypeScriptTypes(readFileSync(`${ROOT}${file}`, 'utf8')));
}

/**
 * Answers to its own Host alone (a name that was rebound to this address is another), and never to another site's page. Links
 * from elsewhere lead to the page itself.
 */
export function guard(port: number): Middleware {
  // As browsers write them: without a port that is http's own.
  const hosts = ['localhost', '127.0.0.1', '[::1]'].map((name) => new URL(`http://${name}:${port}`).host);
  return async (ctx, next) => {
    ctx.set(HEADERS);
    const { host } = ctx;
    if (!hosts.includes(host)) ctx.throw(421, 'This is not the host that you asked for.');
    const origin = ctx.get('Origin');
    const site = ctx.get('Sec-Fetch-Site');
    const isLink = ctx.method === 'GET' && ctx.path === '/' && ctx.get('Sec-Fetch-Mode') === 'navigate';
    const isForeign = (origin && origin !== `http://${host}`) || (site && !['same-origin', 'none'].includes(site));
    if (isForeign && !isLink) ctx.throw(403, 'Only the page of this server may ask this.');
    if (ctx.method === 'POST' && !origin) ctx.throw(403, 'A change must come from the page, with its Origin.');
    await next();
  };
}

/** Answers only callers who have the link. In an address, the token is for requests that send no headers of their own, and allows no change. */
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
    ctx.body = ctx.path === '/' ? `${sentence}\n` : { error: sentence }; // a person reads the one, the page the other
  }
  if (ctx.type === 'application/json') ctx.body = toJson(ctx.body);
};

/** For the page, which shows what strangers wrote: log lines, answers, names. */
const toJson = (value: unknown) =>
  JSON.stringify(value, (_, part) => (typeof part === 'string' ? harmless(part) : part));

async function bodyOf(ctx: Context): Promise<Record<string, unknown>> {
  const length = Number(ctx.get('Content-Length') || NaN);
  if (!ctx.is('application/json') || !(length <= MAX_BODY_BYTES)) ctx.throw(413, 'Send JSON of at most 16 KiB.');
  const body = await json(ctx.req).catch(() => ctx.throw(400, 'This is not JSON.'));
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}

function changeRoutes(router: Router, experiment: Experiment) {
  router.post('/actions/:id', async (ctx) => {
    const { behaviour } = await bodyOf(ctx);
    await experiment.act(ctx.params.id!, typeof behaviour === 'string' ? behaviour : undefined);
    ctx.body = experiment.view();
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
    const { tour } = experiment;
    if (ctx.params.step === 'start') await tour.start();
    else if (ctx.params.step === 'run') await tour.run({ outcome: String(outcome), wait: String(wait) });
    else if (ctx.params.step === 'next') tour.next();
    else if (ctx.params.step === 'leave') await tour.leave();
    else ctx.throw(404, 'The tour has no such step.');
    ctx.body = {};
  });
}

function readRoutes(router: Router, experiment: Experiment) {
  router.get('/', (ctx) => {
    ctx.type = 'html';
    ctx.body = PAGE;
  });
  router.get('/calls/:n', async (ctx) => {
    const call = await experiment.settledCallView(Number(ctx.params.n));
    if (!call) ctx.throw(404, 'This call is not kept any more.');
    ctx.body = call;
  });
  router.get('/transcript.md', (ctx) => {
    ctx.type = 'text/markdown';
    ctx.attachment('transcript.md');
    ctx.body = transcript(experiment);
  });
}

/**
 * Server-sent events: `calls` with all dots at first and then the new ones, `view` with all else whenever it changed. A
 * page that does not read is hung up on, and gets everything again once it reads.
 */
function eventRoute(router: Router, experiment: Experiment) {
  const pages = new Set<{ stream: PassThrough; drop: () => void }>();
  let dots: Dot[] = [];

  const send = (text: string) => {
    for (const { stream, drop } of pages) {
      if (stream.writableLength + stream.readableLength > MAX_UNREAD_BYTES) drop();
      else stream.write(text);
    }
  };
  experiment.on('calls', (some) => dots.push(...some));
  let isChanged = false;
  experiment.on('change', () => (isChanged = true));
  setInterval(() => {
    if (dots.length > 0) send(event('calls', JSON.stringify(dots)));
    dots = [];
    if (isChanged) send(event('view', toJson(experiment.view())));
    isChanged = false;
  }, SEND_EVERY_MS).unref();

  router.get('/events', (ctx) => {
    if (pages.size >= MAX_PAGES) ctx.throw(503, 'Too many pages are open; close one.', { expose: true });
    const stream = new PassThrough({ highWaterMark: 64 * 1024 });
    const page = { stream, drop: () => ctx.res.destroy() };
    ctx.res.once('close', () => {
      pages.delete(page);
      stream.destroy();
    });
    ctx.type = 'text/event-stream';
    ctx.body = stream;
    stream.write(`retry: 1000\n${event('view', toJson(experiment.view()))}`);
    // Those that are about to be sent to all pages will reach this one too.
    stream.write(event('calls', JSON.stringify(experiment.dots().slice(0, -dots.length || undefined))));
    pages.add(page);
  });
}

const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;

/** The page and what it may ask, on the loopback interface alone. Rejects with the system's error when the port is taken. */
export async function serve(experiment: Experiment, port: number, token: string): Promise<Server[]> {
  const [files, router] = [new Router(), new Router()];
  fileRoutes(files);
  readRoutes(router, experiment);
  changeRoutes(router, experiment);
  eventRoute(router, experiment);
  const app = new Koa();
  app.silent = true;
  app.use(errors).use(guard(port)).use(files.routes());
  app.use(needsToken(token)).use(router.routes()).use(router.allowedMethods());
  const answer = app.callback();
  const listen = (host: string) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer(answer);
      server.once('error', reject).listen({ port, host }, () => resolve(server));
    });
  const server = await listen('127.0.0.1');
  // Where there is IPv6, a browser may look for localhost there first.
  const second = await listen('::1').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') return undefined;
    server.close();
    throw error;
  });
  return second ? [server, second] : [server];
}
