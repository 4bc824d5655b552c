import { open, rename, rm } from 'node:fs/promises';

/** Writes a file so that at every moment, a power cut included, it is either the old one or the new one as a whole. */
export async function writeWhole(file: string, text: string) {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    const handle = await open(draft, 'w');
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
