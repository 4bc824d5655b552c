import { nameOf, OUTCOMES, OUTCOME_NAMES } from '../../picture/outcomes.ts';
import { WAITS, type Verdict, type View } from '../protocol.ts';
import { button, byId, element, tried } from './dom.ts';
import type { Source } from './source.ts';

let source: Source;
let follow: (n: number) => void;
let shown = '';

/** Connects the tour; `onFollow` shows a call. */
export function wireTour(from: Source, onFollow: (n: number) => void) {
  source = from;
  follow = onFollow;
}

/** Shows the present step of the tour. */
export function showTour(view: View) {
  const key = JSON.stringify([view.tour, view.isOwn]);
  if (key === shown) return;
  shown = key;
  document.body.dataset.tour = view.tour.at === -1 ? 'off' : 'on';
  const place = byId('tour-body');
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(...parts(view));
  if (!hadFocus) return;
  place.querySelector<HTMLElement>('[tabindex="-1"], button')?.focus({ preventScroll: true });
  document.querySelector('main')!.scrollIntoView(); // the states, the chart and the question are on one screen
}

const paragraph = (text: string, attributes = {}) => element('p', attributes, text);

function parts(view: View): HTMLElement[] {
  const { at, acts, allActs, questions, isRunning, question, verdicts } = view.tour;
  const step = (label: string, name: string, style = '') =>
    button(label, () => void tried(source.ask(`/tour/${name}`)), { class: style, 'aria-disabled': String(isRunning) });
  const leave = step('Leave the tour', 'leave');
  if (at === -1) {
    const some = acts < allActs ? ` This pair can play ${acts} of the ${allActs} acts.` : '';
    const text = `What will B answer, and after how long? ${acts} acts, ${questions} questions, about ten minutes.${some}`;
    return [paragraph(text, { class: 'soft' }), row(step('Start the tour', 'start', 'main'))];
  }
  const right = verdicts.filter(({ isRight }) => isRight).length;
  if (!question) {
    const end = `The end: ${right} of ${questions} were right.`;
    return [paragraph(end, { tabindex: '-1' }), row(step('Start again', 'start', 'main'), leave)];
  }
  const verdict = verdicts[at];
  const progress = `Question ${at + 1} of ${questions}. So far ${right} of ${verdicts.length} right.`;
  const head = [
    paragraph(progress, { class: 'soft' }),
    element('h3', { tabindex: '-1' }, `${question.act}: A ${question.what}.`),
  ];
  if (verdict) {
    const open = button('Follow this call', () => follow(verdict.n));
    return [...head, ...told(verdict), row(step('Next', 'next', 'main'), open, leave)];
  }
  const commands = question.commands.map((command) =>
    element('pre', { tabindex: '0', role: 'region', 'aria-label': 'The commands of this question' }, command),
  );
  if (isRunning) return [...head, ...commands, paragraph('Watch the chart: it is happening now…', { role: 'status' })];
  return [...head, ...commands, form(view, leave)];
}

function told({ isRight, sentence, predicted, why }: Verdict): HTMLElement[] {
  const said = `You said ${nameOf(predicted.outcome)}, ${predicted.wait}.`;
  const style = { class: isRight ? 'right' : 'wrong', role: 'status' };
  return [
    paragraph(`${isRight ? '✓ Right.' : '✗ Wrong.'} ${sentence} ${said}`, style),
    ...(why ? [paragraph(why)] : []),
  ];
}

/** Lists the outcomes to choose from: for this repository's B, each of its reasons. */
const CHOICES = { own: ['503', 'other', 'none', 'overloaded'], other: ['200', '503', 'other', 'none'] };

function form({ isOwn }: View, leave: HTMLElement): HTMLElement {
  const choices = OUTCOME_NAMES.filter((name) =>
    isOwn ? !CHOICES.own.includes(name) : CHOICES.other.includes(name),
  ).map((name) => [name, OUTCOMES[name]!.meaning] as [string, string]);
  const made = element(
    'form',
    { class: 'parts' },
    radios('What will B answer?', 'outcome', choices),
    radios('After how long?', 'wait', Object.entries(WAITS)),
    row(element('button', { type: 'submit', class: 'main' }, 'Run it'), leave),
  );
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    void tried(source.ask('/tour/run', Object.fromEntries(new FormData(made))));
  });
  return made;
}

function radios(question: string, name: string, choices: [value: string, label: string][]): HTMLElement {
  const labels = choices.map(([value, label]) => {
    return element('label', {}, element('input', { type: 'radio', name, value, required: '' }), ` ${label}`);
  });
  return element('fieldset', { class: name }, element('legend', {}, question), ...labels);
}

const row = (...buttons: HTMLElement[]) => element('div', { class: 'row' }, ...buttons);
