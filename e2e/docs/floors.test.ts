import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from '../stack/paths.ts';

const map = readFileSync(`${ROOT}e2e/README.md`, 'utf8');
const floors: Record<string, number> = {};
let floor = NaN;
for (const [, number, folder] of map.matchAll(/^\| *(\d?) *\| \[?`(\w+)\/`/gm))
  floors[folder!] = floor = number ? Number(number) : floor;

const imports = new Map(
  globSync('*/**/*.ts', { cwd: `${ROOT}e2e`, exclude: ['node_modules'] }).map((file) => {
    const found = readFileSync(`${ROOT}e2e/${file}`, 'utf8').matchAll(/\b(?:from|import)[ (]+'(\.[^']+\.[jt]s)'/g);
    return [file, [...found].map(([, path]) => join(dirname(file), path!))];
  }),
);

describe('The folders of e2e', () => {
  const folderOf = (file: string) => file.split('/')[0]!;

  it('are the rows of its README', () => {
    expect(floors).to.have.all.keys([...new Set([...imports.keys()].map(folderOf))]);
  });

  it('import only from lower floors', () => {
    for (const [file, targets] of imports)
      for (const target of targets.filter((target) => folderOf(target) !== folderOf(file)))
        expect(floors[folderOf(target)], `${file} imports ${target}`).to.be.below(floors[folderOf(file)]!);
  });

  it('import in no circle, types included', () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]) => {
      expect(path, `${path.join(' → ')} → ${file}`).to.not.include(file);
      if (!done.has(file)) for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of imports.keys()) visit(file, []);
  });

  it('have each name of "Where is …" in the file that it is said to be in', () => {
    const rows = [...map.matchAll(/\]\((\S+\.ts)\), .*?`(\w+)`/g)];
    expect(rows).to.not.be.empty;
    for (const [, file, name] of rows) {
      const declared = new RegExp(`\\b(const|function) ${name}\\b|^ +${name}(\\(|: \\()`, 'm');
      expect(readFileSync(`${ROOT}e2e/${file}`, 'utf8'), file).to.match(declared);
    }
  });
});
