import { faultOf, type FaultName } from '../experiment/faults.ts';
import { BASE_IMAGE } from '../stack/docker/engine.ts';
import { BEHAVIOURS } from '../stack/stand-in.ts';

/** One call while A is in the state that an act has brought about. */
export interface Expectation {
  /** What makes A fail this call as it does, if the act's own commands don't. */
  breaks?: string[];
  msg: string;
  /** What A does, as the end of a sentence that begins with "A". */
  what: string;
  /** What B may answer: `200`, or the reasons of its 503. */
  outcomes: string[];
  /** The longest that B's answer may take, in milliseconds. */
  atMostMs: number;
}

/** One way in which A fails: how to bring it about, what B answers meanwhile, and how to fix it. */
export interface Act {
  title: string;
  story: string;
  /** What does the same on a pair of any kind, where one fault does; otherwise only this repository's pair can be told to. */
  fault?: FaultName;
  /** What it takes to begin with, apart from what the act before left. */
  prepares?: string[];
  breaks: string[];
  calls: Expectation[];
  fixes: string[];
  /** The reasons that B may give to calls made while the breaking commands still run; not watched when absent. */
  meanwhile?: string[];
  /** Whether the A that fixes it has no port on this host. */
  hasNoPort?: boolean;
}

/** The most that a call may take whose failure needs no waiting; what waits takes the deadline. */
const AT_ONCE_MS = 500;
const AT_DEADLINE_MS = 1250; // the deadline, B's 50 ms, and the rest for the measuring on a busy machine
const CONTAINER_A = 'two-services-service-a-1';

const hello = (what: string, outcomes: string[], atMostMs: number): Expectation[] => [
  { msg: 'hello', what, outcomes, atMostMs },
];
/** A call that the stand-in answers as its message says. */
const does = (msg: string, outcome: string, atMostMs: number): Expectation => {
  return { msg, what: BEHAVIOURS[msg]!.what, outcomes: [outcome], atMostMs };
};
/** What a fault is on the pair that the page has its readers start. */
const command = (fault: FaultName): string =>
  faultOf(fault)!.containers!(
    {
      ...{ compose: 'docker compose', a: 'service-a', b: 'service-b', container: CONTAINER_A },
      networks: [{ name: 'two-services_default', aliases: ['service-a'] }],
      standIn: { name: '', run: '', image: '' }, // which the page types in its own way
    },
    '',
  );
const stop = command('stop-a');
const start = 'docker compose up --wait service-a';
/** B uses a connection for at most a second; after this, it opens one that lasts through the next two calls. */
const LET_CONNECTIONS_AGE = 'sleep 2';
const listens = (container: string) =>
  `until docker inspect --format '{{.State.Health.Status}}' ${container} | grep --quiet --line-regexp healthy; do sleep 0.2; done`;
const STAND_IN = [
  `docker compose run --detach --rm --no-deps --use-aliases --name two-services-stand-in --volume "$PWD/e2e/stack/stand-in.ts:/stand-in.ts:ro" service-a node /stand-in.ts > /dev/null`,
  listens('two-services-stand-in'),
];
const REMOVE_STAND_IN = 'docker rm --force two-services-stand-in > /dev/null';
const SILENT_SERVER = "require('dgram').createSocket('udp4').bind(53)";

export const acts: Act[] = [
  {
    title: 'Stopped',
    fault: 'stop-a',
    story: 'A receives SIGTERM, finishes its requests and ends. Docker removes its name from the DNS.',
    breaks: [stop],
    calls: hello('is stopped', ['dns'], AT_ONCE_MS),
    fixes: [start],
  },
  {
    title: 'Killed',
    fault: 'kill-a',
    story: 'A receives SIGKILL and finishes nothing.',
    breaks: [command('kill-a')],
    calls: hello('is killed', ['dns'], AT_ONCE_MS),
    fixes: [start],
  },
  {
    title: 'Crashed',
    story: "The process ends by itself, inside its container. `docker wait` prints its exit code, SIGKILL's.",
    breaks: [`docker compose exec -T service-a sh -c 'kill -9 -1' < /dev/null`, `docker wait ${CONTAINER_A}`],
    calls: hello('has crashed', ['dns'], AT_ONCE_MS),
    fixes: [start],
  },
  {
    title: 'Paused',
    fault: 'pause-a',
    story: "A's kernel accepts connections, and its process never answers on them.",
    breaks: [command('pause-a')],
    calls: hello('is paused', ['timeout'], AT_DEADLINE_MS),
    fixes: [command('resume-a')],
  },
  {
    title: 'Cut off',
    fault: 'cut-a',
    story:
      'A runs on without a network. B first uses the connection that it kept from the call before, on which nothing arrives any more (it keeps one for at most a second, hence the `sleep`). For the next call B needs a new connection, and A has no name.',
    breaks: [LET_CONNECTIONS_AGE, "curl -s -o /dev/null 'localhost:8081/call-echo?msg=before'", command('cut-a')],
    calls: [
      {
        msg: 'first',
        what: 'is cut off from a B with a connection to it',
        outcomes: ['timeout'],
        atMostMs: AT_DEADLINE_MS,
      },
      { msg: 'second', what: 'is still cut off', outcomes: ['dns'], atMostMs: AT_ONCE_MS },
    ],
    fixes: [command('reconnect-a')],
  },
  {
    title: 'Restarted',
    fault: 'restart-a',
    story:
      'A finishes its requests, ends, and starts again. New calls meanwhile are refused or find no name. Rarely, one goes to an address that is just being removed, where nobody answers, or is reset because it waited to be accepted when A stopped listening. No call that A had accepted is lost.',
    breaks: [command('restart-a')],
    meanwhile: ['refused', 'dns', 'timeout', 'reset'],
    calls: [],
    fixes: [start],
  },
  {
    title: 'Not listening yet',
    story: 'A has its name and its address, and takes two seconds before it listens.',
    breaks: [
      stop,
      `docker compose run --detach --rm --no-deps --use-aliases --name two-services-late service-a sh -c 'sleep 2; exec node service-a/src/main.ts' > /dev/null`,
    ],
    calls: hello('does not listen yet', ['refused'], AT_ONCE_MS),
    fixes: [listens('two-services-late')],
    hasNoPort: true,
  },
  {
    title: 'At another address',
    story:
      'A is removed, another container takes its address, and A starts again with a new one. Docker lets its DNS answers be kept for ten minutes; B asks again.',
    breaks: [
      'docker rm --force two-services-late > /dev/null',
      'docker compose rm --stop --force service-a',
      `docker run --detach --rm --name two-services-other --network two-services_default ${BASE_IMAGE} sleep 60 > /dev/null`,
    ],
    calls: hello('is removed', ['dns'], AT_ONCE_MS),
    fixes: [start],
  },
  {
    title: 'Without a resolver',
    story:
      'A is stopped, and the DNS server that Docker asks about names it does not know reads the question and never replies. B waits for it until the deadline, and delays nothing else.',
    prepares: [
      `docker run --detach --rm --name two-services-silent-dns --network two-services_default ${BASE_IMAGE} node -e "${SILENT_SERVER}" > /dev/null`,
      "export SILENT_DNS=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two-services-silent-dns)",
      'docker compose -f docker-compose.yml -f e2e/gallery/silent-dns.yml up --wait service-b',
    ],
    breaks: [stop],
    calls: hello('has no name, and the resolver is silent', ['dns'], AT_DEADLINE_MS),
    fixes: [start],
  },
  {
    title: 'Misbehaving',
    fault: 'replace-a',
    story:
      "A's name leads to something else, which does what `msg` asks of it (`e2e/stack/stand-in.ts`). When it resets a kept connection on its second use, no client can tell whether the request was received.",
    prepares: [
      'docker rm --force two-services-other two-services-silent-dns > /dev/null',
      'docker compose up --wait service-b',
    ],
    breaks: [stop, ...STAND_IN],
    calls: [
      does('late', 'timeout', AT_DEADLINE_MS),
      does('trickle', 'timeout', AT_DEADLINE_MS),
      does('error500', 'bad_status', AT_ONCE_MS),
      does('redirect', 'bad_status', AT_ONCE_MS),
      does('plaintext', 'bad_body', AT_ONCE_MS),
      does('othershape', 'bad_body', AT_ONCE_MS),
      does('endless', 'bad_body', AT_DEADLINE_MS),
      does('cutoff', 'reset', AT_ONCE_MS),
      does('midreset', 'reset', AT_ONCE_MS),
      does('garbage', 'bad_body', AT_ONCE_MS),
      does('badchunk', 'bad_body', AT_ONCE_MS),
      {
        breaks: [LET_CONNECTIONS_AGE, "curl -s -o /dev/null 'localhost:8081/call-echo?msg=stale'"],
        msg: 'hello',
        what: 'resets the kept connection on its second use',
        outcomes: ['reset'],
        atMostMs: AT_ONCE_MS,
      },
    ],
    fixes: [REMOVE_STAND_IN, start],
  },
  {
    title: 'Slower and slower',
    fault: 'replace-a',
    story:
      'A answers each call rightly, and 0.6 s later than the one before. B passes the echo on while it comes by the deadline.',
    breaks: [stop, ...STAND_IN],
    calls: [
      { msg: 'slower', what: 'answers after 0.6 s', outcomes: ['200'], atMostMs: 600 + AT_ONCE_MS },
      { msg: 'slower', what: 'answers after 1.2 s', outcomes: ['timeout'], atMostMs: AT_DEADLINE_MS },
    ],
    fixes: [REMOVE_STAND_IN, start],
  },
];
