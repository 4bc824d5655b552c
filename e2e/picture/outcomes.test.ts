import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { outcomeOf, REASONS } from './outcomes.ts';

describe('The outcomes of calls on B', () => {
  it('have each reason that B can give to a caller', () => {
    const source = readFileSync(new URL('../../service-b/src/service-a-client.ts', import.meta.url), 'utf8');
    const sentences = /const SENTENCES = \{([^}]+)\}/.exec(source)![1]!;
    const names = [...sentences.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    expect(names).to.have.members([...REASONS, 'aborted']); // its caller has left
  });

  for (const [answer, outcome] of [
    [{ status: 200 }, '200'],
    [{ status: 503, reason: 'timeout' }, 'timeout'],
    [{ status: 503, reason: 'toString' }, '503'],
    [{ status: 503 }, '503'],
    [{ status: 404, reason: 'dns' }, 'other'],
    [{}, 'none'],
  ] as const) {
    it(`have ${outcome} for ${JSON.stringify(answer)}`, () => expect(outcomeOf(answer)).to.equal(outcome));
  }
});
