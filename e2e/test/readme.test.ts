import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { newReader, settled, type Reader } from '../src/reader.ts';
import { examplesIn, writeOutputs } from '../src/readme.ts';
import { until } from '../src/stack.ts';
import { describeWithDocker } from './with-docker.ts';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));

describeWithDocker('The README, acted out from top to bottom', function () {
  this.timeout(300_000);
  let reader: Reader;

  before(async () => {
    reader = await newReader();
  });

  after(() => reader?.down());

  if (process.env.UPDATE_DOCS) {
    it('is written anew from what its commands print', async () => {
      const outputs: string[] = [];
      for (const { command } of examplesIn(README)) {
        await sleep(1500); // what a reader takes between two commands
        outputs.push(await reader.run(command));
      }
      writeOutputs(README, outputs);
    });
    return;
  }

  it('has an example for each thing that the lab asks about', () => {
    const commands = examplesIn(README).map(({ command }) => command);
    expect(commands).to.include.members(
      ['stop', 'start', 'pause', 'unpause', 'kill'].map((verb) => `docker compose ${verb} service-a`),
    );
  });

  for (const { command, output, line } of examplesIn(README)) {
    it(`line ${line}: ${command}`, async () => {
      let printed = '';
      // A reader takes a second between two commands, and A takes half of it to start.
      const matches = async () => {
        printed = await reader.run(command).catch((error) => String(error));
        return settled(printed) === settled(output);
      };
      await until('the printed answer', matches, 3000).catch(() => {
        expect(settled(printed)).to.equal(settled(output));
      });
    });
  }
});
