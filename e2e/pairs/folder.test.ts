import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { leadsOut } from './folder.ts';
import { Ungradable } from './ungradable.ts';

describe('A path that is seen from a folder', () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'folder-')));
  const folder = join(dir, 'ada');
  after(() => rmSync(dir, { recursive: true }));

  before(() => {
    for (const name of ['ada/service-a', 'ada/..b', 'ada-2', 'ben']) mkdirSync(join(dir, name), { recursive: true });
    const links: Record<string, string> = {
      'ada/inner': 'service-a',
      'ada/outer': '../ben',
      'ada/far': '/',
      'ada/chain': 'inner/../outer',
      'ada/new': '../ben/new',
      'ada/loop': 'loop',
      ada3: 'ada',
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(dir, name));
  });

  for (const path of ['.', '', 'service-a', 'inner', '..b', '...', 'no/such', 'inner/../service-a', '../ada3/inner'])
    it(`stays inside: ${path || 'nothing'}`, () => expect(leadsOut(folder, path)).to.equal(undefined));

  it('stays inside when it is the folder as a whole path, by whatever name', () => {
    expect(leadsOut(folder, join(folder, 'service-a'))).to.equal(undefined);
    expect(leadsOut(join(dir, 'ada3'), join(folder, 'service-a'))).to.equal(undefined);
    expect(leadsOut('/', folder)).to.equal(undefined);
  });

  const OUT: Record<string, string> = {
    '..': '',
    '../ada-2': 'ada-2',
    'outer/service-a': 'ben/service-a',
    chain: 'ben',
    'no/../new/deeper': 'ben/new/deeper',
    '../ada3/outer': 'ben',
  };
  for (const [path, place] of Object.entries(OUT))
    it(`leads out: ${path}`, () => expect(leadsOut(folder, path)).to.equal(join(dir, place)));

  it('leads out by a link to the root', () => expect(leadsOut(folder, 'far/etc')).to.equal('/etc'));

  it('has an end, which a loop has not', () =>
    expect(() => leadsOut(folder, 'loop')).to.throw(Ungradable, 'symbolic links'));
});
