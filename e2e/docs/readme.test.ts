import { exec } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { ROOT } from '../stack/paths.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { followWithDocker, followWithoutDocker } from './follow.ts';
import { anchorsIn, linksIn, normalized, blocksIn } from './page.ts';
import { reasonsTable } from './reasons.ts';

const README = `${ROOT}README.md`;
const PAGES = globSync(['*.md', '*/README.md', '*/*/README.md'], { cwd: ROOT, exclude: ['node_modules'] });

const read = (path: string) => readFileSync(path, 'utf8');
const readme = read(README);
const steps = blocksIn(readme);
const withoutDocker = steps.filter(({ section }) => section === 'Without Docker');

/** A promise for each step: pasted in its place, it prints what the page says. */
function promiseOutputs(promised: typeof steps, outputs: () => Map<number, string>) {
  for (const { commands, output, line } of promised) {
    it(`line ${line}: ${commands.replaceAll('\n', '; ')}`, () => {
      expect(normalized(outputs().get(line)!).split('\n')).to.deep.equal(normalized(output).split('\n'));
    });
  }
}

describeWithDocker('The README, pasted block by block from top to bottom', function () {
  this.timeout(300_000);
  let outputs: Map<number, string>;

  before(async () => {
    outputs = await followWithDocker(readme);
  });

  promiseOutputs(
    steps.filter((step) => !withoutDocker.includes(step)),
    () => outputs,
  );
});

describe('The README, followed without Docker', function () {
  this.timeout(60_000);
  let seen: Awaited<ReturnType<typeof followWithoutDocker>>;

  before(async () => {
    seen = await followWithoutDocker(readme);
  });

  promiseOutputs(withoutDocker, () => seen.outputs);

  it('has B answer as before once A is started again', () => {
    expect(seen.again).to.equal(withoutDocker[0]!.output);
  });

  it('has B give the same answer after `npm start`', () => {
    expect(seen.together).to.equal(withoutDocker[0]!.output);
  });
});

describe('A service in a repository of its own, with the files that CONTRIBUTING.md names', function () {
  this.timeout(120_000);
  const [, paragraph] = /To take a service into a repository of its own, ([^]*? work there)\./.exec(
    read(`${ROOT}CONTRIBUTING.md`),
  )!;
  const code = [...paragraph!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
  const files = code.filter((text) => existsSync(join(ROOT, text)));
  const [install, test, build] = code.filter((text) => text.includes(' '));

  for (const name of ['service-a', 'service-b']) {
    describe(name, () => {
      let cwd: string;
      const run = (command: string) => promisify(exec)(command.replaceAll('service-a', name), { cwd });

      before(async () => {
        cwd = await mkdtemp(join(tmpdir(), 'two-services-'));
        for (const file of [name, ...files]) await cp(join(ROOT, file), join(cwd, file), { recursive: true });
      });

      after(() => rm(cwd, { recursive: true }));

      it(`is installed and tested by \`${install}\` and \`${test}\``, async () => {
        await run(install!);
        // Only a quick part is run, but mocha loads every test file, which needs everything that was installed.
        const { stdout } = await run(`${test} --grep settings`);
        expect(stdout).to.match(/^ +\d\d+ passing/m);
      });

      describeWithDocker('where there is Docker', () => {
        it(`is built by \`${build}\``, async () => {
          const tag = `two-services-alone:${randomUUID()}`;
          await run(`${build} --tag ${tag}`);
          await run(`docker image rm ${tag}`);
        });
      });
    });
  }
});

describe('The README', () => {
  it('can be read in one sitting', () => {
    expect(readme.split(/\s+/).filter(Boolean)).to.have.length.at.most(1300);
    expect(readme.split('\n')).to.have.length.at.most(181); // the last newline ends the last line
  });

  it('explains each reason that B can give', () => {
    expect(readme).to.include(`\n${reasonsTable()}\n`);
  });

  it('breaks A in each way that the lab asks about', () => {
    const commands = steps.flatMap(({ commands }) => commands.split('\n'));
    for (const verb of ['stop', 'pause', 'unpause', 'kill']) {
      expect(commands).to.include(`docker compose ${verb} service-a`);
    }
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read(`${ROOT}package.json`));
    const named = [...readme.matchAll(/npm (?:run ([\w-]+)|(start|test))/g)].map(([, run, own]) => run ?? own);
    expect(named).to.not.be.empty;
    for (const name of named) expect(scripts).to.have.property(name!);
  });
});

describe('The pages', () => {
  for (const page of PAGES) {
    it(`${page} links only to files and headings that exist`, () => {
      const text = read(join(ROOT, page));
      for (const link of linksIn(text)) {
        const [path, anchor] = link.split('#') as [string, string?];
        const target = path ? join(ROOT, dirname(page), path) : join(ROOT, page);
        expect(existsSync(target), link).to.equal(true);
        if (anchor) expect(anchorsIn(read(target)), link).to.include(anchor);
      }
    });
  }

  it('are all linked from another one', () => {
    const linked = PAGES.flatMap((page) =>
      linksIn(read(join(ROOT, page))).map((link) => relative('', join(dirname(page), link.split('#')[0]!))),
    );
    expect([...linked, 'README.md']).to.include.members(PAGES);
  });
});
