import { Unusable } from '../stack/command.ts';

/** There is nothing to grade, and the reason lies in the pair: until that changes, it is the same again. */
export class Ungradable extends Unusable {}
