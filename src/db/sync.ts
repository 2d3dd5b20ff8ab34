import type { Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';

/** Takes so many files at once: a disk syncs many in little more time than one. */
export const manyFiles = () => pLimit(32);

/** Returns once everything in a directory, and the directory itself, is on the disk. */
export async function syncTree(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const turns = manyFiles();
  const sync = (entry: Dirent) => syncPath(join(entry.parentPath, entry.name), entry.isDirectory());
  await Promise.all(entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => turns(sync, entry)));
  await syncPath(folder, true);
}

/** Returns once a file, or what a directory's entries are, is on the disk. */
export async function syncPath(path: string, directory: boolean): Promise<void> {
  if (directory && process.platform === 'win32') return; // it keeps them by itself, and refuses to be asked to
  const handle = await open(path, directory ? 'r' : 'r+');
  await handle.sync().finally(() => handle.close());
}

/** Makes a file, and returns once it is on the disk. */
export async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
