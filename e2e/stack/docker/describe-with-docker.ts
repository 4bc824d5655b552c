import { dockerProblem } from './engine.ts';

const problem = dockerProblem();

/** Tests that need containers. Where no Docker Engine answers, they are one pending test that says so; in CI, a failure. */
export function describeWithDocker(title: string, tests: (this: Mocha.Suite) => void) {
  if (!problem) describe(title, tests);
  else if (!process.env.CI) it(`${title} (no Docker Engine answers: ${problem})`);
  else {
    it(title, () => {
      throw new Error(`No Docker Engine answers: ${problem}`);
    });
  }
}
