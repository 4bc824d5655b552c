/** The blocks that are pasted for an act, and how to read what they print. */
import { commandsOf, type Event } from '../experiment/history.ts';
import { outcomeOf } from '../picture/outcomes.ts';
import type { Act, Expectation } from './act.ts';

export const anchorOf = ({ title }: Act) => title.toLowerCase().replaceAll(' ', '-');

/** The blocks of an act: they prepare it, break A and make the act's calls, then fix A and make one more call. */
export function scriptOf(act: Act) {
  const calls = act.calls.map((call, index) => {
    const breaks = [...(index === 0 ? act.breaks : []), ...(call.breaks ?? [])];
    return [...breaks, ...ask(call.msg, idOf(act, call))].join('\n');
  });
  return {
    prepares: act.prepares ? [act.prepares.join('\n')] : [],
    breaks: calls.length > 0 ? calls : [act.breaks.join('\n')],
    fixes: [[...act.fixes, ...ask('hello', `${anchorOf(act)}-fixed`)].join('\n')],
  };
}

/** The request's id; it has the number of the call if several calls send the same message. */
function idOf(act: Act, call: Expectation): string {
  const same = act.calls.filter(({ msg }) => msg === call.msg);
  const place = same.length > 1 ? `-${same.indexOf(call) + 1}` : '';
  return `${anchorOf(act)}-${call.msg}${place}`;
}

/** Makes one call on B and prints its line in B's log. */
function ask(msg: string, id: string) {
  return [
    `curl -s -w '\\n%{http_code} in %{time_total} s\\n' -H 'x-request-id: ${id}' "localhost:8081/call-echo?msg=${msg}"`,
    `docker compose logs --no-log-prefix service-b | grep '"${id}"'`,
  ];
}

/** Reads the answers to the act's calls and to the last call, after the fix: B's answer, how long it took, B's log line. */
export function answersOf(act: Act, history: Event[]) {
  const printed = commandsOf(history).slice(-act.calls.length - 1);
  const answers = printed.map(({ output }) => read(output!));
  const fixed = answers.pop()!;
  return { answers: act.calls.map((call, index) => ({ call, ...answers[index]! })), fixed };
}

/** Reads what `ask` printed, which may follow the output of other commands. Throws when it is something else. */
function read(printed: string) {
  const [, body, status, seconds, line] = /(.*)\n(\d+) in ([\d.]+) s\n(.*)$/.exec(printed) ?? [];
  if (!line) throw new Error(`The call and its log line are not what was printed: ${printed}`);
  const [answer, json] = [Number(status), JSON.parse(body!)];
  const outcome = outcomeOf({ status: answer, reason: json.reason });
  return { status: answer, outcome, json, ms: Number(seconds) * 1000, line: JSON.parse(line) as Record<string, any> };
}
