import { randomBytes } from 'node:crypto';
import { get } from './http.ts';
import { until } from './until.ts';

/** One of the two services, wherever it runs. What starts or stops it resolves once that has happened. */
export interface Service {
  /** Where it is reached from here, such as `http://127.0.0.1:32768`; may change with each start. */
  url: string;
  /** The commands that a person would type to start it and to stop it. */
  readonly typed: { start: string; stop: string };
  /** The id of the running process, which leads its process group. */
  readonly pid?: number | undefined;
  /** Resolves once the service answers `/health`; rejects when it ends instead, or does not answer within 30 s. */
  start(): Promise<void>;
  /** Sends SIGTERM and, after 10 s, SIGKILL. Resolves to the exit code, which is 128 + n for signal n. */
  stop(): Promise<number>;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
  /** Freezes the process: connections to it are accepted and never answered. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Resolves to a position in its log: the present end. */
  mark(): Promise<string>;
  /**
   * Resolves to the lines that it has written to standard output and standard error in all its lives, or since a mark. Of a
   * process, it keeps the last 4 MiB and cuts lines after 16 KiB.
   */
  logs(since?: string): Promise<string[]>;
  /** Calls back with each line that it writes from now on, in all its lives. Returns a function that stops this. */
  follow(onLine: (line: string) => void): () => void;
  /** A different text for each life of the process. */
  life(): Promise<string>;
  /** What a process that it left behind did after the stop: `still answered` or `still ran`. */
  survivor?: string | undefined;
  /** Whether it runs in the same process as the other service. */
  partOf?: boolean;
}

/** Services A and B, which start together and fail separately. `await using` takes it down at the end of a block. */
export interface Stack extends AsyncDisposable {
  a: Service;
  b: Service;
  /**
   * Kills A and lets `stand-in.ts` answer at its address, until it is put back or replaced by another. It does what each
   * message says, or to each caller the same, if it is given a behaviour.
   */
  replaceA(behaviour?: string): Promise<StandIn>;
  /** Removes whatever the stack was made of, in whatever state it is. */
  down(): Promise<void>;
}

export interface StandIn {
  /** Where it is told from here what to do, and asked what it was asked. */
  url: string;
  /** How many addresses the name has by which B may know it. */
  addresses: number;
  /** Resolves once A answers again. */
  putBack(): Promise<void>;
}

/** What the stand-in wants to hear from those who tell it what to do: the services must not. */
export const CONTROL_KEY = randomBytes(12).toString('hex');

/** The stand-in that is told what to do at `control`, once it answers there. `end` ends it, before `a` is started again. */
export async function standInAt(control: string, addresses: number, end: () => Promise<unknown>, a: Service) {
  const url = `${control}/${CONTROL_KEY}`;
  await until('the stand-in for service A', () => get(`${url}/asked`).catch(() => undefined));
  const putBack = async () => {
    await end();
    await a.start();
  };
  return { url, addresses, putBack } satisfies StandIn;
}

/** The log lines that are JSON objects; what is not (a warning of the runtime's) is left out. */
export async function jsonLogs(service: Service): Promise<Record<string, any>[]> {
  const lines = await service.logs();
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}
