/** A label tells which process made a container, network, volume or image, so that what a dead one left can be removed. */
import { globSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runToEnd } from '../process/at-exit.ts';
import { attempt } from '../process/attempt.ts';
import { statOf } from '../process/state.ts';

export const OWNER_LABEL = 'two-services.owner';

/** Names this machine and its PID namespace, as the processes of another container have numbers of their own. */
const machine = () => `${hostname()}/${attempt(() => readlinkSync('/proc/self/ns/pid'), '').replace(/\D/g, '')}`;

/** The label's value for everything that this process makes: its machine, its number and its start. */
export const OWNER = `${machine()} ${identityOf(process.pid)}`;
export const ownerLabel = { [OWNER_LABEL]: OWNER };
/** The label for `docker run` and its like. */
export const ownerOption = ['--label', `${OWNER_LABEL}=${OWNER}`];
/** The variable with the owner that owner.yml reads; that file is merged into this repository's Compose file. */
export const OWNER_VARIABLE = 'TWO_SERVICES_OWNER';

/**
 * A process's number and its start, as another process may have the number by now; the number alone where the start cannot
 * be read; undefined once it has ended.
 */
export function identityOf(pid: number): string | undefined {
  const [state, ...rest] = statOf(pid);
  if (state === 'Z') return;
  if (state) return `${pid} ${rest[18]}`; // proc_pid_stat(5): starttime
  try {
    return process.kill(pid, 0) ? String(pid) : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? String(pid) : undefined; // another user's, or none
  }
}

/** Whether the process of a label may still run; true for a label that is not ours, or is another machine's. */
function mayLive(label: string): boolean {
  const [, host, pid] = /^(\S+) (\d+)(?: \d+)?$/.exec(label) ?? [];
  if (host !== machine()) return true;
  const identity = identityOf(Number(pid));
  return identity !== undefined && (identity === pid || label === `${host} ${identity}`);
}

const LABEL = `{{json (.Label "${OWNER_LABEL}")}}`; // as JSON, since an image's label may hold anything
const KINDS = [
  { list: ['ps', '--all', '--format', `{{.ID}} ${LABEL}`], remove: ['rm', '--force', '--volumes'] },
  { list: ['network', 'ls', '--format', `{{.ID}} ${LABEL}`], remove: ['network', 'rm'] },
  { list: ['volume', 'ls', '--format', `{{.Name}} ${LABEL}`], remove: ['volume', 'rm', '--force'] },
];

const IN_YAML = new RegExp(`^ *${OWNER_LABEL}: (.*)$`, 'm');

/** Where the settled Compose file of a project is kept while its process runs. The label in it says whose it is. */
export const composeFileOf = (project: string) => join(tmpdir(), `${project}.yml`);

const FOLDER = join(tmpdir(), 'two-services-');

/** Makes a folder for what this process needs only while it runs. */
export function newFolder(): string {
  const folder = mkdtempSync(FOLDER);
  writeFileSync(join(folder, 'owner'), OWNER);
  return folder;
}

/** Removes what processes of this machine left when they were killed. Synchronous. */
export function removeLeftovers() {
  const isDead = (file: string, label: RegExp) =>
    !mayLive(label.exec(attempt(() => readFileSync(file, 'utf8'), ''))?.[1] ?? '');
  const files = globSync(`${composeFileOf('*-??????')}`).filter((file) => isDead(file, IN_YAML));
  const folders = globSync(`${FOLDER}*/owner`).filter((file) => isDead(file, /^(.*)$/));
  for (const path of [...files, ...folders.map(dirname)]) attempt(() => rmSync(path, { recursive: true }), undefined);
  const docker = (...args: string[]) => runToEnd('docker', args).stdout?.split('\n').filter(Boolean) ?? [];
  const removeDead = (lines: string[], remove: string[]) => {
    const parts = lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' '))] as const);
    const dead = parts.filter(([, owner]) => !mayLive(JSON.parse(owner))).map(([id]) => id);
    if (dead.length > 0) docker(...remove, ...dead);
  };
  for (const { list, remove } of KINDS) removeDead(docker(...list, '--filter', `label=${OWNER_LABEL}`), remove);
  const images = [...new Set(docker('image', 'ls', '--quiet', '--filter', `label=${OWNER_LABEL}`))];
  if (images.length === 0) return;
  const format = `{{.Id}} {{json (index .Config.Labels "${OWNER_LABEL}")}}`;
  removeDead(docker('image', 'inspect', '--format', format, ...images), ['image', 'rm', '--force']);
}
