import { setTimeout as sleep } from 'node:timers/promises';
import { drawOutage } from '../gallery/outage-chart.ts';
import type { OutageCall, Outage, Phase } from '../gallery/outage.ts';
import { outcomeOf } from '../picture/outcomes.ts';
import { get } from '../stack/http.ts';
import type { Stack } from '../stack/service.ts';

const CALLS_PER_SECOND = 10;
/** More calls are not made while so many wait: what answers them one by one would be busy with them for minutes. */
const MAX_WAITING = 16;
const PATIENCE_MS = 10_000;

/** How B answers while A runs, is stopped, started, paused and resumed, as an SVG picture. Takes some 12 s. */
export async function pictureOfOutage(stack: Stack): Promise<string> {
  return drawOutage(await measure(stack), CALLS_PER_SECOND);
}

async function measure({ a, b }: Stack): Promise<Outage> {
  const start = Date.now();
  const calls: Promise<OutageCall>[] = [];
  let waiting = 0;
  const timer = setInterval(() => {
    if (waiting >= MAX_WAITING) return;
    waiting++;
    calls.push(callB(b.url, start).finally(() => waiting--));
  }, 1000 / CALLS_PER_SECOND);
  const phases: Phase[] = [];
  const enter = (name: Phase['name']) => {
    const now = Date.now() - start;
    if (phases.length > 0) phases.at(-1)!.to = now;
    phases.push({ name, from: now, to: Infinity });
  };

  try {
    enter('A runs');
    await sleep(1500);
    enter('A stopped');
    await a.stop();
    await sleep(2500);
    enter('A starts');
    await a.start();
    enter('A runs');
    await sleep(1500);
    enter('A paused');
    await a.pause();
    await sleep(2500);
    await a.resume();
    enter('A runs');
    await sleep(1500);
  } finally {
    clearInterval(timer);
  }
  phases.at(-1)!.to = Date.now() - start;
  return { calls: await Promise.all(calls), phases };
}

async function callB(url: string, start: number): Promise<OutageCall> {
  const at = Date.now() - start;
  try {
    const { status, json, ms } = await get(`${url}/call-echo?msg=hello`, {}, { timeoutMs: PATIENCE_MS });
    return { at, ms, outcome: outcomeOf({ status, reason: json?.reason }) };
  } catch {
    return { at, ms: Date.now() - start - at, outcome: 'none' };
  }
}
