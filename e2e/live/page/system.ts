import type { Name } from '../../experiment/history.ts';
import type { FaultView, View } from '../protocol.ts';
import { button, byId, element, say, tried } from './dom.ts';
import type { Source } from './source.ts';

const BEHAVIOUR = /BEHAVIOUR=\w*/;
const buttons = new Map<string, HTMLButtonElement>();
/** The services that this page has just asked to start, until the server answers: their old state is no longer true. */
const starting = new Set<Name>();
let source: Source;
let last: View;
let select: HTMLSelectElement | undefined;
let inHand = '';

/** Shows the two services, the possible faults, and the running command. */
export function showSystem(view: View) {
  last = view;
  for (const name of ['a', 'b'] as const) showService(name);
  for (const fault of view.faults) showFault(fault);
  if (inHand) showCommand(inHand);
  say(byId('lacks'), view.lacks);
  say(byId('busy'), view.busy ? `Running: ${view.busy}` : '');
  byId('resting').hidden = !view.isResting;
  const rate = byId<HTMLInputElement>('rate');
  if (document.activeElement !== rate) rate.value = String(view.callsPerSecond);
}

function showService(name: Name) {
  const { note, port, health, ...service } = last.services[name];
  const state = starting.has(name) ? 'starting' : service.state;
  byId(`service-${name}`).dataset.state = state;
  for (const [part, text] of Object.entries({ state, note, port, health })) say(byId(`${part}-${name}`), text);
}

function showFault({ id, label, target, isStart, isPossible }: FaultView) {
  let known = buttons.get(id);
  if (!known) {
    known = button(label, () => void cause(id, target, isStart), { id, 'aria-describedby': 'command' });
    buttons.set(id, known);
    for (const event of ['focus', 'pointerenter', 'click']) known.addEventListener(event, () => showCommand(id));
    const choosing = id === 'replace-a' ? [choice()] : [];
    byId(`faults-${target}`).append(...choosing, known);
  }
  known.setAttribute('aria-disabled', String(!isPossible));
}

/** Shows the command of the button that has the pointer or the focus. It stays until another button has it, so that it can be copied. */
function showCommand(id: string) {
  inHand = id;
  const { command } = last.faults.find((fault) => fault.id === id)!;
  const shown = id === 'replace-a' ? command.replace(BEHAVIOUR, `BEHAVIOUR=${select!.value}`) : command;
  say(byId('command'), shown);
  byId('command').hidden = false;
  byId('hint').hidden = true;
}

async function cause(id: string, target: Name, isStart: boolean) {
  if (isStart) starting.add(target);
  showService(target);
  await tried(source.ask(`/faults/${id}`, id === 'replace-a' ? { behaviour: select!.value } : {}));
  starting.delete(target);
  showService(target);
}

function choice(): HTMLElement {
  const options = Object.entries(last.behaviours).map(([name, what]) => element('option', { value: name }, what));
  select = element('select', { 'aria-describedby': 'command' }, ...options);
  select.value = last.behaviour;
  for (const event of ['focus', 'change']) select.addEventListener(event, () => showCommand('replace-a'));
  return element('label', {}, 'Replace A with a fake that ', select);
}

/** Connects the controls; `opened` is called with the number of a call that was sent. */
export function wireSystem(from: Source, opened: (n: number) => void) {
  source = from;
  const rate = byId<HTMLInputElement>('rate');
  rate.addEventListener('change', () => {
    const callsPerSecond = Math.min(200, Math.max(1, Math.round(Number(rate.value)) || 1));
    rate.value = String(callsPerSecond);
    void tried(source.ask('/rate', { callsPerSecond }));
  });
  byId('send').addEventListener('submit', async (event) => {
    event.preventDefault();
    const answer = await tried(source.ask('/calls', { msg: byId<HTMLInputElement>('msg').value }));
    if (answer) opened(answer.n);
  });
}
