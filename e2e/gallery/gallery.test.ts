import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { slowest } from '../experiment/calls.ts';
import { callsOf } from '../experiment/history.ts';
import { nameOf } from '../picture/outcomes.ts';
import { normalized } from '../docs/page.ts';
import { ROOT } from '../stack/paths.ts';
import { describeWithDocker } from '../stack/docker/describe-with-docker.ts';
import { actOut, type ActedOut } from './act-out.ts';
import { acts } from './acts.ts';
import { galleryPage } from './page.ts';
import { answersOf } from './script.ts';

const DEADLINE_MS = 1000;

/** How long an answer took that waits for nothing: a busy machine delays it like any other. */
const delayMs = ({ history }: ActedOut) => slowest(callsOf(history));

describeWithDocker('The failure gallery', function () {
  this.timeout(120_000);
  const performances = actOut(acts);
  const actedOut: ActedOut[] = [];

  after(() => performances.return(undefined));

  for (const act of acts) {
    describe(`acting out "${act.title}"`, () => {
      let acted: ActedOut;

      before(async () => {
        const { value } = await performances.next();
        if (!value) throw new Error('The acts before this one did not all go to their end.');
        acted = value;
        actedOut.push(acted);
      });

      for (const [index, { what, outcomes, atMostMs }] of act.calls.entries()) {
        it(`answers ${outcomes.map(nameOf).join(' or ')} within ${atMostMs} ms when A ${what}, and logs it`, () => {
          const { status, outcome, json, ms, line } = answersOf(act, acted.history).answers[index]!;
          expect(outcome).to.be.oneOf(outcomes);
          expect(ms).to.be.below(atMostMs + delayMs(acted));
          expect(line).to.include({ level: status === 200 ? 'info' : 'error', endpoint: '/call-echo', status });
          if (status !== 200) expect(line).to.include({ reason: json.reason, error: json.error });
        });
      }

      if (act.reasonsDuringBreak) {
        it(`answers 200, or 503 with ${act.reasonsDuringBreak.join(' or ')}, by the deadline while A restarts`, () => {
          const failed = acted.callsDuringBreak.filter(({ status }) => status !== 200);
          expect(failed).to.not.be.empty;
          for (const { status, reason } of failed) {
            expect(status).to.equal(503);
            expect(reason).to.be.oneOf(act.reasonsDuringBreak!);
          }
          expect(slowest(acted.callsDuringBreak)).to.be.below(1.25 * DEADLINE_MS + delayMs(acted));
        });
      }

      it('answers /health all the while, without waiting for A', () => {
        const health = callsOf(acted.history);
        for (const { status } of health) expect(status).to.equal(200);
        const quick = health.filter(({ ms }) => ms < DEADLINE_MS / 2);
        expect(quick.length / health.length).to.be.above(0.5);
      });

      it('answers 200 right after A is fixed', () => {
        expect(answersOf(act, acted.history).fixed.status).to.equal(200);
        expect(acted.behindAMs ?? 0).to.be.below(1.5 * DEADLINE_MS + delayMs(acted)); // it promises 1.1 s
      });

      it('needs no restart of B', () => expect(acted.isBTheSame).to.equal(true));

      if (act.title === 'At another address') {
        it('finds A at an address that it did not have before', () => expect(acted.isAElsewhere).to.equal(true));
      }
    });
  }

  describe('acted out', () => {
    it('is what its page says', () => {
      const page = readFileSync(`${ROOT}e2e/gallery/README.md`, 'utf8');
      expect(normalized(galleryPage(actedOut))).to.equal(normalized(page));
    });
  });
});
