import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Unusable } from '../../stack/command.ts';

const BUSY = 5; // SQLite's code

/**
 * Keeps a folder for this process: by SQLite's lock on an empty file in it, which the system takes back however the process
 * ends, and which holds among containers, too. The process must not open the file again: to close it gives the lock back.
 * The file stays: removing it could remove the file of another run. Throws an `Unusable` while another process has the folder.
 */
export function lock(folder: string): Disposable {
  try {
    const database = new DatabaseSync(join(folder, '.lock'));
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE'); // no second file
    return database;
  } catch (error) {
    const { errcode, message } = error as Error & { errcode?: number };
    throw new Unusable(
      errcode === BUSY
        ? `Another run is at work in ${folder}; wait for its end, or name another folder (--out).`
        : `The folder ${folder} cannot be locked (${message}); name another one (--out).`,
    );
  }
}
