/** Builds the page: as files for the server, and as one file that needs no server. */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { posix } from 'node:path';
import { STYLE } from '../picture/picture.ts';
import { ROOT } from '../stack/paths.ts';
import type { Recording } from './protocol.ts';

const PAGE = 'e2e/live/page/page.ts';

const read = (file: string) => readFileSync(`${ROOT}${file}`, 'utf8').replaceAll('\r\n', '\n'); // as a browser hashes it

/** Builds the page for the server. It names all of its modules, so that the browser loads them at once. */
export function pageHtml(): string {
  const links = [...modules().keys()].map((file) => `<link rel="modulepreload" href="/${file}" />`);
  return read('e2e/live/page/page.html').replace('<!-- loaded -->', links.join(''));
}

/** Lists the files that the page loads: path, media type as Koa has it, text. */
export function pageFiles(): { path: string; type: string; text: string }[] {
  return [
    { path: '/page.css', type: 'css', text: `${STYLE}\n${read('e2e/live/page/page.css')}` },
    { path: '/icon.svg', type: 'svg', text: read('e2e/live/page/icon.svg') },
    ...[...modules()].map(([file, text]) => ({ path: `/${file}`, type: 'js', text })),
  ];
}

/** Lists the page's modules by their paths, without types; a module comes after its imports. */
function modules(file = PAGE, found = new Map<string, string>()) {
  const text = stripTypeScriptTypes(read(file));
  for (const [, path] of text.matchAll(FROM)) {
    const imported = posix.join(posix.dirname(file), path!);
    if (!found.has(imported)) modules(imported, found);
  }
  return found.set(file, text);
}

const FROM = /\bfrom '(\.[^']+)'/g;

/** Builds the page as one file, in which a recording replaces the server. Its modules are data: URLs in an import map. */
export function recordedPage(recording: Recording): string {
  const imports = [...modules()].map(([file, text]) => {
    const named = text.replace(FROM, (_, path) => `from '${posix.join(posix.dirname(file), path)}'`);
    return [file, `data:text/javascript;base64,${Buffer.from(named).toString('base64')}`];
  });
  const [css, icon] = pageFiles().map(({ text }) => text);
  const policy = `default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'`;
  const json = (value: unknown) => JSON.stringify(value).replaceAll('<', String.raw`\u003c`);
  const head = [
    `<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
    `<link rel="icon" href="data:image/svg+xml;base64,${Buffer.from(icon!).toString('base64')}" />`,
    `<style>\n${css}</style>`,
    `<script id="recording" type="application/json">${json(recording)}</script>`,
    `<script type="importmap">${json({ imports: Object.fromEntries(imports) })}</script>`,
    `<script type="module">import '${PAGE}';</script>`,
  ].join('\n');
  return read('e2e/live/page/page.html').replace(/<!-- loads -->[^]*<!-- loaded -->/, () => head);
}
