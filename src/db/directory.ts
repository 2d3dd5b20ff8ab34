import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError, whyNotWritten } from '../errors.js';
import type { Database } from './database.js';
import { type DirectoryLock, POSTGRES_MAJOR } from './lock.js';
import type { Migration } from './migrate.js';
import type { Fatal } from './pglite-disk.js';
import { syncDirectory, syncTree } from './sync.js';

const fromBackup =
  'Make a backup with the version of Taskloom that created it (taskloom backup <file>), move it away, and restore that (taskloom restore <file>)';

/**
 * Opens the database in a data directory that this process has locked, creating it if needed: under another name, then
 * synced and renamed, so that there is always a whole database or none.
 *
 * @param migrations those that a new database may already have
 * @throws UsageError if the files are not a database of this version, are damaged, or cannot be written
 */
export async function openDirectory(
  { data, isInPlace }: DirectoryLock,
  { migrations, fatal }: { migrations?: Migration[] | undefined; fatal?: Fatal | undefined },
): Promise<Database> {
  try {
    removeLeftovers(data);
    const files = isNew(data) ? make(data, migrations) : undefined;
    files?.catch(() => {}); // reported by what awaits them
    const { openFiles } = await import('./pglite.js');
    if (files) return await openFiles(data, { fatal, isInPlace, files });
    checkFiles(data);
    // PostgreSQL's own lock file, which no process holds here. One that died while creating it leaves it empty, and an
    // empty one would keep the database from opening for good.
    rmSync(join(data, 'postmaster.pid'), { force: true });
    const clean = readFileSync(join(data, 'global/pg_control')).readUInt32LE(16) === 1;
    if (!clean) await syncTree(data); // PostgreSQL would sync file by file, which takes many times as long
    return await openFiles(data, { fatal, isInPlace, synced: !clean });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(explain(error), data);
  }
}

function explain(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS'].includes(String(code))) return whyNotWritten(error);
  return 'the database in the data directory is damaged: some of its files are missing or incomplete. Move it away and restore a backup (taskloom restore <file>)';
}

/** Removes what a process left that died while creating the database. Only the holder of the lock may call this. */
function removeLeftovers(data: string): void {
  for (const name of readdirSync(dirname(data)))
    if (name.startsWith(`${basename(data)}.tmp-`)) rmSync(join(dirname(data), name), { recursive: true, force: true });
}

function isNew(data: string): boolean {
  if (readdirSync(data).length > 0) return false;
  const other = readdirSync(dirname(data)).find((name) => /^pg\d+$/.test(name) && name !== basename(data));
  if (other)
    throw new UsageError(
      `this database was created by PostgreSQL ${other.slice(2)}, but this version of Taskloom uses ${POSTGRES_MAJOR}. ${fromBackup}`,
      join(dirname(data), other),
    );
  return true;
}

function checkFiles(data: string): void {
  const version = readdirSync(data).includes('PG_VERSION') ? readFileSync(join(data, 'PG_VERSION'), 'utf8').trim() : '';
  if (version !== '' && version !== POSTGRES_MAJOR)
    throw new UsageError(
      `this database was created by PostgreSQL ${version}, but this version of Taskloom uses ${POSTGRES_MAJOR}. ${fromBackup}`,
      data,
    );
  if (version === '')
    throw new UsageError(
      'the database in the data directory is incomplete: its creation was interrupted, or files were lost. Move the directory away to start over, or restore a backup (taskloom restore <file>)',
      data,
    );
  accessSync(data, constants.R_OK | constants.W_OK);
  accessSync(join(data, 'global/pg_control'), constants.R_OK | constants.W_OK);
}

async function make(data: string, migrations: Migration[] | undefined): Promise<void> {
  const draft = `${data}.tmp-${process.pid}`;
  mkdirSync(draft, { mode: 0o700 });
  try {
    const { findImage, unpackImage } = await import('./pglite-image.js');
    const image = migrations && (await findImage(migrations));
    if (image) await unpackImage(image, draft);
    else {
      const { openFiles } = await import('./pglite.js');
      await (await openFiles(draft)).close();
      await syncTree(draft);
    }
    rmdirSync(data); // it is empty; Windows cannot rename onto a directory
    renameSync(draft, data);
    await syncDirectory(dirname(data));
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(data, { recursive: true, mode: 0o700 });
    throw error;
  }
}
