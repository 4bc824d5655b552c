import { startProcesses } from '../pairs/commands.ts';
import type { Stack } from '../stack/service.ts';
import { specification } from './specification.ts';

describe('Two services as two processes', function () {
  this.timeout(60_000);
  let stack: Stack;

  before(async () => {
    stack = await startProcesses();
  });
  after(() => stack?.down());

  specification(() => stack);
});
