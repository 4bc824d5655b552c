import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeWhole } from './files.ts';

describe('A file that is written as a whole', () => {
  const dir = mkdtempSync(join(tmpdir(), 'files-'));
  after(() => rmSync(dir, { recursive: true }));

  it('may be written by several at once', async () => {
    const file = join(dir, 'grades.csv');
    const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(100_000));
    await Promise.all(texts.map((text) => writeWhole(file, text)));
    expect(texts.includes(readFileSync(file, 'utf8'))).to.equal(true);
    expect(readdirSync(dir)).to.deep.equal(['grades.csv']);
  });
});
