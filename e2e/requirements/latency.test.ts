import { expect } from 'chai';
import { latencyPlaces, type Logged } from './log-line.ts';

const TIMES = 500;
const SEED = 20261126;

/** Writes a latency of `ms` milliseconds. */
const FORMATS: Record<string, (ms: number) => string> = {
  'a field in ms': (ms) => `latency_ms=${ms.toFixed(2)}`,
  'whole milliseconds': (ms) => `took ${Math.round(ms)}ms`,
  seconds: (ms) => `${(ms / 1000).toFixed(4)}s`,
  microseconds: (ms) => `dur=${Math.round(ms * 1000)}us`,
  'nanoseconds by the name of the field': (ms) => `elapsed_ns=${Math.round(ms * 1e6)}`,
  "Go's durations": (ms) => (ms < 1000 ? `${ms.toFixed(6)}ms` : `${(ms / 1000).toFixed(9)}s`),
  "Go's durations with minutes": (ms) => `0m${(ms / 1000).toFixed(6)}s`,
  "Java's durations with minutes": (ms) => `PT0M${(ms / 1000).toFixed(6)}S`,
  "Python's timedelta": (ms) => `0:00:0${(ms / 1000).toFixed(6)}`,
  'scientific notation': (ms) => (ms / 1000).toExponential(3),
  'a column without a name': (ms) => `,${(ms / 1000).toFixed(6)},`,
  JSON: (ms) => JSON.stringify({ duration: ms }),
  prose: (ms) => `completed in ${(ms / 1000).toFixed(3)} seconds`,
};

/** The sequence of numbers from 0 to 1 that a seed gives (mulberry32). */
function randomBy(seed: number) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`A latency in ${TIMES} series of calls, two of them made slow (seed ${SEED})`, () => {
  const random = randomBy(SEED);
  const from = (least: number, most: number) => least + random() * (most - least);

  /** Four calls, whose lines have the time and an id beside what `write` makes of their time. */
  function calls(write: (ms: number) => string): Logged[] {
    return [0, 0, 100, 220].map((causedMs, index) => {
      const own = causedMs + from(2, 12);
      const time = new Date(1.79e12 + index * 1000 + from(0, 900)).toISOString();
      const id = Math.floor(from(2 ** 28, 2 ** 32)).toString(16);
      const line = `${time} INFO service=B endpoint=/call-echo status=200 ${write(own)} id=${id}`;
      return { msg: 'hello', status: 200, ms: own + from(0.3, 9), causedMs, lines: [line] };
    });
  }
  const foundIn = (write: (ms: number) => string) =>
    Array.from({ length: TIMES }, () => latencyPlaces(calls(write)).length).filter((places) => places === 1).length;

  for (const [format, write] of Object.entries(FORMATS))
    it(`is found each time as ${format}`, () => expect(foundIn(write)).to.equal(TIMES));

  it('is found each time when the service waits for a processor before it reads its clock', () => {
    expect(foundIn((ms) => FORMATS['a field in ms']!(ms - Math.min(ms / 2.2, 90)))).to.equal(TIMES);
  });

  const OTHERS: Record<string, () => string> = {
    'a constant': () => 'latency_ms=12.5',
    'a random number': () => `latency_ms=${from(1, 500).toFixed(1)}`,
    'a time stamp': () => `t=${Math.floor(1.79e12 + from(0, 1e6))}`,
    'a port': () => `127.0.0.1:${Math.floor(from(30_000, 60_000))}`,
    'a number of bytes': () => `bytes=${Math.floor(from(20, 40))}`,
    "Flask's own line": () => `127.0.0.1 - - [26/Nov/2026 10:00:01] "GET /call-echo?msg=x HTTP/1.1" 200 -`,
  };
  for (const [what, write] of Object.entries(OTHERS))
    it(`is not seen in ${what}, but by rare chance`, () => expect(foundIn(write)).to.be.at.most(1));
});
