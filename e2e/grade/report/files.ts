import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** How the names of drafts begin: what is left of one after a power cut is never taken for a result. */
export const DRAFT = '.unfinished-';

/** Writes a file so that at every moment, a power cut included, it is either the old one or the new one as a whole. */
export async function writeWhole(file: string, text: string) {
  const draft = join(dirname(file), `${DRAFT}${randomUUID()}`);
  try {
    const handle = await open(draft, 'wx');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
