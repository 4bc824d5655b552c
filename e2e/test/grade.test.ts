import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { grade, type Result } from '../src/grade/grade.ts';
import { Pair } from '../src/grade/pair.ts';
import { commandStack, freePort } from '../src/processes.ts';

const LIMITS = { answerMs: 1500, goneMs: 1500, healthMs: 500, recoveryMs: 2000 };
const AT_ONCE = 4; // a grade mostly waits

const here = fileURLToPath(new URL('.', import.meta.url));
const NODE = `exec '${process.execPath}' faulty-pair.ts`;
const PYTHON = 'exec python3 faulty_pair.py';

/** The faults of a service, and the one check that is meant for each. */
const FAULTS_OF_A: Record<string, string> = {
  'no health': 'A answers /health with 200',
  'no line for health': 'A logs a line for every request',
  'no latency in the log': "A's log lines tell service, endpoint, status and latency",
  'a word for the status': "A's log lines tell the HTTP status code",
  'pasted JSON': 'A echoes any text as it was',
  '500 to a missing msg': 'Odd and hostile input is answered, and breaks nothing',
  'forged log lines': 'Odd and hostile input is answered, and breaks nothing',
  'deaf to SIGTERM': 'A ends by itself when told to (SIGTERM)',
};
const FAULTS_OF_B: Record<string, string> = {
  'no line for health': 'B logs a line for every request',
  'no status in the log': "B's log lines tell service, endpoint, status and latency",
  'no latency in the log': "B's log lines tell service, endpoint, status and latency",
  'a word for the status': "B's log lines tell the HTTP status code",
  'no timeout': 'B answers 503 while A hangs',
  'no recovery from a timeout': 'B answers 200 again once A goes on',
  '500 to a refusal': 'B answers 503 while A is stopped',
  'no line for a refusal': 'B logs an error while A is stopped',
  "A's health in its own": "B's /health is still 200 while A is stopped",
  'no recovery from a refusal': 'B answers 200 again once A is started, without a restart of B',
  'an end for both': 'A answers while B is stopped',
  '500 to bad escapes': 'Odd and hostile input is answered, and breaks nothing',
  'a timeout called a refusal': 'The log calls a timeout a timeout',
  'one name for all failures': 'The log calls a timeout a timeout',
  'a refusal called a timeout': 'The log calls a failed connection a failed connection',
  'one call at a time': '20 calls at once while A hangs are all answered, and /health stays quick',
  'an unescaped msg': 'Any text survives the trip through B',
  'a retry': 'B asks A once for each call',
  'errors taken for success': "A's error status is not passed on as success",
  'redirects taken for success': 'A redirect is not passed on as success',
  '500 to what is not JSON': 'A body that is not JSON is not passed on as success',
  'any JSON taken for an echo': 'JSON that is no echo is not passed on as success',
  '500 to half an answer': 'An answer that breaks off is a 503',
  'a timeout for the headers alone': 'An answer that stops half-way is a 503 in time',
  'a timeout for each read': 'A trickling answer is a 503 in time',
  'death by an endless answer': 'An endless answer is a 503 in time',
  'exception text': 'No exception text, stack or internal address is in an answer',
  'deaf to SIGTERM': 'B ends by itself when told to (SIGTERM)',
};

describe('The grade', function () {
  this.timeout(120_000);
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];

  /** Grades a pair of commands, on ports of its own, with few others at the same time. */
  async function gradeOf(a: string, b: string): Promise<Result[]> {
    while (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    free--;
    const [portA, portB] = [await freePort(), await freePort()];
    const stack = commandStack(
      { command: a, dir: here, url: `http://127.0.0.1:${portA}` },
      { command: b, dir: here, url: `http://127.0.0.1:${portB}` },
    );
    try {
      return await grade(new Pair(stack, LIMITS), () => {});
    } finally {
      await stack.down();
      free++;
      waiting.shift()?.();
    }
  }

  const failed = (results: Result[]) => results.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name);
  const only = process.env.ONLY;

  /** Starts a grade before the test that waits for it, so that several are under way at once. */
  function graded(title: string, a: string, b: string, judge: (results: Result[]) => void) {
    if (only && !title.includes(only)) return;
    let results: Promise<Result[]>;
    before(() => {
      results = gradeOf(a, b);
      results.catch(() => {}); // the test reports it
    });
    it(title, async () => judge(await results));
  }

  const passesAll = (results: Result[]) => {
    expect(failed(results)).to.deep.equal([]);
    expect(results.filter(({ verdict }) => verdict === 'not applicable')).to.deep.equal([]);
  };

  graded('gives full marks to a sound pair in Node', `${NODE} a`, `${NODE} b`, passesAll);
  graded('gives full marks to a sound pair in Python', `${PYTHON} a`, `${PYTHON} b`, passesAll);

  for (const [fault, check] of Object.entries(FAULTS_OF_A)) {
    graded(`finds in A ${fault}`, `${NODE} a "${fault}"`, `${NODE} b`, (results) =>
      expect(failed(results)).to.deep.equal([check]),
    );
  }
  for (const [fault, check] of Object.entries(FAULTS_OF_B)) {
    graded(`finds in B ${fault}`, `${NODE} a`, `${NODE} b "${fault}"`, (results) =>
      expect(failed(results)).to.deep.equal([check]),
    );
  }
  for (const fault of ['an unescaped msg', 'a timeout for each read']) {
    graded(`finds in B ${fault}, in Python`, `${PYTHON} a`, `${PYTHON} b "${fault}"`, (results) =>
      expect(failed(results)).to.deep.equal([FAULTS_OF_B[fault]]),
    );
  }
});
