import type { Dirent } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';

/** Limits work to 32 files at once: a disk syncs many in little more time than one. */
export const manyFiles = () => pLimit(32);

/** Syncs everything in a directory, and the directory itself, to disk. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const limit = manyFiles();
  const sync = (entry: Dirent) => (entry.isDirectory() ? syncDirectory : syncFile)(join(entry.parentPath, entry.name));
  await Promise.all(entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => limit(sync, entry)));
  await syncDirectory(folder);
}

/** Syncs a directory's list of entries to disk. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return; // it persists them by itself, and refuses to sync them
  await syncOpened(await open(path, 'r'));
}

/** Syncs a file to disk. */
export const syncFile = async (path: string): Promise<void> => syncOpened(await open(path, 'r+'));

const syncOpened = (handle: FileHandle) => handle.sync().finally(() => handle.close());

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
