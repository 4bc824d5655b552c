/** `npm run live`: serves a page on which you break A and watch B, until Ctrl-C. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { newHistoryFile } from '../experiment/history-file.ts';
import { numberIn, PAIR, path, withValues } from '../pairs/options.ts';
import { command, Unusable, type readOptions } from '../stack/command.ts';
import { openLink } from '../stack/process/open-link.ts';
import { isTaken } from '../stack/process/ports.ts';
import { Acting } from './acting.ts';
import { choosePair } from './choose.ts';
import { Experiment } from './experiment.ts';
import { serve } from './server.ts';
import { Tour } from './tour.ts';

const HELP = `A page on which you break A and watch B.

  npm run live                                       this repository's own pair
  npm run live -- --compose DIR/docker-compose.yml   services named service-a and service-b
  npm run live -- --a 'python app.py' --a-dir DIR/service-a \\
                  --b 'python app.py' --b-dir DIR/service-b

The pair is named as for \`npm run grade\`; its --help says more. Where Docker answers, this repository's
pair runs in containers, and else as processes.

  --port PORT        where the page is (8090)
  --open             open it in the browser
  --record FILE      write every event to a new file, up to 256 MiB: JSON Lines, as in e2e/experiment/history.ts
  --allow-host NAME  answer to this host, too: the name that the browser shows when a proxy forwards to this page

Ctrl-C ends the page and the pair, and leaves nothing.
`;
const DEADLINE_MS = 1000; // B's own, in this repository
const CALLS_PER_SECOND = 10;
const OPTIONS = {
  ...PAIR,
  port: { type: 'string', default: '8090' },
  open: { type: 'boolean' },
  record: { type: 'string' },
  'allow-host': { type: 'string' },
} as const;
type Options = ReturnType<typeof readOptions<typeof OPTIONS>>;
// The buttons show commands that contain this.
process.env.COMPOSE_PROJECT_NAME ||= 'live';

/** Whether a text is a host name as in a URL: no port, no path, no pattern. */
const isHostName = (text: string) =>
  /^[\w.-]+$/.test(text) && URL.parse(`http://${text}`)?.hostname === text.toLowerCase();

async function main(options: Options) {
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port < 1 || port > 65535) {
    throw new Unusable(`--port is ${options.port}; it must be a whole number from 1 to 65535.`);
  }
  const taken = new Unusable(`Port ${port} is already in use; stop what listens on it, or give another with --port.`);
  if (await isTaken(port)) throw taken;
  const host = options['allow-host']?.toLowerCase();
  if (host !== undefined && !isHostName(host))
    throw new Unusable(
      `--allow-host is ${host}; it must be a host's name alone, as in --allow-host pages.example.org.`,
    );

  if (options.isolate !== undefined) throw new Unusable('--isolate is for grades alone; leave it out.');
  numberIn(options, 'timeout', 60); // an option of the grade, which is checked but not used here
  const file = options.record === undefined ? undefined : path(options.record);
  const history = file === undefined ? undefined : newHistoryFile(file, '--record');
  process.stderr.write('Starting the pair…\n');
  const { controls, isOwn } = await choosePair(options).catch((error) => {
    if (file !== undefined) rmSync(file);
    throw error;
  });
  const experiment = await Experiment.begin(controls, {
    isOwn,
    deadlineMs: isOwn ? DEADLINE_MS : 0,
    callsPerSecond: CALLS_PER_SECOND,
    record: history && ((event) => history.add(event)),
  });
  const tour = new Tour(new Acting(experiment), () => experiment.changed());
  const token = randomBytes(24).toString('base64url');
  await serve({ experiment, tour }, port, token, host).catch(async (error) => {
    experiment.end();
    await controls.stack.down();
    if (error.code === 'EACCES')
      throw new Unusable(`You may not listen on port ${port}; give another, from 1024 up, with --port.`);
    throw error.code === 'EADDRINUSE' ? taken : error;
  });

  const link = new URL(`/?token=${token}`, `http://localhost:${port}`).href;
  console.log(`Open ${link}`);
  if (host) console.log(`Behind a proxy: https://${host}/?token=${token}`);
  if (options.open) openLink(link);
}

// e2e/stack/process/at-exit.ts removes everything that was started, also on a signal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.stderr.write('\nRemoving the pair…\n'));
}

await command(HELP, OPTIONS, main, withValues(process.argv.slice(2)));
