/**
 * Plays the tour on this repository's pair in containers and writes recorded.html, for `npm run docs`. With the
 * argument `page`, it puts the present page around the existing recording.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../experiment/history.ts';
import { docker } from '../stack/docker/engine.ts';
import { ROOT } from '../stack/paths.ts';
import { Acting } from './acting.ts';
import { recordedPage } from './build-page.ts';
import { choosePair } from './choose.ts';
import { Experiment } from './experiment.ts';
import type { CallView, Recording } from './protocol.ts';

const FILE = `${ROOT}e2e/live/recorded.html`;
const CALLS_PER_SECOND = 5;
const BEFORE_MS = 6000; // of calls before the first question
const BETWEEN_MS = 1500;

/** The recording that a page holds. */
export const recordingIn = (html: string): Recording =>
  JSON.parse(/<script id="recording" type="application\/json">([^]*?)<\/script>/.exec(html)![1]!);

async function record(): Promise<Recording> {
  const { controls } = await choosePair({});
  const { told } = controls;
  if (!told) {
    await controls.stack.down();
    throw new Error('The recorded page is made of a pair in containers; start Docker.');
  }
  const events: Event[] = [];
  const settings = { isOwn: true, deadlineMs: 1000, callsPerSecond: CALLS_PER_SECOND };
  const experiment = await Experiment.begin(controls, { ...settings, record: (event) => events.push(event) });
  try {
    const acting = new Acting(experiment);
    await acting.restore();
    await sleep(BEFORE_MS);
    const plays: Recording['plays'] = [];
    for (const [index, { act, what }] of acting.questions.entries()) {
      console.log(`  ${act}: A ${what}`);
      const from = Date.now();
      const { calls, delayMs } = await acting.play(index);
      await sleep(BETWEEN_MS);
      plays.push({ from, to: Date.now(), delayMs, calls: calls.map(({ n, ms, outcome }) => ({ n, ms, outcome })) });
    }
    const recording: Recording = {
      pair: `A recording of ${new Date().toISOString().slice(0, 10)}: this repository's pair in containers, on Docker Engine ${await docker(['version', '--format', '{{.Server.Version}}'])}. Nothing runs now.`,
      ...{ deadlineMs: settings.deadlineMs, ports: { a: '8080', b: '8081' } },
      events: events.filter((event): event is Recording['events'][number] => !['call', 'log'].includes(event.event)),
      calls: experiment.history.calls.map(({ n }): CallView => experiment.callView(n)!),
      ...{ acts: acting.acts, questions: acting.questions, plays },
    };
    return JSON.parse(told(JSON.stringify(recording)));
  } finally {
    experiment.end();
    await controls.stack.down();
  }
}

if (import.meta.main) {
  console.log('The recorded page');
  const recording = process.argv[2] === 'page' ? recordingIn(readFileSync(FILE, 'utf8')) : await record();
  writeFileSync(FILE, recordedPage(recording));
}
