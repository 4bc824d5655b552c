import type { Name } from '../../experiment/history.ts';
import type { ActionView, View } from '../protocol.ts';
import { byId, element, post, say } from './dom.ts';

const buttons = new Map<string, { button: HTMLButtonElement; command: HTMLElement }>();
/** Those that this page has just asked to start, until the server has answered: what it said before is not true any more. */
const starting = new Set<Name>();
let onView: (view: View) => void;
let last: View;
let select: HTMLSelectElement | undefined;

/** Shows the two services, what can be done to them, and what is being done. */
export function showSystem(view: View) {
  last = view;
  for (const name of ['a', 'b'] as const) showService(name, view);
  for (const action of view.actions) showAction(action, view);
  say(byId('lacks'), view.lacks);
  byId('lacks').hidden = !view.lacks;
  say(byId('busy'), view.busy ? `Running: ${view.busy}` : '');
  byId('resting').hidden = !view.isResting;
  for (const id of ['rate', 'rate-slider']) {
    const input = byId<HTMLInputElement>(id);
    if (document.activeElement !== input) input.value = String(view.callsPerSecond);
  }
}

function showService(name: Name, { services }: View) {
  const { note, port, health } = services[name];
  const state = starting.has(name) ? 'starting' : services[name].state;
  byId(`service-${name}`).dataset.state = state;
  say(byId(`state-${name}`), state);
  say(byId(`note-${name}`), note);
  say(byId(`port-${name}`), port);
  say(byId(`health-${name}`), health);
}

function showAction(action: ActionView, view: View) {
  const { id, label, target, command, isPossible } = action;
  let known = buttons.get(id);
  if (!known) {
    const text = element('code', { id: `${id}-command` });
    const button = element('button', { id, type: 'button', 'aria-describedby': `${id}-command` }, label);
    known = { button, command: text };
    buttons.set(id, known);
    button.addEventListener('click', () => {
      // It stays where the focus is while it cannot be used, so it is not `disabled` for good.
      if (button.getAttribute('aria-disabled') === 'true') return;
      void act(action);
    });
    const choosing = id === 'replace-a' ? [choice(view)] : [];
    byId(`actions-${target}`).append(element('div', { class: `action ${id}` }, ...choosing, button, text));
  }
  known.button.setAttribute('aria-disabled', String(!isPossible));
  const shown = id === 'replace-a' ? command.replace(/BEHAVIOUR=\w*/, `BEHAVIOUR=${select!.value}`) : command;
  say(known.command, shown);
}

async function act({ id, target, isStart }: ActionView) {
  if (isStart) {
    starting.add(target);
    byId(`service-${target}`).dataset.state = 'starting';
    say(byId(`state-${target}`), 'starting');
  }
  const view = await post(`/actions/${id}`, id === 'replace-a' ? { behaviour: select!.value } : {});
  starting.delete(target);
  onView(view ?? last);
}

function choice({ behaviours, behaviour }: View): HTMLElement {
  const options = Object.entries(behaviours).map(([name, what]) => element('option', { value: name }, what));
  select = element('select', { id: 'behaviour' }, ...options);
  select.value = behaviour;
  select.addEventListener('change', () => {
    const { command } = buttons.get('replace-a')!;
    say(command, command.textContent!.replace(/BEHAVIOUR=\w*/, `BEHAVIOUR=${select!.value}`));
  });
  return element('label', { for: 'behaviour' }, 'Replace A with a fake that', select);
}

/** Wires the controls: `show` gets what the server then says, and `opened` the number of a call that was sent. */
export function wireSystem(show: (view: View) => void, opened: (n: number) => void) {
  onView = show;
  const setRate = (input: HTMLInputElement) => {
    const callsPerSecond = Math.min(200, Math.max(1, Math.round(Number(input.value)) || 1));
    for (const id of ['rate', 'rate-slider']) byId<HTMLInputElement>(id).value = String(callsPerSecond);
    void post('/rate', { callsPerSecond });
  };
  for (const id of ['rate', 'rate-slider']) {
    byId(id).addEventListener('change', ({ target }) => setRate(target as HTMLInputElement));
  }
  byId('rate-slider').addEventListener('input', ({ target }) => {
    byId<HTMLInputElement>('rate').value = (target as HTMLInputElement).value;
  });
  byId('send').addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = await post('/calls', { msg: byId<HTMLInputElement>('msg').value });
    if (answer) opened(answer.n);
  });
}
