import { nameOf, OUTCOMES } from '../../picture/outcomes.ts';
import type { CallView } from '../protocol.ts';
import { choose } from './chart.ts';
import { lastCalls, type Call } from './dots.ts';
import { button, byId, clock, duration, element, markOf, tried } from './dom.ts';
import type { Source } from './source.ts';

const ROWS = 8;
const EVERY_MS = 1000;

let source: Source;

/** Shows a call: the request, the answer, what it means, and the log lines of both services. */
export async function followCall(n: number, hasFocus = true) {
  choose(n);
  const call = await tried(source.call(n));
  if (!call) return;
  byId('follow').hidden = false;
  show(call);
  if (hasFocus) byId('follow-title').focus({ preventScroll: true });
  byId('follow').scrollIntoView({ block: 'nearest' });
}

function show(call: CallView) {
  const meaning = OUTCOMES[call.outcome]!;
  byId('follow-body').replaceChildren(
    element('p', { class: 'result' }, markOf(call.outcome, meaning.path), `Call ${call.n}: ${meaning.meaning}`),
    element('p', { class: 'explanation' }, call.explanation),
    element('h3', {}, 'Request'),
    lines([call.command], call.id),
    element('h3', {}, 'Answer'),
    lines([call.answer, ...(call.body ? [call.body] : [])], call.id),
    element('h3', {}, "B's log"),
    ...log(call.logs.b, call.id),
    element('h3', {}, "A's log"),
    ...log(call.logs.a, call.id),
    button('Look at the logs again', () => void followCall(call.n), { class: 'live-only' }),
  );
}

function log(log: CallView['logs']['a'], id: string): HTMLElement[] {
  return [
    ...(log.remark ? [element('p', { class: 'soft' }, log.remark)] : []),
    ...(log.lines.length > 0 ? [lines(log.lines, id)] : []),
  ];
}

/** Shows lines with the request's id marked wherever it occurs. */
function lines(texts: string[], id: string): HTMLElement {
  const parts = texts.join('\n').split(id);
  const marked = parts.flatMap((part, index) => (index === 0 ? [part] : [element('mark', {}, id), part]));
  return element('pre', { tabindex: '0' }, ...marked);
}

/** Keeps the list of the last calls up to date, except while someone uses it. */
export function startCalls(from: Source) {
  source = from;
  const place = byId('last');
  const rows = byId('last-rows');
  let shown = '';
  setInterval(() => {
    if (place.contains(document.activeElement) || place.matches(':hover')) return;
    const calls = lastCalls(ROWS);
    const key = calls.map(({ n }) => n).join();
    if (key !== shown) rows.replaceChildren(...calls.map(row));
    shown = key;
  }, EVERY_MS);
}

function row({ n, at, ms, outcome }: Call): HTMLElement {
  return element(
    'tr',
    {},
    element(
      'td',
      {},
      button(`Call ${n}`, () => void followCall(n), { class: 'link' }),
    ),
    element('td', {}, clock(at)),
    element('td', {}, markOf(outcome, OUTCOMES[outcome]!.path), nameOf(outcome)),
    element('td', {}, duration(ms)),
  );
}
