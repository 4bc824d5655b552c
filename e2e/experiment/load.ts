import { Agent, get } from 'node:http';
import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { callSteadily } from './calls.ts';

/** The latencies of a load, in milliseconds. */
export interface Latencies {
  calls: number;
  perSecond: number;
  p50: number;
  p99: number;
  p999: number;
  worst: number;
}

/** Keeps each of `connections` busy: each sends its next call when it has its answer. Rejects on any other status. */
export async function closedLoop(url: string, connections: number, seconds: number, status = 200): Promise<Latencies> {
  const tally = newTally(url, status);
  const options = { url, connections, duration: seconds, sampleInt: 100, timeout: 20 };
  const { errors } = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
    run.on('response', (_client, status, _bytes, ms) => tally.add(status, ms)); // autocannon's own are in whole ms
  });
  if (errors > 0) throw new Error(`${errors} calls of ${url} got no answer.`);
  return tally.latencies();
}

/** Makes `calls` calls over 32 connections, as fast as they are answered. */
export async function callMany(url: string, calls: number) {
  const { errors } = await autocannon({ url, connections: 32, amount: calls, timeout: 20 });
  if (errors > 0) throw new Error(`${errors} calls of ${url} got no answer.`);
}

/** Calls at a fixed rate, whether or not earlier calls have been answered. (autocannon would send a burst each second.) */
export async function openLoop(url: string, perSecond: number, seconds: number, status = 200): Promise<Latencies> {
  const tally = newTally(url, status);
  const agent = new Agent({ keepAlive: true });
  const calls = callSteadily(perSecond, () => ask(url, agent), Math.round(perSecond * seconds));
  for (const { status, ms } of await calls.done) tally.add(status ?? 0, ms);
  agent.destroy();
  return tally.latencies();
}

/** Makes one request over the agent's connections and drops the answer's body, which costs less than the server's work. */
function ask(url: string, agent: Agent) {
  return new Promise<{ status: number }>((resolve, reject) => {
    const call = get(url, { agent, timeout: 20_000 }, (response) => {
      response.resume().once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode! }));
    });
    call.once('error', reject).once('timeout', () => call.destroy());
  });
}

/** Collects latencies. One call in a hundred may have another status: on a busy machine a call can miss its deadline. */
function newTally(url: string, expected: number) {
  const start = performance.now();
  const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 }); // microseconds
  const others: number[] = [];
  return {
    add(status: number, ms: number) {
      if (status !== expected) others.push(status);
      latencies.record(Math.max(1, Math.round(ms * 1000)));
    },
    latencies(): Latencies {
      if (others.length > latencies.count / 100) {
        throw new Error(`${url} answered ${others[0] || 'nothing'}, not ${expected}, to ${others.length} calls.`);
      }
      const percentile = (percent: number) => latencies.percentile(percent) / 1000;
      return {
        calls: latencies.count,
        perSecond: (latencies.count * 1000) / (performance.now() - start),
        p50: percentile(50),
        p99: percentile(99),
        p999: percentile(99.9),
        worst: latencies.max / 1000,
      };
    },
  };
}
