import { faultOf, type FaultName } from '../experiment/faults.ts';
import { BASE_IMAGE } from '../stack/docker/engine.ts';
import { BEHAVIOURS } from '../stack/stand-in.ts';
import type { Act, Expectation } from './act.ts';

/** The longest time of a call that fails without waiting; a call that waits takes until the deadline. */
const AT_ONCE_MS = 500;
const AT_DEADLINE_MS = 1250; // the deadline, B's 50 ms, and time for a busy machine
const CONTAINER_A = 'two-services-service-a-1';

const hello = (what: string, outcomes: string[], atMostMs: number, why: string): Expectation[] => [
  { msg: 'hello', what, outcomes, atMostMs, why },
];
/** Describes a call to which the stand-in gives the answer that the message asks for. */
const does = (msg: string, outcome: string, atMostMs: number, why: string): Expectation => {
  return { msg, what: BEHAVIOURS[msg]!.what, outcomes: [outcome], atMostMs, why };
};
/** The command of a fault on the pair that the gallery's readers start. */
const command = (fault: FaultName): string =>
  faultOf(fault)!.containers!(
    {
      ...{ compose: 'docker compose', a: 'service-a', b: 'service-b', container: CONTAINER_A },
      networks: [{ name: 'two-services_default', aliases: ['service-a'] }],
      standIn: { name: '', run: '', image: '' }, // the gallery has commands of its own for it
    },
    '',
  );
const stop = command('stop-a');
const start = 'docker compose up --wait service-a';
/** B uses a connection for at most a second: after this pause it opens a new one, which lasts for the next two calls. */
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
    calls: hello(
      'is stopped',
      ['dns'],
      AT_ONCE_MS,
      "Docker removes the name of a container that has stopped, and B's lookup is told at once that there is no such name.",
    ),
    fixes: [start],
  },
  {
    title: 'Killed',
    fault: 'kill-a',
    story: 'A receives SIGKILL and finishes nothing.',
    breaks: [command('kill-a')],
    calls: hello(
      'is killed',
      ['dns'],
      AT_ONCE_MS,
      "However a container ends, Docker removes its name, so B's lookup fails at once, as after a stop.",
    ),
    fixes: [start],
  },
  {
    title: 'Crashed',
    story:
      'The process ends by itself, inside its container. `docker wait` prints its exit code: 137, which is 128 + 9 (SIGKILL).',
    breaks: [`docker compose exec -T service-a sh -c 'kill -9 -1' < /dev/null`, `docker wait ${CONTAINER_A}`],
    calls: hello(
      'has crashed',
      ['dns'],
      AT_ONCE_MS,
      'The container ended with its process, and its name is gone: to B a crash looks like a stop.',
    ),
    fixes: [start],
  },
  {
    title: 'Paused',
    fault: 'pause-a',
    story: "A's kernel accepts connections, and its process never answers on them.",
    breaks: [command('pause-a')],
    calls: hello(
      'is paused',
      ['timeout'],
      AT_DEADLINE_MS,
      "A's kernel still takes connections while its process is frozen, so B hears nothing and gives up at its deadline of one second.",
    ),
    fixes: [command('resume-a')],
  },
  {
    title: 'Cut off',
    fault: 'cut-a',
    story:
      'A keeps running without a network. B first uses the connection that it kept from the call before, but nothing arrives on it any more. (B keeps a connection for at most a second; `sleep` makes sure that this one is new.) For the next call B needs a new connection, and A has no name.',
    breaks: [LET_CONNECTIONS_AGE, 'curl -s -o /dev/null "localhost:8081/call-echo?msg=before"', command('cut-a')],
    calls: [
      {
        msg: 'first',
        what: 'is cut off from a B with a connection to it',
        outcomes: ['timeout'],
        atMostMs: AT_DEADLINE_MS,
        why: 'B used the connection that it still had, on which nothing arrives any more, and gave up at its deadline of one second.',
      },
      {
        msg: 'second',
        what: 'is still cut off',
        outcomes: ['dns'],
        atMostMs: AT_ONCE_MS,
        why: 'B needed a new connection, and without a network A has no name, which the lookup says at once.',
      },
    ],
    fixes: [command('reconnect-a')],
  },
  {
    title: 'Restarted',
    fault: 'restart-a',
    story:
      'A finishes its requests, ends, and starts again. New calls are refused or find no name. A few go to an address that is just being removed, where nothing answers, or are reset because they waited to be accepted when A stopped listening. No call that A had accepted is lost.',
    breaks: [command('restart-a')],
    reasonsDuringBreak: ['refused', 'dns', 'timeout', 'reset'],
    why: 'Each call met another moment of the restart: A had stopped listening or did not listen yet, its name or address was just gone, or its old connections ended with it.',
    calls: [],
    fixes: [start],
  },
  {
    title: 'Not listening yet',
    story: 'A has its name and its address, and needs two seconds before it listens.',
    breaks: [
      stop,
      `docker compose run --detach --rm --no-deps --use-aliases --name two-services-late service-a sh -c 'sleep 2; exec node service-a/src/main.ts' > /dev/null`,
    ],
    calls: hello(
      'does not listen yet',
      ['refused'],
      AT_ONCE_MS,
      'The container has its name and address, but no program listens on the port yet, so its kernel refuses the connection at once.',
    ),
    fixes: [listens('two-services-late')],
    hasNoPort: true,
  },
  {
    title: 'At another address',
    story:
      'A is removed, another container takes its address, and A starts again with a new one. Docker allows clients to keep its DNS answers for ten minutes; B asks again anyway.',
    breaks: [
      'docker rm --force two-services-late > /dev/null',
      'docker compose rm --stop --force service-a',
      `docker run --detach --rm --name two-services-other --network two-services_default ${BASE_IMAGE} sleep 60 > /dev/null`,
    ],
    calls: hello(
      'is removed',
      ['dns'],
      AT_ONCE_MS,
      'B looks the name up again for a new connection and learns at once that it is gone; another container now has the old address, and B does not ask it.',
    ),
    fixes: [start],
  },
  {
    title: 'Without a resolver',
    story:
      'A is stopped, and Docker asks another DNS server about names that it does not know: that server reads the question and never replies. B waits for it until the deadline, and delays nothing else.',
    prepares: [
      `docker run --detach --rm --name two-services-silent-dns --network two-services_default ${BASE_IMAGE} node -e "${SILENT_SERVER}" > /dev/null`,
      "export SILENT_DNS=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two-services-silent-dns)",
      'docker compose -f docker-compose.yml -f e2e/gallery/silent-dns.yml up --wait service-b',
    ],
    breaks: [stop],
    calls: hello(
      'has no name, and the resolver is silent',
      ['dns'],
      AT_DEADLINE_MS,
      'No server answered the lookup, so B waited for it until its deadline of one second and never had an address to call.',
    ),
    fixes: [start],
  },
  {
    title: 'Misbehaving',
    fault: 'replace-a',
    story:
      "A's name leads to a stand-in (`e2e/stack/stand-in.ts`), which does what `msg` says. When it resets a kept connection on its second use, no client can tell whether the request was received.",
    prepares: [
      'docker rm --force two-services-other two-services-silent-dns > /dev/null',
      'docker compose up --wait service-b',
    ],
    breaks: [stop, ...STAND_IN],
    calls: [
      does(
        'late',
        'timeout',
        AT_DEADLINE_MS,
        'The answer would have come after three seconds; B stops waiting at its deadline of one second, and no one reads what comes later.',
      ),
      does(
        'trickle',
        'timeout',
        AT_DEADLINE_MS,
        'A byte now and then keeps the connection busy, but the deadline of one second is for the whole answer, which was not complete by then.',
      ),
      does(
        'error500',
        'bad_status',
        AT_ONCE_MS,
        'B takes an answer for the echo only when its status is 200, and it had the answer at once.',
      ),
      does(
        'redirect',
        'bad_status',
        AT_ONCE_MS,
        'B does not follow a redirect: its status is not 200, and that is known at once.',
      ),
      does(
        'plaintext',
        'bad_body',
        AT_ONCE_MS,
        'The status was 200, but the body is no JSON and so has no echo in it.',
      ),
      does('othershape', 'bad_body', AT_ONCE_MS, 'The body is JSON, but it has no echo in it.'),
      does(
        'endless',
        'bad_body',
        AT_DEADLINE_MS,
        'B reads at most 64 KiB of an answer; this one had more than that before the deadline, and B hung up.',
      ),
      does(
        'cutoff',
        'reset',
        AT_ONCE_MS,
        'The connection was closed before the body was as long as its head had said, so B does not have the whole answer.',
      ),
      does(
        'midreset',
        'reset',
        AT_ONCE_MS,
        'The connection was reset in the middle of the answer, which B learned at once.',
      ),
      does('garbage', 'bad_body', AT_ONCE_MS, 'What came is not HTTP, so there is neither a status nor an echo in it.'),
      does(
        'badchunk',
        'bad_body',
        AT_ONCE_MS,
        'The head was HTTP with status 200, but the body broke the rules of HTTP, and B cannot read an echo out of it.',
      ),
      {
        breaks: [LET_CONNECTIONS_AGE, 'curl -s -o /dev/null "localhost:8081/call-echo?msg=stale"'],
        msg: 'hello',
        what: 'resets the kept connection on its second use',
        outcomes: ['reset'],
        atMostMs: AT_ONCE_MS,
        why: 'B sent the request on the connection that it had kept, which was reset at once; it does not ask again, as it cannot tell whether the request was received.',
      },
    ],
    fixes: [REMOVE_STAND_IN, start],
  },
  {
    title: 'Slower and slower',
    fault: 'replace-a',
    story:
      'A answers each call correctly, 0.6 s later than the call before. B passes the echo on while it arrives by the deadline.',
    breaks: [stop, ...STAND_IN],
    calls: [
      {
        msg: 'slower',
        what: 'answers after 0.6 s',
        outcomes: ['200'],
        atMostMs: 600 + AT_ONCE_MS,
        why: 'The echo came after 0.6 s, before the deadline of one second, so B passed it on.',
      },
      {
        msg: 'slower',
        what: 'answers after 1.2 s',
        outcomes: ['timeout'],
        atMostMs: AT_DEADLINE_MS,
        why: 'The echo would have come after 1.2 s; B stopped waiting at its deadline of one second.',
      },
    ],
    fixes: [REMOVE_STAND_IN, start],
  },
];
