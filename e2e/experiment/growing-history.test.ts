import { expect } from 'chai';
import { GrowingHistory } from './growing-history.ts';
import type { Event } from './history.ts';

const call = (n: number, body = ''): Event => ({
  ...{ event: 'call', n, id: `call-${n}`, msg: 'hello', at: n, ms: 1, outcome: '200', body },
});

/** A history that keeps about ten calls, after `calls` have ended. */
function after(calls: number): GrowingHistory {
  const history = new GrowingHistory('call-', 10);
  for (let n = 1; n <= calls; n++) history.add(call(n));
  return history;
}

const since = (history: GrowingHistory, ended: number) => {
  const { calls, isAll } = history.since(ended);
  return [calls.map(({ n }) => n).join(), isAll];
};

describe('A history that grows', () => {
  it('tells what has ended since it was asked last, each call once', () => {
    const history = after(5);
    expect(since(history, 3)).to.deep.equal(['4,5', false]);
    expect(since(history, 5)).to.deep.equal(['', false]);
    expect(since(history, 0)).to.deep.equal(['1,2,3,4,5', true]);
  });

  it('tells everything that it keeps when some of the calls since then are gone, or when there were fewer', () => {
    const history = after(100);
    const kept = history.calls.map(({ n }) => n).join();
    expect(kept).to.match(/,100$/);
    expect(since(history, 95)).to.deep.equal(['96,97,98,99,100', false]);
    expect(since(history, 80)).to.deep.equal([kept, true]);
    expect(since(history, 101)).to.deep.equal([kept, true]);
    expect(since(history, NaN)).to.deep.equal([kept, true]);
  });

  it('keeps about as many calls as it is told to, and fewer of long ones', () => {
    for (const calls of [100, 1000]) expect(after(calls).calls.length).to.be.within(9, 11);
    const history = new GrowingHistory('call-', 36_000);
    for (let n = 1; n <= 1000; n++) history.add(call(n, 'x'.repeat(1024 * 1024)));
    expect(history.calls.length).to.be.within(20, 32);
    expect(history.ended).to.equal(1000);
  });

  it('keeps the last two thousand states and commands', () => {
    const history = after(0);
    for (let at = 0; at < 2100; at++) {
      history.add({ event: 'state', at, service: 'a', state: at % 2 ? 'running' : 'stopped' });
      history.begin({ at, command: `command ${at}`, ms: 1 });
    }
    expect(history.states).to.have.length(2000);
    expect(history.commands).to.have.length(2000);
    expect(history.events().at(-1)).to.include({ at: 2099 });
  });
});
