import { sanitize } from '../../stack/foreign-text.ts';

/** HTML or XML that is safe as it is. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Markup | string | number | false | undefined | Value[];

/**
 * A template for HTML and for XML: whatever is put into it, other than `Markup`, is shown as text and can be nothing else,
 * in an element as in a quoted attribute.
 */
export function markup(parts: TemplateStringsArray, ...values: Value[]): Markup {
  return new Markup(String.raw({ raw: parts }, ...values.map(asText)));
}

function asText(value: Value): string {
  if (value === false || value === undefined) return '';
  if (Array.isArray(value)) return value.map(asText).join('');
  if (value instanceof Markup) return value.text;
  // XML allows neither controls nor halves of a surrogate pair, however they are written.
  return sanitize(String(value)).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
