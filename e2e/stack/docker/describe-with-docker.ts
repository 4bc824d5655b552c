import { describeUnless } from '../describe-unless.ts';
import { dockerProblem } from './engine.ts';

const problem = dockerProblem();

/** Tests that need containers. */
export const describeWithDocker = (title: string, tests: (this: Mocha.Suite) => void) =>
  describeUnless(problem && `no Docker Engine answers: ${problem}`, title, tests);
