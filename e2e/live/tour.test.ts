import { expect } from 'chai';
import { Refused, type Played, type Question } from './protocol.ts';
import { Tour, verdictOf, type Stage } from './tour.ts';

const question = (what: string, isOne = true): Question => ({
  act: 'Act',
  what,
  why: `It ${what}.`,
  outcomes: ['dns', 'refused'],
  commands: [],
  isOne,
});
const call = (n: number, outcome: string, ms: number) => ({ n, outcome, ms });
const predicted = { outcome: 'dns', wait: 'at once' };

/** A stage on which each question has these calls; it writes down what it was asked to do. */
function stageOf(...plays: Played[]): Stage & { done: string[] } {
  const done: string[] = [];
  return {
    ...{ done, questions: plays.map((_, index) => question(`does ${index}`)), acts: 1, allActs: 1 },
    restore: async () => void done.push('restore'),
    async play(index) {
      done.push(`play ${index}`);
      return plays[index]!;
    },
  };
}

async function refusalOf(work: Promise<void>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (error: Error) => error,
  );
  expect(error).to.be.instanceOf(Refused);
  return error!.message;
}

describe('The tour', () => {
  it('goes from question to question, each predicted, then played, and ends with all verdicts', async () => {
    const stage = stageOf(
      { calls: [call(1, 'dns', 9)], delayMs: 0 },
      { calls: [call(2, 'timeout', 1004)], delayMs: 0 },
    );
    let changes = 0;
    const tour = new Tour(stage, () => changes++);
    expect(tour.view()).to.include({ at: -1, questions: 2 });
    await tour.step('start');
    await tour.step('run', predicted);
    await tour.step('next');
    await tour.step('run', predicted);
    await tour.step('next');
    const { at, question, verdicts } = tour.view();
    expect(at).to.equal(2);
    expect(question).to.equal(undefined);
    expect(verdicts.map(({ isRight, n }) => [isRight, n])).to.deep.equal([
      [true, 1],
      [false, 2],
    ]);
    expect(stage.done).to.deep.equal(['restore', 'play 0', 'play 1']);
    expect(changes).to.be.above(6);
    await tour.step('start');
    expect(tour.view()).to.include({ at: 0 }).and.to.have.property('verdicts').that.is.empty;
    await tour.step('leave');
    expect(tour.view().at).to.equal(-1);
    expect(stage.done.slice(3)).to.deep.equal(['restore', 'restore']);
  });

  it('refuses, in a sentence, what cannot be done now', async () => {
    const tour = new Tour(stageOf({ calls: [call(1, '200', 9)], delayMs: 0 }), () => {});
    expect(await refusalOf(tour.step('run', predicted))).to.equal('There is nothing to predict now.');
    await tour.step('start');
    expect(await refusalOf(tour.step('next'))).to.equal('First predict, then run it.');
    for (const wrong of [
      {},
      { outcome: 'dns' },
      { outcome: 'x', wait: 'at once' },
      { outcome: 'dns', wait: 'toString' },
    ])
      expect(await refusalOf(tour.step('run', wrong))).to.equal('Predict what B will answer, and after how long.');
    expect(await refusalOf(tour.step('jump'))).to.equal('The tour has no such step.');
    await tour.step('run', predicted);
    expect(await refusalOf(tour.step('run', predicted))).to.equal('There is nothing to predict now.');
    await tour.step('next');
    expect(await refusalOf(tour.step('next'))).to.equal('First predict, then run it.');
  });

  it('does one thing at a time, and goes on after a question that could not be played', async () => {
    const stage = stageOf({ calls: [call(1, 'dns', 9)], delayMs: 0 });
    const play = stage.play;
    stage.play = () => Promise.reject(new Refused('Wait for the end of: docker compose stop service-a'));
    const tour = new Tour(stage, () => {});
    await tour.step('start');
    const running = tour.step('run', predicted);
    expect(await refusalOf(tour.step('leave'))).to.equal('A question is being played; wait for its end.');
    expect(await refusalOf(running)).to.include('Wait for the end of');
    stage.play = play;
    await tour.step('run', predicted);
    expect(tour.view().verdicts).to.have.length(1);
  });
});

describe('A prediction', () => {
  for (const [what, calls, delayMs, isRight] of [
    ['of the outcome and the wait', [call(1, 'dns', 9)], 0, true],
    ['of another outcome', [call(1, 'timeout', 9)], 0, false],
    ['of another wait', [call(1, 'dns', 900)], 0, false],
    ['of a wait that only a busy machine made longer', [call(1, 'dns', 510)], 20, true],
    ['of one of several that failed', [call(1, '200', 3), call(2, 'refused', 4), call(3, 'dns', 5)], 0, true],
    ['of a failure where all succeeded', [call(1, '200', 3)], 0, false],
  ] as const) {
    it(`${what} is ${isRight ? 'right' : 'wrong'}`, () => {
      const verdict = verdictOf(question('is stopped', calls.length === 1), { calls: [...calls], delayMs }, predicted);
      expect(verdict.isRight).to.equal(isRight);
    });
  }

  it('of the wait that was measured is right, too, on a busy machine', () => {
    const played = { calls: [call(1, 'dns', 510)], delayMs: 20 };
    expect(verdictOf(question('is stopped'), played, { ...predicted, wait: 'after a wait' }).isRight).to.equal(true);
  });

  it('is answered by what B did, and why', () => {
    const one = verdictOf(question('is stopped'), { calls: [call(7, 'dns', 8.6)], delayMs: 0 }, predicted);
    expect(one).to.include({ sentence: 'B answered 503 dns after 9 ms.', why: 'It is stopped.', n: 7 });
    const other = verdictOf(question('is stopped'), { calls: [call(7, 'timeout', 8.6)], delayMs: 0 }, predicted);
    expect(other.why, 'which explains another answer').to.equal('');
    const late = [call(1, 'refused', 4), call(2, 'dns', 900)];
    expect(verdictOf(question('is restarted', false), { calls: late, delayMs: 0 }, predicted).n).to.equal(2);
    const calls = [call(1, '200', 3), call(2, 'refused', 4), call(3, '200', 5)];
    const many = verdictOf(question('is restarted', false), { calls, delayMs: 0 }, predicted);
    expect(many).to.include({ sentence: "B's answers: 2 × 200, 1 × 503 refused.", n: 2 });
  });
});
