import { expect } from 'chai';
import type { Call } from './calls.ts';
import { phasesOf, type Event } from './history.ts';
import { OUTCOMES } from '../picture/outcomes.ts';
import type { State } from '../picture/states.ts';
import { explain, type Found } from './explain.ts';

const AT = 10_000;
const END = 60_000;
const [NONE, WROTE] = [[], ['{"a line": "of A"}']];

interface Row {
  /** A's states with the times at which they began; the call begins at 10,000 ms. */
  states: [State, number][];
  ms?: number;
  fake?: string;
  /** What B's own line of the call says, and what A has written of it. */
  said?: object;
  a?: string[];
  by?: 'id' | 'time';
}

function explained(outcome: string, { states, ms = 5, fake, said, a = NONE, by = 'id' }: Row) {
  const call: Call = { n: 1, id: 'id', msg: 'hello', at: AT, ms, outcome };
  const history: Event[] = states.map(([state, at]) => ({ event: 'state', at, service: 'a', state }));
  const phases = phasesOf([...history, { event: 'health', at: END, service: 'a', health: '' }]);
  const b = { lines: said ? [JSON.stringify({ reason: outcome, ...said })] : [], by };
  return explain(call, { phases, ...(fake && { fake }) }, { a: { lines: a, by }, b } satisfies Found);
}

describe('The explanation of a call', () => {
  const running: [State, number] = ['running', 0];
  // prettier-ignore
  const rows: [when: string, outcome: string, row: Row, says: string][] = [
    ['while A runs', '200', { states: [running] }, ''],
    ['before A ends', '200', { states: [running, ['stopped', 10_002]] }, 'A was running, then stopped during the call.'],
    ['while A is stopped', 'dns', { states: [running, ['stopped', 5000]] }, 'A was stopped then. While it is stopped, its name has no address.'],
    ['just before its end is seen', 'dns', { states: [running, ['stopped', 10_100]] }, 'It was about to end, and its name was already gone.'],
    ['while A is cut off', 'dns', { states: [running, ['cut off', 5000]] }, 'A was cut off from its network then. It ran without a network, and so without a name.'],
    ['while A is recreated', 'dns', { states: [running, ['recreated', 9500]] }, 'A was being recreated then. Its old container was removed, and the new one was not there yet.'],
    ['with a silent resolver', 'dns', { states: [['stopped', 0]], ms: 1010, said: { code: 'ETIMEDOUT' } }, 'A was stopped then. The lookup of its name got no answer by the deadline.'],
    ['while A runs', 'dns', { states: [running] }, ''],
    ['while A starts', 'refused', { states: [['stopped', 0], ['starting', 9900]] }, 'A was starting then. It had its address but did not listen yet.'],
    ['just after A has stopped', 'refused', { states: [running, ['stopped', 9990]] }, 'A was stopped then. Its address was still known, or known again, but nothing listened there.'],
    ['just before its end is seen', 'refused', { states: [running, ['stopped', 10_050]] }, 'It was about to end and no longer listened.'],
    ['while A finishes its requests', 'refused', { states: [running, ['stopped', 11_900]] }, 'It was about to end and no longer listened.'],
    ['while A finishes its requests for a restart', 'refused', { states: [running, ['starting', 11_900]] }, 'It was about to end and no longer listened.'],
    ['long before A ends', 'refused', { states: [running, ['stopped', 13_100]] }, ''],
    ['before the fake listens', 'refused', { states: [running, ['replaced', 9900]], fake: 'redirects' }, 'A was replaced with a fake then. The fake had its address but did not listen yet.'],
    ['while A is said to be cut off', '200', { states: [running, ['cut off', 9000]] }, ''],
    ['long after a process has stopped', 'refused', { states: [running, ['stopped', 2000]] }, 'A was stopped then. Nothing listens at its address while it is stopped.'],
    ['just after A has stopped', 'unreachable', { states: [running, ['stopped', 9990]] }, 'A was stopped then. Its address was gone.'],
    ['when A ends during the call', 'reset', { states: [running, ['stopped', 10_002]] }, 'A was running, then stopped during the call. It ended, and its connections ended with it.'],
    ['while A runs', 'reset', { states: [running] }, ''],
    ['just after A is back', 'reset', { states: [running, ['stopped', 9200], ['starting', 9300], ['running', 9600]] }, ''],
    ['before A ends', 'reset', { states: [running, ['stopped', 10_900]] }, ''],
    ['just after A is back', 'dns', { states: [running, ['stopped', 9200], ['starting', 9300], ['running', 9600]] }, ''],
    ['while A starts', 'dns', { states: [running, ['stopped', 9500], ['starting', 9700]] }, 'A was starting then. It had only begun to start, and its name was not there yet.'],
    ['before A is cut off', 'dns', { states: [running, ['cut off', 10_004]] }, 'A was running, then cut off from its network during the call.'],
    ['long before A ends', 'dns', { states: [running, ['stopped', 11_600]] }, ''],
    ['just after A is back', 'timeout', { states: [running, ['stopped', 9200], ['starting', 9300], ['running', 9600]], ms: 1005 }, ''],
    ['while A starts', 'timeout', { states: [['replaced', 0], ['stopped', 9500], ['starting', 9600]], ms: 1005 }, 'A was starting then. The call went to an address where nothing accepted it yet.'],
    ['before A ends', 'timeout', { states: [running, ['stopped', 11_900]], ms: 1005 }, ''],
    ['before A is paused', 'timeout', { states: [running, ['paused', 11_004]], ms: 1005 }, 'A was running, then paused during the call.'],
    ['from a fake that ends', 'reset', { states: [['replaced', 0], ['stopped', 10_002]] }, 'A was replaced with a fake, then stopped during the call.'],
    ['while A is paused', 'timeout', { states: [running, ['paused', 5000]], ms: 1005 }, 'A was paused then. While it is paused, connections to it are accepted and never answered.'],
    ['when A is paused during the call', 'timeout', { states: [running, ['paused', 10_500]], ms: 1005 }, 'A was running, then paused during the call. While it is paused, connections to it are accepted and never answered.'],
    ['while A is cut off', 'timeout', { states: [running, ['cut off', 9500]], ms: 1005 }, 'A was cut off from its network then. B still had a connection to it, or its address, but nothing arrives there any more.'],
    ['just after A has stopped', 'timeout', { states: [running, ['stopped', 9990]], ms: 1005 }, 'A was stopped then. The call went to an address where nothing accepted it: the old one, or a new one that was not in use yet.'],
    ['when A ends during the call', 'timeout', { states: [running, ['stopped', 10_300]], ms: 1005 }, 'A was running, then stopped during the call. It ended while B waited.'],
    ['when A ends after it took the call', 'timeout', { states: [running, ['stopped', 10_300]], ms: 1005, a: WROTE }, 'A was running, then stopped during the call. It ended before it had answered.'],
    ['long after A has stopped', 'timeout', { states: [running, ['stopped', 2000]], ms: 1005 }, 'A was stopped then.'],
    ['while A runs', 'timeout', { states: [running], ms: 1005 }, ''],
    ['from a fake', 'timeout', { states: [running, ['replaced', 5000]], fake: 'never answers' }, 'A was replaced with a fake then. The fake never answers.'],
    ['from a fake', '200', { states: [running, ['replaced', 5000]], fake: 'does what each message says' }, 'A was replaced with a fake then. The fake does what each message says.'],
    ['from a fake, where B logs its code', 'bad_status', { states: [['replaced', 0]], fake: 'redirects', said: { code: 'HTTP_302' } }, 'A was replaced with a fake then. The fake redirects. The answer had the status 302.'],
    ['that is no HTTP', 'bad_body', { states: [['replaced', 0]], said: { code: 'HPE_INVALID_CONSTANT' } }, 'A was replaced with a fake then. The answer was not valid HTTP.'],
    ['with another body', 'bad_body', { states: [running], said: {} }, 'The answer had the status 200, and another body.'],
    ['while B has no room', 'overloaded', { states: [running] }, ''],
    ['while A is stopped', '503', { states: [['stopped', 0]] }, 'A was stopped then.'],
    ['while A is stopped', 'none', { states: [['stopped', 0]] }, ''],
    ['without any known state of A', 'timeout', { states: [] }, ''],
  ];

  for (const [when, outcome, row, says] of rows) {
    it(`that ends with ${outcome} ${when} is "${says}"`, () => {
      const { saw, tells } = OUTCOMES[outcome]!;
      const isOfFake = outcome === '200' && row.fake;
      const begins = saw
        ? `What B saw of A: ${saw}.`
        : isOfFake
          ? 'B asked A, and the fake in its place gave the echo in time.'
          : tells!;
      expect(explained(outcome, row).explanation).to.equal(`${begins} ${says}`.trim());
    });
  }
});

describe('The remark on a log', () => {
  const stopped: Row = { states: [['stopped', 0]] };
  const paused: Row = { states: [['paused', 0]] };
  const replaced: Row = { states: [['replaced', 0]] };
  // prettier-ignore
  const rows: [outcome: string, Row, name: 'a' | 'b', remark: string][] = [
    ['200', { states: [], a: WROTE, said: {} }, 'a', ''],
    ['200', { states: [], a: WROTE, said: {} }, 'b', ''],
    ['200', { states: [], a: WROTE, by: 'time' }, 'a', 'This service logs no request ids, so these are the lines that it wrote during the call; with several calls at once, some may be of others.'],
    ['200', { states: [] }, 'a', 'A has no line of this call, although B has its echo: A may not log each request.'],
    ['200', replaced, 'a', 'A has no line: the fake was in its place.'],
    ['timeout', paused, 'a', 'A has no line: it was paused. The request waited in its kernel, and A may write a line once it runs again.'],
    ['timeout', { ...paused, a: WROTE }, 'a', 'A received the request, but B had no echo from it.'],
    ['timeout', { ...stopped, by: 'time' }, 'a', 'A wrote nothing at the time of the call.'],
    ['dns', stopped, 'a', 'A has no line: the request never reached it.'],
    ['reset', stopped, 'a', 'A has no line of this call: the request did not reach it, or A did not live to answer it, or has not done so yet.'],
    ['none', { states: [], a: WROTE }, 'a', 'A received the request.'],
    ['none', stopped, 'b', 'B has no line of this call: it did not receive it, or did not live to answer it.'],
    ['dns', stopped, 'b', 'B has no line of this call, although it answered: the line may be on its way.'],
    ['dns', { ...stopped, by: 'time' }, 'b', 'B wrote nothing at the time of the call.'],
  ];

  for (const [outcome, row, name, remark] of rows) {
    const state = row.states[0]?.[0];
    const lines = name === 'a' ? row.a : row.said;
    it(`of ${name.toUpperCase()} is "${remark}" after ${outcome} ${state ? `while A is ${state}, ` : ''}${lines ? 'with' : 'without'} a line`, () => {
      expect(explained(outcome, row).logs[name].remark).to.equal(remark);
    });
  }
});
