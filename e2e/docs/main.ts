/** `npm run docs`: writes the outputs and the pictures of the pages, from real runs. */
import { spawnSync } from 'node:child_process';
import { command } from '../stack/command.ts';
import { ROOT } from '../stack/paths.ts';

const HELP = `Runs the commands of the gallery and the README on real containers and writes their outputs into the two pages; draws
the outage, records the tour of the live page as the recorded page, and takes pictures of the live page. It takes about
eight minutes, and needs Docker and, for the pictures, a browser on the PATH.

  npm run docs
`;
const WRITERS = ['gallery/main.ts', 'docs/write-readme.ts', 'live/record.ts', 'live/screenshot.ts'];

await command(HELP, {}, async () => {
  for (const writer of WRITERS) {
    const args = ['--disable-warning=ExperimentalWarning', `${ROOT}e2e/${writer}`];
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
  }
  return 0;
});
