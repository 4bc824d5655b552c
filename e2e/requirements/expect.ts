/** What several judges expect of an answer; each function throws a `Fault` when it is not met. */
import { Fault, tells, type Exchange, type Received } from './record.ts';

/** Expects that a request was answered with 200. */
export function expectOk({ sent, answer, received }: Exchange, when = '') {
  if (answer?.status !== 200) throw new Fault(`${sent}${when}`, received, '200');
}

/** Expects that a request was answered with 200 and a text. */
export function expectText({ sent, answer, received }: Exchange, text: string, when = '') {
  if (answer?.status === 200 && tells(answer, text)) return;
  throw new Fault(`${sent}${when}`, received, `200 and an answer that holds ${JSON.stringify(text)}`);
}

/**
 * Expects that B answered a call in time with one of the `statuses`. The advice depends on what it answered instead; with
 * `fix` given, that is the advice when B passed something on as success.
 */
export function expectFailure(exchange: Exchange, when: string, withinMs: number, statuses: number[], fix?: string) {
  const { sent, answer, received, isLate } = exchange;
  if (answer && statuses.includes(answer.status) && answer.ms <= withinMs) return;
  const isOnlyLate = isLate || (answer && [503, ...statuses].includes(answer.status));
  const advice = isOnlyLate ? fix : adviceOn(answer, fix);
  throw new Fault(`${sent}, ${when}`, received, `${statuses.join(' or ')} within ${withinMs / 1000} s`, advice);
}

function adviceOn(answer: Received | undefined, fix?: string): string {
  if (!answer || (answer.status === 500 && !/^\s*\{/.test(answer.body)))
    return 'A failure of the call to A is not caught, and ends the request or B itself: catch all of them, and answer 503.';
  if (answer.status >= 500)
    return `The lab asks for 503, whatever the failure of A: answer 503 instead of ${answer.status}.`;
  return fix ?? 'B answered without an answer of A: call A for each request, and answer 503 when the call fails.';
}
