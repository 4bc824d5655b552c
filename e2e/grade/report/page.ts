import { createHash } from 'node:crypto';
import { evidenceIn, pictureOf, type Typed } from '../evidence.ts';
import type { Recorded } from '../../requirements/record.ts';
import type { Result } from '../judge.ts';
import { Markup, markup } from './markup.ts';
import { logLines, outputLines } from './proof.ts';
import { facts, type Report } from './report.ts';
import { SECTIONS } from './rubric.ts';

const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1f2328, #f0f6fc); --quiet: light-dark(#59636e, #9198a1);
  --ground: light-dark(#ffffff, #0d1117); --card: light-dark(#f6f8fa, #151b23); --line: light-dark(#d1d9e0, #3d444d);
  --good: light-dark(#116329, #4ac26b); --bad: light-dark(#b3261e, #ff8a80); --link: light-dark(#0550ae, #79b8ff) }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 1rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .7rem } h3 { font-size: 1rem }
a { color: var(--link) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .7rem; text-align: start; vertical-align: top }
table.facts { width: auto } table.facts th { font-weight: 400; color: var(--quiet); padding-inline-start: 0 }
td, dd { overflow-wrap: anywhere } .wide td { overflow-wrap: break-word }
td.number, th.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto;
  font: .85rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.checks { list-style: none; padding: 0; margin: 0 }
.checks > li { border-top: 1px solid var(--line); padding: .45rem 0 }
.pass, .fail, .none { font-weight: 600; display: inline-block; min-width: 3.2rem }
.pass { color: var(--good) } .fail { color: var(--bad) } .none, .quiet { color: var(--quiet) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .9rem; margin: .5rem 0 .5rem 3.4rem }
dt { color: var(--quiet) } dd { margin: 0 }
img { max-width: 100%; height: auto }
th button { all: unset; cursor: pointer; font-weight: 600 } th button:focus-visible { outline: 2px solid var(--link) }
th button::after { content: ' ↕'; color: var(--quiet) }
th[aria-sort=ascending] button::after { content: ' ↑' } th[aria-sort=descending] button::after { content: ' ↓' }
@media (max-width: 40rem) { dl { margin-left: 0; grid-template-columns: 1fr }
  .grades tr, .grades thead { display: block } .grades :is(td, th) { display: inline-block; border: 0; padding: .1rem .8rem .1rem 0 }
  .grades tr { border-bottom: 1px solid var(--line); padding: .4rem 0 } .grades td.number::before { content: attr(data-name) ' ' } }
`;

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/**
 * A page that needs nothing but itself, and that runs nothing but `script`, whatever else might get into it: its policy
 * names its one style and its one script by their hashes.
 */
export function page(title: string, body: Markup, script?: string): string {
  const policy = [
    `default-src 'none'`,
    `style-src ${hashOf(STYLE)}`,
    `img-src data:`,
    ...(script ? [`script-src ${hashOf(script)}`] : []),
    `base-uri 'none'`,
    `form-action 'none'`,
  ];
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join('; ')}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${body}${script && [new Markup('<script>'), new Markup(script), new Markup('</script>')]}
</body>
</html>
`.text;
}

/** The grade of one pair, with its proof where there is one; `notes` stand before the checks. */
export function pairPage(report: Report, notes?: Markup): string {
  const { name, record, reason } = report;
  const rows = facts(report).map(([label, fact]) => markup`<tr><th scope="row">${label}</th><td>${fact}</td></tr>\n`);
  return page(
    name ? `Grade of ${name}` : 'Grade of a pair',
    markup`<main>
<h1>${name ? `Grade of ${name}` : 'Grade of a pair'}</h1>
<table class="facts"><tbody>
${rows}</tbody></table>
${notes}${
      reason
        ? markup`<p><span class="none">not graded</span> ${reason}</p>
`
        : checks(report.results)
    }${record && shownProof(record)}</main>`,
  );
}

function checks(results: Result[]): Markup[] {
  return Object.entries(SECTIONS).map(([section, title]) => {
    const own = results.filter((result) => result.section === section);
    return markup`<h2>${title}</h2>
<ul class="checks">
${own.map(checkItem)}</ul>
`;
  });
}

const MARKS = {
  pass: markup`<span class="pass">pass</span>`,
  fail: markup`<span class="fail">FAIL</span>`,
  'not applicable': markup`<span class="none">n/a</span>`,
};

function checkItem({ name, verdict, because, sent, received, expected, why, fix }: Result): Markup {
  const advice = Object.entries({ sent, received, expected, why, fix }).map(
    ([label, text]) => text && markup`<dt>${label}</dt><dd>${text}</dd>`,
  );
  return markup`<li>${MARKS[verdict]} ${name}${because && markup` <span class="quiet">(${because})</span>`}${
    verdict === 'fail' && !because && markup`<dl>${advice}</dl>`
  }</li>
`;
}

function shownProof(record: Recorded): Markup {
  const picture = pictureOf(record);
  return markup`<h2>Proof</h2>
${evidenceIn(record).map(({ title, typed }) => markup`<h3>${title}</h3>\n${typed.map(shownCommand)}`)}
${picture && markup`<h2>B during an outage of A</h2>\n${image(picture)}\n`}`;
}

function shownCommand(typed: Typed): Markup {
  const logs = logLines(typed).map(
    ([service, lines]) =>
      markup`<p class="quiet">${service}'s log during this call:</p>\n<pre>${lines.join('\n')}</pre>\n`,
  );
  return markup`<pre>${[`$ ${typed.command}`, ...outputLines(typed)].join('\n')}</pre>\n${logs}`;
}

/** The picture as an image, where nothing in it can act on the page; its story is for those who cannot see it. */
function image(svg: string): Markup {
  const story = /<desc[^>]*>(.*?)<\/desc>/s.exec(svg)?.[1] ?? '';
  const source = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
  return markup`<img src="${source}" alt="${story}">`;
}
