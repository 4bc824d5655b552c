import { expect } from 'chai';
import { get } from '../http.ts';
import { freePort } from '../process/ports.ts';
import { until } from '../until.ts';
import { startContainers } from './containers.ts';
import { describeWithDocker } from './describe-with-docker.ts';
import { BASE_IMAGE, docker, portsOfContainers } from './engine.ts';
import { ownerOption } from './owner.ts';

describeWithDocker('A container that is stopped', function () {
  this.timeout(60_000);

  it('keeps its port of this host from others, though nothing listens there', async () => {
    const port = await freePort();
    const options = ['--publish', `127.0.0.1:${port}:80`, ...ownerOption];
    const container = await docker(['create', ...options, BASE_IMAGE, 'true']);
    try {
      expect(await portsOfContainers()).to.include(port);
    } finally {
      await docker(['rm', container]);
    }
    expect(await portsOfContainers()).to.not.include(port);
  });
});

describeWithDocker('A container whose log is followed', function () {
  this.timeout(120_000);

  it('hands over each line of all its lives once, until that is ended', async () => {
    await using stack = await startContainers();
    const { a } = stack;
    const heard: string[] = [];
    const end = a.follow((line) => heard.push(line));
    const ask = async (id: string, lines: () => string[] | Promise<string[]>) => {
      await get(`${a.url}/echo?msg=x`, { 'x-request-id': id });
      await until(`a line with ${id}`, async () => (await lines()).some((line) => line.includes(id)));
    };
    await ask('first', () => heard);
    await a.stop();
    await a.start();
    await ask('second', () => heard);
    end();
    await ask('third', () => a.logs());
    const ids = heard.flatMap((line) => (line.includes('/echo') ? [JSON.parse(line).request_id] : []));
    expect(ids).to.deep.equal(['first', 'second']);
  });
});
