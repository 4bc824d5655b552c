import { expect } from 'chai';
import { failedInLab, graded } from './fixtures/graded.ts';
import { failedIn, LAB, NODE } from './fixtures/planted.ts';
import { score, type Result } from './judge.ts';
import type { Situation } from '../requirements/check.ts';
import { whenAIsReplaced, whenAIsStopped, whenBIsStopped, withBothUp } from '../requirements/situations.ts';

const ASKS = 'B asks A for each answer, and passes on what A says';
const POINTS = 39;
const DAEMON = `setsid ${NODE.replace('exec ', '')} a & sleep 0.1`;
const GRPC = NODE.replace('faulty-pair.ts', 'grpc-pair.ts');

/** The checks of the lab in some situations. */
const inLab = (...some: Situation[]) => LAB.filter(({ name }) => some.some((one) => one.name === name));

describe('The grade of a pair that cheats, or that is hostile or broken', function () {
  this.timeout(120_000);

  function expectFailure(results: Result[], check: string, received: RegExp) {
    const result = results.find(({ name }) => name === check);
    expect(result).to.include({ verdict: 'fail' });
    expect(result!.received).to.match(received);
  }

  graded(
    'has a line for a B that dies at once, and never more points in all for a pair to which less applies',
    `${NODE} a`,
    'echo boom; exit 3',
    (results) => {
      expectFailure(results, 'B answers /health with 200', /ended with code 3 .* it said: boom/);
      expect(score(results).of).to.equal(POINTS);
    },
  );
  graded(
    'has a line for a B that never listens',
    `${NODE} a`,
    'sleep 1000 & sleep 1000',
    (results) => expectFailure(results, 'B answers /health with 200', /^Waited 30 s for service B /),
    [withBothUp],
  );
  graded(
    'has a line for a B that answers garbage',
    `${NODE} a`,
    `${NODE.replace('faulty-pair.ts', '-e')} 'require("net").createServer((s) => s.on("error", () => {}).end("garbage\\n\\n")).listen(process.env.PORT)'`,
    (results) => expectFailure(results, 'B answers /health with 200', /^no answer: Parse Error/),
    [withBothUp],
  );
  graded(
    'has a line for a B that ignores SIGTERM, with another that it started',
    `${NODE} a`,
    `trap '' TERM; ${NODE.replace('exec ', '')} b & sleep 1000; wait`,
    (results) => expectFailure(results, 'B ends by itself when told to (SIGTERM)', /^it had to be killed after 10/),
    [withBothUp, whenBIsStopped],
  );

  graded(
    'is not fooled by lines that come by themselves, and by a B that only asks whether A is healthy',
    `${NODE} a "lines that come by themselves"`,
    `${NODE} b "an answer of its own"`,
    (results) =>
      expect(failedInLab(results)).to.have.members([
        'A logs a line for each request to /echo',
        'A logs a line for each request to /health',
        "A's log lines tell service, endpoint, status and latency",
        ASKS,
      ]),
    LAB,
  );

  // How many other checks meet a B that is being started again depends on chance.
  graded(
    'is not fooled by a loop that starts B again and again',
    `${NODE} a`,
    `while true; do ${NODE.replace('exec ', '')} b "an end after each failure"; done`,
    (results) =>
      expect(failedInLab(results)).to.include.members([
        'B answers 200 again once A goes on',
        "B's /health is still 200 while A is stopped",
        'B answers 200 again once A is started, without a restart of B',
      ]),
    LAB,
  );

  for (const [daemon, a] of Object.entries({
    'that still runs when A is stopped': DAEMON,
    'without its environment': `env -i PORT=$PORT ${DAEMON}`,
  }))
    graded(
      `is not fooled by a daemon ${daemon}`,
      a,
      `${NODE} b`,
      (results) => expect(failedInLab(results)).to.have.members(['A no longer answers once it is stopped']),
      inLab(withBothUp, whenAIsStopped),
    );

  graded(
    'is not fooled by a B that only asks whether an A is there that speaks gRPC',
    `${GRPC} a`,
    `${GRPC} b "an answer of its own"`,
    (results) => expect(failedInLab(results)).to.have.members([ASKS]),
    inLab(withBothUp, whenAIsReplaced),
  );
  graded('gives all points that apply to a sound pair whose A speaks gRPC', `${GRPC} a`, `${GRPC} b`, (results) => {
    expect(failedIn(results)).to.deep.equal([]);
    expect(results.find(({ name }) => name === ASKS)).to.include({ verdict: 'pass' });
    expect(results.find(({ name }) => name === 'A answers /health with 200')).to.include({ verdict: 'not applicable' });
  });
});
