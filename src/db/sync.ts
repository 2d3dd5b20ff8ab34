import type { Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';

/** Limits work to 32 files at once: a disk syncs many in little more time than one. */
export const manyFiles = () => pLimit(32);

/** Syncs everything in a directory, and the directory itself, to disk. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const limit = manyFiles();
  const sync = (entry: Dirent) => syncPath(join(entry.parentPath, entry.name), entry.isDirectory());
  await Promise.all(entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => limit(sync, entry)));
  await syncPath(folder, true);
}

/** Syncs a file, or a directory's list of entries, to disk. */
export async function syncPath(path: string, directory: boolean): Promise<void> {
  if (directory && process.platform === 'win32') return; // it persists them by itself, and refuses to sync them
  const handle = await open(path, directory ? 'r' : 'r+');
  await handle.sync().finally(() => handle.close());
}

/** Creates a file, which must not exist, and syncs it to disk. */
export async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
