import { readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';
import { Ungradable } from './ungradable.ts';

const MAX_LINKS = 255;

/** Where a path, seen from a folder, really leads when that is outside of the folder; also one that is not there yet. Throws an `Ungradable` for a loop. */
export function leadsOut(folder: string, path: string): string | undefined {
  const from = placeOf(resolve(folder));
  const to = placeOf(resolve(folder, path));
  const way = relative(from, to);
  return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) ? to : undefined;
}

/** Step by step, as the system goes: `realpath` gives nothing for a path whose end is missing. */
function placeOf(path: string): string {
  const { root } = parse(path);
  const steps = path.split(sep);
  let place = root;
  let links = 0;
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const next = step === '..' ? dirname(place) : join(place, step);
    const target = targetOf(next);
    if (target === undefined) place = next;
    else if (++links > MAX_LINKS) throw new Ungradable(`${path} leads through more than ${MAX_LINKS} symbolic links.`);
    else {
      if (isAbsolute(target)) place = root;
      steps.unshift(...target.split(sep));
    }
  }
  return place;
}

/** Where a symbolic link points; undefined for anything else. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (['EINVAL', 'ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)) return;
    throw error;
  }
}
