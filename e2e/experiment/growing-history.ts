import type { Call } from './calls.ts';
import type { Command, Event, Name, StateEvent } from './history.ts';
import { LogLines } from './log-lines.ts';

const MAX_CHARS = 32 * 1024 * 1024; // the sum over all kept messages and answers
const MAX_OTHERS = 2000; // states, health answers or commands: the oldest are dropped first

/** A history that grows without end. It keeps about the last `mostCalls` calls, and about 16 MB of each log. */
export class GrowingHistory {
  readonly calls: Call[] = [];
  /** How many calls have ended, kept or not. */
  ended = 0;
  readonly states: StateEvent[] = [];
  readonly commands: Command[] = [];
  readonly logs: Record<Name, LogLines>;
  readonly #health: Event[] = [];
  readonly #mostCalls: number;
  #chars = 0;

  /** The ids of the requests begin with `prefix`. */
  constructor(prefix: string, mostCalls: number) {
    this.#mostCalls = mostCalls;
    this.logs = { a: new LogLines(prefix), b: new LogLines(prefix) };
  }

  /** Adds any event except a command: `begin` adds that when it starts. */
  add(event: Event) {
    if (event.event === 'call') this.#addCall(event);
    if (event.event === 'log') this.logs[event.service].add(event.line);
    if (event.event === 'state') push(this.states, event);
    if (event.event === 'health') push(this.#health, event);
  }

  begin(command: Command) {
    push(this.commands, command);
  }

  #addCall(call: Call) {
    this.calls.push(call);
    this.ended++;
    this.#chars += charsOf(call);
    if (this.calls.length <= this.#mostCalls * 1.1 && this.#chars <= MAX_CHARS) return;
    const dropped = this.calls.splice(0, Math.ceil(this.calls.length / 11));
    this.#chars -= dropped.reduce((sum, old) => sum + charsOf(old), 0);
  }

  /** The calls that ended after the first `ended` ones; every kept call if some of them are no longer kept. */
  since(ended: number): { calls: readonly Call[]; isAll: boolean } {
    const added = this.ended - ended;
    const isAll = !(ended > 0 && added >= 0 && added <= this.calls.length);
    return { calls: isAll ? this.calls : added > 0 ? this.calls.slice(-added) : [], isAll };
  }

  callOf(n: number): Call | undefined {
    return this.calls.findLast((call) => call.n === n);
  }

  /** All kept events, in the order of their times. */
  events(): Event[] {
    const commands = this.commands.flatMap(({ ms, ...command }): Event[] =>
      ms === undefined ? [] : [{ event: 'fault', ms, ...command }],
    );
    const calls = this.calls.map((call): Event => ({ event: 'call', ...call }));
    const lines = (['a', 'b'] as const).flatMap((service) =>
      this.logs[service].all().map(({ at, text }): Event => ({ event: 'log', at, service, line: text })),
    );
    return [...this.states, ...this.#health, ...commands, ...calls, ...lines].sort((one, other) => one.at - other.at);
  }
}

function push<T>(list: T[], item: T) {
  list.push(item);
  if (list.length > MAX_OTHERS) list.shift();
}

const charsOf = ({ msg, body = '', reason = '' }: Call) => msg.length + body.length + reason.length;
