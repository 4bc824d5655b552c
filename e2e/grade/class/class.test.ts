import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { expect } from 'chai';
import { docker } from '../../stack/docker/engine.ts';
import { describeWithDocker } from '../../stack/docker/describe-with-docker.ts';
import { ROOT } from '../../stack/paths.ts';
import { freePort, isTaken } from '../../stack/process/ports.ts';
import { until } from '../../stack/until.ts';
import { identityOf } from '../../stack/docker/owner.ts';
import { readOptions, Unusable } from '../../stack/command.ts';
import { OPTIONS } from '../options.ts';
import { gradeClass } from './class.ts';
import { graderFiles, WINGS } from './grader.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const FAULTY_PAIR = fileURLToPath(new URL('../../pairs/fixtures/faulty-pair.ts', import.meta.url));
const NODE = `exec '${process.execPath}' faulty-pair.ts`;
const PROJECT = `class-${process.pid}`;
const CRASH = 'echo "it broke here"; exit 3';

describe('npm run grade -- --class', function () {
  this.timeout(150_000);
  let dir: string;
  let out: string;
  let ports: number[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'class-'));
    out = join(dir, 'report');
    ports = [await freePort(), await freePort()];
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('grades again once code has changed that acts or records', () => {
    const seen = new Set<string>();
    const visit = (file: string) => {
      if (seen.has(file)) return;
      seen.add(file);
      const found = readFileSync(file, 'utf8').matchAll(/\b(?:from|import)[ (]+'(\.[^']+\.[jt]s)'/g);
      for (const [, path] of found) visit(join(dirname(file), path!));
    };
    for (const file of ['requirements/examine.ts', 'pairs/choose.ts', 'pairs/find.ts']) visit(`${ROOT}e2e/${file}`);
    expect(graderFiles()).to.include(`${ROOT}e2e/grade/record-pair.ts`); // which runs them
    const wings = new Set([...seen].map((file) => relative(`${ROOT}e2e`, file).split(sep)[0]));
    expect([...wings]).to.have.members(WINGS);
    expect(graderFiles())
      .to.include(`${ROOT}package-lock.json`)
      .and.to.include.members([...seen]);
    expect(graderFiles().filter((file) => /\.(?:md|svg)$|\.test\.ts$/.test(file))).to.be.empty;
  });

  const folderOf = (id: string) => `of-${id.replace(/\W/g, '')}`;

  /** Writes a class of students with their commands for A and B. Each has a folder, except those without commands. */
  async function writeClass(students: Record<string, [a: string, b: string] | undefined>) {
    const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
    const rows = Object.entries(students).map(([id, commands = ['x', 'y']]) =>
      [id, folderOf(id), ...commands].map(quoted),
    );
    await writeFile(join(dir, 'class.csv'), `id,folder,a,b\r\n${rows.join('\r\n')}\r\n`);
    for (const [id, commands] of Object.entries(students)) {
      if (!commands) continue;
      await mkdir(join(dir, folderOf(id)));
      copyFileSync(FAULTY_PAIR, join(dir, folderOf(id), 'faulty-pair.ts'));
    }
  }

  function start(...args: string[]): {
    child: ChildProcess;
    end: Promise<{ code: number; stdout: string; stderr: string }>;
  } {
    const urls = ports.map((port, index) => `--${'ab'[index]}-url=http://127.0.0.1:${port}`);
    const given = ['--class', 'class.csv', '--out', 'report', '--timeout', '1', ...urls, ...args];
    const env = { ...process.env, COMPOSE_PROJECT_NAME: PROJECT };
    const child = spawn(process.execPath, [MAIN, ...given], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const written = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { child, end: written.then(([stdout, stderr, [code]]) => ({ code, stdout, stderr })) };
  }

  const run = (...args: string[]) => start(...args).end;

  const grades = () => parse<Record<string, string>>(readFileSync(join(out, 'grades.csv')), { columns: true });
  const gradeOf = (id: string) => grades().find((row) => row.id === id)!;

  /** The processes that grade a row now, as their drafts name them. */
  async function atWork(rows: number): Promise<string[]> {
    const students = join(out, 'students');
    return until(`${rows} to be at work`, async () => {
      const files = existsSync(students) ? readdirSync(students).map((name) => join(students, name, 'process')) : [];
      const found = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'));
      return found.length === rows && found.every((process) => identityOf(parseInt(process)) === process) && found;
    });
  }

  async function expectNothingLeft() {
    expect(await Promise.all(ports.map(isTaken))).to.deep.equal([false, false]);
    expect(readdirSync(join(out, 'students')).filter((name) => name.startsWith('.'))).to.deep.equal([]);
  }

  it('grades each student in turn, whatever some of them do', async () => {
    await writeClass({
      '../=evil<b>': [CRASH, `${NODE} b`],
      gone: undefined,
      missing: [`${NODE} a`, 'no-such-command'],
      'a killer of its parent': [`setsid ${NODE.replace('exec ', '')} a & kill -9 $PPID; exit 4`, CRASH],
      sound: [`${NODE} a`, `${NODE} b`],
    });
    const { code, stdout, stderr } = await run();
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
    expect(stdout).to.match(
      /^1\/5  \.\.\/=evil<b>: not met, .*, about .* left\n2\/5  gone: not graded: There is no folder of-gone\./,
    );
    expect(stdout).to.match(/\n1 meets the lab's requirements, 2 do not, 2 were not graded\.\n/);
    expect(grades().map(({ id, outcome }) => [id, outcome])).to.deep.equal([
      ['../=evil<b>', 'not met'],
      ['gone', 'not graded'],
      ['missing', 'not graded'],
      ['a killer of its parent', 'not met'],
      ['sound', 'met'],
    ]);
    expect(gradeOf('missing').reason).to.equal('The command of service B cannot be run: no-such-command');
    expect(gradeOf('sound')).to.include({ lab: gradeOf('sound')['lab max'], 'lab %': '100' });
    for (const { page } of grades()) expect(page).to.match(/^students\/[^/]+$/);
    const pageOf = (id: string) => readFileSync(join(out, gradeOf(id).page!), 'utf8');
    expect(pageOf('sound')).to.match(/\$ kill -TERM -- -\d+\nService A ended with code 0\.[^]*\$ PORT=\d+ sh -c &#39;/);
    expect(pageOf('sound')).to.match(/\$ curl -i [^]*HTTP\/1\.1 503 Service Unavailable[^]*data:image\/svg\+xml/);
    expect(pageOf('../=evil<b>')).to.contain('it broke here');
    expect(pageOf('gone')).to.contain('There is no folder of-gone.');
    expect(readFileSync(join(out, 'index.html'), 'utf8')).to.contain('../=evil&#60;b&#62;');
    await expectNothingLeft();
  });

  it('ends what takes too long, and everything that it started, and continues', async () => {
    const bomb = 'for i in $(seq 200); do (trap "" TERM; setsid sleep 1000) & done; wait';
    await writeClass({
      bomb: [bomb, bomb],
      'a\rcrash': [CRASH, `${NODE} b`],
    });
    const { code, stdout } = await run('--limit', '0.2');
    expect(code).to.equal(1);
    expect(stdout).to.contain('\n2/2  a crash: not met, ');
    expect(gradeOf('bomb').reason).to.equal('It was not finished after 12 s.');
    expect(gradeOf('a\rcrash').outcome).to.equal('not met');
    await expectNothingLeft();
  });

  it('continues where it was cut off, and grades again only what has changed', async () => {
    await writeClass({ first: [CRASH, `${NODE} b`], second: ['sleep 1000', `${NODE} b`], third: [CRASH, `${NODE} b`] });
    const { child, end } = start();
    await until('the first to be finished', async () => existsSync(join(out, 'grades.csv')), 60_000);
    await until('the second to be under way', async () =>
      readdirSync(join(out, 'students')).some((n) => n.startsWith('.')),
    );
    child.kill('SIGKILL');
    await end;
    expect(grades().map(({ id, outcome, reason }) => [id, outcome, reason])).to.deep.equal([
      ['first', 'not met', ''],
      ['second', 'not graded', 'Not graded yet.'],
      ['third', 'not graded', 'Not graded yet.'],
    ]);

    await writeFile(
      join(dir, 'class.csv'),
      readFileSync(join(dir, 'class.csv'), 'utf8').replace('sleep 1000', 'exit 4'),
    );
    const resumed = await run();
    expect(resumed.code).to.equal(0);
    expect(resumed.stdout).to.match(/first: not met, .*, as before/);
    expect(resumed.stdout)
      .to.match(/second: not met, .*, in \d+ s/)
      .and.to.match(/third: not met, .*, in \d+ s/);
    await expectNothingLeft();

    await writeFile(join(dir, 'of-third', 'app.py'), 'changed');
    const again = await run();
    expect(
      again.stdout.match(/^\d.*(?:as before|in \d+ s)/gm)!.map((line) => line.replace(/: .*, /, ' ')),
    ).to.deep.equal([
      '1/3  first as before',
      '2/3  second as before',
      again.stdout.match(/^3\/3.* in \d+ s/m)![0].replace(/: .*, /, ' '),
    ]);

    await writeFile(join(dir, 'rubric.json'), '{"A answers /health with 200": {"points": 3}}');
    const table = readFileSync(join(dir, 'class.csv'), 'utf8');
    await writeFile(join(dir, 'class.csv'), table.split('\r\n').slice(0, 2).join('\r\n'));
    expect((await run('--rubric', 'rubric.json')).stdout).to.match(/^1\/1 .* as before/);
    expect(gradeOf('first')['lab max']).to.equal('21');

    // A grade whose page is gone does not come back without the page.
    expect((await run('--rubric', 'rubric.json', '--b-dir', '..')).stdout).to.contain('not graded: The option --b-dir');
    expect(existsSync(join(out, 'students', 'first.json'))).to.equal(false);
  });

  it('shows what a person adds, and what is different from the grade before', async () => {
    await writeClass({ ada: [CRASH, `${NODE} b`], ben: [CRASH, `${NODE} b`] });
    const [heading, ada, ben] = readFileSync(join(dir, 'class.csv'), 'utf8').split('\r\n');
    const table = (a = ada) => `${heading},points,comment\n${a},"1,5","Good, but late."\n${ben},,\n`;
    await writeFile(join(dir, 'class.csv'), table());
    const ofAnOlderGrader = { keys: [], outcome: { isMet: true } };
    await mkdir(join(out, 'students'), { recursive: true });
    await writeFile(join(out, 'students', 'ben.json'), JSON.stringify(ofAnOlderGrader));
    expect((await run('--only', 'ada', '--canvas', 'Lab (7)')).code).to.equal(0);
    expect(grades().map(({ outcome, attempt }) => [outcome, attempt])).to.deep.equal([
      ['not met', '1'],
      ['not graded', ''],
    ]);

    await writeFile(join(dir, 'class.csv'), table(ada!.replace(CRASH.replaceAll('"', '""'), `${NODE} a`)));
    expect((await run('--only', 'ada', '--canvas', 'Lab (7)')).stdout).to.match(/^1\/1  ada: met, .* in \d+ s\n/);
    expect(gradeOf('ada')).to.include({ attempt: '2', 'by hand': '1.5', comment: 'Good, but late.' });
    const page = readFileSync(join(out, 'students', 'ada.html'), 'utf8');
    expect(page)
      .to.contain('Points given by hand: 1.5')
      .and.to.contain('Good, but late.')
      .and.to.match(
        /This is grade 2 of this work\.[^]*Met now, and not in the grade of [^]*A answers \/health with 200/,
      );
    expect(readFileSync(join(out, 'index.html'), 'utf8')).to.match(/>\+\d+ −0</);
    const [, most, points] = readFileSync(join(out, 'canvas.csv'), 'utf8')
      .split('\r\n')
      .map((row) => row.split(',').at(-1));
    expect(Number(points)).to.equal(Number(most) + 1.5);
  });

  it('stops when told to, and leaves nothing running', async () => {
    await writeClass({ only: ['sleep 1000', 'sleep 1000'] });
    const { child, end } = start();
    await until(
      'it to be under way',
      async () => existsSync(join(out, 'students')) && readdirSync(join(out, 'students')).length > 0,
    );
    child.kill('SIGINT');
    const { code, stderr } = await end;
    expect({ code, stderr }).to.deep.equal({
      code: 2,
      stderr: 'Interrupted; the same command goes on with the 1 that are left.\n',
    });
    await expectNothingLeft();
  });

  it('has its folder for itself until it ends, in whatever way', async () => {
    await writeClass({ only: ['sleep 1000', 'sleep 1000'] });
    const twins = [start(), start()];
    const refused = await Promise.race(twins.map(({ end }) => end));
    const stderr = `Another run is at work in ${out}; wait for its end, or name another folder (--out).\n`;
    expect(refused).to.deep.equal({ code: 2, stdout: '', stderr });
    const [grading] = await atWork(1);
    const args = execFileSync('ps', ['-ww', '-o', 'args=', '-p', String(parseInt(grading!))], { encoding: 'utf8' });
    expect(args).to.contain(` --folder=${join(dir, 'of-only')} `);
    expect((await run()).stderr).to.equal(stderr);

    const { child, end } = twins.find(({ child }) => child.exitCode === null)!;
    child.kill('SIGKILL');
    await end;
    const next = start();
    await until('the next to be at work', async () => (await atWork(1))[0] !== grading, 30_000);
    next.child.kill('SIGINT');
    expect((await next.end).stderr).to.match(/^Interrupted; /);
    await expectNothingLeft();
  });

  it('does not wait for a process that only has the number of an old one', async () => {
    await writeClass({ gone: undefined });
    const draft = join(out, 'students', '.unfinished-1');
    await mkdir(draft, { recursive: true });
    await writeFile(join(draft, 'process'), `${process.pid} 1`);
    await writeFile(join(out, '.unfinished-2'), 'id,name');
    const start = performance.now();
    expect((await run()).code).to.equal(1);
    expect(performance.now() - start).to.be.below(30_000);
    expect(readdirSync(out).sort()).to.deep.equal(['.lock', 'grades.csv', 'index.html', 'students']);
    await expectNothingLeft();
  });

  it('grades nothing from outside of the folder of a row', async () => {
    await writeClass({ ada: [CRASH, CRASH], ben: [CRASH, CRASH] });
    await mkdir(join(dir, 'of-ada', 'b'));
    await symlink('../of-ada', join(dir, 'of-ben', 'b'));
    await symlink('of-ada', join(dir, 'of-link'));
    const rows = ['ada,of-ada,b', 'ben,of-ben,b', 'up,of-ada,../of-ben', 'link,of-link/,', 'all,.,of-ada'];
    await writeFile(join(dir, 'class.csv'), `id,folder,b-dir\n${rows.join('\n')}\n`);
    expect((await run('--a', CRASH, '--b', CRASH)).code).to.equal(1);
    const [ada, ...others] = grades().map(({ reason }) => reason);
    expect(ada).to.match(/^Neither service can be started/);
    expect(others).to.deep.equal([
      `The option --b-dir leads out of the folder of-ben, to ${join(dir, 'of-ada')}; name what is inside of it.`,
      `The option --b-dir leads out of the folder of-ada, to ${join(dir, 'of-ben')}; name what is inside of it.`,
      'The folder of-link/ is a symbolic link; name the folder itself.',
      'The folder . holds the grades of the class, too; keep these in another one (--out).',
    ]);
  });

  describeWithDocker('with several rows at a time', () => {
    it('has the outcome of each row, also when several end together', async () => {
      const ids = Array.from('abcdefghij');
      await writeClass(Object.fromEntries(ids.map((id) => [id, undefined])));
      const { code, stdout, stderr } = await run('--jobs', '5', '--isolate');
      expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
      expect(stdout.match(/^\d+\/10/gm)).to.deep.equal(ids.map((_, index) => `${index + 1}/10`));
      expect(grades().map(({ id }) => id)).to.deep.equal(ids);
      expect(readFileSync(join(out, 'index.html'), 'utf8')).to.contain('10 were not graded.');
      expect(readdirSync(out).sort()).to.deep.equal(['.lock', 'grades.csv', 'index.html', 'students']);
      await expectNothingLeft();
    });

    it('keeps a Compose file to the folder of its row', async () => {
      await writeClass({ ada: ['', ''], ben: ['', ''] });
      await symlink('../class.csv', join(dir, 'of-ben', 'compose.yml'));
      await writeFile(join(dir, 'class.csv'), 'id,folder,compose\nada,of-ada,../class.csv\nben,of-ben,\n');
      await run('--jobs', '2');
      const [ada, ben] = grades().map(({ reason }) => reason);
      const place = join(dir, 'class.csv');
      expect(ada).to.equal(
        `The option --compose leads out of the folder of-ada, to ${place}; name what is inside of it.`,
      );
      expect(ben).to.match(/^The pair cannot be told from its files: nothing with the route/);
    });

    it('leaves nothing behind when it is killed', async () => {
      await writeClass({ ada: ['node x', 'node y'], ben: ['node x', 'node y'] });
      const left = async (kind: string[]) => docker([...kind, '--quiet', '--filter', `name=${PROJECT}`]);
      const { child, end } = start('--jobs', '2', '--isolate', '--setup', 'sleep 1000');
      const gradings = await atWork(2);
      const setups = () => docker(['ps', '--quiet', '--filter', `name=${PROJECT}-.*-setup`]);
      await until('both setups to run', async () => (await setups()).includes('\n'), 60_000, 200);
      child.kill('SIGKILL');
      await end;
      const areGone = async () => gradings.every((process) => identityOf(parseInt(process)) !== process);
      await until('the gradings to end', areGone, 60_000);
      for (const kind of [
        ['ps', '--all'],
        ['volume', 'ls'],
        ['network', 'ls'],
      ])
        expect(await left(kind)).to.equal('');
    });
  });

  it('says in one sentence why it cannot begin', async () => {
    await writeClass({ one: [CRASH, CRASH] });
    const file = join(dir, 'class.csv');
    const said = async (...args: string[]) => {
      const options = readOptions(OPTIONS, ['--class', file, '--out', out, ...args]);
      const refused = await gradeClass(options, () => {}).catch((error: Error) => error);
      expect(refused).to.be.an.instanceOf(Unusable);
      return (refused as Error).message;
    };
    const { code, stdout, stderr } = await run('--class', 'no.csv');
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
    expect(stderr).to.equal("The class's file no.csv cannot be read (ENOENT).\n");
    expect(await said('--jobs', '2')).to.match(/^--jobs 2 needs pairs that cannot meet: .* row 2 .*$/);
    expect(await said('--junit', 'x.xml')).to.equal('--junit is for one pair; leave it out, or leave --class out.');
    expect(await said('--folder', '.')).to.equal('--folder is for one pair; leave it out, or leave --class out.');
    expect(await said('--limit', 'soon')).to.match(/^--limit is soon; it must be more than 0 .*$/);
    expect(await said('--only', 'eve')).to.equal('No row of the class has the id eve (--only).');
    await writeFile(file, 'id\n1\n');
    expect(await said()).to.equal(`${file}, row 1: there is no column folder.`);
  });
});
