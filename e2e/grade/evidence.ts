import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '../stack/service.ts';
import { quoted } from '../stack/shell.ts';

/** A command that was run, and what it wrote. */
export interface Typed {
  command: string;
  output: string;
  /** What the services wrote about it; found by the request's id, or else by when it was written. */
  logs?: { by: 'id' | 'time'; a: string[]; b: string[] };
}

/** The commands of one state of the world, in their order. */
export interface Stage {
  title: string;
  typed: Typed[];
}

const PATIENCE_MS = 35_000; // a name that no longer resolves can take a resolver 30 s
const RECOVERY_MS = 15_000;
const MAX_BYTES = 64 * 1024;

/**
 * Acts out the lab's success and its failure with curl, on a pair that is up. Rejects when A cannot be stopped or started.
 */
export async function gatherEvidence(stack: Stack): Promise<Stage[]> {
  const { a, b } = stack;
  const callB = () => logged(stack, () => curl(`${b.url}/call-echo?msg=hello`));
  await sleep(300); // lines about its start are no part of this
  const up = [
    await logged(stack, () => curl(`${a.url}/health`)),
    await logged(stack, () => curl(`${a.url}/echo?msg=hello`)),
    await logged(stack, () => curl(`${b.url}/health`)),
    await callB(),
  ];
  const { start, stop } = a.typed;
  const code = await a.stop();
  const end = { command: stop, output: `Service A ended with code ${code}.` };
  const stopped = [end, await callB(), await logged(stack, () => curl(`${b.url}/health`))];
  await a.start();
  const again = [{ command: start, output: 'Service A answers again.' }, await callB()];
  // B may need a moment; what it answered before is shown as well.
  const deadline = performance.now() + RECOVERY_MS;
  while (!isSuccess(again.at(-1)!) && performance.now() < deadline) {
    await sleep(1000);
    const last = await callB();
    if (again.length > 2) again.pop();
    again.push(last);
  }
  return [
    { title: 'With both services up', typed: up },
    { title: 'With A stopped', typed: stopped },
    { title: 'With A started again, and B as it was', typed: again },
  ];
}

const isSuccess = ({ output }: Typed) => /^HTTP\/\S+ 200\b/.test(output);

/** Runs exactly what `command` says; what it wrote, cut after 64 KiB, and curl's own message when it failed. */
async function curl(url: string): Promise<Typed> {
  // No settings of the person's own, and no proxy: the command alone decides.
  const env = { PATH: process.env.PATH, NO_PROXY: '*' };
  const options = { env, timeout: PATIENCE_MS, maxBuffer: MAX_BYTES, encoding: 'buffer' } as const;
  return new Promise((resolve) => {
    execFile('curl', ['--disable', '-i', url], options, (error, stdout, stderr) => {
      const said = stderr.toString().match(/^curl: \(.*/m)?.[0];
      const isCut = error?.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
      const end = isCut
        ? `(cut after ${MAX_BYTES / 1024} KiB)`
        : error?.killed
          ? `(ended after ${PATIENCE_MS / 1000} s)`
          : error && (said ?? error.message);
      const output = stdout.toString().replaceAll('\r\n', '\n').trimEnd();
      resolve({ command: `curl -i ${quoted(url)}`, output: [output, end].filter(Boolean).join('\n') });
    });
  });
}

/** Runs a command, with the lines that both services wrote meanwhile and up to a second later. */
async function logged({ a, b }: Stack, run: () => Promise<Typed>): Promise<Typed> {
  const before = [await a.mark(), await b.mark()] as const;
  const typed = await run();
  const end = performance.now() + 1000;
  let logs = { a: [] as string[], b: [] as string[] };
  do {
    await sleep(100);
    logs = { a: await a.logs(before[0]), b: await b.logs(before[1]) };
  } while (logs.a.length + logs.b.length === 0 && performance.now() < end);
  await sleep(100); // the other service's line may be on its way
  logs = { a: await a.logs(before[0]), b: await b.logs(before[1]) };

  const id = idIn(typed.output);
  const own = (lines: string[]) => lines.filter((line) => id && line.includes(id));
  const isFound = own(logs.a).length + own(logs.b).length > 0;
  return {
    ...typed,
    logs: isFound ? { by: 'id', a: own(logs.a), b: own(logs.b) } : { by: 'time', ...logs },
  };
}

/** The request's id, if the answer's headers have one. */
function idIn(output: string): string | undefined {
  const head = output.split('\n\n', 1)[0]!;
  return /^(?:x-)?(?:request|correlation|trace)-?id: *(\S{4,})/im.exec(head)?.[1];
}
