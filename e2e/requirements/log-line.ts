/** What a log line tells about a request, in whatever format: JSON, logfmt or plain text. */

/** What `key=value` or JSON says, by the last part of its key in snake case; `text` is the line without it. */
interface Parsed {
  fields: [key: string, value: string][];
  text: string;
}

const NUMBER = String.raw`\d+(?:\.\d+)?(?:e-?\d+)?`;
const UNIT = String.raw`(?:ns|nanos\w*|us|µs|μs|micros\w*|ms|msecs?|millis\w*|s|secs?|seconds?)`;
const UNIT_MS: [RegExp, number][] = [
  [/^n/i, 1e-6],
  [/^(?:u|µ|μ|micro)/i, 1e-3],
  [/^(?:ms|milli)/i, 1],
  [/^s/i, 1000],
];

const FIELD = new RegExp(
  String.raw`(?<![\w.@/?&-])["']?([A-Za-z_@][\w.@-]*)["']?` +
    String.raw`(?:\s?=\s?|(?<=["'])\s*:\s*|:\s+|(?<=service|endpoint|status|latency|duration|took):)` + // key= "key": key:␣
    String.raw`("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;|)\]}]+(?:\s${UNIT}\b(?!\s*[=:]))?)`,
  'gi',
);
const MESSAGE = /^(?:msg|message|text|log|event|m|original_message)$/;

function parse(line: string): Parsed {
  const json = parseJson(line.slice(Math.max(line.indexOf('{'), 0)));
  const fields: Parsed['fields'] = [];
  if (json) {
    const texts = [line.slice(0, line.indexOf('{'))];
    collect(json, '', fields, texts);
    const said = texts.map(parse);
    return {
      fields: [...fields, ...said.flatMap((text) => text.fields)],
      text: said.map(({ text }) => text).join(' '),
    };
  }
  const text = line.replace(FIELD, (whole, key: string, value: string, offset: number) => {
    // "https://…" is no field, nor is the name or the level that a line begins with, as in Flask's "INFO in app: ".
    const isTitle = () =>
      SERVICE_NAME.test(key) || (isFrame(line, offset) && !TITLED.some((known) => known.test(snake(key))));
    if (/^https?$/i.test(key) || (/^[\w.-]+: /.test(whole) && isTitle())) return whole;
    fields.push([snake(key), value.replace(/^(["'])(.*)\1$/, '$2')]);
    return ' ';
  });
  return { fields, text };
}

function parseJson(text: string): object | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Also of objects in objects; what a message says is text to be read as such. */
function collect(json: object, above: string, fields: Parsed['fields'], texts: string[]) {
  for (const [name, value] of Object.entries(json)) {
    const key = snake(name);
    if (typeof value === 'object' && value !== null) collect(value, key, fields, texts);
    else if (typeof value === 'string' && MESSAGE.test(key) && !/^err/.test(above)) texts.push(value);
    else fields.push([key, String(value)]);
  }
}

/** `http.statusCode`, `status-code` and `StatusCode` are all `status_code`. */
const snake = (key: string) =>
  key
    .slice(key.lastIndexOf('.') + 1)
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();

/** Whether `line` is about a request for `path`, such as `/call-echo`; or names it in a field, such as `endpoint=call_echo`. */
export function namesEndpoint(line: string, path: string): boolean {
  const name = path.slice(1).replace('-', '[-_]');
  return new RegExp(String.raw`(?:/|\b(?:endpoint|path|route|url|uri|handler)\W{1,5})${name}(?![\w-])`, 'i').test(line);
}

const LATENCY_KEY =
  /^(?:\w+_)?(?:latency|lat|duration|dur|elapsed|took|time_taken|(?:response|request|req|res|process|processing|exec|execution|handling|total|run)_time|rtt?|ms|millis|micros)(?:_\w+)?$/;
const NO_LATENCY_KEY = /start|stamp|timeout|limit|budget|(?:^|_)at$/;
const MEASURED = new RegExp(String.raw`(?<![\w.:/+-])(${NUMBER})\s?(${UNIT})\b(?!\s*[=:])`, 'gi');
const WRITTEN = new RegExp(String.raw`^[<~]?(${NUMBER})\s?(${UNIT})?$`, 'i');
const CLOCK = /^(\d{1,2}):([0-5]\d):([0-5]\d\.\d+)$/; // .NET's TimeSpan, Python's timedelta
const ISO = /^PT(?:(\d+)M)?(\d+(?:\.\d+)?)S$/; // Java's Duration
const GO = /^(?:(\d+)h)?(\d+)m(\d+(?:\.\d+)?)s$/;

/** Every latency that `line` can be read to tell, in milliseconds: four of them for a number without a unit. */
export function latencies(line: string): number[] {
  const { fields, text } = parse(line);
  return [
    ...fields.flatMap(([key, value]) => latenciesIn(key, value)),
    ...[...text.matchAll(MEASURED)].flatMap(([, number, unit]) => inMs(Number(number), unit)),
    // A fraction that stands by itself, or what "took" and the like stand before.
    ...[...text.matchAll(/(?<=^|[\s,|([])\d{1,5}\.\d+(?=$|[\s,|)\]])/g)].flatMap(([number]) => inMs(Number(number))),
    ...[...text.matchAll(/\b(?:took|latency|duration|elapsed)\s(\d\S*)/gi)].flatMap(([, value]) => measured(value!)),
  ];
}

function latenciesIn(key: string, value: string): number[] {
  if (LATENCY_KEY.test(key) && !NO_LATENCY_KEY.test(key)) {
    return measured(value, /(?:^|_)(ns|us|ms|s|nanos\w*|micros\w*|millis\w*|secs?|seconds?)$/.exec(key)?.[1]);
  }
  // `time` and `t` are a clock's, unless they are too small for that.
  if (/^t(?:ime)?$/.test(key) && /^\d{1,6}(?:\.\d+)?\s?(?:ns|us|µs|μs|ms|s)?$/i.test(value)) return measured(value);
  return [];
}

function measured(value: string, unitOfKey?: string): number[] {
  const plain = WRITTEN.exec(value);
  if (plain) return inMs(Number(plain[1]), plain[2] ?? unitOfKey);
  const [, hours = 0, minutes = 0, seconds] = CLOCK.exec(value) ?? GO.exec(value) ?? [];
  if (seconds) return [((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000];
  const iso = ISO.exec(value);
  return iso ? [(Number(iso[1] ?? 0) * 60 + Number(iso[2])) * 1000] : [];
}

const inMs = (number: number, unit?: string) =>
  UNIT_MS.filter(([name]) => !unit || name.test(unit)).map(([, factor]) => number * factor);

export const namesLatency = (line: string) => latencies(line).length > 0;

const STATUS_KEY = /^(?:\w+_)?(?:status|code|sc|http|response|result|returned)(?:_\w+)?$/;

/** A number with a unit, or in a field for something else, is no status, even the same number. */
export function namesStatusCode(line: string, status: number): boolean {
  const { fields, text } = parse(line);
  const code = new RegExp(String.raw`(?<![\d.:/=-]|\bport )${status}(?![\d]|[.:/-]\d|\.?\w*=)`);
  return (
    fields.some(([key, value]) => STATUS_KEY.test(key) && new RegExp(String.raw`^${status}\b`).test(value)) ||
    code.test(text.replace(MEASURED, ' '))
  );
}

/** A status as HTTP's number or, as the lab's own starter code has it, as a word in a field of that name. */
export const namesStatus = (line: string, status: number) =>
  namesStatusCode(line, status) ||
  parse(line).fields.some(
    ([key, value]) =>
      /^(?:\w+_)?(?:status|outcome|result)$/.test(key) &&
      /^(?:ok|success|up|healthy|error|err|fail|unavail|down|degraded|timeout)/i.test(value),
  );

const SERVICE_KEY = /^(?:service|svc|app|application|component)(?:_?name)?$/;
const SERVICE_NAME = /^(?:service|svc|app)[-_]?[ab]$/i;
const NAME_KEY = /^(?:name|logger|logger_name|category|source|module|tag|program|source_context)$/;
const LEVEL = /\b(?:trace|trce|debug|dbug|info|notice|warn(?:ing)?|error|fail|crit(?:ical)?|fatal)\b/gi;
const TIME = /\[?\d{1,4}[-/]\w{2,3}[-/]\d{1,4}[T :]?(?:\d\d:\d\d(?::\d\d)?\S*)?\]?|\b\d\d:\d\d:\d\d\S*/g;
const MAX_FRAME_CHARS = 200; // a program may write lines that take long to look through
const TITLED = [STATUS_KEY, LATENCY_KEY, /^(?:service|svc)$/];
const NO_NAME = /^(?:get|post|put|head|delete|http|https|request|handled|root|main|__main__|echo|call|health)$/i;

/**
 * Whether `line`, of the service that plays `role`, names it: in a field, as `service-a` or `[A]`, or by a word in front or
 * in brackets that all of its own lines have and none of the other's. A name that the other one has too is not its own.
 */
export function namesService(line: string, role: 'a' | 'b', own: string[], others: string[]): boolean {
  const other = role === 'a' ? 'b' : 'a';
  const isOthers = (value: string) =>
    new RegExp(String.raw`^(?:\W*(?:service|svc|app)[-_ ]?)?${other}$`, 'i').test(value);
  for (const key of [SERVICE_KEY, NAME_KEY]) {
    const namesIn = (of: string) => parse(of).fields.flatMap(([name, value]) => (key.test(name) ? [value] : []));
    const taken = new Set(others.flatMap(namesIn));
    const names = namesIn(line).filter((name) => /[a-z]/i.test(name));
    if (names.some((name) => !isOthers(name) && !taken.has(name))) return true;
    if (key === SERVICE_KEY && names.length > 0) return false;
  }
  const { text } = parse(line);
  if (new RegExp(String.raw`(?:service|svc|app)[-_ ]?${role}(?![a-z\d])|[[(]${role}[\])]`, 'i').test(text)) return true;
  // The letter in front, unless it is the article: "A request for …".
  const isInFront = (of: string) => new RegExp(String.raw`^\W*${role}\b`, 'i').test(withoutFrame(parse(of).text));
  if (isInFront(line) && !others.some(isInFront)) return true;
  const foreign = new Set(others.flatMap(titles));
  return titles(line).some(
    (title) => others.length > 0 && !foreign.has(title) && own.every((each) => titles(each).includes(title)),
  );
}

/** The beginning of a line, without the time, the level, and what stands in brackets. */
const withoutFrame = (text: string) =>
  text
    .slice(0, MAX_FRAME_CHARS)
    .replace(/\[[^[\]]*\]/g, ' ')
    .replace(TIME, ' ')
    .replace(LEVEL, ' ');

/** Whether nothing else stands in the first `end` characters, but for "in" or "service" in front of a name. */
const isFrame = (line: string, end: number) =>
  end < MAX_FRAME_CHARS && !/[a-z]/i.test(withoutFrame(line.slice(0, end)).replace(/\b(?:in|service|svc|app) $/i, ''));

/** The words in front of a line (behind the time and the level) or in brackets, where programs write their names. */
function titles(line: string): string[] {
  const text = parse(line).text.replace(TIME, ' ').replace(LEVEL, ' ');
  const inBrackets = [...text.matchAll(/\[([^\]]+)\]/g)].map(([, name]) => name!);
  const inFront = /^[\s\W\d]*([a-z][\w-]*)(?=\s|[:|])/i.exec(text)?.[1];
  return [...inBrackets, inFront ?? '']
    .map((name) => name.replace(/\d+/g, '#').trim().toLowerCase())
    .filter((name) => /[a-z]{2}/.test(name) && !NO_NAME.test(name));
}

/** The line that a server writes by itself, such as Werkzeug's: `"GET /health HTTP/1.1" 200 -`. */
const SERVERS_OWN = /"[A-Z]+ \S+ HTTP\/\d(?:\.\d)?" \d{3}/;

/** Whether `line` is only what the HTTP server itself writes about every request, not what the service does. */
export const isServersOwn = (line: string) => SERVERS_OWN.test(line) && !namesLatency(line.replace(SERVERS_OWN, ' '));

const FAILURE =
  /\w*(?:error|fail|unavailab|unreach|refus|tim(?:e|ed|es|ing)[\s_-]?out|deadline|abort|exception|traceback|warn|critical|fatal|panic|could ?n.t|can ?not|can't|unable|\bdown\b|not (?:available|respond|reach))\w*|\berr\b/gi;
const NOTHING = /^(?:|0|-|--|null|nil|none|undefined|false|no|<nil>|\[\]|\{\})$/i;

/** Whether `line` tells of something that went wrong, and more than that the status was another than in the lines of a success. */
export function tellsOfFailure(line: string, ofSuccess: string[]): boolean {
  if (isServersOwn(line)) return false;
  const usual = new Set(ofSuccess.flatMap(alarms));
  return alarms(line).some((alarm) => !usual.has(alarm));
}

function alarms(line: string): string[] {
  const { fields, text } = parse(line);
  const said = fields
    .filter(([, value]) => !NOTHING.test(value))
    .map(([key, value]) => (key === 'level' && Number(value) >= 40 ? 'error' : `${key} ${value}`)); // pino's numbers
  const words = [text, ...said].join(' ; ').replace(/\b503\W{0,3}service[ _]unavailable/gi, ' ');
  return (words.match(FAILURE) ?? []).map((word) => word.toLowerCase());
}

/** What stays the same in lines of one kind: numbers and times are left out. */
export const shape = (line: string) => line.replace(/[\da-f]*\d[\da-f]*/gi, '#');

/** Whether the lines give a timeout as the reason. */
export const blamesTimeout = (lines: string[]) =>
  lines.some((line) =>
    /tim(?:e|ed|es|ing)[\s_-]?out|deadline|abort|took too long|ETIMEDOUT/i.test(withoutNothing(line)),
  );

export const blamesRefusal = (lines: string[]) => lines.some((line) => /refused|ECONNREFUSED/i.test(line));

/** Whether the lines give as the reason that there was nobody to connect to. */
export const blamesConnection = (lines: string[]) =>
  lines.some((line) =>
    /refus|connect|unreach|resolv|resolution|lookup|dns|no such host|not known|ENOTFOUND|EAI_AGAIN|EHOST|ENETUNREACH|no route|network|\bdown\b|offline|unavailable/i.test(
      line,
    ),
  );

/** Without the fields that say that there was no such thing, such as `"aborted":false`; the rest stays together. */
const withoutNothing = (line: string) =>
  line.replace(FIELD, (whole, _key, value: string) =>
    NOTHING.test(value.replace(/^(["'])(.*)\1$/, '$2')) ? ' ' : whole,
  );
