import { newReader, type Reader } from '../docs/reader.ts';
import { askB, callSteadily, type Call } from '../experiment/calls.ts';
import { callsOf, commandsOf, type Event } from '../experiment/history.ts';
import { run } from '../experiment/run.ts';
import { newProject } from '../stack/docker/containers.ts';
import { addressesOf, type Inspected } from '../stack/docker/engine.ts';
import { get, type Answer } from '../stack/http.ts';
import { until } from '../stack/until.ts';
import type { Act } from './act.ts';
import { scriptOf } from './script.ts';

/** The record of one act. */
export interface ActedOut {
  act: Act;
  /** The blocks that were pasted, and calls on B's `/health` from the first block that breaks A. */
  history: Event[];
  /** Calls on B while the breaking commands ran, if the act asks for them. */
  callsDuringBreak: Call[];
  /** Milliseconds from A's first 200 on its own port to B's first 200; undefined when A has no such port. */
  behindAMs: number | undefined;
  /** Whether A's address is another one after the act. */
  isAElsewhere: boolean;
  /** Whether B's process is the same one after the act. */
  isBTheSame: boolean;
}

/** Starts the pair and acts out the acts in their order, each from the state that the act before left. */
export async function* actOut(acts: Act[]): AsyncGenerator<ActedOut, undefined> {
  await using project = newProject();
  const reader = await newReader(project);
  await reader.paste('docker compose up --build --wait');
  for (const act of acts) yield await actOutOne(act, reader);
}

async function actOutOne(act: Act, reader: Reader): Promise<ActedOut> {
  const { prepares, breaks, fixes } = scriptOf(act);
  const paste = async (commands: string) => ({ output: await reader.paste(commands) });
  const prepared = await run(prepares, paste);
  const before = await identities(reader);

  let underCalls: Event[] = [];
  const pasteUnderCalls = async (commands: string) => {
    underCalls = await run([commands], paste, { perSecond: 50, ask: (id, msg) => askB(reader.urlB, id, msg) });
    return commandsOf(underCalls)[0];
  };
  const health = { perSecond: 10, ask: () => get(`${reader.urlB}/health`) };
  const broken = await run(breaks, act.reasonsDuringBreak ? pasteUnderCalls : paste, health);

  let behindAMs: number | undefined;
  const pasteAndTime = async (commands: string) => {
    const [effect, ms] = await Promise.all([paste(commands), act.hasNoPort ? undefined : timeBehindA(reader)]);
    behindAMs = ms;
    return effect;
  };
  const fixed = await run(fixes, pasteAndTime, health);
  const after = await identities(reader);
  return {
    act,
    history: [...prepared, ...broken, ...fixed],
    callsDuringBreak: callsOf(underCalls),
    behindAMs,
    isAElsewhere: before.addressOfA !== after.addressOfA,
    isBTheSame: before.lifeOfB === after.lifeOfB,
  };
}

/** Measures the milliseconds from A's first 200 on its own port to B's first 200. */
async function timeBehindA({ urlA, urlB }: Reader): Promise<number> {
  const start = await firstSuccess(() => get(`${urlA}/health`));
  return (await firstSuccess(() => get(`${urlB}/call-echo?msg=hello`))) - start;
}

/** Asks 50 times a second, and resolves to when the first 200 arrived. Rejects after 15 s without one. */
async function firstSuccess(call: () => Promise<Answer>): Promise<number> {
  using calls = callSteadily(50, call);
  return await until('a 200', () => calls.calls.some(({ status }) => status === 200) && performance.now());
}

async function identities(reader: Reader) {
  const printed = await reader.paste('docker inspect two-services-service-a-1 two-services-service-b-1');
  const [a, b] = JSON.parse(printed) as [Inspected, Inspected];
  return { addressOfA: addressesOf(a).join(), lifeOfB: `${b.Id} ${b.State.StartedAt} ${b.RestartCount}` };
}
