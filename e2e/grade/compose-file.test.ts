import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeWithDocker } from '../stack/describe-with-docker.ts';
import { composeConfig } from './compose-file.ts';

describeWithDocker("Somebody's Compose file", () => {
  const dir = mkdtempSync(join(tmpdir(), 'compose-file-'));
  const file = join(dir, 'compose.json');
  after(() => rmSync(dir, { recursive: true }));

  const A = { image: 'x', ports: ['8080:8080'] };
  const B = { image: 'x', ports: ['8081:8081'] };

  async function read(content: object, asked: { a?: string; b?: string; port?: number } = {}) {
    writeFileSync(file, JSON.stringify(content));
    const { a = 'service-a', b = 'service-b', port } = asked;
    const { config, places } = await composeConfig(
      file,
      { service: a, port, usualPort: 8080 },
      { service: b, port: undefined, usualPort: 8081 },
    );
    return { ...JSON.parse(config), places };
  }

  it('takes no port of the host and no name that another project may have', async () => {
    const { name, services, volumes, networks } = await read({
      name: 'theirs',
      services: {
        'service-a': { ...A, container_name: 'a', volumes: ['data:/data'] },
        'service-b': B,
        database: { image: 'x', container_name: 'db', ports: ['5432:5432'] },
      },
      volumes: { data: { name: 'precious' } },
      networks: { default: { name: 'shared' } },
    });
    expect(name).to.equal(undefined);
    expect(volumes.data).not.to.have.property('name');
    expect(networks.default).not.to.have.property('name');
    for (const service of Object.values<any>(services)) {
      expect(service).not.to.have.property('container_name');
      for (const port of service.ports)
        expect(port).to.include({ host_ip: '127.0.0.1' }).and.not.have.property('published');
    }
  });

  const PORTS: Record<string, [ports: string[], port: number]> = {
    'the usual one': [['9000:9000', '3000:8080'], 8080],
    'the one that is published as the usual one': [['9000:9000', '8080:5000'], 5000],
    'the only one': [['5000:5000'], 5000],
    'the usual one, without any': [[], 8080],
  };
  for (const [what, [ports, port]] of Object.entries(PORTS)) {
    it(`shows a service's port: ${what}`, async () => {
      const { services, places } = await read({ services: { 'service-a': { image: 'x', ports }, 'service-b': B } });
      expect(places[0]).to.deep.equal({ service: 'service-a', port });
      expect(services['service-a'].ports.map(({ target }: any) => target)).to.include(port);
    });
  }

  it('may have other names, and be told the port', async () => {
    const { places } = await read({ services: { echo: A, call: B } }, { a: 'echo', b: 'call', port: 7000 });
    expect(places).to.deep.equal([
      { service: 'echo', port: 7000 },
      { service: 'call', port: 8081 },
    ]);
  });

  it("learns nothing of the caller's environment", async () => {
    process.env.GRADE_SECRET = 'secret';
    const environment = { SECRET: '${GRADE_SECRET:-none}', COST: '$$5' };
    const { services } = await read({ services: { 'service-a': { ...A, environment }, 'service-b': B } });
    delete process.env.GRADE_SECRET;
    expect(services['service-a'].environment).to.include({ SECRET: 'none', COST: '$$5' });
  });

  it('is refused when it needs what is not its own, or has no such service', async () => {
    const sentence = (content: object) => read(content).then(String, ({ message }: Error) => message);
    const services = { 'service-a': A, 'service-b': B };
    const withVolume = { 'service-a': { ...A, volumes: ['data:/data'] }, 'service-b': B };
    expect(await sentence({ services: withVolume, volumes: { data: { external: true } } })).to.match(
      /needs a volume from elsewhere \(data is external\); let it have one of its own\.$/,
    );
    expect(await sentence({ services, networks: { default: { external: true, name: 'x' } } })).to.match(
      /needs a network from elsewhere/,
    );
    expect(await sentence({ services: { web: A, 'service-b': B } })).to.match(
      /has no service named service-a; it has .*; --a-service and --b-service name others\.$/,
    );
  });
});
