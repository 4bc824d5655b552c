import type { Shape } from '../../picture/calls-chart.ts';

/** Finds the element with this id; the page's own markup has it. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** An element with attributes and children. A string becomes text, even when it holds markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** A button. While its attribute `aria-disabled` is `true` it keeps the focus and does nothing. */
export function button(label: string, work: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', () => {
    if (made.getAttribute('aria-disabled') !== 'true') work();
  });
  return made;
}

/** Sets a text only if it has changed, so that a screen reader does not read it twice. */
export function say(node: HTMLElement, text: string) {
  if (node.textContent !== text) node.textContent = text;
}

const SVG = 'http://www.w3.org/2000/svg';
const drawn = new WeakMap<Node, Shape>();

/** Makes the children of an element equal to these shapes and does not touch equal ones. A string becomes text. */
export function draw(place: Element, shapes: (Shape | string)[]) {
  for (const [index, shape] of shapes.entries()) {
    if (typeof shape === 'string') {
      if (place.textContent !== shape) place.textContent = shape;
      continue;
    }
    let node = place.childNodes[index] as Element | undefined;
    if (node && drawn.get(node) === shape) continue;
    const [name, attributes, ...content] = shape;
    const names = Object.keys(attributes);
    if (node?.localName !== name || node.attributes.length > names.length) {
      const made = document.createElementNS(SVG, name);
      if (node) node.replaceWith(made);
      else place.append(made);
      node = made;
    }
    for (const key of names) {
      const value = String(attributes[key]);
      if (node.getAttribute(key) !== value) node.setAttribute(key, value);
    }
    draw(node, content);
    drawn.set(node, shape);
  }
  while (place.childNodes.length > shapes.length) place.lastChild!.remove();
}

/** Draws the mark of an outcome as on the chart. */
export function markOf(outcome: string, path: string): SVGSVGElement {
  const mark: Shape = ['path', { class: `mark outcome-${outcome}`, d: `M0 0${path}` }];
  const place = document.createElement('div');
  draw(place, [['svg', { viewBox: '-5 -5 10 10', 'aria-hidden': 'true', class: 'sign' }, mark]]);
  return place.firstElementChild as SVGSVGElement;
}

/** Shows an error, or hides the last one. */
export function trouble(sentence: string) {
  const notice = byId('trouble');
  notice.hidden = !sentence;
  say(notice, sentence);
}

/** Resolves to the result of `work`, or shows the sentence with which it was rejected. */
export async function tried<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    const result = await work;
    trouble('');
    return result;
  } catch (error) {
    trouble((error as Error).message);
    return undefined;
  }
}

/** Writes the local time of day with milliseconds. */
export function clock(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function duration(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString('en')} ms`;
}
