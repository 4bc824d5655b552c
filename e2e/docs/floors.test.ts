import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from '../stack/paths.ts';

const floors: Record<string, number> = {};
let floor = NaN;
for (const [, number, wing] of readFileSync(`${ROOT}e2e/README.md`, 'utf8').matchAll(/^\| *(\d?) *\| \[?`(\w+)\/`/gm))
  floors[wing!] = floor = number ? Number(number) : floor;

const imports = new Map(
  globSync('*/**/*.ts', { cwd: `${ROOT}e2e`, exclude: ['node_modules'] }).map((file) => {
    const found = readFileSync(`${ROOT}e2e/${file}`, 'utf8').matchAll(/\b(?:from|import)[ (]+'(\.[^']+\.[jt]s)'/g);
    return [file, [...found].map(([, path]) => join(dirname(file), path!))];
  }),
);

describe('The folders of e2e', () => {
  const wingOf = (file: string) => file.split('/')[0]!;

  it('are the rows of its README', () => {
    expect(floors).to.have.all.keys([...new Set([...imports.keys()].map(wingOf))]);
  });

  it('import only from lower floors', () => {
    for (const [file, targets] of imports)
      for (const target of targets.filter((target) => wingOf(target) !== wingOf(file)))
        expect(floors[wingOf(target)], `${file} imports ${target}`).to.be.below(floors[wingOf(file)]!);
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
});
