import { createHash } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { printable } from '../../stack/foreign-text.ts';
import { canvasCsv } from '../class/canvas-csv.ts';
import { classPage, notGradedPage, studentNotes } from '../class/class-page.ts';
import { classroom50 } from './classroom50.ts';
import type { Row } from '../class/class-file.ts';
import type { Result } from '../judge.ts';
import { gradescope } from './gradescope.ts';
import { gradesCsv } from '../class/grades-csv.ts';
import { junit } from './junit.ts';
import { Ungradable } from '../../pairs/ungradable.ts';
import { pairPage } from './page.ts';
import { proofInMarkdown } from './proof.ts';
import { meetsLab, scoresOf, type Report } from './report.ts';
import { rubric } from './rubric.ts';

/** What a log line, an answer, a name or a message may contain to break out of the place where it is shown. */
const HOSTILE = [
  '<script>document.title = "taken"</script><img src=x onerror=alert(1)>',
  '```',
  '````` text',
  '~~~',
  '# A heading [link](http://example.org) | a cell | **bold**',
  '\x1b[31mred\x1b[0m \x9b2J \x07 \x00 \ufffe \ud800',
  '\u202egnp.exe \u2066 \u200b \u2028 end',
  '"]]></failure><script/> \' & &amp;',
];

const result = (over: Partial<Result>): Result => ({
  ...{
    section: 'lab',
    situation: 'with both up',
    name: 'A answers',
    points: 1,
    verdict: 'pass',
    why: 'It matters.',
    fix: 'Do it.',
  },
  ...over,
});

function reportOf(results: Result[], over: Partial<Report> = {}): Report {
  const about = { pair: {}, when: '2026-01-02T03:04:05.678Z', ms: 61_000 };
  return { ...about, results, scores: scoresOf(results), ...over };
}

const text = HOSTILE.join('\n');
const hostile = reportOf(
  [
    result({ name: text, verdict: 'fail', sent: text, received: text, expected: text, why: text, fix: text }),
    result({ section: 'robustness', verdict: 'not applicable', because: text }),
  ],
  {
    name: text,
    pair: { a: text, b: text, 'a-dir': text },
    sources: { hash: 'abc', files: 2, bytes: 3, commit: 'def' },
    record: {
      ...{
        version: 1,
        isGrpc: false,
        isTogether: false,
        hasFoundStandIn: false,
        ends: {},
        failures: [],
        lateMs: {},
        entries: [],
      },
      limits: { answerMs: 1, goneMs: 1, healthMs: 1, recoveryMs: 1 },
      typed: { stop: text, start: text },
      traces: {
        slow: [{ sent: 'GET x', at: 1, received: text, lines: HOSTILE, others: HOSTILE, msg: text, causedMs: 0 }],
      },
      history: [
        { event: 'state', at: 1, service: 'a', state: 'running' },
        { event: 'call', n: 1, id: '', msg: text, at: 2, ms: 3, outcome: 'none', error: text },
      ],
    },
  },
);

/** Nothing that a reader cannot see, or that changes how other text is shown. */
const INVISIBLE = /[^\P{C}\n\t]|[\u2028\u2029]/u;

describe('A proof in Markdown', () => {
  const markdown = proofInMarkdown(hostile, 'the proof.svg');

  it('shows what others wrote as text in fences that it cannot end', () => {
    const outside: string[] = [];
    let fence = '';
    for (const line of markdown.split('\n')) {
      const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
      if (!fence && mark) fence = mark;
      else if (fence && mark?.startsWith(fence) && line.trim() === mark) fence = '';
      else if (!fence) outside.push(line);
    }
    expect(fence).to.equal('');
    const plain = outside.filter((line) => !line.startsWith('|'));
    expect(plain.filter(Boolean)).to.deep.equal([
      '# Proof',
      '## With both services up',
      "B's log during this call:",
      "A's log during this call:",
      '## With A stopped',
      '## With A started again, and B as it was',
      '## B during an outage of A',
      '![How B answers while A fails](the%20proof.svg)',
    ]);
    const cells = outside.filter((line) => line.startsWith('|')).map((line) => line.split(/(?<!\\)\|/).length);
    expect(new Set(cells)).to.deep.equal(new Set([4]));
    expect(outside.join('\n')).not.to.match(/(?<![\\!])[<*[]/);
  });

  it('has no escapes and no invisible characters, and shows their numbers instead', () => {
    expect(markdown).not.to.match(INVISIBLE);
    expect(markdown).to.contain('\\x1b[31mred\\x1b[0m \\x9b2J \\x07 \\x00').and.to.contain('\\u202egnp.exe');
  });

  it('says whose pair was graded, when, and from which commit and sources', () => {
    expect(markdown)
      .to.contain('| Graded | 2026-01-02 03:04:05 UTC, in 1 min 1 s |')
      .and.to.contain('| Commit | def |')
      .and.to.contain('| Sources | SHA-256 abc over 2 files |');
  });

  it('says why there is nothing to show', () => {
    expect(proofInMarkdown(reportOf([], { reason: 'B did not start.' }), 'x.svg')).to.contain(
      '```text\nB did not start.\n```',
    );
  });
});

describe('A page', () => {
  const row: Row = { row: 2, id: text, name: text, folder: text, options: {}, file: 'x-1', comment: text, points: -1 };
  const finished = [
    { row, isMet: false, scores: hostile.scores, results: hostile.results, ms: 5000 },
    { row: { ...row, file: 'x-2' }, isMet: false, results: [], reason: text, ms: 0 },
  ];
  const changes = { when: '2026-01-02T03:04:05.678Z', better: [text], worse: ['B answers'] };
  const notes = studentNotes(row, { ...finished[0]!, attempt: 3, changes });
  const pages = { pair: pairPage(hostile, notes), class: classPage(finished), none: notGradedPage(row, text) };

  for (const [name, page] of Object.entries(pages)) {
    it(`shows what others wrote as text (${name})`, () => {
      const tags = [...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag!.toLowerCase());
      const scripts = tags.filter((tag) => tag === 'script').length;
      expect(scripts).to.equal(name === 'class' ? 2 : 0);
      const images = [...page.matchAll(/<img[^>]*>/g)].map(([image]) => image);
      expect(images).to.have.length(name === 'pair' ? 1 : 0);
      for (const image of images)
        expect(image).to.match(/^<img src="data:image\/svg\+xml;base64,[\w+/=]+" alt="[^"]*">$/);
      expect(page).to.contain('&#60;script&#62;document.title');
      expect(page).not.to.match(INVISIBLE);
    });

    it(`loads nothing from elsewhere, and runs only what its policy names (${name})`, () => {
      const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll('&#39;', "'");
      const hash = (tag: string) => {
        const content = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(page)![1]!;
        return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
      };
      expect(policy)
        .to.match(/^default-src 'none'; /)
        .and.to.contain(`style-src ${hash('style')};`);
      if (name === 'class') expect(policy).to.contain(`script-src ${hash('script')};`);
      else expect(policy).not.to.contain('script');
      expect(page).not.to.match(/(?:src|href)="(?!data:|students\/)/);
    });
  }

  it('of a student has what a person gave, and what is different from the grade before', () => {
    expect(pages.pair)
      .to.contain('<p>Points given by hand: -1</p>')
      .and.to.contain('This is grade 3 of this work.')
      .and.to.match(/Met now, and not in the grade of 2026-01-02 03:04 UTC:<\/p>\n<ul><li>&#60;script/)
      .and.to.match(/No longer met since the grade of 2026-01-02 03:04 UTC:<\/p>\n<ul><li>B answers<\/li>/);
  });

  it('of a class counts what is wrong most, and how many were not graded', () => {
    expect(pages.class).to.match(/2 students: 0 meet .*, 1 does not, 1 was not graded/);
    expect(pages.class).to.match(/What the class gets wrong most[^]*<td class="number">1 of 1<\/td>/);
  });
});

describe('The terminal', () => {
  it('shows what others wrote in a line of its own, and obeys none of it', () => {
    const shown = rubric(hostile.results, new PassThrough());
    expect(shown).not.to.match(INVISIBLE);
    expect(shown).to.contain('\\x1b[31mred\\x1b[0m \\x9b2J \\x07 \\x00').and.to.contain('\\u202egnp.exe');
    const lines = shown.split('\n').filter((line) => line.includes('document.title'));
    expect(lines).to.have.length(7); // a name, five parts of what is wrong, and a reason
  });

  it('shows a reason why there is no grade in the same way, as a report does', () => {
    expect(new Ungradable(text).message).not.to.match(INVISIBLE);
    expect(new Ungradable('It said: \x1b[2J').message).to.equal('It said: \\x1b[2J');
  });

  it('gets quotes without colours, and with the numbers of other invisible characters', () => {
    expect(printable('\x1b[31mred\x1b[0m\n \u202eder \x07\x1b')).to.equal('red \\u202eder \\x07\\x1b');
    expect(printable('x'.repeat(10), 5)).to.equal('xxxxx…');
  });
});

describe('grades.csv', () => {
  const about = { folder: 'f', options: {} };
  const scores = { lab: { passed: 14, of: 15 }, robustness: { passed: 3, of: 4 }, all: { passed: 17, of: 19 } };
  const csv = gradesCsv([
    {
      row: { ...about, row: 2, id: '0042', name: 'Zoë "Z", B.', file: '0042' },
      isMet: false,
      scores,
      results: [],
      ms: 1,
    },
    {
      row: { ...about, row: 3, id: 'x', name: '=cmd|x', file: 'x' },
      isMet: false,
      results: [],
      reason: '-1\n@SUM(A1)',
      ms: 1,
    },
  ]);

  it('is CSV as RFC 4180 has it, with a row for each id', () => {
    expect(csv.replace(/"[^"]*"/g, '')).to.match(/^(?:[^\r\n]*\r\n){3}$/);
    const [first, second] = parse<Record<string, string>>(csv, { columns: true });
    expect(first).to.include({
      id: '0042',
      name: 'Zoë "Z", B.',
      outcome: 'not met',
      lab: '14',
      'lab max': '15',
      'lab %': '93.3',
    });
    expect(second).to.include({ id: 'x', outcome: 'not graded', lab: '', page: 'students/x.html' });
  });

  it('has nothing that a spreadsheet runs', () => {
    const [, second] = parse<Record<string, string>>(csv, { columns: true });
    expect(second).to.include({ name: "'=cmd|x", reason: "'-1\n@SUM(A1)" });
  });
});

describe("Canvas's gradebook", () => {
  const row: Row = { row: 2, id: '17', name: 'Ada', folder: 'f', options: {}, file: '17', points: 0.5 };
  const scores = { lab: { passed: 14, of: 15 }, robustness: { passed: 3, of: 4 }, all: { passed: 17, of: 19 } };
  const graded = { row, isMet: false, scores, results: [], ms: 1 };
  const none = { row: { ...row, id: '18', name: '=x', points: 3 }, isMet: false, results: [], ms: 1, reason: 'No.' };

  it("has the lab's points with those given by hand, and an empty cell where there is no grade", () => {
    expect(parse(canvasCsv([graded, none], 'Two services (12)'))).to.deep.equal([
      ['Student', 'ID', 'SIS User ID', 'SIS Login ID', 'Section', 'Two services (12)'],
      ['Points Possible', '', '', '', '', '15'],
      ['Ada', '17', '', '', '', '14.5'],
      ["'=x", '18', '', '', '', ''],
    ]);
  });
});

describe("Classroom 50's result", () => {
  const env = {
    ...{
      CLASSROOM: 'cs',
      ASSIGNMENT: 'lab',
      SUBMISSION_TAG: 'submit/1',
      COMMIT_URL: 'https://c',
      RELEASE_URL: 'https://r',
    },
    REVIEW_URL: '',
  };
  const results = [
    result({ points: 0.5 }),
    result({ points: 1.25, verdict: 'fail' }),
    result({ verdict: 'not applicable', because: 'A speaks gRPC' }),
    result({ section: 'robustness', verdict: 'fail', because: text }),
  ];
  const written = JSON.parse(classroom50(reportOf(results), env));

  it('has what the runner gave, and when it was graded', () => {
    expect(written).to.include({
      ...{ schema: 'classroom50/result/v1', classroom: 'cs', assignment: 'lab', submission: 'submit/1' },
      ...{ commit: 'https://c', release: 'https://r', review: 'https://c', datetime: '2026-01-02T03:04:05Z' },
    });
  });

  // Its score collector refuses fractions, a score above its maximum, and a test without a name.
  it('has whole points in the proportions of the rubric, which add up', () => {
    expect(written).to.include({ score: 2, 'max-score': 7 });
    const points = written.tests.map((test: any) => [test.passed, test.score, test['max-score']]);
    expect(points).to.deep.equal([
      [true, 2, 2],
      [false, 0, 5],
      [true, 0, 0],
      [false, 0, 0],
    ]);
    for (const test of written.tests) expect(test['test-name']).to.be.a('string').that.is.not.empty;
  });

  it('of a pair without a grade is 0 of 1, with the reason', () => {
    const { score, tests, ...rest } = JSON.parse(classroom50(reportOf([], { reason: 'B did not start.' }), env));
    expect([score, rest['max-score'], tests[0]['test-name'], tests[0].passed]).to.deep.equal([
      0,
      1,
      'B did not start.',
      false,
    ]);
  });

  it('is refused outside of the runner, in one sentence', () => {
    expect(() => classroom50(reportOf(results), { CLASSROOM: 'cs' })).to.throw(
      "--classroom50 is for Classroom 50's runner, which sets ASSIGNMENT, SUBMISSION_TAG, COMMIT_URL, RELEASE_URL: not set here.",
    );
  });
});

describe("The lab's requirements", () => {
  const notApplicable = result({ verdict: 'not applicable', because: 'A speaks gRPC' });
  const failed = result({ verdict: 'fail' });

  it('are met when no requirement that applies fails, whatever fails in robustness', () => {
    expect(meetsLab([result({}), notApplicable, { ...failed, section: 'robustness' }])).to.equal(true);
    expect(scoresOf([result({}), notApplicable]).lab).to.deep.equal({ passed: 1, of: 1 });
    expect(meetsLab([result({}), failed])).to.equal(false);
  });
});

describe("Gradescope's results.json", () => {
  const results = [
    result({ name: 'A answers', points: 2 }),
    result({ name: 'B answers', verdict: 'fail', sent: 'GET /', received: '\x1b[1m500', expected: '200' }),
    result({ name: 'Odd', section: 'robustness', verdict: 'not applicable', because: 'B has no timeout' }),
  ];

  it("has the lab's points, and what was wrong", () => {
    const { tests, execution_time, output } = JSON.parse(gradescope(reportOf(results)));
    expect(tests.map(({ name, score, max_score, status }: any) => [name, score, max_score, status])).to.deep.equal([
      ['A answers', 2, 2, 'passed'],
      ['B answers', 0, 1, 'failed'],
      ['Robustness: Odd', undefined, undefined, 'passed'],
    ]);
    expect(tests[1].output).to.equal(
      'sent: GET /\nreceived: \\x1b[1m500\nexpected: 200\nwhy: It matters.\nfix: Do it.',
    );
    expect(tests[2].output).to.equal('B has no timeout');
    expect(execution_time).to.equal(61);
    expect(output).to.contain('2 of 3');
  });

  it('has no points, and the reason, for a pair that could not be started', () => {
    const { score, output, tests } = JSON.parse(gradescope(reportOf([], { reason: 'B did not start.' })));
    expect({ score, output, tests }).to.deep.equal({ score: 0, output: 'B did not start.', tests: [] });
  });
});

describe('JUnit XML', () => {
  it('has a case for each check, and nothing that XML does not allow', () => {
    const xml = junit(hostile);
    expect(xml).to.match(
      /^<\?xml [^>]*>\n<testsuites name="[^"]*" tests="2" failures="1" skipped="1" errors="0" time="61">/,
    );
    const tags = [...xml.matchAll(/<(\/?\w+)/g)].map(([, tag]) => tag);
    expect(tags).to.deep.equal([
      ...['testsuites', 'testsuite', 'testcase', 'failure', '/failure', '/testcase', '/testsuite'],
      ...['testsuite', 'testcase', 'skipped', '/testcase', '/testsuite', '/testsuites'],
    ]);
    expect(xml).not.to.match(INVISIBLE);
  });

  it('has an error for a pair that could not be started', () => {
    expect(junit(reportOf([], { reason: 'B "b" did not start.' })))
      .to.match(/ errors="1" time=/)
      .and.to.contain('<error message="B &#34;b&#34; did not start."/>');
  });
});
