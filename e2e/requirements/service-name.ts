/** Judges whether log lines name their service: a name differs between A's lines and B's, and stays the same in each. */
import { constant, DATES, inAll, MAX_CHARS, MAX_PLACES, placeOf, union, WITH_UNIT, wordsIn } from './log-line.ts';

const LEVEL = /\b(?:trace|debug|info|notice|warn(?:ing)?|error|fail|crit(?:ical)?|fatal)\b/gi;
const MANY = 5;

/** What is in each of the sets, or in five of them: a server may write its own line beside the service's. */
function inMany<T>(sets: Set<T>[]): Set<T> {
  const counts = Map.groupBy(
    sets.flatMap((set) => [...set]),
    (one) => one,
  );
  return new Set([...counts].flatMap(([one, { length }]) => (length >= Math.min(sets.length, MANY) ? [one] : [])));
}

/** The words in the lines of one service about each request that are in no line of the other. */
export function ownWords(own: string[], others: string[]): string[] {
  const foreign = union(others.map((line) => wordsIn(line)));
  return [...inMany(own.map((line) => wordsIn(line))).difference(foreign)];
}

const SERVICE =
  /(?:service|svc|app|application|component|name|logger|module|source|category)\W{0,4}(?:service|svc|app)?\W?$/i;

/** The values of a line that may be names, by their places: words, and a number in a field for names. */
function valuesIn(line: string): Map<string, Set<string>> {
  const plain = constant(line.replace(/\/[\w-]+/g, ' '))
    .replace(WITH_UNIT, '#')
    .replace(LEVEL, ' ');
  const words = [...plain.matchAll(/[\p{L}\d]+(?:[-_.:@][\p{L}\d]+)*/gu).take(MAX_PLACES)];
  const named = words.map(({ 0: value, index }) => ({ place: placeOf(plain, index), value }));
  const names = named.filter(({ place, value }) => /\p{L}/u.test(value) || SERVICE.test(place));
  const byPlace = Map.groupBy(names, ({ place }) => place);
  return new Map([...byPlace].map(([place, all]) => [place, new Set(all.map(({ value }) => value))]));
}

const pairsIn = (line: string) =>
  new Set([...valuesIn(line)].flatMap(([place, values]) => [...values].map((value) => `${place}\0${value}`)));

/** The values that a service writes in one place for each path, and that the other never writes there: names. */
function namesIn(ofPaths: string[][], others: string[]): Set<string> {
  const logged = ofPaths.filter(({ length }) => length > 0);
  if (logged.length < 2) return new Set(); // what differs may be the path
  const own = inAll(logged.map((lines) => inMany(lines.map(pairsIn))));
  const foreign = others.map(valuesIn);
  return new Set(
    [...own].filter((pair) => {
      const [place, value] = pair.split('\0') as [string, string];
      return foreign.some((values) => values.has(place)) && !foreign.some((values) => values.get(place)?.has(value));
    }),
  );
}

/**
 * Returns whether a line names the service that wrote it. A name is a value that this service writes in one place for each
 * path, and that the other never writes there. Or it is a word that is in all of its lines and in none of the other's, and
 * that is the letter of the service, or stands where names stand: in front, in brackets, or in a field for names. `own` are
 * its lines about one path, `ofPaths` its lines about each.
 */
export function tellsService(role: 'a' | 'b', own: string[], others: string[], ofPaths: string[][] = [own]) {
  const names = namesIn(ofPaths, others);
  const ofOther = role === 'a' ? 'b' : 'a';
  const words = ownWords(own, others)
    .filter((word) => word !== ofOther)
    .map((word) => ({ isSure: word === role || /(?:^|service|svc|app)[ab]$/.test(word), where: wherever(word) }));
  return (line: string): boolean => {
    if (pairsIn(line).intersection(names).size > 0) return true;
    const plain = line
      .slice(0, MAX_CHARS)
      .replace(DATES, ' ')
      .replace(LEVEL, ' ')
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase();
    return words.some(({ isSure, where }) =>
      [...plain.matchAll(where)].some(({ index }) => isSure || isWhereNamesStand(plain, index)),
    );
  };
}

const wherever = (word: string) => new RegExp(String.raw`(?<![\p{L}\d])${word}(?![\p{L}\d])`, 'gu');

function isWhereNamesStand(line: string, index: number): boolean {
  const before = line.slice(0, index);
  const isInBrackets =
    /[[(]\s*[\w -]*$/.test(before.slice(-30)) && /^[\w -]*\s*[\])]/.test(line.slice(index, index + 40));
  return !/[\p{L}]/u.test(before) || isInBrackets || SERVICE.test(before.slice(-40));
}
