import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { askB } from './calls.ts';
import { faultOf, FAULTS } from './faults.ts';
import { callsIn, callsOf, commandsOf, outcomesOf, phasesOf, type Event } from './history.ts';
import { drawOutage } from './outage.ts';
import { run } from './run.ts';

describe('An experiment', () => {
  let history: Event[];

  before(async () => {
    let isUp = true;
    const b = createServer((_, response) => {
      response.writeHead(isUp ? 200 : 503).end(JSON.stringify(isUp ? { service_b: 'ok' } : { reason: 'dns' }));
    }).listen(0, '127.0.0.1');
    await once(b, 'listening');
    const url = `http://127.0.0.1:${(b.address() as AddressInfo).port}`;
    const perform = async (fault: string) => {
      isUp = fault === 'start-a';
      const from = Date.now();
      await sleep(100);
      return { from };
    };
    const ask = (id: string, msg: string) => askB(url, id, msg);
    history = await run([300, 'stop-a', 300, 'start-a', 300], perform, { perSecond: 50, ask });
    b.close();
  });

  it('has the phases that its faults lead through', () => {
    const names = ['A runs', 'A stops', 'A stopped', 'A starts', 'A runs'];
    expect(phasesOf(history).map(({ name }) => name)).to.deep.equal(names);
    for (const { from, to } of phasesOf(history)) expect(to - from).to.be.above(90);
  });

  it('has the calls of each phase, and their outcomes', () => {
    const [runs, , stopped] = phasesOf(history);
    expect(outcomesOf(callsIn(runs!, callsOf(history), 0, 20))).to.deep.equal(['200']);
    expect(outcomesOf(callsIn(stopped!, callsOf(history)))).to.deep.equal(['dns']);
    expect(callsOf(history)).to.have.length.above(30);
  });

  it('is drawn with a band for each phase in which A was not simply running', () => {
    const drawn = drawOutage(history, 50);
    expect(drawn.match(/<rect class="band-/g)).to.have.length(3);
    expect(drawn).to.include('A stopped: dns.');
  });
});

describe('An experiment with commands that are no faults, and without calls', () => {
  it('has each command with what it printed, and no state of A', async () => {
    const history = await run(['one', 50, 'two'], async (command) => ({ output: `did ${command}` }));
    expect(commandsOf(history).map(({ command, output }) => [command, output])).to.deep.equal([
      ['one', 'did one'],
      ['two', 'did two'],
    ]);
    const [one, two] = commandsOf(history);
    expect(two!.at - one!.at).to.be.at.least(49);
    expect(phasesOf(history)).to.be.empty;
    expect(callsOf(history)).to.be.empty;
  });

  it('ends with the first command that fails, and with its error', async () => {
    const ran: string[] = [];
    const perform = async (command: string) => {
      ran.push(command);
      if (command === 'two') throw new Error('two failed');
    };
    const error = await run(['one', 'two', 'three'], perform).catch((error) => error);
    expect(error.message).to.equal('two failed');
    expect(ran).to.deep.equal(['one', 'two']);
  });
});

describe('The faults', () => {
  it('are undone by faults that bring the same service back', () => {
    for (const id of Object.keys(FAULTS)) {
      const { target, undoneBy } = faultOf(id)!;
      if (!undoneBy) continue;
      expect(faultOf(undoneBy), id).to.include({ target, leaves: 'running' });
    }
  });

  it('have a label each', () => {
    const labels = Object.values(FAULTS).map(({ label }) => label);
    expect(new Set(labels).size).to.equal(labels.length);
  });
});
