import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect } from 'chai';
import { BASE_IMAGE, docker } from './engine.ts';
import { describeWithDocker } from './describe-with-docker.ts';
import { newFolder, OWNER, removeLeftovers } from './owner.ts';

const MODULE = new URL('owner.ts', import.meta.url).href;

describeWithDocker('What a process has made in the engine', function () {
  this.timeout(120_000);
  const name = `owner-test-${randomBytes(4).toString('hex')}`;

  /** Makes one of each kind with the label of an owner, and lists what is there by such a name. */
  async function make(suffix: string, owner: string) {
    const [own, label] = [`${name}-${suffix}`, ['--label', `two-services.owner=${owner}`]];
    await docker(['network', 'create', ...label, own]);
    await docker(['volume', 'create', ...label, own]);
    await docker(['create', '--name', own, ...label, BASE_IMAGE]);
    await docker(['container', 'commit', '--change', `LABEL two-services.owner="${owner}"`, own, own]);
  }
  async function left(suffix: string): Promise<string[]> {
    const kinds: Record<string, string[]> = {
      container: ['ps', '--all', '--format', '{{.Names}}'],
      network: ['network', 'ls', '--format', '{{.Name}}'],
      volume: ['volume', 'ls', '--format', '{{.Name}}'],
      image: ['image', 'ls', '--format', '{{.Repository}}'],
    };
    const lists = await Promise.all(Object.values(kinds).map(async (args) => (await docker(args)).split('\n')));
    return Object.keys(kinds).filter((_, index) => lists[index]!.includes(`${name}-${suffix}`));
  }

  after(async () => {
    for (const suffix of ['own', 'dead', 'elsewhere']) {
      await docker(['rm', '--force', `${name}-${suffix}`]);
      await docker(['network', 'rm', '--force', `${name}-${suffix}`]);
      await docker(['volume', 'rm', '--force', `${name}-${suffix}`]);
      await docker(['image', 'rm', '--force', `${name}-${suffix}`]);
    }
  });

  it('is removed by the next one once it was killed, and nothing else is', async () => {
    const program = `const { newFolder, OWNER } = await import(${JSON.stringify(MODULE)});
      console.log(OWNER + ' ' + newFolder());
      setInterval(() => {}, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(other.stdout.setEncoding('utf8'), 'data');
    const [, owner, folder] = /^(.*) (\S+)$/.exec(line.trim())!;
    const ownFolder = newFolder();
    await make('dead', owner!);
    await make('own', OWNER);
    await make('elsewhere', `not-${hostname()} ${other.pid} 1`);
    removeLeftovers();
    expect(await left('dead'), 'while it lives').to.have.length(4);
    expect(existsSync(folder!)).to.equal(true);
    other.kill('SIGKILL');
    await once(other, 'exit');
    removeLeftovers();
    expect(await left('dead')).to.deep.equal([]);
    expect(existsSync(folder!)).to.equal(false);
    expect(existsSync(ownFolder)).to.equal(true);
    rmSync(ownFolder, { recursive: true });
    expect(await left('own'), 'of this one').to.have.length(4);
    expect(await left('elsewhere'), "of another machine's").to.have.length(4);
  });
});
