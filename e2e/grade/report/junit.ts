import type { Result } from '../judge.ts';
import { markup } from './markup.ts';
import type { Report } from './report.ts';
import { SECTIONS } from './rubric.ts';

/** The rubric as JUnit XML: a suite for the lab and one for robustness, a test case for each check. */
export function junit({ name, when, ms, results, reason }: Report): string {
  const suites = Object.entries(SECTIONS).map(([section, title]) => {
    const own = results.filter((result) => result.section === section);
    return markup`  <testsuite name="${title}" ${numbers(own)} errors="0" timestamp="${when.replace(/\.\d+Z/, '')}">
${own.map(testCase)}  </testsuite>
`;
  });
  const [errors, inError] = reason ? [1, notGraded(reason)] : [0, undefined];
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${name ?? 'pair'}" ${numbers(results)} errors="${errors}" time="${ms / 1000}">
${inError ?? suites}</testsuites>
`.text;
}

function numbers(results: Result[]) {
  const of = (verdict: Result['verdict']) => results.filter((result) => result.verdict === verdict).length;
  return markup`tests="${results.length}" failures="${of('fail')}" skipped="${of('not applicable')}"`;
}

function testCase({ section, situation, name, verdict, sent, received, expected, because, why, fix }: Result) {
  const advice = Object.entries({ sent, received, expected, why, fix }).flatMap(([label, text]) =>
    text ? [`${label}: ${text}`] : [],
  );
  const outcome = {
    pass: undefined,
    fail: markup`
      <failure message="${because ?? `received: ${received}; expected: ${expected}`}">${advice.join('\n')}</failure>
    `,
    'not applicable': markup`<skipped message="${because}"/>`,
  }[verdict];
  return markup`    <testcase classname="${section}: ${situation}" name="${name}" time="0">${outcome}</testcase>
`;
}

/** A pair that could not be started is an error, so that no job that reads this takes it for a success. */
const notGraded = (
  reason: string,
) => markup`  <testsuite name="The grade" tests="1" failures="0" skipped="0" errors="1">
    <testcase classname="grade" name="The pair can be started" time="0"><error message="${reason}"/></testcase>
  </testsuite>
`;
