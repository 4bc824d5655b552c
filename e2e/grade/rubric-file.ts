import { readFileSync } from 'node:fs';
import type { Check } from '../requirements/check.ts';
import { situations } from '../requirements/situations.ts';
import type { Weigh } from './judge.ts';
import { path } from '../pairs/options.ts';
import { Unusable } from '../stack/command.ts';

const CHECKS = situations.flatMap(({ checks }) => checks);
const MAX_POINTS = 1000;

/** The rubric as it is without a file, as a file to start from: a line for each check. */
export const presentRubric = () =>
  `{\n${CHECKS.map(({ name, points = 1 }) => `  ${JSON.stringify(name)}: { "points": ${points} }`).join(',\n')}\n}\n`;

/**
 * What an instructor's file makes of the checks, and its text. In it, a check's name has `false`, or an object with its
 * points, the name to be shown and, where the check is about them, the statuses with which B may say that A failed; a check
 * that it does not name stays as it is. Throws an `Unusable` for anything else.
 */
export function readRubric(file: string): Weigh {
  const refuse = (why: string): never => {
    throw new Unusable(`The rubric ${file} ${why}`);
  };
  let text = '';
  let rubric: unknown;
  try {
    text = readFileSync(path(file), 'utf8');
  } catch (error) {
    return refuse(`cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    rubric = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    return refuse(`is not JSON: ${(error as Error).message.replace(/\s+/g, ' ')}.`);
  }
  if (!isObject(rubric)) return refuse('must be a JSON object whose keys are names of checks; see --print-rubric.');

  const weighed = new Map<string, ReturnType<Weigh>>(CHECKS.map((check) => [check.name, check]));
  for (const [name, value] of Object.entries(rubric)) {
    const check = CHECKS.find((check) => check.name === name);
    if (!check)
      return refuse(`has ${JSON.stringify(name)}, and no check has this name; --print-rubric has all of them.`);
    weighed.set(name, value === false ? undefined : weighedBy(value, check, refuse));
  }
  const left = [...weighed.values()].flatMap((check) => check?.name ?? []);
  const twice = left.find((name, index) => left.indexOf(name) !== index);
  if (twice) refuse(`gives two checks the name ${JSON.stringify(twice)}.`);
  if (!CHECKS.some(({ name, section }) => section === 'lab' && weighed.get(name)))
    refuse("leaves out all of the lab's checks.");
  return ({ name }) => weighed.get(name);
}

function weighedBy(value: unknown, check: Check, refuse: (why: string) => never) {
  const at = `gives ${JSON.stringify(check.name)} ${JSON.stringify(value)}`;
  if (!isObject(value)) return refuse(`${at}; it must be false or an object such as {"points": 2, "name": "…"}.`);
  const keys = ['points', 'name', ...(check.statuses ? ['status'] : [])];
  const listed = new Intl.ListFormat('en').format(keys.map((key) => JSON.stringify(key)));
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown) return refuse(`${at}; the keys are ${listed}, and not ${JSON.stringify(unknown)}.`);
  const { points = check.points, name = check.name, status = check.statuses } = value;
  if (points !== undefined && !(typeof points === 'number' && points > 0 && points <= MAX_POINTS))
    return refuse(
      `${at}; its points must be a number above 0 and at most ${MAX_POINTS}, and false leaves a check out.`,
    );
  if (typeof name !== 'string' || !name.trim()) return refuse(`${at}; its name must be a text.`);
  const statuses: unknown[] = [status ?? []].flat();
  const isFailure = (each: unknown) => Number.isInteger(each) && Number(each) >= 500 && Number(each) <= 599;
  if (!statuses.every(isFailure) || (check.statuses && statuses.length === 0))
    return refuse(`${at}; its status must be one from 500 to 599, or a list of such.`);
  return {
    points: points as number | undefined,
    name: name.trim(),
    ...(check.statuses && { statuses: statuses as number[] }),
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
