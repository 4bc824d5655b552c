import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { Caller, callSteadily, slowest, type Call } from './calls.ts';

/** Keeps this process from doing anything else. */
function stall(ms: number) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('A steady caller', () => {
  it('calls at its rate, whether or not it has been answered', async () => {
    let asked = 0;
    using steady = callSteadily(100, () => (asked++, sleep(5000, { status: 200 }, { ref: false })));
    await sleep(1000);
    expect(asked).to.be.within(50, 110);
    expect(steady.calls).to.deep.equal([]);
  });

  it('makes as many calls as it is told to, and numbers them in the order in which they were due', async () => {
    const calls = await callSteadily(1000, (id) => sleep(id === 'call-1' ? 50 : 0, { status: 200 }), 20).done;
    expect(calls.map(({ id }) => id)).to.deep.equal(Array.from({ length: 20 }, (_, index) => `call-${index + 1}`));
  });

  it('times a call from when it was due: a stall of its own is seen by every call that it delays', async () => {
    const steady = callSteadily(100, async () => ({ status: 200 }));
    await sleep(100);
    stall(1500);
    await sleep(50);
    const calls = await steady.stop();
    expect(slowest(calls)).to.be.above(1400);
    expect(calls.filter(({ ms }) => ms > 100)).to.have.length.above(130);
  });

  it('makes up for no more of its own stall than it is told to', async () => {
    const ended: Call[] = [];
    const ask = async () => ({ status: 200 });
    const caller = new Caller({ perSecond: 100, ask, ended: (call) => ended.push(call), maxBehindMs: 300 });
    await sleep(100);
    stall(1000);
    await sleep(50);
    caller.stop();
    await caller.done;
    expect(slowest(ended)).to.be.within(200, 350);
  });

  it('is refused at a rate that is no number', () => {
    for (const rate of [NaN, -1, Infinity])
      expect(() => callSteadily(rate, async () => ({}))).to.throw(`No one can make ${rate} calls a second.`);
  });

  it('leaves out what is due while too many calls wait', async () => {
    const ended: Call[] = [];
    const ask = () => sleep(300, { status: 200 });
    const caller = new Caller({ perSecond: 100, ask, ended: (call) => ended.push(call), maxWaiting: 2 });
    await sleep(250);
    caller.stop();
    await caller.done;
    expect(ended).to.have.length(2);
  });

  it('rests, and begins again at another rate', async () => {
    let asked = 0;
    const caller = new Caller({ perSecond: 0, ask: async () => (asked++, { status: 200 }), ended: () => {} });
    await sleep(150);
    expect(asked).to.equal(0);
    caller.perSecond = 100;
    await sleep(400);
    expect(asked).to.be.above(10);
    caller.isResting = true;
    await sleep(50);
    const before = asked;
    await sleep(200);
    expect(asked).to.equal(before);
    caller.stop();
  });

  it('records how a call ended: an answer, or why there was none', async () => {
    const answers = [
      async () => ({ status: 503, body: 'x'.repeat(5000), json: { reason: 'timeout' } }),
      async () => Promise.reject(new Error('broken')),
    ];
    const calls = await callSteadily(100, () => answers.shift()!(), 2).done;
    expect(calls[0]).to.include({ outcome: 'timeout', status: 503, reason: 'timeout' });
    expect(calls[0]!.body).to.have.length(2000);
    expect(calls[1]).to.include({ outcome: 'none', error: 'broken' });
  });

  it("keeps of a stranger's reason what is text, and 100 characters of it", async () => {
    const reasons = ['x'.repeat(1000), { toString: null }, 7, ['dns']];
    const ask = async () => ({ status: 503, json: { reason: reasons.shift() } });
    const calls = await callSteadily(1000, ask, 4).done;
    expect(calls.map(({ reason, outcome }) => [reason?.length, outcome])).to.deep.equal([
      [100, '503'],
      ...Array(3).fill([undefined, '503']),
    ]);
  });
});
