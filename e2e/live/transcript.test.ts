import { expect } from 'chai';
import { format } from 'prettier';
import type { Call } from '../experiment/calls.ts';
import type { State } from '../picture/states.ts';
import type { Experiment } from './experiment.ts';
import { OUTCOME_NAMES } from '../picture/outcomes.ts';
import { GrowingHistory } from '../experiment/growing-history.ts';
import type { CallView } from './protocol.ts';
import type { Tour } from './tour.ts';
import { transcript } from './transcript.ts';

const [LINES_A_PAGE, LETTERS_A_LINE] = [42, 85]; // of A4, as a browser prints it
const START = Date.UTC(2026, 10, 27, 9);
const BREAKS: [State, string, string, string][] = [
  ['stopped', 'docker compose -f /tmp/live-1a2b3c.yml stop service-a', 'start service-a', 'dns'],
  ['paused', 'docker compose -f /tmp/live-1a2b3c.yml pause service-a', 'unpause service-a', 'timeout'],
  ['cut off', 'docker network disconnect live-1a2b3c_default live-1a2b3c-service-a-1', 'connect', 'dns'],
  ['replaced', `docker compose run ${'a long command '.repeat(60)}`, 'put back', 'bad_body'],
  ['recreated', 'docker compose up --force-recreate', 'nothing', 'refused'],
];
const SENT = 17_900; // a call that someone sent
const HOSTILE = '| <b>bold</b> `code` ![x](http://evil.example) \u202e \n# heading';
const LOG = `{"level":"error","text":"${'long '.repeat(700)}"}`;

/** Half an hour of ten calls a second, in which A is broken forty times. */
function halfAnHour(): GrowingHistory {
  const history = new GrowingHistory('live-', 36_000);
  let n = 0;
  const state = (at: number, state: State) => history.add({ event: 'state', at, service: 'a', state });
  const calls = (from: number, to: number, outcome: string) => {
    for (let at = from; at < to; at += 100) {
      n++;
      history.add({
        event: 'call',
        n,
        id: `live-${n}`,
        msg: n === SENT ? 'by hand' : 'hello',
        at,
        ms: 4,
        outcome: OUTCOME_NAMES.at(n % 50)?.replace('200', outcome) ?? outcome, // and now and then any other
        status: 503,
        body: 'an answer',
      } as Call & { event: 'call' });
    }
  };
  state(START, 'running');
  for (let index = 0; index < 40; index++) {
    const at = START + index * 45_000;
    const [broken, command, fix, outcome] = BREAKS[index % BREAKS.length]!;
    calls(at, at + 20_000, '200');
    history.begin({ at: at + 20_000, command, ms: 300, ...(index === 39 && { problem: HOSTILE }) });
    state(at + 20_000, broken);
    calls(at + 20_000, at + 40_000, outcome);
    history.begin({ at: at + 40_000, command: fix, ms: 500 });
    state(at + 40_000, 'starting');
    calls(at + 40_000, at + 41_000, 'refused');
    state(at + 41_000, 'running');
    calls(at + 41_000, at + 45_000, '200');
  }
  return history;
}

function written(history: GrowingHistory, verdicts: object[] = []): string {
  const callView = (n: number): CallView => {
    const log = { lines: [LOG, LOG, LOG], remark: '' };
    const { id, at, ms, outcome } = history.callOf(n)!;
    const said = { command: `curl -i localhost:8081/call-echo?n=${n}`, answer: '503 after 4 ms', body: LOG };
    return {
      n,
      id,
      at,
      ms,
      outcome,
      ...said,
      explanation: `Why ${outcome}. ${HOSTILE} ${'And so on. '.repeat(30)}`,
      logs: { a: log, b: log },
    };
  };
  const experiment = { history, controls: { title: `+ ${HOSTILE}` }, callView } as unknown as Experiment;
  return transcript(experiment, { view: () => ({ verdicts }) } as unknown as Tour);
}

describe('The transcript of half an hour with forty breaks', () => {
  const verdict = {
    what: 'resets the kept connection on its second use',
    predicted: { outcome: 'dns', wait: 'at once' },
  };
  const sentence = "B's answers: 10 × 200, 17 × 503 refused, 8 × 503 timeout, 3 × 503 reset.";
  const verdicts = Array.from({ length: 24 }, (_, index) => ({ ...verdict, isRight: index < 4, sentence }));
  const markdown = written(halfAnHour(), verdicts);

  it('is what fits on three pages', () => {
    const heights = markdown.split('\n').map((line) => {
      if (line === '' || line.startsWith('```')) return 0.5; // the space between two paragraphs
      return Math.ceil(line.replace(/ {2,}|-{4,}/g, ' ').length / LETTERS_A_LINE);
    });
    const lines = heights.reduce((sum, height) => sum + height);
    expect(lines).to.be.at.most(3 * LINES_A_PAGE);
  });

  it('says what was done last, and how much before', () => {
    expect(markdown).to.include('80 commands').and.include('The last 8 of 80 commands:');
    expect(markdown).to.include('| 09:29:35.000 | docker compose up --force-recreate');
  });

  it('says which predictions were wrong', () => {
    expect(markdown).to.include('4 of 24 predictions were right, and 20 wrong, among them:\n\n- A resets the kept');
    expect(written(halfAnHour(), verdicts.slice(0, 4))).to.include('4 of 4 predictions were right.');
  });

  it('shows the call that someone sent, and the command that failed', () => {
    expect(markdown).to.include(`call ${SENT}, `).and.include('failed: ');
  });

  it('says what B answered in each state of A, and shows a call of it', () => {
    for (const [state, answers] of [
      ['A runs', '200'],
      ['A stopped', '503 dns'],
      ['A paused', '503 timeout'],
      ['A cut off', '503 dns'],
      ['A replaced', '503 bad_body'],
    ]) {
      expect(markdown).to.match(new RegExp(`\\| ${state} +\\| \\d+ × ${answers}.*\\| 4 ms`));
      expect(markdown).to.match(new RegExp(`\\*\\*${state}: call \\d+, \\d\\d:`));
      expect(markdown.replaceAll('\\', '')).to.include(`Why ${answers!.replace('503 ', '')}.`);
    }
  });

  it('names the file with the whole history', () => {
    expect(markdown).to.include('the file `history.jsonl`');
    const events = halfAnHour().events();
    expect(events.filter(({ event }) => event === 'call')).to.have.length(18_000);
    expect(events.filter(({ event }) => event === 'fault')).to.have.length(80);
    for (const [index, { at }] of events.slice(1).entries()) expect(at).to.be.at.least(events[index]!.at);
  });

  it('is Markdown as Prettier writes it, whatever is in it, without any markup of others', async () => {
    expect(await format(markdown, { parser: 'markdown', embeddedLanguageFormatting: 'off' })).to.equal(markdown);
    const text = markdown.replace(/```[^]*?```/g, '');
    expect(text).to.not.match(/(?<!\\)<b>|(?<!\\)!\[|^# heading|\u202e/m);
  });
});

describe('The transcript of nothing', () => {
  it('says that nothing was done', () => {
    expect(written(new GrowingHistory('live-', 36_000))).to.include('Nothing was done to A or B.');
  });
});
