import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { callsIn, callsOf, outcomesOf, phasesOf, type Phase } from '../experiment/history.ts';
import type { Call } from '../experiment/calls.ts';
import { actOutOutage } from './outage.ts';
import { ROOT } from '../stack/paths.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';

const PICTURE = `${ROOT}e2e/gallery/outage.svg`;
const DEADLINE_MS = 1000;
const LATE_MS = 250; // B promises 50; the rest is for processors that the caller, Docker and both services share here
const EDGE_MS = 500; // a call that is under way as A's state changes may have either outcome

describeWithDocker('A steady stream of calls while A is stopped, paused and recreated', () => {
  let outage: { calls: Call[]; phases: Phase[] };

  before(async function () {
    this.timeout(300_000);
    const history = await actOutOutage();
    outage = { calls: callsOf(history), phases: phasesOf(history) };
  });

  const phase = (name: string) => outage.phases.find((phase) => phase.name === name)!;

  it('is answered in full: each call with 200 or with 503 and a reason, by the deadline', () => {
    expect(outage.calls).to.have.length.above(700);
    for (const { outcome, ms } of outage.calls) {
      expect(outcome).to.be.oneOf(['200', 'dns', 'refused', 'unreachable', 'reset', 'timeout']);
      expect(ms, outcome).to.be.below(2 * DEADLINE_MS);
    }
    const inTime = outage.calls.filter(({ ms }) => ms < DEADLINE_MS + LATE_MS);
    expect(inTime.length / outage.calls.length).to.be.above(0.95);
  });

  it('is answered 200 while A runs, at the latest from a second after it has started', () => {
    const running = outage.phases.filter(({ name }) => name === 'A runs');
    expect(running).to.have.length(4);
    for (const [index, phase] of running.entries()) {
      const calls = callsIn(phase, outage.calls, index === 0 ? 0 : 1000, EDGE_MS);
      expect(calls).to.have.length.above(30);
      for (const { outcome } of calls) expect(outcome).to.equal('200');
    }
  });

  it('is answered 503 without waiting while A is stopped', () => {
    const calls = callsIn(phase('A stopped'), outage.calls, EDGE_MS, EDGE_MS);
    expect(calls).to.have.length.above(50);
    for (const { outcome } of calls) expect(outcome).to.be.oneOf(['dns', 'refused']);
    const quick = calls.filter(({ ms }) => ms < DEADLINE_MS / 4);
    expect(quick.length / calls.length).to.be.above(0.5); // a busy machine delays some, waiting would delay all
  });

  it('is answered 503 at the deadline while A is paused', () => {
    const calls = callsIn(phase('A paused'), outage.calls, EDGE_MS, DEADLINE_MS + EDGE_MS);
    expect(calls).to.have.length.above(50);
    for (const { outcome, ms } of calls) {
      expect(outcome).to.equal('timeout');
      expect(ms).to.be.above(DEADLINE_MS - 10);
    }
  });

  it("is what the picture's description says", () => {
    const said = [...readFileSync(PICTURE, 'utf8').matchAll(/(A \w+): ([\w, ]+)\./g)];
    expect(said.map(([, name]) => name)).to.deep.equal(outage.phases.map(({ name }) => name));
    for (const [index, phase] of outage.phases.entries()) {
      const outcomes = said[index]![2]!.split(', ');
      expect(outcomes, phase.name).to.include(outcomesOf(callsIn(phase, outage.calls))[0]);
    }
  });
});
