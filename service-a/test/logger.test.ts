import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createLogger } from '../src/chassis/logger.ts';

describe('The log', () => {
  describe('while no one reads it', () => {
    it('keeps a bounded number of lines, and counts what it drops in the next line', () => {
      const written: string[] = [];
      const waiting: (() => void)[] = [];
      const output = new Writable({
        write(chunk, _encoding, done) {
          written.push(String(chunk));
          waiting.push(done);
        },
      });
      const logger = createLogger('service-a', output);
      const TOTAL = 10_000;
      for (let line = 0; line < TOTAL; line++) logger.info({ text: 'x'.repeat(1000) });
      expect(output.writableLength).to.be.within(1024 * 1024, 1024 * 1024 + 2000);

      while (waiting.length > 0) waiting.shift()!(); // now it is read to its end
      logger.info('after');
      logger.info('last');
      while (waiting.length > 0) waiting.shift()!();
      const lines = written.map((line) => JSON.parse(line));
      const [after, last] = lines.slice(-2);
      expect(after).to.include({ msg: 'after', dropped_lines: TOTAL - (lines.length - 2) });
      expect(after.dropped_lines).to.be.above(8000);
      expect(last).to.not.have.property('dropped_lines');
    });
  });

  describe('when its reader has left', () => {
    it('keeps the service running', async () => {
      const output = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
      const logger = createLogger('service-a', output);
      logger.info('one');
      await new Promise((resolve) => output.once('error', resolve));
      logger.info('two');
      await new Promise((resolve) => setImmediate(resolve));
    });
  });
});
