import { expect } from 'chai';
import { expectAllToPass, failedInLab, graded } from './fixtures/graded.ts';
import { failedIn, FAULTS_OF_A, FAULTS_OF_B, LAB, NODE, PYTHON, TOGETHER, withFaults } from './fixtures/planted.ts';
import type { Result } from './judge.ts';
import {
  givenOddInput,
  whenAHangs,
  whenAHangsUnderLoad,
  whenAIsReplaced,
  whenAIsStopped,
  withBothUp,
} from '../requirements/situations.ts';

const whyFailed = (results: Result[]) =>
  results
    .flatMap(({ verdict, name, received, because }) => (verdict === 'fail' ? `${name}: ${received ?? because}` : []))
    .join('\n');

describe('The grade of a pair that is sound, or has faults', function () {
  this.timeout(120_000);

  // A sound pair in Node is graded by the command; one in Python, with another fault in it, is graded below.
  graded(
    'gives full marks to a sound pair whose JSON has another shape',
    `${PYTHON} a another shape`,
    `${PYTHON} b another shape`,
    expectAllToPass,
  );
  graded(
    'asks for no JSON in the lab',
    `${PYTHON} a plain text`,
    `${PYTHON} b plain text`,
    (results) => expect(failedInLab(results)).to.deep.equal([]),
    LAB,
  );
  graded(
    'waits for a log that comes late',
    `${NODE} a`,
    `${NODE} b "a log that is flushed every 3 s"`,
    (results) => {
      expectAllToPass(results);
      const { because } = results.find(({ name }) => name === 'B logs a line for each request to /call-echo')!;
      expect(because).to.match(/^they come up to [2-6] s late: flush each$/);
    },
    [withBothUp, whenAHangs, whenAIsStopped],
  );
  graded(
    'is not confused by 100 MB of output',
    `${NODE} a`,
    `yes flood | head -c 100000000; ${NODE} b`,
    expectAllToPass,
    [withBothUp, whenAHangs],
  );

  for (const [ofA, ofB] of TOGETHER) {
    const title = [...(ofA ? [`in A ${ofA}`] : []), ...ofB.map((fault) => `in B ${fault}`)].join(', ');
    const checks = [...(ofA ? [FAULTS_OF_A[ofA]] : []), ...ofB.map((fault) => FAULTS_OF_B[fault])];
    const [a, b] = [withFaults(`${NODE} a`, ...(ofA ? [ofA] : [])), withFaults(`${NODE} b`, ...ofB)];
    graded(`finds ${title}`, a, b, (results) => expect(failedIn(results), whyFailed(results)).to.have.members(checks));
  }
  it('was asked to find each fault of the pair', () => {
    expect(TOGETHER.flatMap(([ofA]) => ofA ?? [])).to.have.members(Object.keys(FAULTS_OF_A));
    expect(TOGETHER.flatMap(([, ofB]) => ofB)).to.have.members(Object.keys(FAULTS_OF_B));
  });

  const onlyFinds = (fault: string) => (results: Result[]) =>
    expect(results.filter(({ verdict }) => verdict !== 'pass').map(({ name }) => name)).to.deep.equal([
      FAULTS_OF_B[fault],
    ]);
  const isLate = 'a timeout for each read';
  graded(
    'gives full marks to a pair in Python, but for an unescaped msg in B',
    `${PYTHON} a`,
    `${PYTHON} b "an unescaped msg"`,
    onlyFinds('an unescaped msg'),
  );
  graded(
    `finds in B ${isLate}, in Python`,
    `${PYTHON} a`,
    `${PYTHON} b "${isLate}"`,
    (results) => expect(failedIn(results)).to.deep.equal([FAULTS_OF_B[isLate]]),
    [withBothUp, whenAIsReplaced],
  );
  graded(
    'never lets a probe cost another check anything',
    `${NODE} a`,
    `${NODE} b "death by an odd path"`,
    (results) => expect(failedIn(results)).to.deep.equal(['Odd and hostile input is answered, and breaks nothing']),
    [withBothUp, givenOddInput, whenAHangsUnderLoad],
  );
});
