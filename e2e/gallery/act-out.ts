import { callSteadily, type Call } from '../experiment/calls.ts';
import { outcomeOf } from '../picture/outcomes.ts';
import { newProject } from '../stack/docker/containers.ts';
import { get, type Answer } from '../stack/http.ts';
import { until } from '../stack/until.ts';
import { newReader, type Reader } from '../docs/reader.ts';
import type { Act, Expectation } from './acts.ts';

/** An act as it went. */
export interface ActedOut {
  act: Act;
  /** What was pasted, block by block, and what each printed. */
  steps: { commands: string; output: string }[];
  /** For each call of the act: B's answer, how long it took, and B's log line. */
  answers: { call: Expectation; status: number; outcome: string; json: any; ms: number; line: Record<string, any> }[];
  /** Calls on B's `/health` from the first breaking command to the last one that fixes. */
  health: Call[];
  /** Calls on B while the breaking commands ran, if the act asks for them. */
  meanwhile: Call[];
  /** The status of the call right after the fixing commands. */
  fixedStatus: number;
  /** From A's first 200 on its own port to B's first one, in milliseconds; undefined when A has no such port. */
  behindAMs: number | undefined;
  /** Whether A's address is another one after the act. */
  isAElsewhere: boolean;
  /** Whether B's process is the same one after the act. */
  isBTheSame: boolean;
}

/** Starts the pair and acts out one after the other, each from the state that the one before left. */
export async function* actOut(acts: Act[]): AsyncGenerator<ActedOut, undefined> {
  await using project = newProject();
  const reader = await newReader(project);
  await reader.paste('docker compose up --build --wait');
  for (const act of acts) yield await actOutOne(act, reader);
}

async function actOutOne(act: Act, reader: Reader): Promise<ActedOut> {
  const steps: ActedOut['steps'] = [];
  const answers: ActedOut['answers'] = [];
  const paste = async (commands: string[]) => {
    const output = await reader.paste(commands.join('\n'));
    steps.push({ commands: commands.join('\n'), output });
    return output;
  };
  if (act.prepares) await paste(act.prepares);
  const before = await identities(reader);
  using healthCalls = callSteadily(10, () => get(`${reader.urlB}/health`));
  using calls = act.meanwhile && callSteadily(50, () => get(`${reader.urlB}/call-echo?msg=hello`));
  if (act.calls.length === 0) await paste(act.breaks);
  const meanwhile = (await calls?.stop()) ?? [];

  for (const [index, call] of act.calls.entries()) {
    const breaks = [...(index === 0 ? act.breaks : []), ...(call.breaks ?? [])];
    answers.push({ call, ...read(await paste([...breaks, ...ask(call.msg, idOf(act, call))])) });
  }

  const [fixed, behindAMs] = await Promise.all([
    paste([...act.fixes, ...ask('hello', `${anchorOf(act)}-fixed`)]),
    act.hasNoPort ? undefined : timeBehindA(reader),
  ]);
  const after = await identities(reader);
  return {
    act,
    steps,
    answers,
    health: await healthCalls.stop(),
    meanwhile,
    fixedStatus: read(fixed).status,
    behindAMs,
    isAElsewhere: before.addressOfA !== after.addressOfA,
    isBTheSame: before.lifeOfB === after.lifeOfB,
  };
}

/** The request's id; with the place of the call where several send the same. */
function idOf(act: Act, call: Expectation): string {
  const same = act.calls.filter(({ msg }) => msg === call.msg);
  const place = same.length > 1 ? `-${same.indexOf(call) + 1}` : '';
  return `${anchorOf(act)}-${call.msg}${place}`;
}

export const anchorOf = ({ title }: Act) => title.toLowerCase().replaceAll(' ', '-');

/** One call on B, and its line in B's log. */
function ask(msg: string, id: string) {
  return [
    `curl -s -w '\\n%{http_code} in %{time_total} s\\n' -H 'x-request-id: ${id}' 'localhost:8081/call-echo?msg=${msg}'`,
    `docker compose logs --no-log-prefix service-b | grep '"${id}"'`,
  ];
}

/** What `ask` printed, which may stand below what other commands printed. Throws when it is something else. */
function read(printed: string) {
  const [, body, status, seconds, line] = /(.*)\n(\d+) in ([\d.]+) s\n(.*)$/.exec(printed) ?? [];
  if (!line) throw new Error(`The call and its log line are not what was printed: ${printed}`);
  const [answer, json] = [Number(status), JSON.parse(body!)];
  const outcome = outcomeOf({ status: answer, reason: json.reason });
  return { status: answer, outcome, json, ms: Number(seconds) * 1000, line: JSON.parse(line) };
}

/** From A's first 200 on its own port to B's first one, in milliseconds. */
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
  const printed = await reader.paste(
    `docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' two-services-service-a-1
docker inspect --format '{{.Id}} {{.State.StartedAt}} {{.RestartCount}}' two-services-service-b-1`,
  );
  const [addressOfA, lifeOfB] = printed.split('\n');
  return { addressOfA, lifeOfB };
}
