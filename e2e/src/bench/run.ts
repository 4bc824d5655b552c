import { cpus, totalmem } from 'node:os';
import { dockerProblem } from '../containers.ts';
import { Figures, type Figure } from './figures.ts';
import {
  containers,
  memory,
  returnOfA,
  roundAtRate,
  roundOfCalls,
  roundOfHanging,
  roundOfRefusals,
  roundOfStarts,
  startWarm,
  type Progress,
} from './measures.ts';
import { startServer, VARIANTS } from './servers.ts';

export interface Report {
  date: string;
  machine: { cpus: number; model: string; memoryGiB: number; platform: string; node: string };
  figures: Figure[];
  /** What this machine could not measure, with the reason. */
  notMeasured: string[];
}

/** The whole bench: every figure, in about five minutes. */
export async function run(progress: Progress): Promise<Report> {
  const figures = new Figures();
  for (const [round, step] of rounds(3, progress)) await roundOfStarts(figures, round, step);

  const a = await startWarm('a', undefined, progress);
  const b = await startWarm('b', a.product.url, progress); // one A behind every B: only B differs
  for (const [round, step] of rounds(4, progress)) {
    await roundOfCalls(figures, 'b', b, round, [1, 32, 256], 2, step);
    await roundOfCalls(figures, 'a', a, round, [1, 32, 256], 1, step);
  }
  const rate = Math.round(figures.median('B /call-echo, 32 connections: calls per second', 'plain')! / 4);
  for (const [round, step] of rounds(4, progress)) {
    await roundAtRate(figures, 'b', b, round, rate, 2, step);
    await roundAtRate(figures, 'a', a, round, rate, 1, step);
  }
  await memory(figures, a.product.url, progress);

  a.product.signal('SIGSTOP');
  for (const [round, step] of rounds(2, progress)) await roundOfHanging(figures, b, round, [1, 32, 256, 2000], step);
  for (const variant of VARIANTS) await a[variant].end();
  for (const [round, step] of rounds(3, progress)) await roundOfRefusals(figures, b, round, 1.5, step);
  const { port } = new URL(a.product.url);
  for (const [round, step] of rounds(3, progress)) {
    await returnOfA(figures, b, round, () => startServer('a', 'product', { PORT: port }), step);
  }
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

/** The short form, half a minute long: what a call that succeeds costs at 32 connections. */
export async function runQuick(progress: Progress): Promise<Report> {
  const figures = new Figures();
  const a = await startWarm('a', undefined, progress);
  const b = await startWarm('b', a.product.url, progress);
  for (const [round, step] of rounds(3, progress)) {
    await roundOfCalls(figures, 'b', b, round, [32], 1.5, step);
    await roundOfCalls(figures, 'a', a, round, [32], 1, step);
  }
  for (const variant of VARIANTS) await Promise.all([a[variant].end(), b[variant].end()]);
  return report(figures, []);
}

function* rounds(count: number, progress: Progress): Generator<[round: number, progress: Progress]> {
  for (let round = 0; round < count; round++) {
    yield [round, (step) => progress(`round ${round + 1} of ${count}: ${step}`)];
  }
}

function report(figures: Figures, notMeasured: string[]): Report {
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
