import { setTimeout as sleep } from 'node:timers/promises';
import { get, type Answer } from './http.ts';
import type { Reader } from './reader.ts';
import { until } from './stack.ts';

/** One call while A is in the state that an act has brought about. */
export interface Call {
  msg: string;
  /** What A does with it, as the end of a sentence that begins with "A". */
  what: string;
  /** The reasons that B may give; none when the call must succeed. */
  reasons: string[];
  /** The longest that B's answer may take, in milliseconds. */
  atMostMs: number;
}

/** One way in which A fails: how to bring it about, what B answers meanwhile, and how to mend it. */
export interface Act {
  title: string;
  story: string;
  breaks: string[];
  calls: Call[];
  cures: string[];
  /** The reasons that B may give to calls made while the breaking commands still run; not watched when absent. */
  meanwhile?: string[];
}

const AT_ONCE_MS = 250;
const AT_DEADLINE_MS = 1100; // the deadline, B's 50 ms, and as much for the measuring on a busy machine
const CONTAINER_A = 'two-services-service-a-1';
const IMAGE = 'node:26-trixie-slim';

const hello = (what: string, reasons: string[], atMostMs: number): Call[] => [
  { msg: 'hello', what, reasons, atMostMs },
];
const stop = 'docker compose stop service-a';
const start = 'docker compose start service-a';
const SILENT_SERVER = "require('dgram').createSocket('udp4').bind(53)";

export const acts: Act[] = [
  {
    title: 'Stopped',
    story: 'A is told to stop, and does. Docker takes its name out of the DNS.',
    breaks: [stop],
    calls: hello('is stopped', ['dns'], AT_ONCE_MS),
    cures: [start],
  },
  {
    title: 'Killed',
    story: 'A has no time to say goodbye.',
    breaks: ['docker compose kill service-a'],
    calls: hello('is killed', ['dns'], AT_ONCE_MS),
    cures: [start],
  },
  {
    title: 'Crashed',
    story: 'The process dies by itself, inside its container.',
    breaks: ["docker compose exec -T service-a sh -c 'kill -9 -1'; docker wait two-services-service-a-1"],
    calls: hello('crashes', ['dns'], AT_ONCE_MS),
    cures: [start],
  },
  {
    title: 'Hanging',
    story: 'A is frozen: its kernel takes connections, and its process never answers.',
    breaks: ['docker compose pause service-a'],
    calls: hello('hangs', ['timeout'], AT_DEADLINE_MS),
    cures: ['docker compose unpause service-a'],
  },
  {
    title: 'Cut off',
    story:
      'A runs on, without a network. B finds out on the connection that it kept from the call before: nothing comes back on it. Once that one is given up, A has no name either.',
    breaks: [`docker network disconnect two-services_default ${CONTAINER_A}`],
    calls: [
      {
        msg: 'first',
        what: 'is cut off while B has a connection to it',
        reasons: ['timeout'],
        atMostMs: AT_DEADLINE_MS,
      },
      { msg: 'second', what: 'stays cut off', reasons: ['dns'], atMostMs: AT_ONCE_MS },
    ],
    cures: [`docker network connect --alias service-a two-services_default ${CONTAINER_A}`],
  },
  {
    title: 'Restarted',
    story:
      'A finishes what it has, ends, and starts again. Calls that begin meanwhile are refused, find no name, or, rarely, ask an address that is just being taken away and hear nothing; no call that A had taken is lost.',
    breaks: ['docker compose restart service-a'],
    meanwhile: ['refused', 'dns', 'timeout'],
    calls: [],
    cures: [],
  },
  {
    title: 'Not listening yet',
    story: 'A has its name and its address, and takes two seconds before it listens.',
    breaks: [
      stop,
      `docker compose run --detach --rm --no-deps --use-aliases --name two-services-late service-a sh -c 'sleep 2; exec node service-a/src/server.ts'`,
    ],
    calls: hello('does not listen yet', ['refused'], AT_ONCE_MS),
    cures: ['sleep 2'],
  },
  {
    title: 'At another address',
    story:
      'A is removed, somebody else takes its address, and A comes back elsewhere. Docker lets its answers to DNS be kept for ten minutes; B asks again.',
    breaks: [
      'docker rm --force two-services-late',
      'docker compose rm --stop --force service-a',
      `docker run --detach --rm --name two-services-squatter --network two-services_default ${IMAGE} sleep 60`,
    ],
    calls: hello('is gone', ['dns'], AT_ONCE_MS),
    cures: ['docker compose up --detach service-a'],
  },
  {
    title: 'Without a resolver',
    story:
      "A is stopped, and the DNS server that Docker would ask about its name reads and never replies. B's own lookup gives up after 0.8 s and blocks nothing.",
    breaks: [
      `docker run --detach --rm --name two-services-silent-dns --network two-services_default ${IMAGE} node -e "${SILENT_SERVER}"`,
      "SILENT_DNS=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two-services-silent-dns) docker compose -f docker-compose.yml -f e2e/silent-dns.yml up --detach --wait service-b",
      stop,
    ],
    calls: hello('has no name and nobody says so', ['dns'], 950),
    cures: [start],
  },
  {
    title: 'Replaced by a liar',
    story:
      "Under A's name stands something that does what `msg` asks of it (`e2e/src/stand-in.ts`). The connection that breaks when it is used a second time is the one failure that no client can tell from a lost answer.",
    breaks: [
      'docker rm --force two-services-squatter two-services-silent-dns',
      'docker compose up --detach --wait service-b',
      stop,
      `docker compose run --detach --rm --no-deps --use-aliases --name two-services-liar --volume "$PWD/e2e/src/stand-in.ts:/stand-in.ts:ro" service-a node /stand-in.ts`,
      'sleep 1',
    ],
    calls: [
      { msg: 'late', what: 'answers after three seconds', reasons: ['timeout'], atMostMs: AT_DEADLINE_MS },
      { msg: 'trickle', what: 'answers a byte at a time', reasons: ['timeout'], atMostMs: AT_DEADLINE_MS },
      { msg: 'error500', what: 'answers 500', reasons: ['bad_status'], atMostMs: AT_ONCE_MS },
      { msg: 'redirect', what: 'redirects', reasons: ['bad_status'], atMostMs: AT_ONCE_MS },
      { msg: 'plaintext', what: 'answers what is not JSON', reasons: ['bad_body'], atMostMs: AT_ONCE_MS },
      { msg: 'othershape', what: 'answers JSON of another shape', reasons: ['bad_body'], atMostMs: AT_ONCE_MS },
      { msg: 'endless', what: 'never ends its answer', reasons: ['bad_body'], atMostMs: AT_DEADLINE_MS },
      { msg: 'cutoff', what: 'ends its answer early', reasons: ['reset'], atMostMs: AT_ONCE_MS },
      { msg: 'midreset', what: 'resets the connection in mid-answer', reasons: ['reset'], atMostMs: AT_ONCE_MS },
      { msg: 'garbage', what: 'does not speak HTTP', reasons: ['bad_body'], atMostMs: AT_ONCE_MS },
      { msg: 'badchunk', what: 'breaks HTTP in mid-answer', reasons: ['bad_body'], atMostMs: AT_ONCE_MS },
      { msg: 'stale', what: 'answers', reasons: [], atMostMs: AT_ONCE_MS },
      { msg: 'hello', what: 'breaks the kept connection on its second use', reasons: ['reset'], atMostMs: AT_ONCE_MS },
    ],
    cures: ['docker rm --force two-services-liar', start],
  },
];

export interface Performance {
  /** What was typed and what it printed, in order. */
  transcript: { command: string; output: string }[];
  answers: { call: Call; answer: Answer; line: Record<string, any>; healthMs: number }[];
  /** The reasons, without repetition, and the slowest answer of the calls made while the breaking commands ran. */
  meanwhile: { reasons: string[]; slowestMs: number };
  /** From the end of the last curing command to B's first success. */
  backMs: number;
  /** From A's own first answer to B's first success; undefined where A's own port cannot be asked. */
  behindAMs: number | undefined;
}

/** Breaks A, calls B, mends A, and watches how long B takes to notice. Rejects when B does not within 10 s. */
export async function perform(act: Act, reader: Reader): Promise<Performance> {
  const transcript: Performance['transcript'] = [];
  const type = async (command: string) => {
    const output = await reader.run(command);
    transcript.push({ command, output });
    return output;
  };
  const call = (msg: string) => get(`${reader.urlB}/call-echo?msg=${msg}`);
  await sleep(1200); // until B has let go of the connections that the act before opened
  await until('B to answer 200 before A is broken', async () => (await call('warm-up')).status === 200);

  const stopWatching = act.meanwhile && watch(() => call('meanwhile'));
  for (const command of act.breaks) await type(command);
  const seen = (await stopWatching?.()) ?? [];
  const reasons = [...new Set(seen.flatMap(({ json }) => json.reason ?? []))];

  const answers: Performance['answers'] = [];
  for (const expected of act.calls) {
    const id = `${act.title.toLowerCase().replaceAll(' ', '-')}-${expected.msg}`;
    const health = sleep(20).then(() => get(`${reader.urlB}/health`));
    const printed = await type(
      `curl -s -w '\\n%{http_code} in %{time_total} s' -H 'x-request-id: ${id}' 'localhost:8081/call-echo?msg=${expected.msg}'`,
    );
    const { status: healthStatus, ms: healthMs } = await health;
    if (healthStatus !== 200) throw new Error(`B's health answered ${healthStatus} while A ${expected.what}.`);
    const [, body, status, seconds] = /^(.*)\n(\d+) in ([\d.]+) s$/s.exec(printed)!;
    const line = JSON.parse(await type(`docker compose logs --no-log-prefix service-b | grep '"${id}"'`));
    const answer = {
      status: Number(status),
      body: body!,
      json: JSON.parse(body!),
      ms: Number(seconds) * 1000,
      headers: {},
    };
    answers.push({ call: expected, answer, line, healthMs });
  }

  for (const command of act.cures) await type(command);
  const cured = performance.now();
  const [backMs, aMs] = await Promise.all([
    firstSuccess(() => call('back'), cured),
    firstSuccess(() => get(`${reader.urlA}/health`), cured).catch(() => undefined),
  ]);
  const slowestMs = Math.max(0, ...seen.map(({ ms }) => ms));
  return {
    transcript,
    answers,
    meanwhile: { reasons, slowestMs },
    backMs,
    behindAMs: aMs === undefined ? undefined : backMs - aMs,
  };
}

/** Asks every 20 ms, whether or not the last answer has come, until one is a success; resolves to its time since `start`. */
async function firstSuccess(ask: () => Promise<Answer>, start: number): Promise<number> {
  let successMs: number | undefined;
  for (let tick = 0; tick < 500 && successMs === undefined; tick++) {
    ask().then(
      ({ status }) => {
        if (status === 200) successMs ??= performance.now() - start;
      },
      () => {},
    );
    await sleep(20);
  }
  if (successMs === undefined) throw new Error('No success came within 10 s.');
  return successMs;
}

/** Asks every 20 ms until the function that it returns is called, which resolves to all the answers. */
function watch(ask: () => Promise<Answer>) {
  const asked: Promise<Answer>[] = [];
  const timer = setInterval(() => asked.push(ask()), 20);
  return () => {
    clearInterval(timer);
    return Promise.all(asked);
  };
}
