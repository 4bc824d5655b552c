import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { slowest } from './calls.ts';
import { HistoryFile, readHistory } from './history-file.ts';
import { callsIn, callsOf, outcomesOf, phasesOf, type Event } from './history.ts';

const MODULE = new URL('history-file.ts', import.meta.url).href;

const call = (n: number, at: number, outcome = '200', ms = 5): Event => ({
  ...{ event: 'call', n, id: `call-${n}`, msg: 'hello', at, ms, outcome },
});
const state = (at: number, state: 'running' | 'stopped' | 'starting'): Event => ({
  ...{ event: 'state', at, service: 'a', state },
});
const OUTAGE = [
  ...[state(0, 'running'), call(1, 10), call(2, 50), state(100, 'stopped'), call(3, 120, 'dns')],
  ...[call(4, 180, 'dns'), call(5, 199, 'timeout', 1000), state(200, 'starting'), state(300, 'running'), call(6, 310)],
];

describe('A history', () => {
  it('has the phases of A, up to the end of its last call', () => {
    expect(phasesOf(OUTAGE).map(({ name, from, to }) => [name, from, to])).to.deep.equal([
      ...[
        ['A runs', 0, 100],
        ['A stopped', 100, 200],
        ['A starts', 200, 300],
        ['A runs', 300, 1199],
      ],
    ]);
  });

  it('has the calls that began in a phase, without those near its ends where these are left out', () => {
    const numbersIn = (...edges: number[]) =>
      callsIn(phasesOf(OUTAGE)[1]!, callsOf(OUTAGE), ...edges).map(({ n }) => n);
    expect(numbersIn()).to.deep.equal([3, 4, 5]);
    expect(numbersIn(30)).to.deep.equal([4, 5]);
    expect(numbersIn(0, 20)).to.deep.equal([3]);
  });

  it('may have a million events', () => {
    const calls = Array.from({ length: 1_000_000 }, (_, at) => call(at, at));
    const history = [state(0, 'running')].concat(calls);
    expect(phasesOf(history)[0]!.to).to.equal(1_000_004);
    expect(slowest(callsOf(history))).to.equal(5);
  });

  it('has the outcomes of at least a tenth of the calls, the most frequent first', () => {
    const calls = [...Array(6).fill('dns'), ...Array(13).fill('200'), 'reset'].map((outcome) => ({ outcome }));
    expect(outcomesOf(calls)).to.deep.equal(['200', 'dns']);
  });
});

describe('A history in a file', () => {
  let dir: string;
  let path: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'history-'));
    path = join(dir, 'history.jsonl');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('is read in the order of its times', () => {
    const file = new HistoryFile(path);
    for (const event of OUTAGE.toReversed()) file.add(event);
    file.close();
    expect(readHistory(path).map(({ at }) => at)).to.deep.equal(OUTAGE.map(({ at }) => at));
  });

  it('has everything that was written before its process was killed', async () => {
    const script = `const { HistoryFile } = await import(${JSON.stringify(MODULE)});
      const file = new HistoryFile(${JSON.stringify(path)});
      for (let at = 0; at < 1000; at++) file.add({ event: 'log', at, service: 'a', line: 'a line' });
      console.log('written');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    appendFileSync(path, '{"event":"log","at":10');
    expect(readHistory(path)).to.have.length(1000);
  });

  it('ends with the last event that was written whole when the disk is full, and tells so once', async () => {
    const script = `const { HistoryFile } = await import(${JSON.stringify(MODULE)});
      const file = new HistoryFile(${JSON.stringify(path)});
      for (let at = 0; at < 1000; at++) file.add({ event: 'log', at, service: 'a', line: 'a line' });`;
    // The same to a program: a limit on the size of its files.
    const shell = `trap '' XFSZ; ulimit -f 16; exec "$0" --input-type=module --eval "$1"`;
    const { stderr, status } = spawnSync('bash', ['-c', shell, process.execPath, script], { encoding: 'utf8' });
    expect(stderr).to.equal(`${path} is written no further: the disk is full.\n`);
    expect(status).to.equal(0);
    const read = readHistory(path);
    expect(read).to.have.length.within(100, 999);
    expect(read.at(-1)!.at).to.equal(read.length - 1);
  });

  it('never grows beyond 256 MiB', function () {
    this.timeout(60_000);
    const file = new HistoryFile(path);
    const line = 'x'.repeat(1024 ** 2);
    for (let at = 0; at < 260; at++) file.add({ event: 'log', at, service: 'a', line });
    file.close();
    expect(statSync(path).size).to.be.within(250 * 1024 ** 2, 256 * 1024 ** 2);
  });

  it('is not written over another file', () => {
    writeFileSync(path, '');
    expect(() => new HistoryFile(path)).to.throw('EEXIST');
  });

  it('is refused when it is something else', () => {
    writeFileSync(path, '{"name":"two-services"}\n');
    expect(() => readHistory(path)).to.throw(`${path} is no history of version 1.`);
  });
});
