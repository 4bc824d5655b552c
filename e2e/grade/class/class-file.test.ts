import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { readClass } from './class-file.ts';
import { readOptions } from '../../stack/command.ts';
import { withValues } from '../../pairs/options.ts';
import { OPTIONS, pairArguments } from '../options.ts';

const read = (text: string | Uint8Array) => readClass('class.csv', Buffer.from(text as string));

describe("A class's file", () => {
  it('has a row for each student, with options of its own', () => {
    const [ada, ben] = read(
      'id,name,folder,a,b\n7,"Lovelace, Ada",ada,python a.py,"python b.py ""x"""\n8,Ben,../ben,,\n',
    );
    expect(ada).to.deep.include({ row: 2, id: '7', name: 'Lovelace, Ada', folder: 'ada', file: '7' });
    expect(ada!.options).to.deep.equal({ a: 'python a.py', b: 'python b.py "x"' });
    expect(ben).to.deep.include({ row: 3, id: '8', folder: '../ben', options: {} });
  });

  it('may be what a spreadsheet writes: a byte order mark, CRLF, semicolons, empty rows, capitals, no ids', () => {
    const rows = read('\ufeffName; Folder;Compose\r\nZoë;zoe;compose.yml\r\n;;\r\n\r\n"Två\r\nrader";two;\r\n');
    expect(rows.map(({ row, id, folder }) => [row, id, folder])).to.deep.equal([
      [2, 'Zoë', 'zoe'],
      [5, 'Två\r\nrader', 'two'],
    ]);
    expect(rows[0]!.options).to.deep.equal({ compose: 'compose.yml' });
  });

  it('leads to names of files that stay in their folder, and are never the same', () => {
    const ids = ['../../etc/passwd', '..', '/', 'a b', 'a-b', 'ada', 'Ada', '.hidden', 'x'.repeat(300), 'Zoë'];
    const files = read(`id,folder\n${ids.map((id) => `${id},f`).join('\n')}\n`).map(({ file }) => file);
    for (const file of files) expect(file).to.match(/^[\w@][\w.@-]{0,80}$/);
    expect(new Set(files.map((file) => file.toLowerCase())).size).to.equal(ids.length);
    expect(files[5]).to.equal('ada');
  });

  it('leads to another file name when an id equals the file name of another row', () => {
    const taken = `a-b-${createHash('sha256').update('a b').digest('hex').slice(0, 8)}`;
    const files = read(`id,folder\n${taken},f\na b,f\n`).map(({ file }) => file);
    expect(new Set(files).size).to.equal(2);
  });

  it('may have what some scripts need, and cells of several lines', () => {
    const names = ['می\u200cخواهم', '葛\u{e0100}城', '👩\u200d🎓', 'two\nlines'];
    expect(read(`name,folder\n${names.map((name) => `"${name}",f\n`).join('')}`).map(({ id }) => id)).to.deep.equal(
      names,
    );
  });

  const BAD: Record<string, [text: string | Uint8Array, sentence: RegExp]> = {
    'without students': ['id,folder\n', /^class\.csv has no row with a student\.$/],
    'that is empty': ['', /^class\.csv, row 1: there is no column id and no column name\.$|has no row/],
    'without a column that it needs': ['id,name\n1,x\n', /^class\.csv, row 1: there is no column folder\.$/],
    'without ids and names': ['folder\nx\n', /row 1: there is no column id and no column name\.$/],
    'with an unknown column': [
      'id,folder,mark\n1,x,5\n',
      /row 1: a column "mark" is not known; the columns are id, name/,
    ],
    'with a column twice': ['id,folder,ID\n1,x,1\n', /row 1: there are two columns id\.$/],
    'with an id twice': ['id,folder\n1,x\n2,y\n1,z\n', /row 4: the id 1 is that of row 2 too\.$/],
    'with a row of too few cells': [
      'id,folder,a\n1,x,y\n2,x\n',
      /row 3: it has more or fewer cells than the heading\.$/,
    ],
    'with a row of too many cells': [
      'id,folder\n1,x\n\n2,x,y\n',
      /row 4: it has more or fewer cells than the heading\.$/,
    ],
    'with a quote that is not closed': ['id,folder\n1,"x\n2,y\n', /row 2: a quote is opened here and never closed\.$/],
    'with a quote inside a cell': ['id,folder\n1,x\n2,a "b" c\n', /row 3: a quote stands inside a cell/],
    'with text after a quote': ['id,folder\n1,"x" y\n', /row 2: something follows the closing quote of a cell/],
    'without a folder in a row': ['id,folder\n1, \n', /row 2: 1 has no folder\.$/],
    'without an id in a row': ['id,folder\n,x\n', /row 2: there is neither an id nor a name\.$/],
    'with NUL in an id': [
      'id,folder\n1,x\n2\0,x\n',
      /^class\.csv, row 3: the column id has a character that cannot be seen \(U\+0000\); type it again\.$/,
    ],
    'with NUL in a command': ['id,folder,a\n1,x,y\0\n', /row 2: the column a has a character .* \(U\+0000\)/],
    'with NUL in a folder': ['id,folder\n1,x\0\n', /row 2: the column folder has a character .* \(U\+0000\)/],
    'with an escape in an id': ['id,folder\n\x1b[2J,x\n', /row 2: the column id has a character .* \(U\+001B\)/],
    'with a name that turns the writing round': [
      'id,name,folder\n1,\u202enej,x\n',
      /row 2: the column name has a character .* \(U\+202E\)/,
    ],
    'with an id that looks like another': ['id,folder\n1,x\n1\u200b,x\n', /row 3: the column id .* \(U\+200B\)/],
    'that is not UTF-8': [Buffer.from([0x69, 0x64, 0x0a, 0xe9]), /^class\.csv is not UTF-8; save it as "CSV UTF-8"\.$/],
  };
  for (const [what, [text, sentence]] of Object.entries(BAD)) {
    it(`${what} is refused in one sentence`, () => expect(() => read(text)).to.throw(sentence));
  }
});

describe('The options of a row', () => {
  const argumentsOf = (forAll: string[], ofRow: Record<string, string>) =>
    pairArguments(readOptions(OPTIONS, withValues(forAll)), ofRow).filter((arg) => !/limit|timeout/.test(arg));

  it('are its own, and those for the whole class where it has none', () => {
    const forAll = ['--a', 'x', '--b', 'y', '--isolate', 'python:3', '--a-dir', 'a'];
    expect(argumentsOf(forAll, { a: 'own' })).to.have.members(['--a=own', '--b=y', '--a-dir=a', '--isolate=python:3']);
  });

  it('isolate a Compose file, too, which names its own images', () => {
    const compose = '--compose=c.yml';
    expect(argumentsOf(['--isolate', 'python:3', '--a', 'x'], { compose: 'c.yml' })).to.have.members([
      compose,
      '--isolate=',
    ]);
    expect(argumentsOf(['--isolate', compose], {})).to.have.members([compose, '--isolate=']);
    expect(argumentsOf([], { compose: 'c.yml', isolate: 'python:3' })).to.have.members([compose, '--isolate=']);
    expect(argumentsOf(['--isolate', 'python:3', compose], { a: 'x', b: 'y' })).to.have.members([
      ...['--a=x', '--b=y', '--isolate=python:3'],
    ]);
    expect(argumentsOf([], { compose: 'c.yml' })).to.deep.equal([compose]);
  });
});
