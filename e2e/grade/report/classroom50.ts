import { Unusable } from '../../stack/command.ts';
import { sanitize } from '../../stack/foreign-text.ts';
import type { Report } from './report.ts';

/** What the runner of Classroom 50 tells an autograder in its environment, and the field that each goes into. */
const GIVEN = {
  classroom: 'CLASSROOM',
  assignment: 'ASSIGNMENT',
  submission: 'SUBMISSION_TAG',
  commit: 'COMMIT_URL',
  release: 'RELEASE_URL',
  review: 'REVIEW_URL',
};
const MAX_FACTOR = 1000;

/**
 * The rubric as Classroom 50's result.json: the lab's checks with their points, which are whole numbers there, so that all
 * are multiplied by the smallest number that makes them whole; those of robustness without any. Throws an `Unusable` when
 * `env` has not what its runner sets. https://github.com/foundation50/classroom50/wiki/Advanced-Autograding
 */
export function classroom50({ when, results, reason }: Report, env: NodeJS.ProcessEnv): string {
  const given = givenByRunner(env);
  const points = results.map(({ points }) => points);
  const factor = wholeBy(points);
  const tests = results.map(({ section, name, points, verdict, because }) => {
    const max = section === 'lab' && verdict !== 'not applicable' ? Math.round(points * factor) : 0;
    return {
      'test-name': sanitize(section === 'lab' ? name : `Robustness: ${name}`),
      passed: verdict !== 'fail',
      score: verdict === 'pass' ? max : 0,
      'max-score': max,
      ...(because && { because: sanitize(because) }),
    };
  });
  // 0 of 0 would be a pass there.
  if (reason) tests.push({ 'test-name': sanitize(reason), passed: false, score: 0, 'max-score': 1 });
  const sum = (key: 'score' | 'max-score') => tests.reduce((total, test) => total + test[key], 0);
  return `${JSON.stringify(
    {
      schema: 'classroom50/result/v1',
      ...given,
      datetime: when.replace(/\.\d+Z$/, 'Z'),
      score: sum('score'),
      'max-score': sum('max-score'),
      tests,
    },
    null,
    2,
  )}\n`;
}

/** The fields that the runner gives. Throws an `Unusable` that names what it has not set. */
export function givenByRunner(env: NodeJS.ProcessEnv): Record<string, string> {
  const given = { ...GIVEN, ...(!env[GIVEN.review] && { review: GIVEN.commit }) };
  const missing = [...new Set(Object.values(given))].filter((variable) => !env[variable]);
  if (missing.length > 0)
    throw new Unusable(`--classroom50 is for Classroom 50's runner, which sets ${missing.join(', ')}: not set here.`);
  return Object.fromEntries(Object.entries(given).map(([field, variable]) => [field, env[variable]!]));
}

/** The smallest number that makes all of them whole, up to 1,000. */
function wholeBy(numbers: number[]): number {
  for (let factor = 1; factor < MAX_FACTOR; factor++)
    if (numbers.every((number) => Math.abs(number * factor - Math.round(number * factor)) < 1e-9)) return factor;
  return MAX_FACTOR;
}
