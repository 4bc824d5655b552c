import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ROOT } from './paths.ts';

const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { scripts: Record<string, string> };
const commands = Object.entries(scripts).filter(([, script]) => /^node .*e2e\/[\w/-]+\/main\.ts$/.test(script));

describe('A command', () => {
  // The commands load the same modules, which takes most of their time: only the first one compiles them.
  let cache: string;
  before(() => (cache = mkdtempSync(join(tmpdir(), 'compile-cache-'))));
  after(() => rmSync(cache, { recursive: true }));

  function run(script: string, ...args: string[]) {
    const env = { ...process.env, NODE_COMPILE_CACHE: cache };
    const options = { cwd: ROOT, env, encoding: 'utf8', timeout: 20_000 } as const;
    return spawnSync('/bin/sh', ['-c', `${script} "$@"`, 'sh', ...args], options);
  }

  for (const [name, script] of commands) {
    describe(`npm run ${name}`, () => {
      it('says with --help what it does, how to run it, and does nothing', () => {
        const { status, stdout, stderr } = run(script, '--help');
        expect(stderr).to.equal('');
        expect(stdout).to.match(new RegExp(`^[A-Z][^]*\\n  npm (?:run )?${name}`));
        expect(status).to.equal(0);
      });

      it('says in one sentence that an option makes no sense', () => {
        const { status, stdout, stderr } = run(script, '--no-such');
        expect(stderr).to.equal("Unknown option '--no-such'; see --help.\n");
        expect(stdout).to.equal('');
        expect(status).to.equal(2);
      });
    });
  }

  it('looks at what else it is given before it begins', () => {
    const bench = run(scripts.bench!, '--json', '/no/such/bench.json');
    expect([bench.stderr, bench.status]).to.deep.equal(['There is no directory /no/such (--json).\n', 2]);
    const swarm = run(`CALLS_PER_SECOND=many ${scripts.swarm}`);
    expect([swarm.stderr, swarm.status]).to.deep.equal([
      'CALLS_PER_SECOND is many; it must be more than 0 and at most 1000.\n',
      2,
    ]);
  });

  it('is each script that runs a main of e2e', () => {
    expect(commands.map(([name]) => name)).to.have.members([
      'start',
      'grade',
      'error-rate',
      'live',
      'bench',
      'swarm',
      'docs',
    ]);
  });
});
