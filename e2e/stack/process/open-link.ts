import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { removeAtExit } from './at-exit.ts';

const OPEN_MS = 30_000; // the time that a browser has to start

/**
 * Opens a link in the browser, by a file that leads to it and that only its owner can read: every user of a machine can see
 * the arguments of a program.
 */
export function openLink(link: string) {
  const folder = mkdtempSync(join(homedir(), 'two-services-live-')); // some browsers may read nothing outside of it
  const remove = () => rmSync(folder, { recursive: true, force: true });
  removeAtExit(remove);
  setTimeout(remove, OPEN_MS).unref();
  const file = join(folder, 'open.html');
  writeFileSync(file, `<!doctype html><meta http-equiv="refresh" content="0; url=${link}">`, { mode: 0o600 });
  const [command, ...args] = { darwin: ['open'], win32: ['cmd', '/c', 'start'] }[process.platform as string] ?? [
    'xdg-open',
  ];
  const browser = spawn(command!, [...args, pathToFileURL(file).href], { stdio: 'ignore', detached: true });
  browser.once('error', () => console.error(`There is no ${command} to open a browser with; open the link yourself.`));
  browser.unref();
}
