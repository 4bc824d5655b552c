import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { Enclosed, isEnclosed } from './enclosure.ts';
import { until } from '../until.ts';

const ENCLOSURE = new URL('enclosure.ts', import.meta.url);
const env = { PATH: process.env.PATH };

/** The processes whose command has `mark` in it. */
const found = (mark: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(mark);
    } catch {
      return false; // gone
    }
  });

/** Commands that leave their process group, their parent and their environment, each with `mark` in it. */
const sleepers = (mark: string) =>
  `sleep ${mark} & setsid sleep ${mark} & env -i setsid setsid sleep ${mark} & (setsid sh -c 'sleep ${mark} & sleep ${mark}' &) `;

describe('A command in its enclosure', () => {
  let mark: string;
  beforeEach(() => (mark = `3${process.hrtime.bigint() % 100_000_000n}`));

  it('says how it ended, also while something that it started still runs', async () => {
    const enclosed = new Enclosed(`sleep ${mark} & exit 3`, { cwd: '/', env });
    expect(await enclosed.ended).to.equal(3);
    expect(await enclosed.isAlive()).to.equal(true);
    await enclosed.end();
    expect(await enclosed.isAlive()).to.equal(false);
    const killed = new Enclosed('kill -9 $$', { cwd: '/', env });
    expect(await killed.ended).to.equal(137);
    await killed.end();
    expect(await new Enclosed('true', { cwd: '/no/such', env }).ended).to.equal(127);
  });

  it('has its input closed, its environment, its folder and its output', async () => {
    const enclosed = new Enclosed('cat; pwd; env; echo err >&2', { cwd: '/tmp', env: { ...env, OWN: 'own' } });
    const said = Promise.all([text(enclosed.stdout), text(enclosed.stderr)]);
    await enclosed.ended;
    await enclosed.end();
    const [out, err] = await said;
    expect(out)
      .to.match(/^\/tmp\n/)
      .and.to.include('OWN=own\n');
    expect(err).to.equal('err\n');
  });

  it('can be told to end, as a group, and be frozen', async () => {
    const enclosed = new Enclosed(`trap 'exit 5' TERM; while :; do echo; sleep 0.01; done`, { cwd: '/', env });
    let chars = 0;
    enclosed.stdout.on('data', (chunk) => (chars += chunk.length));
    await until('its output', () => chars > 0);
    await enclosed.send('SIGSTOP', 'all');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = chars;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(chars).to.equal(before);
    await enclosed.send('SIGCONT', 'all');
    await until('more of its output', () => chars > before);
    await enclosed.send('SIGTERM', 'group');
    expect(await enclosed.ended).to.equal(5);
    await enclosed.end();
  });

  describe('where the kernel allows namespaces', () => {
    before(function () {
      if (!isEnclosed && process.env.CI) throw new Error('This machine allows no namespaces.');
      if (!isEnclosed) this.skip();
    });

    it('leaves nothing, wherever it went, when it is ended', async () => {
      const enclosed = new Enclosed(`${sleepers(mark)}; wait`, { cwd: '/', env });
      await until('the sleepers', () => found(`sleep\0${mark}`).length === 5);
      expect(enclosed.pids().map(String)).to.include.members(found(`sleep\0${mark}`));
      await enclosed.end();
      expect(found(mark)).to.deep.equal([]);
    });

    it('can end neither the process that started it nor what keeps it inside', async () => {
      const enclosed = new Enclosed(`kill -9 $PPID; kill -STOP -1; sleep ${mark}`, { cwd: '/', env });
      await until('the sleeper', () => found(`sleep\0${mark}`).length === 1);
      await enclosed.end();
      expect(found(mark)).to.deep.equal([]);
    });

    for (const user of ['root', 'nobody']) {
      it(`ends with the process that started it, when that is killed (as ${user})`, async function () {
        if (process.getuid!() !== 0 && user === 'root') this.skip();
        const program = `
          const { Enclosed } = await import(${JSON.stringify(ENCLOSURE.href)});
          new Enclosed(${JSON.stringify(`${sleepers(mark)}; wait`)}, { cwd: '/', env: process.env });
          setInterval(() => {}, 1000);`;
        const as = process.getuid!() === 0 && user !== 'root' ? ['setpriv', '--reuid', user, '--clear-groups'] : [];
        const [command, ...args] = [...as, process.execPath, '--input-type=module', '--eval', program];
        const starter = spawn(command!, args, { env: { ...env, HOME: '/' }, stdio: 'inherit' });
        await until('the sleepers', () => found(`sleep\0${mark}`).length === 5);
        starter.kill('SIGKILL');
        await once(starter, 'exit');
        await until('their end', () => found(mark).length === 0, 1000);
      });
    }
  });
});
