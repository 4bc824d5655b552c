import { once } from 'node:events';
import { request, type Agent, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';

const MAX_BODY_BYTES = 1024 * 1024;

export interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  /** The status line and the headers as they came, a line each. */
  head: string;
  body: string;
  /** The body as JSON; undefined when it is not. */
  json: any;
  /** The time from sending the request to the last byte of the answer, in milliseconds. */
  ms: number;
}

/**
 * Sends one request, a GET unless `method` is given, on a connection of its own unless there is an agent. Rejects when no whole
 * answer comes within `timeoutMs`, when it is not HTTP, or when it is longer than 1 MiB.
 */
export async function get(
  url: string,
  headers: OutgoingHttpHeaders = {},
  { timeoutMs = 15_000, method = 'GET', agent }: { timeoutMs?: number; method?: string; agent?: Agent } = {},
): Promise<Answer> {
  const start = performance.now();
  const call = request(url, { method, headers, agent: agent ?? false, signal: AbortSignal.timeout(timeoutMs) }).end();
  const [response]: IncomingMessage[] = await once(call, 'response');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response!) {
    chunks.push(chunk);
    if ((size += chunk.length) > MAX_BODY_BYTES) throw new Error('The answer is longer than 1 MiB.');
  }
  const body = Buffer.concat(chunks).toString();
  const ms = performance.now() - start;
  const { statusCode, headers: received } = response!;
  return { status: statusCode!, headers: received, head: headOf(response!), body, json: parse(body), ms };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function headOf({ httpVersion, statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const fields = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? `${name}: ${rawHeaders[index + 1]}` : []));
  return [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, ...fields].join('\n');
}
