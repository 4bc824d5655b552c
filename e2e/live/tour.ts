/** The tour: predict B's answer, see it, and read why. It runs on the server of the live page, and in the recorded page. */
import { nameOf, OUTCOME_NAMES } from '../picture/outcomes.ts';
import { Refused, WAITS, waitOf, type Played, type Prediction } from './protocol.ts';
import type { Question, TourView, Verdict } from './protocol.ts';

/** Plays the questions: on a pair, or from a recording. */
export interface Stage {
  questions: Question[];
  /** How many acts this stage can play, and how many there are. */
  acts: number;
  allActs: number;
  /** Brings A and B back to the state in which the first question begins. */
  restore(): Promise<void>;
  /** Plays a question. */
  play(index: number): Promise<Played>;
}

export class Tour {
  readonly #stage: Stage;
  readonly #changed: () => void;
  #at = -1;
  #verdicts: Verdict[] = [];
  #isRunning = false;

  /** `changed` is called after each change of the view. */
  constructor(stage: Stage, changed: () => void) {
    this.#stage = stage;
    this.#changed = changed;
  }

  view(): TourView {
    const { acts, allActs, questions } = this.#stage;
    return {
      ...{ acts, allActs, questions: questions.length, at: this.#at, isRunning: this.#isRunning },
      ...{ question: questions[this.#at], verdicts: this.#verdicts },
    };
  }

  /** Does the step with this name. Rejects with a `Refused` if it is not possible now, or there is no such step. */
  async step(name: string, { outcome, wait }: Partial<Prediction> = {}) {
    if (this.#isRunning) throw new Refused('A question is being played; wait for its end.');
    const isAnswered = this.#verdicts.length > this.#at;
    if (name === 'start') await this.#play(() => this.#start());
    else if (name === 'leave') await this.#play(() => this.#leave());
    else if (name === 'run' && !isAnswered) {
      if (!OUTCOME_NAMES.includes(outcome!) || !Object.hasOwn(WAITS, wait!))
        throw new Refused('Predict what B will answer, and after how long.');
      await this.#play(() => this.#run({ outcome: outcome!, wait: wait! }));
    } else if (name === 'next' && isAnswered && this.#at >= 0 && this.#at < this.#stage.questions.length) {
      this.#at++;
      this.#changed();
    } else if (name === 'next') throw new Refused('First predict, then run it.');
    else if (name === 'run') throw new Refused('There is nothing to predict now.');
    else throw new Refused('The tour has no such step.');
  }

  async #start() {
    await this.#stage.restore();
    this.#at = 0;
    this.#verdicts = [];
  }

  async #leave() {
    await this.#stage.restore();
    this.#at = -1;
  }

  async #run(predicted: Prediction) {
    const question = this.#stage.questions[this.#at];
    if (!question) throw new Refused('There is nothing to predict now.');
    this.#verdicts.push(verdictOf(question, await this.#stage.play(this.#at), predicted));
  }

  async #play(work: () => Promise<void>) {
    this.#isRunning = true;
    this.#changed();
    try {
      await work();
    } finally {
      this.#isRunning = false;
      this.#changed();
    }
  }
}

/** Judges a prediction: it is right if one of the calls went that way. If some of several calls failed, only these count. */
export function verdictOf(
  { what, why, outcomes, isOne }: Question,
  { calls, delayMs }: Played,
  predicted: Prediction,
): Verdict {
  const failed = calls.filter(({ outcome }) => outcome !== '200');
  const judged = failed.length > 0 ? failed : calls;
  const isSame = ({ outcome, ms }: (typeof calls)[number]) =>
    outcome === predicted.outcome && [ms, ms - delayMs].map(waitOf).includes(predicted.wait);
  const shown = judged.find(isSame) ?? judged.find(({ outcome }) => outcome === predicted.outcome) ?? judged[0]!;
  const counts = Object.entries(Object.groupBy(calls, ({ outcome }) => outcome)).map(
    ([outcome, some]) => `${some!.length} × ${nameOf(outcome)}`,
  );
  const one = `B answered ${nameOf(shown.outcome)} after ${Math.round(shown.ms)} ms.`;
  const sentence = isOne ? one : `B's answers: ${counts.join(', ')}.`;
  const cause = outcomes.includes(shown.outcome) ? why : '';
  return { what, why: cause, predicted, sentence, isRight: isSame(shown), n: shown.n };
}
