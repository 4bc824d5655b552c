/**
 * Judges log lines by cause and effect: the examiner has made calls slow or fail, and looks for what moved with it. No list of
 * words decides, so any format will do; names and units only break ties where the cause cannot be varied.
 */

/** B's endpoint: the calls that are made slow or fail. */
export const CALL_ECHO = '/call-echo';

/** One call of B that was made, and the lines that B wrote about it. */
export interface Logged {
  /** The message of the request, which the lines may contain. */
  msg?: string;
  status: number;
  /** How long it took, as seen from outside, and how much of that was caused on purpose. */
  ms: number;
  causedMs: number;
  lines: string[];
}

/** A number with its place: the text in front of it and its unit, which stay the same from line to line. */
interface Figure {
  before: string;
  unit: string;
  /** It is a fraction between blanks or commas. */
  isAlone: boolean;
  /** Its value in milliseconds; one value for each unit if the line names none. */
  ms: number[];
}

const UNITS: [RegExp, number][] = [
  [/^n(?:s|ano)/i, 1e-6],
  [/^(?:us|µs|μs|micro)/i, 1e-3],
  [/^(?:ms|msecs?|milli)/i, 1],
  [/^(?:s|secs?|seconds?)$/i, 1000],
];
const UNIT = String.raw`(?:ns|nanos\w*|us|µs|μs|micros\w*|ms|msecs?|millis\w*|s|secs?|seconds?)\b`;
const FIGURE = new RegExp(
  String.raw`(?<![\w.])(?:(?<h>\d+):(?<m>\d\d):(?<s>\d\d(?:\.\d+)?)|PT(?:(?<pm>\d+)M)?(?<ps>[\d.]+)S\b|(?<min>\d+)m(?<mins>\d+(?:\.\d+)?)s\b|(?<value>\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?:\s?(?<unit>${UNIT}))?(?![\d:]))`,
  'gi',
);
export const WITH_UNIT = new RegExp(String.raw`\d+(?:\.\d+)?\s?${UNIT}`, 'gi');
export const DATES =
  /\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[\dZ+:.,-]*|\[?\d{1,2}\/\w{3}\/\d{4}[ :]\d\d:\d\d:\d\d[^\]]*\]?|(?<!(?:elapsed|took|latency|duration|time)\W{1,3})\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b/gi;
const VARYING = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|\d+(?:[.,:]\d+)*/gi;
/** Ids, whose letters are no words. */
const HEX = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?<![\p{L}\d])(?=[a-f]*\d)[\da-f]{6,}(?![\p{L}\d])/giu;
/** Ids with letters in them. A number with an exponent has a point or a sign, and is none. */
const IDS =
  /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?<![\p{L}\d.])(?=[\da-f]*[a-f])(?=[a-f]*\d)[\da-f]{6,}(?![\p{L}\d]|[-+]\d)/giu;
const CONTEXT_CHARS = 24;
export const MAX_CHARS = 2000; // of a line
export const MAX_PLACES = 100; // in a line: a flood is no log of a request
const QUERY = /\?[^\s"',;|)\]}]*/g;
const DECIMAL_COMMA = /(?<=[\s=:])(\d+),(\d+)(?=\s|$|[a-zµμ])/gi;
/** A word, with what separates it from the value behind it. */
const KEY = /[\p{L}_][\p{L}\d_.-]*[^\p{L}\d]{0,6}$/u;
const NOISE_MS = 25; // the difference between what a service and its caller measure
const LEAST_SHARE = 0.5; // of the time that was caused: a service that waits for a processor reads its clock late

/** The first 2,000 characters of a line without the text that was sent. */
const without = (line: string, msg: string) => (msg ? line.replaceAll(msg, ' ') : line).slice(0, MAX_CHARS);

/** A line without what changes each time: its date, ids, queries, the text that was sent, and the number of its blanks. */
export const constant = (line: string, msg = '') =>
  without(line.replace(QUERY, '?'), msg)
    .replace(DATES, ' ')
    .replace(IDS, ' ')
    .replace(DECIMAL_COMMA, '$1.$2')
    .replace(/\s+/g, ' ');

/** The text before a value that stays the same: the word in front of it, or the last characters if there is no word. */
export function placeOf(line: string, index: number): string {
  const before = line
    .slice(Math.max(0, index - 4 * CONTEXT_CHARS), index)
    .replace(VARYING, '#')
    .replace(/\/[\w-]+/g, '/path')
    .slice(-CONTEXT_CHARS);
  return KEY.exec(before)?.[0] ?? before;
}

/** The numbers of a line, except those of its date, each with its place; 100 at most. */
function figuresIn(written: string, msg?: string): Figure[] {
  const line = constant(written, msg);
  const found = line.matchAll(FIGURE).take(MAX_PLACES);
  return [...found].map(({ 0: text, index, groups }) => {
    const { h, m, s, pm = 0, ps, min, mins, value, unit = '' } = groups!;
    const before = placeOf(line, index);
    const clock = s
      ? (Number(h) * 60 + Number(m)) * 60 + Number(s)
      : mins
        ? Number(min) * 60 + Number(mins)
        : undefined;
    const seconds = clock ?? (ps ? Number(pm) * 60 + Number(ps) : undefined);
    if (seconds !== undefined) return { before, unit: 's', isAlone: false, ms: [seconds * 1000] };
    const around = line.slice(Math.max(0, index - 1), index + text.length + 1);
    const isAlone = /^[\s,|]?\d+\.\d+[\s,|]?$/.test(around);
    const factors = UNITS.filter(([name]) => !unit || name.test(unit)).map(([, factor]) => factor);
    return { before, unit, isAlone, ms: factors.map((factor) => Number(value) * factor) };
  });
}

/**
 * Finds the places of the numbers that tell, in one unit, how long each of the calls took. At least two calls must have been
 * made slow by different times: a number that does not move along with these is not a latency.
 */
export function latencyPlaces(calls: Logged[]): string[] {
  const [slowest, ...others] = calls.toSorted((one, other) => other.causedMs - one.causedMs).map(placesOf);
  if (!slowest) return [];
  const fits = (ms: number, { causedMs, ms: mostMs }: Logged) =>
    ms >= causedMs * LEAST_SHARE && ms <= mostMs * 1.1 + NOISE_MS;
  /** Whether all numbers in a place fit: many of them would fit anything. */
  const tells = ({ call, places }: ReturnType<typeof placesOf>, { before, unit }: Figure, index: number) =>
    places.get(before)?.every((other) => {
      // Go's durations have another unit from line to line; where no line has a unit, it is the same in all.
      const told = unit && other.unit ? other.ms : unit === other.unit ? [other.ms[index]!] : [];
      return told.some((ms) => fits(ms, call));
    });
  const moving = [...slowest.places].filter(([, [figure]]) =>
    figure!.ms.some((_, index) => [slowest, ...others].every((call) => tells(call, figure!, index))),
  );
  return moving.map(([before]) => before);
}

/** The numbers in the lines about a call, by their places. For each place, the lines that name the endpoint come first. */
function placesOf(call: Logged) {
  const [own, others] = [true, false].map((isOwn) =>
    Map.groupBy(
      call.lines
        .filter((line) => namesEndpoint(line, CALL_ECHO) === isOwn)
        .flatMap((line) => figuresIn(line, call.msg)),
      ({ before }) => before,
    ),
  );
  return { call, places: new Map([...others!, ...own!]) };
}

/** The words of a line, without what varies from one request to the next: numbers, ids and the text that was sent. */
export function wordsIn(line: string, msg = ''): Set<string> {
  const told = without(line, msg)
    .replace(HEX, ' ')
    .replace(/\\[nrt]/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2');
  const words = told.toLowerCase().match(/[\p{L}][\p{L}\d]*/gu) ?? [];
  return new Set(words.filter((word) => !/\d.*\d/.test(word)));
}

export const union = <T>(sets: Set<T>[]) => sets.reduce((all, set) => all.union(set), new Set<T>());
export const inAll = <T>(sets: Set<T>[]) => sets.reduce((all, set) => all.intersection(set));
/** The small numbers in fields, such as a level's, except times and the status. */
function levelsIn(line: string, status: number): Set<string> {
  const fields = [...line.matchAll(/([a-z_]\w*)["']?\s?[=:]\s?["']?(\d{1,3})(?![\w.:-])/gi)];
  const others = fields.filter(([, name, value]) => Number(value) !== status && !NAME_OF_TIME.test(`${name}=`));
  return new Set(others.map(([, name, value]) => `${name}=${value}`));
}

const wordsOf = ({ lines, msg, status }: Logged) =>
  union(lines.flatMap((line) => [wordsIn(line, msg), levelsIn(line, status)]));

/** HTTP's names for its statuses tell no more than the number does. */
const OF_STATUS = wordsIn('ok service unavailable');

/** The words in the lines of each failed call, in small letters, that are in no line of a successful one. */
export function failureWords(failed: Logged[], successful: Logged[]): string[] {
  if (failed.length === 0) return [];
  const usual = union(successful.map(wordsOf));
  return [...inAll(failed.map((call) => wordsOf(call).difference(usual)))];
}

/** Whether the lines tell more than another status: a word that does not stand for a status, or another level. */
export function tellsFailure(failed: Logged[], successful: Logged[]): boolean {
  return failureWords(failed, successful).some((word) => !OF_STATUS.has(word));
}

const STATUS_IN_WORDS =
  /(?:status|outcome|result)\W{1,4}(?:ok|success|up|healthy|err|fail|unavail|down|degraded|timeout)/i;

/** Whether a line tells the status: HTTP's number, or a word in a field for it. */
export const tellsStatus = (line: string, status: number) =>
  tellsStatusCode(line, status) || STATUS_IN_WORDS.test(line);

const NO_STATUS = /\d[.:/-]$|(?:port|bytes|size|length|\bid|pid|msg|message)\W{1,4}$/i;

/** Whether a line tells the status by its number. A number with a unit, or in a field for something else, is no status. */
export function tellsStatusCode(line: string, status: number): boolean {
  const plain = line.replace(DATES, ' ').replace(WITH_UNIT, ' ');
  return [...plain.matchAll(new RegExp(String.raw`(?<!\d)${status}(?!\d|[.:/-]\d)`, 'g'))].some(({ index }) => {
    const before = plain.slice(Math.max(0, index - 40), index);
    return !NO_STATUS.test(before) && !NAME_OF_TIME.test(before);
  });
}

const NAME_OF_TIME =
  /(?:latency|duration|elapsed|took|time|dur|lat|rtt|\bt)(?:[_ ]?\(?(?:ms|us|ns|s|milli\w*|micro\w*|nano\w*|seconds?)\)?)?\W{1,4}$/i;
const MOMENT_MS = 1e9; // a number this large is a point in time, not a duration

/**
 * Whether a line tells the latency. `moving` are the places that move with it, if they are known for this kind of line: then
 * only a number there counts. Otherwise one with a unit, behind a name of time, or a fraction that stands alone counts, too.
 */
export function tellsLatency(line: string, moving: string[] | undefined, places: string[]): boolean {
  return figuresIn(line).some(({ before, unit, isAlone, ms }) => {
    if ((moving ?? places).includes(before)) return true;
    return !moving && Math.min(...ms) * 1e6 < MOMENT_MS && (unit !== '' || isAlone || NAME_OF_TIME.test(before));
  });
}

/** Whether a line names `path`, such as `/call-echo`, itself or in a field, such as `endpoint=call_echo`. */
export function namesEndpoint(line: string, path: string): boolean {
  const name = path.slice(1).replace('-', '[-_]');
  return new RegExp(String.raw`(?:/|\b(?:endpoint|path|route|url|uri|handler)\W{1,5})${name}(?![\w-])`, 'i').test(line);
}

const ID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?<=id\W{1,4})[\w-]{6,64}/gi;

/** Joins the lines that have the same id: a request and its answer may be logged separately. */
export function requestsIn(lines: string[]): string[] {
  const byId = Map.groupBy(lines, (line) => line.match(ID)?.[0] ?? line);
  return [...byId].flatMap(([id, own]) => (own.includes(id) ? own : [own.join(' ')]));
}

const MIN_PREFIX = 8;

/**
 * Separates two lines about `path` that a race has written into one: the text with which all lines begin is also in the
 * middle of it, and each part names the path.
 */
export function apart(lines: string[], path: string): string[] {
  const [first = '', ...others] = lines;
  let length = 0;
  while (length < first.length && others.every((line) => line[length] === first[length])) length++;
  if (length < MIN_PREFIX) return lines;
  const prefix = first.slice(0, length);
  return lines.flatMap((line) => {
    const parts = line
      .split(prefix)
      .slice(1)
      .map((rest) => prefix + rest);
    return parts.every((part) => namesEndpoint(part, path)) ? parts : [line];
  });
}

/** What stays the same in lines of one kind, without numbers and times. */
export const shape = (line: string) => line.replace(/[\da-f]*\d[\da-f]*/gi, '#');

/** Whether words give a failed connection or name lookup as the reason. */
export const blamesConnection = (words: string[]) =>
  words.some((word) => /refus|conn|reach|dns|resolv|lookup|host|reset|notfound|offline|down/.test(word));

/** Whether words give a timeout as the reason. */
export const blamesTimeout = (words: string[]) =>
  words.some((word) => /^(?:time|timed|timeout|deadline|abort|etimedout|(?:long|late|slow)$)/.test(word));
