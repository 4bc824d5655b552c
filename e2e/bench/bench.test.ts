import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { chart } from './chart.ts';
import { farOff, Figures, turn } from './figures.ts';
import { closedLoop, openLoop } from '../experiment/load.ts';
import type { Bench } from './run.ts';
import { startServer, VARIANTS, type Server } from './servers.ts';
import { textTable } from './text-table.ts';
import { get } from '../stack/http.ts';
import { ROOT } from '../stack/paths.ts';

const MAIN = `${ROOT}e2e/bench/main.ts`;

describe('The bench', () => {
  describe('over several rounds', () => {
    it('compares within each round, so that a slow round changes no ratio', () => {
      const figures = new Figures();
      for (const slowness of [1, 10, 1]) {
        figures.add('latency', 'ms', 'product', 3 * slowness);
        figures.add('latency', 'ms', 'plain', 6 * slowness);
        figures.add('latency', 'ms', 'floor', 2 * slowness);
      }
      const [latency] = figures.list();
      expect(latency!.medians).to.deep.equal({ product: 3, plain: 6, floor: 2 });
      expect(latency!.ratios).to.deep.equal({ plain: 0.5, floor: 1.5 });
      expect(latency!.spread).to.deep.equal([3, 30]);
    });

    it('says of every target whether it was met', () => {
      const figures = new Figures();
      figures.add('CPU', 'ms', 'product', 3, { plain: 0.5, floor: 1.4, limit: 2.9 });
      figures.add('CPU', 'ms', 'plain', 6);
      figures.add('CPU', 'ms', 'floor', 2);
      const list = figures.list();
      expect(list[0]!.targets.map(({ isMet }) => isMet)).to.deep.equal([true, false, false]);
      expect(textTable(list)).to.contain('≤ 0.5 × plain: met, ≤ 1.4 × floor: MISSED, ≤ 2.9: MISSED');
    });

    it('calls a ratio far off when it is more than twice its target in every round', () => {
      const figures = new Figures();
      for (const [steady, noisy] of [
        [4.1, 9],
        [5, 4],
      ] as const) {
        figures.add('steady', 'ms', 'product', steady, { floor: 2, limit: 1 });
        figures.add('steady', 'ms', 'floor', 1);
        figures.add('noisy', 'ms', 'product', noisy, { floor: 2 });
        figures.add('noisy', 'ms', 'floor', 1);
      }
      expect(farOff(figures.list())).to.deep.equal(['steady (÷ floor)']);
    });

    it('leaves out what this machine cannot measure', () => {
      const figures = new Figures();
      figures.add('CPU', 'ms', 'product', undefined, { plain: 0.5 });
      expect(figures.list()).to.be.empty;
    });

    it('lets each variant be the first in its turn', () => {
      expect([0, 1, 2, 3].map((round) => turn(round)[0])).to.deep.equal([...VARIANTS, VARIANTS[0]]);
      expect(turn(1)).to.have.members([...VARIANTS]);
    });
  });

  describe('asked for a chart', () => {
    it('draws each variant relative to plain', () => {
      const figures = new Figures();
      for (const [variant, ms] of [
        ['product', 1],
        ['plain', 4],
        ['floor', 0.4],
      ] as const) {
        figures.add('B /call-echo, 32 connections: CPU per call', 'ms', variant, ms);
      }
      const machine = { cpus: 2, model: '', memoryGiB: 4, platform: 'linux x64', node: 'v26' };
      const svg = chart({ date: '2026-01-02', machine, figures: figures.list(), notMeasured: [] });
      for (const text of ['CPU of B per call', '>0.25<', '>1.00<', '>0.10<', '2026-01-02', '2 CPUs']) {
        expect(svg).to.contain(text);
      }
      expect(svg).not.to.match(/NaN|undefined/);
    });
  });

  describe('putting load on a server', () => {
    let server: HttpServer | undefined;

    afterEach(() => {
      server?.closeAllConnections();
      server?.close();
    });

    async function listen(listener: RequestListener) {
      server = createServer(listener).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    }

    it('counts a stall, open-loop, in every call that was due during it', async () => {
      let stallEnds: number | undefined;
      const url = await listen((_, res) => {
        stallEnds ??= performance.now() + 700;
        setTimeout(() => res.end(), Math.max(1, stallEnds - performance.now()));
      });
      const { calls, p50, worst } = await openLoop(url, 100, 1);
      expect(calls).to.equal(100);
      expect(p50).to.be.above(100);
      expect(worst).to.be.above(600);
    });

    it('keeps as many calls in flight, closed-loop, as there are connections', async () => {
      let inFlight = 0;
      let most = 0;
      const url = await listen((_, res) => {
        most = Math.max(most, ++inFlight);
        setTimeout(() => res.end(() => inFlight--), 50);
      });
      const { perSecond, p50 } = await closedLoop(url, 10, 1);
      expect(most).to.equal(10);
      expect(perSecond).to.be.below(210);
      expect(p50).to.be.above(48);
    });

    it('gives up on an answer other than the one that it measures', async () => {
      const url = await listen((_, res) => res.writeHead(503).end());
      for (const load of [openLoop(url, 10, 0.1), closedLoop(url, 1, 0.1)]) {
        const { message } = await load.then(
          () => new Error('none'),
          (error: Error) => error,
        );
        expect(message).to.match(/answered 503, not 200, to \d+ calls\.$/);
      }
    });
  });

  for (const variant of VARIANTS) {
    describe(`measuring ${variant}`, () => {
      let a: Server | undefined;
      let b: Server | undefined;

      before(async () => {
        a = await startServer('a', variant);
        b = await startServer('b', variant, { SERVICE_A_URL: a.url });
      });

      after(async () => {
        await Promise.all([a?.end(), b?.end()]);
      });

      const headers = { 'x-request-id': 'measured' };

      it('measures an echo through B, with its request id', async () => {
        const answer = await get(`${b!.url}/call-echo?msg=%26%C3%A9`, headers);
        expect(answer.status).to.equal(200);
        expect(answer.headers['x-request-id']).to.equal('measured');
        expect(answer.json).to.deep.equal({ service_b: 'ok', service_a: { echo: '&é' } });
      });

      it('measures a deadline of one second while A hangs', async () => {
        a!.signal('SIGSTOP');
        const answer = await get(`${b!.url}/call-echo?msg=x`, headers);
        a!.signal('SIGCONT');
        expect(answer.json).to.include({ service_b: 'ok', service_a: 'unavailable' });
        expect(answer.status).to.equal(503);
        expect(answer.ms).to.be.within(990, 1900); // a second attempt would end after 2 s
      });

      it('measures a 503 at once while A is stopped', async () => {
        await a!.end();
        const answer = await get(`${b!.url}/call-echo?msg=x`, headers);
        expect(answer.status).to.equal(503);
        expect(answer.ms).to.be.below(900); // and not at the deadline
      });
    });
  }

  describe('in its short form', () => {
    it('finds every ratio within twice its target, and writes what it measured', async function () {
      this.timeout(300_000); // about half a minute on a quiet machine
      const folder = await mkdtemp(join(tmpdir(), 'bench-'));
      try {
        const [json, svg] = [join(folder, 'bench.json'), join(folder, 'bench.svg')];
        const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--quick', '--json', json, '--svg', svg]);
        const { figures }: Bench = JSON.parse(await readFile(json, 'utf8'));
        const p99 = figures.find(({ name }) => name === 'B /call-echo, 32 connections: p99')!;
        expect(p99.targets).to.have.length(1);
        expect(stdout).to.contain(p99.name);
        expect(await readFile(svg, 'utf8')).to.contain('<svg');
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });
});
