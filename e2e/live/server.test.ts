import { execFile } from 'node:child_process';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import Koa from 'koa';
import { ROOT } from '../stack/paths.ts';
import { freePort } from '../stack/process/ports.ts';
import { until } from '../stack/until.ts';
import { runLive, startLive, WITHOUT_DOCKER, type Live } from './start-live.ts';
import { pageFiles } from './build-page.ts';
import type { Experiment } from './experiment.ts';
import { FAULTS, type ProcessNames } from '../experiment/faults.ts';
import { readHistory } from '../experiment/history-file.ts';
import { callsOf, phasesOf } from '../experiment/history.ts';
import { startProcesses } from '../pairs/commands.ts';
import { LogLines } from '../experiment/log-lines.ts';
import { Refused, type News } from './protocol.ts';
import type { Tour } from './tour.ts';
import { processControls } from './process-controls.ts';
import { guard, serve } from './server.ts';

describe('The server of the live page', function () {
  this.timeout(60_000);
  let live: Live;
  let token: string;

  before(async () => {
    live = await startLive([], WITHOUT_DOCKER);
    token = new URL(live.link).searchParams.get('token')!;
  });
  after(() => live?.end());

  /** The status of an answer to a request with exactly these headers. */
  async function ask(method: string, path: string, headers: Record<string, string> = {}, body = '{}') {
    const content =
      method === 'POST'
        ? { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }
        : {};
    const call = request({ host: '127.0.0.1', port: live.port, method, path, headers: { ...content, ...headers } });
    call.end(method === 'POST' ? body : undefined);
    const [response] = await once(call, 'response');
    response.destroy();
    return response.statusCode as number;
  }
  const own = () => ({ Origin: `http://localhost:${live.port}`, Host: `localhost:${live.port}`, 'X-Token': token });

  it('allows the page its own scripts and no others, and no other hosts', async () => {
    const policy = (await fetch(live.link)).headers.get('content-security-policy')!;
    const rules = Object.fromEntries(policy.split('; ').map((rule) => [rule.split(' ')[0], rule]));
    expect(rules['default-src']).to.equal("default-src 'none'");
    expect(rules['script-src']).to.match(/^script-src 'self' 'sha256-[\w+/=]+'$/);
    expect(rules['connect-src']).to.equal("connect-src 'self'");
    expect(rules['require-trusted-types-for']).to.equal("require-trusted-types-for 'script'");
    for (const name of ['base-uri', 'form-action', 'frame-ancestors', 'trusted-types'])
      expect(rules[name]).to.equal(`${name} 'none'`);
  });

  it('answers to its own Host alone', async () => {
    for (const host of ['localhost', '127.0.0.1'])
      expect(await ask('GET', `/?token=${token}`, { Host: `${host}:${live.port}` })).to.equal(200);
    for (const host of [
      `evil.example:${live.port}`,
      'localhost',
      'localhost:80',
      `127.0.0.1.evil.example:${live.port}`,
    ]) {
      expect(await ask('GET', `/?token=${token}`, { Host: host }), host).to.equal(421);
    }
  });

  it('shows the page to no one without its link, and says where that is', async () => {
    expect(token).to.have.length.above(30);
    for (const query of ['', '?token=', '?token=undefined', `?token=${token}x`, `?token=${token}&token=${token}`]) {
      const answer = await fetch(`http://localhost:${live.port}/${query}`);
      expect(answer.status, query).to.equal(403);
      expect(await answer.text()).to.equal('The token is missing or wrong: open the link that the terminal shows.\n');
    }
    expect((await fetch(live.link)).status).to.equal(200);
  });

  it('tells nothing of the pair without the token, in a header or in the address', async () => {
    const { Host } = own();
    for (const path of ['/news', '/calls/1', '/history.jsonl', '/transcript.md', '/nothing']) {
      expect(await ask('GET', path, { Host }), path).to.equal(403);
      expect(await ask('GET', `${path}?token=x`, { Host }), path).to.equal(403);
      const known = path === '/nothing' ? 404 : 200;
      expect(await ask('GET', path, { Host, 'X-Token': token }), path).to.equal(known);
      expect(await ask('GET', `${path}?token=${token}`, { Host }), path).to.equal(known);
    }
  });

  it('has no token in any file that it serves', async () => {
    const page = await (await fetch(live.link)).text();
    const files = pageFiles().map(({ path }) => path);
    expect(files).to.have.length.above(10);
    for (const path of files) {
      const file = await (await fetch(`http://localhost:${live.port}${path}`)).text();
      expect(file.length, path).to.be.above(100);
      expect(file, path).to.not.include(token);
    }
    expect(page).to.not.include(token);
  });

  it('opens a browser by a file that others cannot read, as they see how it was started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'live-'));
    const seen = join(folder, 'seen');
    await writeFile(join(folder, 'xdg-open'), `#!/bin/sh\necho "$@" > '${seen}.new' && mv '${seen}.new' '${seen}'\n`, {
      mode: 0o700,
    });
    const env = { HOME: folder, PATH: `${folder}:${process.env.PATH}` };
    const opened = await startLive(['--open'], { ...WITHOUT_DOCKER, ...env });
    try {
      await until('the browser', () => existsSync(seen));
      const address = readFileSync(seen, 'utf8').trim();
      expect(address).to.match(/^file:/);
      const file = fileURLToPath(address);
      expect(readFileSync(file, 'utf8')).to.include(`content="0; url=${opened.link}"`);
      for (const path of [file, dirname(file)]) expect(statSync(path).mode & 0o077, path).to.equal(0);
      await opened.end();
      expect(existsSync(dirname(file))).to.equal(false);
    } finally {
      await opened.end();
      await rm(folder, { recursive: true });
    }
  });

  it('takes a change only with the token, from its own origin', async () => {
    const { Origin, Host, 'X-Token': good } = own();
    expect(await ask('POST', '/calls', { Origin, Host, 'X-Token': good }, '{"msg":"hello"}')).to.equal(200);
    for (const headers of [
      { Origin, Host },
      { Origin, Host, 'X-Token': `${good}x` },
      { Host, 'X-Token': good },
      { Origin: 'http://evil.example', Host, 'X-Token': good },
      { Origin: 'null', Host, 'X-Token': good },
      { Origin: `http://localhost:${live.port + 1}`, Host, 'X-Token': good },
    ]) {
      expect(await ask('POST', '/faults/stop-b', headers as Record<string, string>), JSON.stringify(headers)).to.equal(
        403,
      );
    }
    expect(await ask('POST', `/faults/stop-b?token=${good}`, { Origin, Host })).to.equal(403);
    expect(await ask('GET', '/faults/stop-b', own())).to.equal(405);
  });

  it("tells another site's page nothing, and can be linked to", async () => {
    const { Host, 'X-Token': good } = own();
    const link = `/?token=${good}`;
    const site = { Host, 'Sec-Fetch-Site': 'cross-site' };
    expect(await ask('GET', `/news${link.slice(1)}`, { Host, Origin: 'http://evil.example' })).to.equal(403);
    expect(await ask('GET', link, { ...site, 'Sec-Fetch-Mode': 'no-cors' })).to.equal(403);
    expect(await ask('GET', link, { ...site, 'Sec-Fetch-Mode': 'navigate' })).to.equal(200);
  });

  it('runs nothing that is not on its list', async () => {
    for (const action of ['nothing', 'constructor', '__proto__', 'stop-c', encodeURIComponent('stop-a; true')]) {
      expect(await ask('POST', `/faults/${action}`, own()), action).to.equal(409);
    }
    for (const behaviour of ['late; true', 'toString', '']) {
      expect(await ask('POST', '/faults/replace-a', own(), JSON.stringify({ behaviour })), behaviour).to.equal(409);
    }
    for (const callsPerSecond of [0, 201, 1.5, '10', null]) {
      expect(await ask('POST', '/rate', own(), JSON.stringify({ callsPerSecond }))).to.equal(400);
    }
    expect(await ask('POST', '/calls', own(), `{"msg":"${'x'.repeat(20_000)}"}`)).to.equal(413);
    expect(await ask('POST', '/calls', own(), 'no JSON')).to.equal(400);
  });

  it('listens on the loopback interface alone', async () => {
    const hex = live.port.toString(16).toUpperCase().padStart(4, '0');
    const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFileSync(file, 'utf8')).join('');
    const listening = [...tables.matchAll(/: (\w+):(\w{4}) \w+:0000 0A/g)].filter(([, , port]) => port === hex);
    expect(listening).to.not.be.empty;
    const loopback = ['0100007F', '00000000000000000000000001000000'];
    for (const [, address] of listening) expect(address).to.be.oneOf(loopback);
  });

  it('tells a page what is new since it asked last, or everything if that is not known', async () => {
    const news = async (version: number, ended: number): Promise<News> =>
      (
        await fetch(`http://localhost:${live.port}/news?version=${version}&ended=${ended}`, {
          headers: { 'X-Token': token },
        })
      ).json();
    const first = await news(0, 0);
    expect(first).to.include({ isAll: true }).and.to.have.property('view');
    await until('another call', async () => (await news(0, first.ended)).ended > first.ended);
    const next = await news(first.version, first.ended);
    expect(next.isAll).to.equal(false);
    expect(next.calls).to.have.length(next.ended - first.ended);
    const numbers = first.calls.map(([n]) => n);
    for (const [n] of next.calls) expect(numbers).to.not.include(n);
    expect(await news(next.version, next.ended + 1e6)).to.include({ isAll: true });
    const again = await news(next.version, next.ended);
    if (again.version === next.version) expect(again).to.not.have.property('view');
  });

  it('serves nothing but the page, whatever the path', async () => {
    for (const path of [
      '/../package.json',
      '/e2e/live/page/../main.ts',
      '/e2e/live/main.ts',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2fpackage.json',
      '/e2e/live/page/page.ts%00.js',
      '//etc/passwd',
      '/calls/__proto__',
      '/calls/1e9',
    ]) {
      expect(await ask('GET', path, own()), path).to.equal(404);
    }
  });

  it('reads no more of a body than it takes, announced or not', async () => {
    const announced = { ...own(), 'Content-Type': 'application/json' };
    for (const headers of [{ 'Content-Length': String(1e12) }, { 'Transfer-Encoding': 'chunked' }]) {
      const call = request({ port: live.port, method: 'POST', path: '/calls', headers: { ...announced, ...headers } });
      call.on('error', () => {}); // it is hung up on
      call.write('{"msg":"');
      const [response] = await once(call, 'response');
      expect(response.statusCode).to.equal(413);
      call.destroy();
    }
  });

  it('says in one sentence that its port is taken, or that an option makes no sense', async () => {
    const sentences = [
      [
        ['--port', String(live.port)],
        `Port ${live.port} is already in use; stop what listens on it, or give another with --port.`,
      ],
      [['--port', 'x'], '--port is x; it must be a whole number from 1 to 65535.'],
      [['--a', 'true'], '--b is missing: a pair takes two commands.'],
      [['--isolate', '--a', 'x', '--b', 'y'], '--isolate is for grades alone; leave it out.'],
      [
        ['--allow-host', 'https://lab.example.org/'],
        "--allow-host is https://lab.example.org/; it must be a host's name alone, as in --allow-host pages.example.org.",
      ],
      [['--a-url', 'http://127.0.0.1:1'], '--a-url needs a pair: give --compose, or --a and --b, too.'],
      [['--prot', '1'], "Unknown option '--prot'; see --help."],
      [['--timeout', 'soon'], '--timeout is soon; it must be more than 0 and at most 60.'],
      [['--port', '--open'], "Option '--port' argument is ambiguous; see --help."],
      [['--record', '/etc/hosts/file'], '/etc/hosts/file cannot be written (ENOTDIR); give another place (--record).'],
      [['--record', '/no/such/file'], '/no/such/file cannot be written (ENOENT); give another place (--record).'],
      [['--record', ''], `There is a directory ${process.cwd()} already; give another name (--record).`],
      [['--record', '/etc/hosts'], 'There is a file /etc/hosts already; give another name (--record).'],
    ] as const;
    for (const [args, sentence] of sentences) {
      const { said, code } = await refusalOf(args);
      expect(said.replace('Starting the pair…\n', '').trim()).to.equal(sentence);
      expect(code).to.equal(2);
    }
  });

  it('leaves no file of a recording that never began', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'record-')), 'history.jsonl');
    const { said, code } = await refusalOf(['--record', file, '--compose', '/no/compose.yml']);
    expect(said).to.include('There is no file /no/compose.yml (--compose).');
    expect(code).to.equal(2);
    expect(existsSync(file)).to.equal(false);
  });

  it('shows what a command wrote before it failed, and nothing that a terminal obeys', async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const urls = ['--a-url', `http://127.0.0.1:${portA}`, '--b-url', `http://127.0.0.1:${portB}`];
    const { said, code } = await refusalOf([
      '--a',
      String.raw`printf '\033[2Jowned\342\200\256'; exit 3`,
      '--b',
      'sleep 60', // it must not end first, or its end would be the reason
      ...urls,
    ]);
    expect(said)
      .to.include(String.raw`it said: \x1b[2Jowned\u202e`)
      .and.not.match(/[^\P{C}\n]/u);
    expect(code).to.equal(2);
  });

  async function refusalOf(args: readonly string[]): Promise<{ said: string; code: number }> {
    const child = runLive([...args]);
    let said = '';
    child.stderr!.on('data', (chunk) => (said += chunk));
    const [code] = await once(child, 'close');
    return { said, code };
  }

  it('takes both services with it, however it ends, and has recorded what happened until then', async function () {
    if (process.platform !== 'linux') this.skip();
    const file = join(await mkdtemp(join(tmpdir(), 'record-')), 'history.jsonl');
    const child = runLive(['--port', String(await freePort()), '--record', file], WITHOUT_DOCKER);
    await once(child.stdout!, 'data'); // the link
    const processes = async () => {
      const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,ppid=,args=']);
      return stdout.split('\n').map((line) => line.trim().split(/\s+/));
    };
    const all = await processes();
    const isOwn = (pid: string | undefined): boolean =>
      pid === String(child.pid) || all.some(([own, parent]) => own === pid && pid !== '1' && isOwn(parent));
    const services = all.filter(
      ([pid, , program, script]) => program === 'node' && script?.startsWith('service-') && isOwn(pid),
    );
    expect(services.map(([, , , script]) => script)).to.have.members([
      'service-a/src/main.ts',
      'service-b/src/main.ts',
    ]);
    const answered = () => callsOf(readHistory(file)).filter(({ outcome }) => outcome === '200');
    await until('a new call in the file', () => answered().length > 3 && Date.now() - answered().at(-1)!.at < 250);
    const end = Date.now();
    child.kill('SIGKILL');
    const isGone = async () => !(await processes()).some(([pid]) => services.some(([own]) => own === pid));
    await until('the end of both', isGone, 2000);
    const history = readHistory(file);
    expect(phasesOf(history).at(-1)).to.include({ name: 'A runs' });
    const calls = callsOf(history);
    expect(calls.filter(({ outcome }) => outcome === '200')).to.have.length.above(3);
    expect(end - calls.at(-1)!.at).to.be.below(500);
    const ids = history.flatMap((event) => (event.event === 'log' && event.service === 'b' ? [event.line] : []));
    expect(ids.join('\n')).to.include(calls[0]!.id);
    await rm(dirname(file), { recursive: true });
  });

  it('takes a process that has stopped listening, and not ended yet, for no other', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'record-')), 'history.jsonl');
    const other = await startLive(['--record', file], WITHOUT_DOCKER);
    const { origin, searchParams } = new URL(other.link);
    await sleep(1500); // until both have been seen to be healthy
    const headers = { origin, 'x-token': searchParams.get('token')!, 'content-type': 'application/json' };
    expect((await fetch(`${origin}/faults/stop-a`, { method: 'POST', headers, body: '{}' })).status).to.equal(200);
    await sleep(500);
    await other.end();
    const states = readHistory(file).flatMap((event) =>
      event.event === 'state' && event.service === 'a' ? [event.state] : [],
    );
    expect(states.slice(states.indexOf('running'))).to.deep.equal(['running', 'stopped']);
    await rm(dirname(file), { recursive: true });
  });

  it('ends at Ctrl-C with both services, and leaves its port free', async () => {
    const port = await freePort();
    const other = await startLive([], WITHOUT_DOCKER, port);
    expect(await other.end()).to.equal(130);
    const again = await startLive([], WITHOUT_DOCKER, port);
    await again.end();
  });
});

describe('A fault that is added', () => {
  const rows: Record<string, unknown> = FAULTS;

  before(() => {
    const row = { label: 'Abort A', target: 'a', leaves: 'stopped', isPossible: () => true };
    rows['abort-a'] = { ...row, processes: ({ kill }: ProcessNames) => kill('ABRT', 'a') };
  });
  after(() => delete rows['abort-a']);

  it('is done to a pair of processes by the command that is shown', async () => {
    await using stack = await startProcesses();
    const controls = processControls(stack, 'a pair', { a: '', b: '' });
    const { a } = await controls.poll();
    expect(a.state).to.equal('running');
    expect(controls.command('abort-a', '')).to.equal(`kill -ABRT -${stack.a.pid}`);
    await controls.run('abort-a', '');
    await until('the end of A', async () => (await controls.poll()).a.state === 'stopped');
  });
});

describe('The guard of the live page', () => {
  /** What a server behind the guard of a page on this port answers to requests with exactly these headers. */
  async function guarded(port: number, allowedHost?: string) {
    const app = new Koa().use(guard(port, allowedHost)).use((ctx) => void (ctx.body = 'in'));
    app.silent = true;
    const server = createServer(app.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const own = (server.address() as AddressInfo).port;
    const ask = async (method: string, headers: Record<string, string>) => {
      const [response] = await once(request({ host: '127.0.0.1', port: own, method, headers }).end(), 'response');
      return { status: response.statusCode as number, text: await text(response) };
    };
    const statusOf = async (method: string, headers: Record<string, string>) => (await ask(method, headers)).status;
    return { ask, statusOf, [Symbol.dispose]: () => void server.close() };
  }

  it("takes Host and Origin as a browser writes them, also on http's own port, which it leaves out", async () => {
    using server = await guarded(80);
    for (const name of ['localhost', '127.0.0.1', '[::1]']) {
      expect(await server.statusOf('GET', { Host: name }), name).to.equal(200);
      expect(await server.statusOf('POST', { Host: name, Origin: `http://${name}` }), name).to.equal(200);
      expect(await server.statusOf('POST', { Host: name, Origin: `https://${name}` }), name).to.equal(403);
      expect(await server.statusOf('GET', { Host: `${name}:8090` }), name).to.equal(421);
    }
    expect(await server.statusOf('GET', { Host: 'evil.example' })).to.equal(421);
  });

  it('says to a person behind a proxy how to let its host in', async () => {
    using server = await guarded(8090);
    expect((await server.ask('GET', { Host: 'lab-8090.example.org' })).text).to.equal(
      'This is no page of lab-8090.example.org. Open the link that the terminal shows; behind a proxy, start it again with --allow-host and the name that the browser shows.',
    );
  });

  it('lets in the host of a proxy, with the origin that a browser then has, and no other', async () => {
    using server = await guarded(8090, 'lab.example.org');
    const proxied = { Host: 'lab.example.org', Origin: 'https://lab.example.org' };
    for (const headers of [
      proxied,
      { Host: 'lab.example.org:8443', Origin: 'https://lab.example.org:8443' },
      { Host: 'localhost:8090', Origin: 'https://lab.example.org' }, // some proxies send another Host
      { Host: 'localhost:8090', Origin: 'http://localhost:8090' },
    ]) {
      expect(await server.statusOf('POST', headers), JSON.stringify(headers)).to.equal(200);
    }
    for (const host of [
      'example.org',
      'evil-lab.example.org',
      'lab.example.org.evil.example',
      'lab.example.org@evil.example',
    ])
      expect(await server.statusOf('GET', { Host: host }), host).to.equal(421);
    for (const origin of ['https://evil.example', 'null', 'https://lab.example.org.evil.example'])
      expect(await server.statusOf('POST', { ...proxied, Origin: origin }), origin).to.equal(403);
  });
});

describe('A page about a hostile pair', () => {
  it('is sent nothing invisible, whatever holds it', async () => {
    const hostile = '\x1b[2J \x9b \u202edewno \u2066 \u200b \u3164 \u{e0041} \ud800 \r';
    const view = { pair: hostile, busy: hostile, commands: [{ command: hostile, problem: hostile }] };
    const call = { explanation: hostile, answer: hostile, body: hostile, logs: { a: { lines: [hostile] } } };
    const experiment = {
      ...{ version: 1, history: { ended: 0, since: () => ({ calls: [], isAll: true }) }, view: () => view },
      settledCallView: async () => call,
      cause: async () => {
        throw new Refused(hostile);
      },
    } as unknown as Experiment;
    const port = await freePort();
    const tour = { view: () => ({}) } as unknown as Tour;
    const servers = await serve({ experiment, tour }, port, 'token');
    const origin = `http://127.0.0.1:${port}`;
    const headers = { 'X-Token': 'token', Origin: origin, 'Content-Type': 'application/json' };
    try {
      const texts = [
        await (await fetch(`${origin}/news`, { headers })).text(),
        await (await fetch(`${origin}/calls/1`, { headers })).text(),
        await (await fetch(`${origin}/faults/stop-a`, { method: 'POST', headers, body: '{}' })).text(),
      ];
      for (const text of texts) {
        expect(text).to.include(
          String.raw`\\x1b[2J \\x9b \\u202edewno \\u2066 \\u200b \\u3164 \\u{e0041} \\ud800 \\x0d`,
        );
        expect(text).to.not.match(/[^\P{C}\n]|\u3164/u);
      }
    } finally {
      for (const server of servers) (server.closeAllConnections(), server.close());
    }
  });
});

describe('What the live page knows', () => {
  it('has pictures for the README that load quickly, which stay as they are where there is no browser', async () => {
    const pictures = ['light', 'dark'].map((theme) => `e2e/live/live-${theme}.png`);
    const files = () => pictures.map((file) => readFileSync(`${ROOT}${file}`));
    const before = files();
    for (const [index, file] of pictures.entries()) {
      expect(before[index]!.length, file).to.be.within(10_000, 150_000);
      expect(readFileSync(`${ROOT}README.md`, 'utf8')).to.include(`"${file}"`);
    }
    const { stdout } = await promisify(execFile)(process.execPath, ['e2e/live/screenshot.ts'], {
      cwd: ROOT,
      env: { PATH: '' },
    });
    expect(stdout).to.match(/^The pictures of the live page stay as they are: there is no browser on the PATH/);
    expect(files()).to.deep.equal(before);
  });

  it('finds the lines of a call by its id, and by its time where the service logs no ids', () => {
    const call = { n: 1, id: 'live-1', msg: '', at: Date.now(), ms: 5, outcome: '200', body: '' };
    const [withIds, without] = [new LogLines('live-'), new LogLines('live-')];
    for (const line of ['{"id":"live-1"}', '{"id":"live-12"}']) withIds.add(line);
    without.add('GET /echo 200');
    expect(withIds.of(call)).to.deep.equal({ by: 'id', lines: ['{"id":"live-1"}'] });
    expect(without.of(call)).to.deep.equal({ by: 'time', lines: ['GET /echo 200'] });
    expect(without.of({ ...call, at: call.at - 10_000 }).lines).to.deep.equal([]);
  });

  function collect() {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  }

  it('keeps about 16 MB of a log, however much is written', () => {
    const lines = new LogLines('live-');
    for (let n = 0; n < 20_000; n++) lines.add(`live-${n} ${'x'.repeat(3000)}`);
    const call = (n: number) => ({ n, id: `live-${n}`, msg: '', at: 0, ms: 0, outcome: '200', body: '' });
    expect(lines.of(call(19_999)).lines).to.have.length(1);
    expect(lines.of(call(10)).lines).to.have.length(0);
  });

  it('keeps little of a flood of short lines', () => {
    const lines = new LogLines('live-');
    const start = Date.now();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 2_000_000; n++) lines.add('flood');
    collect();
    expect(process.memoryUsage().heapUsed - before).to.be.below(32 * 1024 * 1024);
    expect(lines.of({ id: 'live-1', at: start, ms: 60_000 }).lines).to.not.be.empty;
  });

  it('keeps no more of a long line than it shows', () => {
    const lines = new LogLines('live-');
    const start = Date.now();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 1000; n++) lines.add(`${n} ${'x'.repeat(64 * 1024)}`);
    collect();
    expect(process.memoryUsage().heapUsed - before).to.be.below(16 * 1024 * 1024);
    const all = { n: 1, id: 'live-1', msg: '', at: start, ms: 60_000, outcome: '200', body: '' };
    expect(lines.of(all).lines[0]).to.have.length(4000);
  });
});
