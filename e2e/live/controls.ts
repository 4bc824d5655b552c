import type { Stack } from '../stack/service.ts';
import type { Name } from '../experiment/history.ts';

/** The status of one service, as its engine or its system reports it. */
export interface Status {
  state: 'running' | 'paused' | 'stopped';
  /** A text that changes with each start of the process. */
  life: string;
  url: string;
  /** Whether it has no network, running or not. */
  isCutOff: boolean;
  /** The behaviour of the fake that replaces it; empty if each message says what to do, undefined if there is no fake. */
  fake: string | undefined;
  /** A remark, such as its exit code; often empty. */
  note: string;
}

/** Everything that the page does to a pair. It differs between containers and processes. */
export interface Controls {
  stack: Stack;
  /** The pair, in a few words. */
  title: string;
  /** A sentence that says what cannot be done to it; often empty. */
  lacks: string;
  poll(): Promise<Record<Name, Status>>;
  /** Calls back with the time of each change, no matter who made it. Returns a function that stops this. */
  watch(onChange: (at: number) => void): () => void;
  /** Calls back with each line that the service writes from now on, in all its lives. Returns a function that stops this. */
  follow(name: Name, onLine: (line: string) => void): () => void;
  /** The present command of a fault, ready to paste; undefined if the fault cannot be done here. */
  command(fault: string, behaviour: string): string | undefined;
  /** Causes the fault. Resolves when it has taken effect. */
  run(fault: string, behaviour: string): Promise<unknown>;
  /** Types commands, if this is the pair of the gallery. Resolves when they have ended. */
  type?(command: string): Promise<string>;
  /** Translates the gallery's commands to this pair's own names. */
  own?(commands: string): string;
  /** Translates a text with this pair's own names to the gallery's names. */
  told?(text: string): string;
}

/** Reads the behaviour of a stand-in from the variables of its environment. */
export const behaviourIn = (variables: string[]): string =>
  variables.find((each) => each.startsWith('BEHAVIOUR='))?.split('=')[1] ?? '';
