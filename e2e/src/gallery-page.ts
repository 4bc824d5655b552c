import type { Act, Performance } from './gallery.ts';

const BEGIN = '<!-- The gallery, written by `npm run docs` -->';
const END = '<!-- The end of the gallery -->';

/** The page of transcripts, from what the performances of the acts, in the same order, saw. */
export function galleryPage(acts: Act[], performances: Performance[]): string {
  const sections = acts.map((act, index) => {
    const { transcript, backMs } = performances[index]!;
    const typed = transcript.flatMap(({ command, output }) => [`$ ${command}`, ...(output ? [output] : [])]);
    return [
      `## ${act.title}`,
      act.story,
      ['```console', ...typed, '```'].join('\n'),
      `Calls succeeded again ${Math.round(backMs)} ms after the last command.`,
    ].join('\n\n');
  });
  return `${INTRODUCTION}\n\n${sections.join('\n\n')}\n`;
}

const INTRODUCTION = `# The failure gallery

Every way in which A can fail, acted out on real containers: what was typed, what B answered and how long it took, what
B's log says of the same request, and how long calls went on failing after the last command. Start with
\`docker compose up --build --wait\` in the folder above and type along; the acts build on each other.

This page is written by \`npm run docs\` from a run of \`e2e/test/gallery.test.ts\`, which fails when the page no longer
tells what happens; only the times differ from run to run, and the test holds them to their bounds.`;

/** The overview for the README: a row for each call. */
export function galleryTable(acts: Act[], performances: Performance[]): string {
  const rows = acts.flatMap((act, index) => {
    const { answers, meanwhile, backMs } = performances[index]!;
    const link = `[${act.title}](e2e/GALLERY.md#${act.title.toLowerCase().replaceAll(' ', '-')})`;
    const back = `${Math.round(backMs)} ms`;
    if (act.meanwhile) {
      const reasons = act.meanwhile.map((reason) => `\`${reason}\``).join(' or ');
      return [[link, 'A is restarting', reasons, `${Math.round(meanwhile.slowestMs)} ms`, back]];
    }
    const failures = answers.filter(({ answer }) => answer.status !== 200);
    return failures.map(({ call, answer }, row) => [
      row === 0 ? link : '',
      `A ${call.what}`,
      `\`${answer.json.reason}\``,
      `${Math.round(answer.ms)} ms`,
      row === failures.length - 1 ? back : '',
    ]);
  });
  return table([['act', 'what happens', '`reason`', 'B answers after', 'calls succeed again after'], ...rows]);
}

/** A Markdown table in the form that Prettier gives it, so that writing it never makes the check fail. */
function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}

/** The README with another table between the two marks. */
export function replaceTable(readme: string, table: string): string {
  const [before, rest] = readme.split(BEGIN);
  const [, after] = rest!.split(END);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}
