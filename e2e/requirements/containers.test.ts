import { expect } from 'chai';
import { startContainers } from '../stack/docker/containers.ts';
import type { ContainerService } from '../stack/docker/container-service.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { until } from '../stack/until.ts';
import { specification } from './specification.ts';

describeWithDocker('Two services in two containers', function () {
  this.timeout(60_000);
  let stack: Awaited<ReturnType<typeof startContainers>>;

  before(async function () {
    this.timeout(300_000);
    stack = await startContainers();
  });

  after(() => stack?.down());

  specification(() => stack);

  const services: Record<string, () => ContainerService> = { 'service-a': () => stack.a, 'service-b': () => stack.b };
  for (const [name, service] of Object.entries(services)) {
    describe(`the walls around ${name}`, () => {
      const status = async (field: string) => {
        const line = await service().exec('grep', `^${field}:`, '/proc/1/status');
        return line.split(':')[1]!.trim();
      };

      it('runs as the user node', async () => {
        expect(await service().exec('id', '--user', '--name')).to.equal('node');
        expect(await status('Uid')).to.match(/^1000\s+1000\s+1000\s+1000$/);
      });

      it('names its user by a number, so that Kubernetes can tell that it is not root', async () => {
        expect((await service().inspect()).Config.User).to.match(/^[1-9]\d*$/);
      });

      it('can write to no file and no folder', async () => {
        // left out: the kernel's own interfaces, which hold no files
        const find =
          'find / \\( -path /proc -o -path /dev/mqueue \\) -prune -o \\( -type f -o -type d \\) -writable -print';
        expect(await service().exec('sh', '-c', `${find} 2>/dev/null; true`)).to.equal('');
      });

      it('has no capabilities, and no way to new privileges', async () => {
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
          expect(await status(set), set).to.match(/^0+$/);
        }
        expect(await status('NoNewPrivs')).to.equal('1');
      });

      it('holds code that belongs to root, and the dependencies of production alone', async () => {
        expect(await service().exec('find', '/app', '!', '-user', 'root')).to.equal('');
        const packages = (await service().exec('ls', '/app/node_modules')).split('\n');
        expect(packages).to.include.members(['koa', '@koa', 'pino', name]);
        expect(packages).not.to.include.oneOf(['typescript', 'mocha', 'chai', 'testcontainers', 'prettier', 'node']);
      });

      it("is limited in memory and processes, and is not restarted behind the reader's back", async () => {
        const { HostConfig } = await service().inspect();
        expect(HostConfig).to.deep.include({ Memory: 256 * 1024 * 1024, PidsLimit: 100 });
        expect(HostConfig.RestartPolicy!.Name).to.equal('no');
      });

      it('is reached from this host alone', async () => {
        expect(service().url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
      });

      it('ends at once when told to stop while it is still starting', async () => {
        await service().kill();
        for (let time = 0; time < 3; time++) {
          await service().launch();
          expect(await service().stop(), 'the exit code; 137 when it had to be killed').to.be.oneOf([0, 143]);
        }
        await service().start();
      });

      it('is found healthy by Node itself', async () => {
        const isFound = async () => (await service().inspect()).State.Health!.Status === 'healthy';
        await until('the first probe', isFound);
        expect((await service().inspect()).Config.Healthcheck!.Test!.slice(0, 2)).to.deep.equal(['CMD', 'node']);
      });
    });
  }
});
