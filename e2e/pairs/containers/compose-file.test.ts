import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeWithDocker } from '../../stack/docker/describe-with-docker.ts';
import { prepareCompose } from './compose-file.ts';
import { NO_PROXY } from '../environment.ts';

describeWithDocker('A Compose file that was handed in', () => {
  let dir: string;
  let folder: string;
  let file: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'compose-file-'));
    folder = join(dir, 'ada');
    file = join(folder, 'compose.yaml');
    mkdirSync(join(folder, 'app'), { recursive: true });
    mkdirSync(join(dir, 'bob'));
    writeFileSync(join(folder, 'app', 'Dockerfile'), 'FROM x\n');
    writeFileSync(join(dir, 'bob', 'Dockerfile'), 'FROM x\n');
    writeFileSync(join(folder, 'nul.env'), 'A=\0');
    writeFileSync(join(dir, 'bob', '.env'), 'BOBS=secret\n');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const A = { image: 'x', ports: ['8080:8080'] };
  const B = { image: 'x', ports: ['8081:8081'] };
  type Options = { a?: string; b?: string; port?: number; isolate?: boolean };

  async function read(
    content: object | string,
    { a = 'service-a', b = 'service-b', port, isolate = false }: Options = {},
  ) {
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    const asked = [
      { service: a, port, usualPort: 8080 },
      { service: b, port: undefined, usualPort: 8081 },
    ] as const;
    const { places, gate } = await prepareCompose(file, folder, dir, [...asked], isolate);
    return { ...JSON.parse(readFileSync(join(dir, 'compose.json'), 'utf8')), places, gate };
  }
  const pair = (ofA: object, more: object = {}) => ({
    services: { 'service-a': { ...A, ...ofA }, 'service-b': B },
    ...more,
  });
  const sentence = (content: object | string, options?: Options) =>
    read(content, options).then(
      () => 'it was taken',
      ({ message }: Error) => message.replaceAll(dir, ''),
    );

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
      const { services, places } = await read(pair({ ports }));
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

  it('has walls around each of its services, whatever it says of them', async () => {
    const more = { mem_limit: '64g', pids_limit: -1, security_opt: ['no-new-privileges'], logging: { driver: 'none' } };
    const { services } = await read(pair(more, { volumes: { data: {} } }));
    for (const service of Object.values<any>(services)) {
      expect(service).to.deep.include({
        ...{ mem_limit: '1g', memswap_limit: '1g', pids_limit: 256, cpus: 1, security_opt: ['no-new-privileges:true'] },
        ...{ logging: { driver: 'json-file', options: { 'max-size': '16m', 'max-file': '1' } } },
      });
      expect(service.labels).to.have.property('two-services.owner');
    }
  });

  it('has no network outside in isolation, whatever their names, and a gate in front of both services', async () => {
    const odd = 'two-services-outside';
    const content = { ...pair({ networks: ['one', odd] }), networks: { one: {}, [odd]: {} } };
    const { services, networks, gate } = await read(content, { isolate: true });
    for (const name of ['one', 'default', odd]) expect(networks[name]).to.include({ internal: true });
    for (const name of ['service-a', 'service-b']) {
      expect(services[name]).not.to.have.property('ports');
      expect(services[name].networks).not.to.have.property(gate.network);
    }
    expect(networks[gate.network]).not.to.have.property('internal');
    expect(services[gate.service].ports).to.have.length(2);
    expect(services[gate.service].networks).to.have.all.keys('one', 'default', odd, gate.network);
  });

  it('finds its own .env as Compose reads it, and nothing that its grader has in the environment', async () => {
    process.env.GRADE_SECRET = 'secret';
    const lines = ['OWN=own', "DOLLAR='$5'", 'export URL=http://${OWN}:1/${GRADE_SECRET}', 'HASH=a#b'];
    writeFileSync(join(folder, '.env'), [...lines, 'DOCKER_CONFIG=/tmp/x', 'PATH=/tmp/x'].join('\n'));
    const more = ['HOST=host', 'MORE=${HOST}#$OWN', 'GRADE_SECRET', 'BACK=${GRADE_SECRET}'];
    writeFileSync(join(folder, 'app', 'more.env'), more.join('\n'));
    const variables = { SECRET: '${GRADE_SECRET:-none}', COST: '$$5', TWO: '$OWN${OWN}', URL: '$URL' };
    const environment = { ...variables, OWN: null, GRADE_SECRET: null, HASH: null };
    const build = { context: 'app', args: ['OWN', 'GRADE_SECRET', 'X=${OWN}'] };
    const { services } = await read(pair({ environment, build, env_file: ['app/more.env'] }));
    const asList = await read(pair({ environment: ['OWN', 'GRADE_SECRET', 'X=$DOLLAR'] }));
    delete process.env.GRADE_SECRET;
    const own = { ...NO_PROXY, PYTHONUNBUFFERED: '1', OWN: 'own' };
    const ofEnv = { SECRET: 'none', COST: '$$5', TWO: 'ownown', URL: 'http://own:1/', HASH: 'a#b' };
    const ofFile = { HOST: 'host', MORE: 'host#own', BACK: '' };
    expect(services['service-a'].environment).to.deep.equal({ ...own, ...ofEnv, ...ofFile });
    expect(services['service-a'].build.args).to.include({ OWN: 'own', X: 'own' }).and.not.have.property('GRADE_SECRET');
    expect(asList.services['service-a'].environment).to.deep.equal({ ...own, X: '$$5' });
  });

  it('finds in its .env and in an env_file what Compose finds, however they are written', async () => {
    const lines = ["A='pa$word' DOCKER_CONFIG=/tmp/x", 'LINES="one', 'FOO=bar"', 'COST="$$5"'];
    writeFileSync(join(folder, '.env'), lines.join('\n'));
    writeFileSync(join(folder, 'more.env'), ['KEY="BEGIN', 'MIIE', 'END"', "PASS='$A'", 'TWO=${A}'].join('\n'));
    const { services } = await read(pair({ environment: { X: '$A', Y: '$LINES', Z: '$COST' }, env_file: 'more.env' }));
    expect(services['service-a'].environment).to.include({
      ...{ X: 'pa$$word', Y: 'one\nFOO=bar', Z: '$$5', KEY: 'BEGIN\nMIIE\nEND', PASS: '$$A', TWO: 'pa$$word' },
    });
    expect(services['service-a'].environment).not.to.have.any.keys('A', 'DOCKER_CONFIG', 'MIIE');
  });

  it('may be in a folder with any name, and have a service that is an alias of another', async () => {
    folder = join(dir, "o'brien $PATH");
    file = join(folder, 'compose.yaml');
    mkdirSync(folder);
    writeFileSync(join(folder, 'more.env'), 'X=$PWD\n');
    const one = '{ image: x, env_file: [more.env], environment: { HERE: "${PWD}" }, volumes: [".:/x"] }';
    const { services } = await read(`services:\n  service-a: &a ${one}\n  service-b: *a\n`);
    for (const { environment, volumes } of Object.values<any>(services)) {
      expect(environment).to.include({ HERE: folder.replaceAll('$', '$$$$') });
      expect(environment).to.have.property('X');
      expect(volumes[0].source).to.equal(folder.replaceAll('$', '$$$$'));
    }
  });

  it('may mount what is there already inside of a folder, and a file where none is', async () => {
    writeFileSync(join(folder, 'app', 'there.conf'), 'as it was');
    writeFileSync(join(folder, 'new.json'), '{}');
    await read(
      pair({ volumes: ['./app:/app', './new.json:/app/there.conf', './new.json:/app/sub/new.json', '/app/cache'] }),
    );
    expect(readFileSync(join(folder, 'app', 'there.conf'), 'utf8')).to.equal('as it was');
    expect(readFileSync(join(folder, 'app', 'sub', 'new.json'), 'utf8')).to.equal('');
    expect(existsSync(join(folder, 'app', 'cache'))).to.equal(true);
  });

  it('does not decide how long a stop of it may take', async () => {
    const { services } = await read(pair({ stop_grace_period: '10m' }));
    expect(services['service-a'].stop_grace_period).to.equal('10s');
  });

  it('is refused with a Dockerfile that never ends', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await sentence(pair({ build: { context: '.', dockerfile: 'pipe' } }))).to.match(
      /the service service-a is built by \/ada\/pipe, which is no file\.$/,
    );
  });

  it('is told what Compose says in its own words', async () => {
    const said = await read(pair({ environment: { X: '${MISSING:?set MISSING}' } })).catch(({ stderr }) => stderr);
    expect(said).to.contain('required variable MISSING').and.not.contain('HANDED_IN');
  });

  it('gives no name to what it builds: it could be that of an image which others use', async () => {
    const services = {
      'service-a': { image: 'node:26-trixie-slim', build: 'app' },
      'service-b': { image: 'node:26-trixie-slim' },
    };
    const { services: prepared } = await read({ services });
    expect(prepared['service-a']).not.to.have.property('image');
    expect(prepared['service-b'])
      .to.deep.include({ build: prepared['service-a'].build })
      .and.not.have.property('image');
  });

  it('mounts what is in the folder, to be read, with room for what is mounted inside of it', async () => {
    const odd = { type: 'bind', source: '.', target: '/all', bind: { selinux: 'Z', propagation: 'rshared' } };
    const volumes = ['./app:/app', '/app/node_modules', odd, 'data:/data'];
    const { services } = await read(pair({ volumes }, { volumes: { data: null } }));
    const mounts: Record<string, any>[] = services['service-a'].volumes;
    expect(mounts.map(({ type, read_only = false }) => [type, read_only])).to.deep.equal([
      ['bind', true],
      ['volume', false],
      ['bind', true],
      ['volume', false],
    ]);
    expect(mounts[2]).not.to.have.property('bind');
    expect(existsSync(join(folder, 'app', 'node_modules'))).to.equal(true);
  });

  const MAY_NOT: Record<string, object> = {
    privileged: { privileged: true },
    pid: { pid: 'host' },
    network_mode: { network_mode: 'host' },
    userns_mode: { userns_mode: 'host' },
    'ipc: host': { ipc: 'host' },
    uts: { uts: 'host' },
    cgroup: { cgroup: 'host' },
    cap_add: { cap_add: ['SYS_ADMIN'] },
    devices: { devices: ['/dev/kmsg'] },
    device_cgroup_rules: { device_cgroup_rules: ['a *:* rwm'] },
    'security_opt: seccomp:unconfined': { security_opt: ['seccomp:unconfined'] },
    sysctls: { sysctls: ['net.ipv4.ip_forward=1'] },
    extra_hosts: { extra_hosts: ['host:host-gateway'] },
    extends: { extends: { file: '../bob/compose.yaml', service: 'x' } },
    secrets: { secrets: ['key'] },
    configs: { configs: ['key'] },
    volumes_from: { volumes_from: ['container:other'] },
    external_links: { external_links: ['other'] },
    cgroup_parent: { cgroup_parent: '/' },
    runtime: { runtime: 'other' },
    post_start: { post_start: [{ command: 'x', privileged: true }] },
    credential_spec: { credential_spec: { file: 'x' } },
    'build.ssh': { build: { context: 'app', ssh: ['default'] } },
    'build.secrets': { build: { context: 'app', secrets: ['key'] } },
    'build.additional_contexts': { build: { context: 'app', additional_contexts: { other: '/' } } },
    'build.network': { build: { context: 'app', network: 'host' } },
    'build.tags': { build: { context: 'app', tags: ['node:26-trixie-slim'] } },
    'build.cache_to': { build: { context: 'app', cache_to: ['type=local,dest=/tmp/x'] } },
    'build.privileged': { build: { context: 'app', privileged: true } },
    'deploy.resources.devices': { deploy: { resources: { reservations: { devices: [{ capabilities: ['gpu'] }] } } } },
  };
  for (const [what, ofA] of Object.entries(MAY_NOT)) {
    it(`is refused with ${what}`, async () => {
      expect(await sentence(pair(ofA))).to.equal(
        `/ada/compose.yaml says ${what} of the service service-a, which a file that is handed in may not; take it out.`,
      );
    });
  }

  const OUTSIDE: Record<string, [ofA: object, where: string]> = {
    'the engine mounted': [{ volumes: ['/var/run/docker.sock:/x'] }, 'mounts /'],
    'the root mounted': [{ volumes: [{ type: 'bind', source: '/', target: '/x' }] }, 'mounts /,'],
    'the home mounted': [{ volumes: ['~:/x'] }, 'mounts /'],
    'a neighbour mounted': [{ volumes: ['../bob:/x'] }, 'mounts /bob'],
    'a neighbour mounted by a link': [{ volumes: ['./link:/x'] }, 'mounts /bob'],
    'a neighbour mounted by a link with a dollar': [{ volumes: ['./$$link:/x'] }, 'mounts /bob'],
    'a neighbour to build by a link with a dollar': [{ build: './$$link' }, 'is built from /bob'],
    'what is behind a link mounted': [{ volumes: ['./link/new:/x'] }, 'mounts /bob/new'],
    "a neighbour's folder to build": [{ build: '../bob' }, 'is built from /bob'],
    'a repository to build': [
      { build: { context: 'https://example.org/x.git', dockerfile_inline: 'FROM x' } },
      'is built from https:',
    ],
    "a neighbour's Dockerfile": [
      { build: { context: 'app', dockerfile: '../../bob/Dockerfile' } },
      'is built by /bob/Dockerfile',
    ],
  };
  for (const [what, [ofA, where]] of Object.entries(OUTSIDE)) {
    it(`is refused with ${what}`, async () => {
      for (const link of ['link', '$link']) symlinkSync('../bob', join(folder, link));
      const said = await sentence(pair(ofA));
      expect(said)
        .to.contain(`the service service-a ${where}`)
        .and.match(/, which is outside the folder that was handed in\.$/);
    });
  }

  const OTHERWISE: Record<string, [content: object | string, said: RegExp]> = {
    include: [{ ...pair({}), include: ['../bob/compose.yaml'] }, /says include, which/],
    secrets: [{ ...pair({}), secrets: { key: { file: '/etc/shadow' } } }, /says secrets, which/],
    "a volume that is a folder of the host's": [
      { ...pair({}), volumes: { data: { driver_opts: { type: 'none', o: 'bind', device: '/' } } } },
      /says driver_opts of the volume data, which/,
    ],
    'too many services': [
      { services: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`s${n}`, A])) },
      /has 17 services; it may have 16\.$/,
    ],
    'a mount of another kind': [
      pair({ volumes: [{ type: 'npipe', source: '/x', target: '/x' }] }),
      /mounts a npipe, which a file that is handed in may not; take it out\.$/,
    ],
    'a name that a newer Compose evaluates': [pair({ build: { context: './$${x}' } }), /whose name has \$\{ or %\{/],
    'a network with options': [
      { ...pair({}), networks: { default: { ipam: {} } } },
      /says ipam of the network default, which/,
    ],
    'a network of another driver': [
      { ...pair({}), networks: { default: { driver: 'host' } } },
      /says driver: host of the network/,
    ],
    'an external volume': [
      { ...pair({}), volumes: { data: { external: true } } },
      /needs a volume from elsewhere \(data is external\); let it have one of its own\.$/,
    ],
    'an env_file outside': [
      pair({ env_file: '../bob/.env' }),
      /: the service service-a: env_file \.\.\/bob\/\.env is outside the folder that was handed in: it is \/bob\/\.env\.$/,
    ],
    'an env_file that is not there': [pair({ env_file: 'no.env' }), /no\.env is no file\.$/],
    'an unknown tag': ['services: !x {}', /cannot be read: Unresolved tag/],
    'an alias inside of what it stands for': [
      'services: &all { service-a: { image: x, depends_on: *all } }',
      /cannot be read: \*all is part of what it stands for\./,
    ],
    'a key that every object has': [
      pair({ constructor: false, toString: true }),
      /says toString of the service service-a, which a file that is handed in may not/,
    ],
    'more than 4 MiB by its aliases': [
      `x-x: &x ${'x'.repeat(1e5)}\nx-y: [${'*x,'.repeat(90)}]\nservices: { service-a: { image: x, command: [${'*x,'.repeat(9)}] } }`,
      /is longer than 4 MiB with what its aliases stand for\./,
    ],
    'a .env that is no text': [pair({ env_file: 'nul.env' }), /nul\.env is no text: it has a NUL\.$/],
    'aliases without end': [
      `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]`,
      /cannot be read: Excessive alias count/,
    ],
    'another name': [
      { services: { web: A, 'service-b': B } },
      /has no service named service-a; it has .*; --a-service and --b-service name others\.$/,
    ],
  };
  for (const [what, [content, said]] of Object.entries(OTHERWISE)) {
    it(`is refused with ${what}`, async () => expect(await sentence(content)).to.match(said));
  }

  it('is refused when it is itself a link to another', async () => {
    writeFileSync(join(dir, 'bob', 'compose.yaml'), JSON.stringify(pair({})));
    symlinkSync('../bob/compose.yaml', join(folder, 'link.yaml'));
    const asked = { service: 'x', port: 1, usualPort: 1 };
    const said = await prepareCompose(join(folder, 'link.yaml'), folder, dir, [asked, asked], false).catch(
      ({ message }) => message,
    );
    expect(said).to.match(/link\.yaml is outside the folder that was handed in: it is .*\/bob\/compose\.yaml\.$/);
  });
});
