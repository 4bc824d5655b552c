/** What a log line tells about a request, in whatever format it does: logfmt, JSON, plain text. */

const NUMBER = String.raw`\d+(?:\.\d+)?`;
const UNIT = '(?:ns|us|µs|μs|ms|s|secs?|seconds?|millis\\w*|micros\\w*)';
const LATENCY = new RegExp(
  [
    String.raw`(?<![\w.:])${NUMBER}(?:e-\d+)?\s?${UNIT}\b`, // 1.2ms, 0.003 s
    String.raw`(?:latency|duration|elapsed|took)\w*["']?[\s=:]\s*["']?[<~]?${NUMBER}`, // latency=3, took 3
    String.raw`(?:dur|rtt?|time_?taken|(?:response|request|process\w*)[_ ]?time|time_?m?s|\bms)\w*["']?\s*[=:]\s*["']?${NUMBER}`,
    String.raw`\btime["']?\s*[=:]\s*["']?\d{1,6}(?:\.\d+)?(?![\d:.T-])`, // and not a clock's
    String.raw`(?<=^|[\s,|])\d{1,5}\.\d+(?=$|[\s,|])`, // a fraction that stands by itself
  ].join('|'),
  'i',
);
const STATUS_WORD =
  /(?:status|outcome|result)\w*["']?\s*[=:]\s*["']?(?:ok|success|up|healthy|error|err|fail|unavail|down|degraded|timeout)/i;
/** The line that a server writes by itself, such as Werkzeug's: `"GET /health HTTP/1.1" 200 -`. */
const SERVERS_OWN = /"[A-Z]+ \S+ HTTP\/\d(?:\.\d)?" \d{3}/;
const FAILURE =
  /error|fail|unavailab|unreach|refus|tim(?:e|ed)[\s_-]?out|deadline|abort|exception|traceback|warn|critical|fatal|could ?n.t|can ?not|can't|unable|\bdown\b|not (?:available|respond|reach)/i;

/** Whether `line` is about a request for `path`, such as `/call-echo`; or names it in a field, such as `endpoint=call_echo`. */
export function namesEndpoint(line: string, path: string): boolean {
  const name = path.slice(1).replace('-', '[-_]');
  return new RegExp(String.raw`(?:/|\b(?:endpoint|path|route|url|uri|handler)\W{1,5})${name}(?![\w-])`, 'i').test(line);
}

export const namesStatusCode = (line: string, status: number) =>
  // What is a latency is no status, even of the same number.
  new RegExp(String.raw`(?<!\d|[.]|\d[:/-])${status}(?!\d|[.:/-]\d|\s?(?:ns|us|µs|μs|ms|s)\b)`).test(
    line.replace(new RegExp(LATENCY, 'gi'), ''),
  );

/** A status as HTTP's number or, as the lab's own starter code has it, as a word in a field of that name. */
export const namesStatus = (line: string, status: number) => namesStatusCode(line, status) || STATUS_WORD.test(line);

export const namesLatency = (line: string) => LATENCY.test(line);

/** By a field for it, by a name such as `service-a`, or by a word that the other service's lines do not have. */
export function namesService(line: string, linesOfOther: string[]): boolean {
  if (/\b(?:service|svc|app|component|logger)(?:[_-]?name)?["']?\s*[=:]\s*["']?[\w-]/i.test(line)) return true;
  if (/\bservice[-_ ]?[ab]\b/i.test(line)) return true;
  const foreign = new Set(linesOfOther.flatMap(words));
  return linesOfOther.length > 0 && words(line).some((word) => !foreign.has(word));
}

const words = (line: string) => (line.match(/[\w-]+/g) ?? []).filter((word) => /^[A-Za-z_-]+$/.test(word));

/** Whether `line` is only what the HTTP server itself writes about every request, not what the service does. */
export const isServersOwn = (line: string) => SERVERS_OWN.test(line) && !namesLatency(line.replace(SERVERS_OWN, ''));

/** Whether `line` tells of something that went wrong. */
export const tellsOfFailure = (line: string) =>
  !isServersOwn(line) && (FAILURE.test(line) || namesStatusCode(line, 503));

/** Whether the lines give a timeout as the reason. */
export const blamesTimeout = (lines: string[]) =>
  lines.some((line) => /tim(?:e|ed|es|ing)[\s_-]?out|deadline|abort|took too long|ETIMEDOUT/i.test(line));

export const blamesRefusal = (lines: string[]) => lines.some((line) => /refused|ECONNREFUSED/i.test(line));

/** Whether the lines give as the reason that there was nobody to connect to. */
export const blamesConnection = (lines: string[]) =>
  lines.some((line) =>
    /refus|connect|unreach|resolv|resolution|lookup|dns|no such host|not known|ENOTFOUND|EAI_AGAIN|EHOST|ENETUNREACH|no route|network|\bdown\b|offline|unavailable/i.test(
      line,
    ),
  );
