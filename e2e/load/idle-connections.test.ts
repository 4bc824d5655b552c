import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startProcesses } from '../pairs/commands.ts';
import { askRaw } from './burst.ts';

const IDLE_MS = 1000; // what B keeps an unused connection to A for

describe('Connections that B keeps alive', function () {
  this.timeout(180_000);

  it('cost none of 20,000 calls with pauses around the idle limit', async () => {
    await using stack = await startProcesses({ LOG_LEVEL: 'error' });
    let calls = 0;
    const caller = async () => {
      for (let call = 0; call < 50; call++) {
        await sleep(IDLE_MS - 30 + Math.random() * 60);
        const { status, body } = await askRaw(`${stack.b.url}/call-echo?msg=hello`);
        expect(status, body).to.equal(200);
        calls++;
      }
    };
    await Promise.all(Array.from({ length: 400 }, caller));
    expect(calls).to.equal(20_000);
  });
});
