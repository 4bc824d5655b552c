import { OUTCOMES } from '../../picture/outcomes.ts';
import { COLOURS } from '../../picture/picture.ts';
import { element } from './dom.ts';

/** The colours of a theme, 0 for light and 1 for dark, by their names. */
export const coloursOf = (theme: 0 | 1): Record<string, string> =>
  Object.fromEntries(Object.entries(COLOURS).map(([name, both]) => [name, both[theme]]));

/** The mark of an outcome, to be drawn many times; `pixels` are the canvas's own in one of the picture's. */
export function spriteOf(outcome: string, colours: Record<string, string>, pixels: number): HTMLCanvasElement {
  const size = Math.ceil(12 * pixels);
  const canvas = element('canvas', { width: String(size), height: String(size) });
  const context = canvas.getContext('2d')!;
  context.translate(size / 2, size / 2);
  context.scale(pixels, pixels);
  const { path, isFilled } = OUTCOMES[outcome]!;
  const mark = new Path2D(`M0 0${path}`);
  context.strokeStyle = context.fillStyle = colours[`outcome-${outcome}`]!;
  context.lineWidth = 1.2;
  context.stroke(mark);
  if (isFilled) context.fill(mark);
  return canvas;
}
