/** Tests that a `problem` of this machine makes impossible: they become one pending test that names it; in CI, a failure. */
export function describeUnless(problem: string | undefined, title: string, tests: (this: Mocha.Suite) => void) {
  if (!problem) describe(title, tests);
  else if (!process.env.CI) it(`${title} (${problem})`);
  else {
    it(title, () => {
      throw new Error(problem);
    });
  }
}
