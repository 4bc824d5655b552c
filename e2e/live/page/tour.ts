import { nameOf, OUTCOMES, OUTCOME_NAMES } from '../../picture/outcomes.ts';
import { WAITS, type Prediction, type View } from '../protocol.ts';
import { byId, element, post } from './dom.ts';

let shown = '';

/** Shows the tour where it stands; `follow` opens a call. */
export function showTour(view: View, follow: (n: number) => void) {
  const { tour } = view;
  const key = JSON.stringify([tour, view.isOwn]);
  if (key === shown) return;
  shown = key;
  byId('tour').dataset.at = String(tour.at);
  const place = byId('tour-body');
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(...parts(view, follow));
  if (hadFocus) place.querySelector<HTMLElement>('[data-first], input, button')?.focus();
}

function parts(view: View, follow: (n: number) => void): HTMLElement[] {
  const { at, acts, allActs, questions, isRunning, question, verdicts } = view.tour;
  if (at === -1) {
    const some = acts < allActs ? ` This pair can play ${acts} of the ${allActs} acts.` : '';
    const text = `What will B answer, and after how long? ${acts} acts, ${questions} questions, about ten minutes.${some}`;
    return [element('p', { class: 'soft' }, text), row(step('Start the tour', 'start', isRunning, true))];
  }
  const right = verdicts.filter(({ isRight }) => isRight).length;
  if (!question) {
    return [
      element('p', { tabindex: '-1', 'data-first': '' }, `The end: ${right} of ${questions} were right.`),
      row(step('Start again', 'start', isRunning, true), step('Leave the tour', 'leave', isRunning)),
    ];
  }
  const verdict = verdicts[at];
  const head = [
    element('p', { class: 'soft' }, `Question ${at + 1} of ${questions}. So far ${right} of ${verdicts.length} right.`),
    element('h3', { tabindex: '-1', 'data-first': '' }, `${question.act}: A ${question.what}.`),
  ];
  if (verdict) {
    const open = element('button', { type: 'button' }, 'Follow this call');
    open.addEventListener('click', () => follow(verdict.n!));
    const said = `You said ${nameOf(verdict.predicted.outcome)}, ${verdict.predicted.wait}.`;
    return [
      ...head,
      element(
        'p',
        { class: verdict.isRight ? 'right' : 'wrong', role: 'status' },
        `${verdict.isRight ? '✓ Right.' : '✗ Wrong.'} ${verdict.sentence} ${said}`,
      ),
      ...(verdict.why ? [element('p', {}, verdict.why)] : []),
      row(
        step('Next', 'next', isRunning, true),
        ...(verdict.n ? [open] : []),
        step('Leave the tour', 'leave', isRunning),
      ),
    ];
  }
  if (isRunning) return [...head, element('p', { role: 'status' }, 'Watch the chart: it is happening now…')];
  return [...head, ...commands(question.commands), form(view), row(step('Leave the tour', 'leave', isRunning))];
}

function commands(list: string[]): HTMLElement[] {
  if (list.length === 0) return [];
  return [element('pre', { tabindex: '0', class: 'commands' }, list.join('\n'))];
}

function form({ isOwn }: View): HTMLElement {
  const choices = OUTCOME_NAMES.filter((outcome) => {
    return isOwn
      ? !['503', 'other', 'none', 'overloaded'].includes(outcome)
      : ['200', '503', 'other', 'none'].includes(outcome);
  });
  const run = element('button', { type: 'submit', class: 'main' }, 'Run it');
  const made = element(
    'form',
    { class: 'prediction' },
    radios(
      'What will B answer?',
      'outcome',
      choices.map((name) => [name, OUTCOMES[name]!.meaning]),
    ),
    radios('After how long?', 'wait', Object.entries(WAITS)),
    run,
  );
  made.addEventListener('submit', (event) => {
    event.preventDefault();
    void post('/tour/run', Object.fromEntries(new FormData(made)) as unknown as Prediction);
  });
  return made;
}

function radios(question: string, name: string, choices: [value: string, label: string][]): HTMLElement {
  const labels = choices.map(([value, label]) => {
    return element('label', {}, element('input', { type: 'radio', name, value, required: '' }), label);
  });
  return element('fieldset', {}, element('legend', {}, question), ...labels);
}

function step(label: string, name: string, isOff: boolean, isMain = false): HTMLButtonElement {
  const button = element(
    'button',
    { type: 'button', ...(isMain && { class: 'main' }), 'aria-disabled': String(isOff) },
    label,
  );
  button.addEventListener('click', () => {
    if (button.getAttribute('aria-disabled') !== 'true') void post(`/tour/${name}`);
  });
  return button;
}

const row = (...buttons: HTMLElement[]) => element('div', { class: 'row' }, ...buttons);
