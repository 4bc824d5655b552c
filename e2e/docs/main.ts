/** `npm run docs`: writes what the pages print and show, from real runs. */
import { spawnSync } from 'node:child_process';
import { command } from '../stack/command.ts';
import { ROOT } from '../stack/paths.ts';

const HELP = `Does what the gallery and the README say, on real containers, and writes into them what was printed; draws the
outage, plays the tour of the live page for its recorded page, and takes pictures of it. It takes about eight minutes, and
needs Docker and, for the pictures of the live page, a browser on the PATH.

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
