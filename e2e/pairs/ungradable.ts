import { Unusable } from '../stack/command.ts';

/** There is nothing to grade, and the reason lies in the pair: a second try gives the same until the pair changes. */
export class Ungradable extends Unusable {}
