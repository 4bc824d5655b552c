import { slowest } from '../experiment/calls.ts';
import { commandsOf } from '../experiment/history.ts';
import { table } from '../docs/markdown.ts';
import { written } from '../docs/page.ts';
import type { ActedOut } from './act-out.ts';
import { anchorOf, answersOf } from './script.ts';

/** Writes the gallery's page from the records of its acts. */
export function galleryPage(acts: ActedOut[]): string {
  const sections = acts.map(({ act: { title, story }, history }) =>
    [`## ${title}`, story, ...commandsOf(history).map(({ command, output }) => written(command, output!))].join('\n\n'),
  );
  return [INTRODUCTION, overview(acts), ...sections].join('\n\n') + '\n';
}

const INTRODUCTION = `# The failure gallery

Every way in which A can fail, shown on real containers. To follow, run \`docker compose up --build --wait\` in the
repository's folder and paste the blocks in their order: each act begins where the act before it ended. The blocks need
bash: on Windows, use Git Bash or WSL.

\`npm run docs\` runs all acts and writes this page; \`gallery.test.ts\` runs them again and compares the result with the
page. Times differ from run to run; the test checks their bounds. The last column is the time from A's first 200 on its
own port to B's first 200, with 50 calls a second on each.`;

/** Makes a table with a row for each call. */
function overview(acts: ActedOut[]): string {
  const rows = acts.flatMap(({ act, history, callsDuringBreak, behindAMs }) => {
    const link = `[${act.title}](#${anchorOf(act)})`;
    const back = behindAMs === undefined ? '' : inMs(behindAMs);
    if (act.reasonsDuringBreak) {
      const reasons = act.reasonsDuringBreak.map((reason) => `\`${reason}\``).join(' or ');
      return [[link, 'is restarting', reasons, inMs(slowest(callsDuringBreak)), back]];
    }
    const { answers } = answersOf(act, history);
    return answers.map(({ call, outcome, ms }, row) => [
      row === 0 ? link : '',
      call.what,
      `\`${outcome}\``,
      inMs(ms),
      row === answers.length - 1 ? back : '',
    ]);
  });
  return table([['act', 'A …', 'B answers', 'after', 'B after A'], ...rows]);
}

const inMs = (ms: number) => `${Math.round(ms)} ms`;
