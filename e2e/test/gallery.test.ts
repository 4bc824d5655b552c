import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { acts, perform, type Performance } from '../src/gallery.ts';
import { galleryPage, galleryTable, replaceTable } from '../src/gallery-page.ts';
import { newReader, settled, type Reader } from '../src/reader.ts';
import { describeWithDocker } from './with-docker.ts';

const PAGE = fileURLToPath(new URL('../GALLERY.md', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));

describeWithDocker('The failure gallery', function () {
  this.timeout(120_000);
  const performances: Performance[] = [];
  let reader: Reader;
  let lifeOfB: string;

  before(async () => {
    reader = await newReader();
    await reader.run('docker compose up --build --detach --wait');
  });

  after(() => reader?.down());

  const addressOfA = () =>
    reader.run(
      "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two-services-service-a-1",
    );
  const livesOfB = () =>
    reader.run("docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.RestartCount}}' two-services-service-b-1");

  for (const act of acts) {
    describe(`when A is shown ${act.title.toLowerCase()}`, () => {
      let performance: Performance;
      let addressBefore: string;

      before(async () => {
        addressBefore = await addressOfA();
        lifeOfB = await livesOfB();
        performance = await perform(act, reader);
        performances.push(performance);
      });

      for (const [index, { what, reasons, atMostMs }] of act.calls.entries()) {
        const outcome = reasons.length > 0 ? `503 with ${reasons.join(' or ')}` : '200';
        it(`answers ${outcome} within ${atMostMs} ms when A ${what}, and logs it; its health stays quick`, () => {
          const { answer, line, healthMs } = performance.answers[index]!;
          expect(answer.ms).to.be.at.most(atMostMs);
          expect(healthMs).to.be.below(150);
          expect(line).to.include({ endpoint: '/call-echo', status: answer.status });
          if (reasons.length === 0) {
            expect(answer.status).to.equal(200);
          } else {
            expect(answer.status).to.equal(503);
            expect(answer.json.reason).to.be.oneOf(reasons);
            expect(line).to.include({ level: 'error', reason: answer.json.reason, error: answer.json.error });
          }
        });
      }

      if (act.meanwhile) {
        it(`gives no other reason meanwhile than ${act.meanwhile.join(' or ')}, and none later than the deadline`, () => {
          expect(act.meanwhile).to.include.members(performance.meanwhile.reasons);
          expect(performance.meanwhile.slowestMs).to.be.at.most(1100);
        });
      }

      it('serves again within a second of A', () => {
        expect(performance.behindAMs ?? performance.backMs).to.be.at.most(1000);
      });

      if (!act.breaks.some((command) => / service-b$/.test(command))) {
        it('takes neither a restart nor a word to B', async () => {
          expect(await livesOfB()).to.equal(lifeOfB);
        });
      }

      if (act.title === 'At another address') {
        it('finds A at an address that it did not have before', async () => {
          expect(await addressOfA()).to.not.equal(addressBefore);
        });
      }
    });
  }

  describe('once it was seen', () => {
    it('is what GALLERY.md and the README tell', () => {
      const page = galleryPage(acts, performances);
      const table = galleryTable(acts, performances);
      const readme = readFileSync(README, 'utf8');
      if (process.env.UPDATE_DOCS) {
        writeFileSync(PAGE, page);
        writeFileSync(README, replaceTable(readme, table));
      }
      expect(settled(readFileSync(PAGE, 'utf8'))).to.equal(settled(page));
      expect(settled(readFileSync(README, 'utf8'))).to.contain(settled(table));
    });
  });
});
