/** The engine's own API, for what is asked often, or followed as it happens. */
import { PassThrough, addAbortSignal, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { getContainerRuntimeClient } from 'testcontainers';
import { lineReader } from '../output.ts';

const CHANGES = ['start', 'die', 'pause', 'unpause', 'destroy', 'connect', 'disconnect'];
const AGAIN_MS = 300;

export const engineApi = async () => (await getContainerRuntimeClient()).container.dockerode;

/**
 * Calls back with the time, in milliseconds since 1970, whenever any container starts, ends, freezes or is cut off from a
 * network, and the other way round. Returns a function that stops this.
 */
export function followChanges(onChange: (at: number) => void): () => void {
  const read = lineReader((line) => onChange(JSON.parse(line).timeNano / 1e6));
  return keepOpen(async () => {
    const stream = await (await engineApi()).getEvents({ filters: { type: ['container', 'network'], event: CHANGES } });
    return (stream as Readable).setEncoding('utf8').on('data', read);
  });
}

/**
 * Calls back with each line that a container writes from now on, in all its lives; `idOf` gives its id in each life. Returns a
 * function that stops this.
 */
export function followLog(idOf: () => string | Promise<string>, onLine: (line: string) => void): () => void {
  let last = new Date().toISOString();
  return keepOpen(async () => {
    const container = (await engineApi()).getContainer(await idOf());
    const { Config } = await container.inspect();
    const known = last; // only within one reading may a line be older than the one before: there are two outputs
    const lines = (output: Readable) =>
      output.setEncoding('utf8').on(
        'data',
        lineReader((line) => {
          const time = line.slice(0, line.indexOf(' '));
          if (time <= known) return;
          if (time > last) last = time;
          onLine(line.slice(time.length + 1));
        }),
      );
    const options = { follow: true, stdout: true, stderr: true, timestamps: true } as const;
    const since = Math.floor(Date.parse(last) / 1000);
    const stream = (await container.logs({ ...options, since })) as unknown as Readable;
    if (Config.Tty) return lines(stream);
    const [out, err] = [new PassThrough(), new PassThrough()];
    for (const output of [out, err]) lines(output);
    container.modem.demuxStream(stream, out, err);
    return stream;
  });
}

/** Keeps a stream open: it opens it again, after a pause, when it ends or fails. Returns a function that stops this. */
function keepOpen(open: () => Promise<Readable>): () => void {
  const over = new AbortController();
  const { signal } = over;
  async function run() {
    while (!signal.aborted) {
      // The engine or the container may not be there now, and be there in a moment.
      await open()
        .then((stream) => finished(addAbortSignal(signal, stream)))
        .catch(() => {});
      await sleep(AGAIN_MS, undefined, { ref: false });
    }
  }
  void run();
  return () => over.abort();
}
