import { cpus, totalmem } from 'node:os';
import { dockerProblem } from '../stack/docker/engine.ts';
import { Figures, turn, type Figure } from './figures.ts';
import {
  containers,
  memory,
  returnOfA,
  callsAtConnections,
  callsAtRate,
  hangingCalls,
  refusedCalls,
  processStarts,
  startWarm,
  type Progress,
  type Round,
} from './measures.ts';
import { hangOn, startServer, VARIANTS } from './servers.ts';

export interface Bench {
  date: string;
  machine: { cpus: number; model: string; memoryGiB: number; platform: string; node: string };
  figures: Figure[];
  /** What this machine could not measure, with the reason. */
  notMeasured: string[];
}

/** The whole bench: every figure, in about five minutes. */
export async function run(progress: Progress): Promise<Bench> {
  const figures = new Figures();
  for (const round of rounds(3, figures, progress)) await processStarts(round);

  const a = await startWarm('a', undefined, 15_000, progress);
  const b = await startWarm('b', a.product.url, 15_000, progress); // one A behind every B: only B differs
  for (const round of rounds(4, figures, progress)) {
    await callsAtConnections(round, 'b', b, [1, 32, 256], 2);
    await callsAtConnections(round, 'a', a, [1, 32, 256], 1);
  }
  const rate = Math.round(figures.median('B /call-echo, 32 connections: calls per second', 'plain')! / 4);
  for (const round of rounds(4, figures, progress)) {
    await callsAtRate(round, 'b', b, rate, 2);
    await callsAtRate(round, 'a', a, rate, 1);
  }
  await memory(figures, a.product.url, progress);

  for (const variant of VARIANTS) await a[variant].end();
  const { port } = new URL(a.product.url);
  const hanging = await hangOn(Number(port));
  for (const round of rounds(2, figures, progress)) await hangingCalls(round, b, [1, 32, 256, 2000]);
  hanging.close();
  for (const round of rounds(3, figures, progress)) await refusedCalls(round, b, 1.5);
  const startA = () => startServer('a', 'product', { PORT: port });
  for (const round of rounds(3, figures, progress)) await returnOfA(round, b, startA);
  for (const variant of VARIANTS) await b[variant].end();

  const problem = dockerProblem();
  if (problem) return report(figures, [`Containers: no Docker Engine answers: ${problem}`]);
  try {
    await containers(figures, 3, progress);
  } catch (error) {
    return report(figures, [`Containers: ${(error as Error).message}`]); // what was measured until then is kept
  }
  return report(figures, []);
}

/** The short form, in about half a minute: what a call that succeeds costs at 32 connections. */
export async function runQuick(progress: Progress): Promise<Bench> {
  const figures = new Figures();
  const a = await startWarm('a', undefined, 5000, progress);
  const b = await startWarm('b', a.product.url, 5000, progress);
  for (const round of rounds(4, figures, progress)) {
    await callsAtConnections(round, 'b', b, [32], 0.9);
    await callsAtConnections(round, 'a', a, [32], 0.6);
  }
  for (const variant of VARIANTS) await Promise.all([a[variant].end(), b[variant].end()]);
  return report(figures, []);
}

function* rounds(count: number, figures: Figures, progress: Progress): Generator<Round> {
  for (let round = 0; round < count; round++) {
    const variants = turn(round);
    yield { figures, variants, progress: (step) => progress(`round ${round + 1} of ${count}: ${step}`) };
  }
}

function report(figures: Figures, notMeasured: string[]): Bench {
  if (process.platform !== 'linux') notMeasured.push(`CPU and memory: ${process.platform} has no /proc`);
  const [first] = cpus();
  const machine = {
    cpus: cpus().length,
    model: first?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
  return { date: new Date().toISOString().slice(0, 10), machine, figures: figures.list(), notMeasured };
}
