import type { Stack } from '../stack/service.ts';
import type { Name } from '../experiment/history.ts';

/** How one service stands right now, as its engine or system sees it. */
export interface Sight {
  state: 'running' | 'paused' | 'stopped';
  /** A different text for each life of the process. */
  life: string;
  url: string;
  /** Without a network, while it runs or not. */
  isCutOff: boolean;
  /** What the fake in its place does: one of the behaviours, or empty for what each message says; undefined without a fake. */
  fake: string | undefined;
  /** Such as its exit code; often empty. */
  note: string;
}

/** What may be done to a pair beyond what every `Stack` can do; a different thing for containers and for processes. */
export interface Controls {
  stack: Stack;
  /** The pair, in a few words. */
  title: string;
  /** What cannot be done to it, in a sentence; often empty. */
  lacks: string;
  look(): Promise<Record<Name, Sight>>;
  /** Calls back with the time at which something changed, whoever changed it. Returns how to end that. */
  watch(onChange: (at: number) => void): () => void;
  /** Hands over each line that the service writes from now on, over all its lives. Returns how to end that. */
  follow(name: Name, onLine: (line: string) => void): () => void;
  /** What a fault runs at present, fit to be typed; undefined when it cannot be done here. */
  command(fault: string, behaviour: string): string | undefined;
  /** Does it. Resolves once its effect is there. */
  run(fault: string, behaviour: string): Promise<unknown>;
  /** Types commands, where this is the pair that the gallery is about. Resolves once they have ended. */
  type?(command: string): Promise<string>;
  /** The gallery's commands as they are typed here: with this pair's own names. */
  own?(commands: string): string;
  /** The other way round: a text in which this pair has its own names, as the gallery has it. */
  told?(text: string): string;
}

/** What a stand-in with these variables in its environment does, as a `Sight` says it. */
export const behaviourIn = (variables: string[]): string =>
  variables.find((each) => each.startsWith('BEHAVIOUR='))?.split('=')[1] ?? '';
