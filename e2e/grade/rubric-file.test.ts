import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { situations } from '../requirements/situations.ts';
import { ROOT } from '../stack/paths.ts';
import { presentRubric, readRubric } from './rubric-file.ts';

const CHECKS = situations.flatMap(({ checks }) => checks);
const [health, echo] = CHECKS.map(({ name }) => name) as [string, string];
const stopped = 'B answers 503 while A is stopped';

describe("An instructor's rubric", () => {
  const dir = mkdtempSync(join(tmpdir(), 'rubric-'));
  const file = join(dir, 'rubric.json');
  after(() => rmSync(dir, { recursive: true }));

  function read(text: string) {
    writeFileSync(file, text);
    const weigh = readRubric(file);
    return CHECKS.map(weigh);
  }
  const readValue = (rubric: object) => read(JSON.stringify(rubric));

  it('changes nothing as it is printed', () => {
    expect(read(presentRubric()).map((check) => [check!.name, check!.points])).to.deep.equal(
      CHECKS.map(({ name, points = 1 }) => [name, points]),
    );
  });

  it('gives points and names, leaves checks out, and keeps what it does not name', () => {
    const [first, second, third] = readValue({ [health]: { points: 2.5, name: 'Health' }, [echo]: false });
    expect(first).to.include({ name: 'Health', points: 2.5 });
    expect(second).to.equal(undefined);
    expect(third).to.include({ name: CHECKS[2]!.name });
  });

  it('may exchange two names', () => {
    expect(readValue({ [health]: { name: echo }, [echo]: { name: health } }).slice(0, 2)).to.deep.equal([
      { name: echo, points: undefined },
      { name: health, points: undefined },
    ]);
  });

  it('may allow other statuses of a failure, where a check is about them', () => {
    const statusesOf = (status: unknown) =>
      readValue({ [stopped]: { status } }).find((check) => check!.name === stopped)!.statuses;
    expect(statusesOf([503, 504])).to.deep.equal([503, 504]);
    expect(statusesOf(502)).to.deep.equal([502]);
    expect(statusesOf(undefined)).to.deep.equal([503]);
  });

  it('can be the example in the README', () => {
    const example = /```json\n(.*?)```/s.exec(readFileSync(`${ROOT}e2e/grade/README.md`, 'utf8'))![1]!;
    expect(read(example).filter(Boolean)).to.have.length(CHECKS.length - 1);
  });

  const withoutLab = CHECKS.flatMap(({ name, section }) => (section === 'lab' ? [[name, false]] : []));
  const BAD: Record<string, [text: string, sentence: RegExp]> = {
    'that is not JSON': ['{', /rubric\.json is not JSON: /],
    'that is a list': ['[1]', /rubric\.json must be a JSON object/],
    'with an unknown name': ['{"A echoes": false}', /has "A echoes", and no check has this name; --print-rubric/],
    'with a number alone': [`{"${health}": 3}`, /gives "A answers \/health with 200" 3; it must be false or an object/],
    'with an unknown key': [`{"${health}": {"point": 3}}`, /the keys are "points" and "name", and not "point"\.$/],
    'with points of 0': [`{"${health}": {"points": 0}}`, /its points must be a number above 0/],
    'with points as a text': [`{"${health}": {"points": "3"}}`, /its points must be a number above 0/],
    'with a status where no failure is': [
      `{"${health}": {"status": 503}}`,
      /the keys are "points" and "name", and not "status"\.$/,
    ],
    'with a status of success': [`{"${stopped}": {"status": [503, 200]}}`, /its status must be one from 500 to 599/],
    'with no status': [`{"${stopped}": {"status": []}}`, /its status must be one from 500 to 599/],
    'without a name in it': [`{"${health}": {"name": " "}}`, /its name must be a text\.$/],
    'with a name twice': [`{"${health}": {"name": "${echo}"}}`, /gives two checks the name "A answers \/echo/],
    'without the lab': [JSON.stringify(Object.fromEntries(withoutLab)), /leaves out all of the lab's checks\.$/],
  };
  for (const [what, [text, sentence]] of Object.entries(BAD)) {
    it(`${what} is refused in one sentence`, () => expect(() => read(text)).to.throw(sentence));
  }

  it('that is not there is refused in one sentence', () => {
    expect(() => readRubric('/no/such.json')).to.throw('The rubric /no/such.json cannot be read (ENOENT).');
  });
});
