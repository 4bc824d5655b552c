import type { Score } from '../judge.ts';
import { type Markup, markup } from '../report/markup.ts';
import { page } from '../report/page.ts';
import { count } from '../report/report.ts';
import type { Graded, Row } from './class-file.ts';

type Finished = Graded & { row: Row };

/** Sorts the table by the column whose heading was pressed, and the other way round when pressed again. */
const SORTING = `
for (const button of document.querySelectorAll('th button')) {
  button.addEventListener('click', () => {
    const heading = button.parentElement;
    const rises = heading.ariaSort !== 'ascending';
    for (const other of heading.parentElement.children) other.removeAttribute('aria-sort');
    heading.ariaSort = rises ? 'ascending' : 'descending';
    const key = (row) => row.cells[heading.cellIndex].dataset.key ?? row.cells[heading.cellIndex].textContent;
    const body = heading.closest('table').tBodies[0];
    const order = new Intl.Collator(undefined, { numeric: true }).compare;
    const rows = [...body.rows].sort((one, other) => order(key(one), key(other)) * (rises ? 1 : -1));
    body.append(...rows);
  });
}
`;

/** Writes the table of a class and its most frequent faults. During a run, it has the rows that are finished. */
export function classPage(finished: Finished[]): string {
  const graded = finished.filter(({ scores }) => scores);
  const met = graded.filter(({ isMet }) => isMet).length;
  return page(
    'Grades of the class',
    markup`<main>
<h1>Grades of the class</h1>
<p>${count(finished.length, 'student')}: ${howMany(met, graded.length - met, finished.length - graded.length)}</p>
<div class="wide" tabindex="0" role="region" aria-label="Grades"><table class="grades">
<thead><tr>${Object.entries(COLUMNS).map(
      ([name, isNumber]) =>
        markup`<th scope="col"${isNumber && markup` class="number"`}><button type="button">${name}</button></th>`,
    )}</tr></thead>
<tbody>
${finished.map(tableRow)}</tbody>
</table></div>
${wrongMost(graded)}</main>
`,
    SORTING,
  );
}

/** How many students met the lab's requirements, did not, and have no grade, as a sentence. */
export const howMany = (met: number, not: number, ungraded: number) =>
  `${met} ${met === 1 ? 'meets' : 'meet'} the lab's requirements, ${not} ${not === 1 ? 'does' : 'do'} not, ${ungraded} ${
    ungraded === 1 ? 'was' : 'were'
  } not graded.`;

const COLUMNS = { Id: false, Name: false, Outcome: false, Lab: true, Robustness: true, 'By hand': true, Changes: true };

function tableRow({ row, isMet, scores, reason, changes }: Finished): Markup {
  const outcome = scores
    ? isMet
      ? markup`<span class="pass">met</span>`
      : markup`<span class="fail">not met</span>`
    : markup`<span class="none">not graded</span> <span class="quiet">${reason}</span>`;
  const number = (name: string, key: number, shown?: string | number) =>
    markup`<td class="number" data-name="${name}" data-key="${key}">${shown ?? '–'}</td>`;
  const points = (name: string, score?: Score) =>
    number(name, score?.passed ?? -1, score && `${score.passed} of ${score.of}`);
  const [better, worse] = [changes?.better.length ?? 0, changes?.worse.length ?? 0];
  return markup`<tr><td>${row.id}</td><td><a href="students/${encodeURIComponent(row.file)}.html">${row.name}</a></td>
<td>${outcome}</td>
${points('Lab', scores?.lab)}${points('Robustness', scores?.robustness)}
${number('By hand', row.points ?? 0, row.points)}${number('Changes', better - worse, better + worse > 0 ? `+${better} −${worse}` : undefined)}</tr>
`;
}

/** The checks that most students fail, the lab's first. */
function wrongMost(graded: Finished[]): Markup {
  const failed = new Map<string, { section: string; who: Row[] }>();
  for (const { row, results } of graded) {
    for (const { name, section, verdict } of results) {
      if (verdict !== 'fail') continue;
      const entry = failed.get(name) ?? { section, who: [] };
      entry.who.push(row);
      failed.set(name, entry);
    }
  }
  const rows = [...failed].sort(
    ([, one], [, other]) => one.section.localeCompare(other.section) || other.who.length - one.who.length,
  );
  return markup`<h2>What the class gets wrong most</h2>
${
  rows.length === 0
    ? markup`<p>Nothing: every check that applies passes.</p>`
    : markup`<div class="wide" tabindex="0" role="region" aria-label="What the class gets wrong most"><table>
<thead><tr><th scope="col">Check</th><th scope="col">Part</th><th scope="col" class="number">Failed by</th><th scope="col">Who</th></tr></thead>
<tbody>
${rows.map(
  ([name, { section, who }]) => markup`<tr><td>${name}</td><td>${section}</td><td class="number">${who.length} of ${
    graded.length
  }</td><td>${who.map(
    ({ name, file }, index) =>
      markup`${index > 0 && ', '}<a href="students/${encodeURIComponent(file)}.html">${name}</a>`,
  )}</td></tr>
`,
)}</tbody>
</table></div>`
}
`;
}

/** What a person has added to a student's grade, and what is different from the time before. */
export function studentNotes({ points, comment }: Row, { attempt = 1, changes }: Graded): Markup {
  const list = (what: string, names: string[]) =>
    names.length > 0 && markup`<p>${what}:</p>\n<ul>${names.map((name) => markup`<li>${name}</li>`)}</ul>\n`;
  return markup`${points !== undefined && markup`<p>Points given by hand: ${points}</p>\n`}${
    comment && markup`<p class="comment">${comment}</p>\n`
  }${attempt > 1 && markup`<p class="quiet">This is grade ${attempt} of this work.</p>\n`}${
    changes && [
      list(`Met now, and not in the grade of ${day(changes.when)}`, changes.better),
      list(`No longer met since the grade of ${day(changes.when)}`, changes.worse),
    ]
  }`;
}

const day = (when: string) => `${when.slice(0, 16).replace('T', ' ')} UTC`;

/** The page of a student whose pair has no grade. */
export function notGradedPage(row: Row, reason: string): string {
  const { name } = row;
  return page(
    `Grade of ${name}`,
    markup`<main>
<h1>Grade of ${name}</h1>
<p><span class="none">not graded</span> ${reason}</p>
${studentNotes(row, { isMet: false, results: [], ms: 0 })}</main>`,
  );
}
