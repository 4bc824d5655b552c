import { once } from 'node:events';
import { request, type OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
  /** The body as JSON; undefined when it is not. */
  json: any;
  /** From sending the request to the last byte of the answer, in milliseconds. */
  ms: number;
}

/** One GET on a connection of its own. Rejects when no answer comes: the service is not there, or hangs for 15 s. */
export async function get(url: string, headers: OutgoingHttpHeaders = {}): Promise<Answer> {
  const start = performance.now();
  const call = request(url, { headers, agent: false, signal: AbortSignal.timeout(15_000) }).end();
  const [response] = await once(call, 'response');
  const body = await text(response);
  const ms = performance.now() - start;
  return { status: response.statusCode, headers: response.headers, body, json: parse(body), ms };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
