// `npx mocha` runs the short size of the tests; given files, it runs these alone (Mocha would add them to `spec`).
const isGivenFiles = process.argv.slice(2).some((argument) => argument.endsWith('.test.ts'));
const SHORT = [
  'service-*/test/*.test.ts',
  'e2e/{stack,picture,experiment,pairs,docs,requirements}/**/!(at-exit).test.ts',
];

export default {
  spec: isGivenFiles ? [] : SHORT,
  require: ['./e2e/stack/process/at-exit.ts'],
  timeout: 30_000, // whatever else the machine does
  'forbid-only': true,
};
