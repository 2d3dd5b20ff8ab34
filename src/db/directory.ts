import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError, whyNotWritten } from '../errors.js';
import type { Database } from './database.js';
import type { Hold } from './lock.js';
import type { Migration } from './migrate.js';
import type { Fatal } from './pglite-disk.js';
import { syncPath, syncTree } from './sync.js';

const MAJOR = '18';
const fromBackup =
  'Make a backup with the version of Taskloom that kept it (taskloom backup <file>), move it away, and restore that (taskloom restore <file>)';

/**
 * Opens the database in a data directory that this process holds, and makes it where there is none: aside,
 * and put in its place once all of it is on the disk, so that whatever happens there is a whole one or none.
 *
 * @param migrations those a new database may already have
 * @throws UsageError where the files are not such a database, or the disk does not let it be one
 */
export async function openDirectory(
  { data, isThere }: Hold,
  { migrations, fatal }: { migrations?: Migration[] | undefined; fatal?: Fatal | undefined },
): Promise<Database> {
  try {
    removeLeftovers(data);
    const files = isNew(data) ? make(data, migrations) : undefined;
    files?.catch(() => {}); // is told by what waits for them
    const { openFiles } = await import('./pglite.js');
    if (files) return await openFiles(data, { fatal, isThere, files });
    checkFiles(data);
    // PostgreSQL's own lock, which is nobody's here: a process that died while it made the file left it empty, and
    // an empty one keeps the database shut for good.
    rmSync(join(data, 'postmaster.pid'), { force: true });
    const clean = readFileSync(join(data, 'global/pg_control')).readUInt32LE(16) === 1;
    if (!clean) await syncTree(data); // PostgreSQL would do it one file at a time, which takes many times as long
    return await openFiles(data, { fatal, isThere, synced: !clean });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(explain(error), data);
  }
}

function explain(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS'].includes(String(code))) return whyNotWritten(error);
  return 'the database in the data directory is damaged: some of its files are missing or not whole. Move it away and restore a backup (taskloom restore <file>)';
}

/** What a process that died while it made the database left behind. Only the holder of the lock comes here. */
function removeLeftovers(data: string): void {
  for (const name of readdirSync(dirname(data)))
    if (name.startsWith(`${basename(data)}.tmp-`)) rmSync(join(dirname(data), name), { recursive: true, force: true });
}

function isNew(data: string): boolean {
  if (readdirSync(data).length > 0) return false;
  const other = readdirSync(dirname(data)).find((name) => /^pg\d+$/.test(name) && name !== basename(data));
  if (other)
    throw new UsageError(
      `the tasks here are kept by PostgreSQL ${other.slice(2)}, and this version of Taskloom has ${MAJOR}. ${fromBackup}`,
      join(dirname(data), other),
    );
  return true;
}

function checkFiles(data: string): void {
  const version = readdirSync(data).includes('PG_VERSION') ? readFileSync(join(data, 'PG_VERSION'), 'utf8').trim() : '';
  if (version !== '' && version !== MAJOR)
    throw new UsageError(
      `the tasks here are kept by PostgreSQL ${version}, and this version of Taskloom has ${MAJOR}. ${fromBackup}`,
      data,
    );
  if (version === '')
    throw new UsageError(
      'there is no whole database in the data directory: making it was interrupted, or files were lost. Move it away to begin anew, or restore a backup (taskloom restore <file>)',
      data,
    );
  accessSync(data, constants.R_OK | constants.W_OK);
  accessSync(join(data, 'global/pg_control'), constants.R_OK | constants.W_OK);
}

async function make(data: string, migrations: Migration[] | undefined): Promise<void> {
  const aside = `${data}.tmp-${process.pid}`;
  mkdirSync(aside, { mode: 0o700 });
  try {
    const { unpackImage } = await import('./pglite-image.js');
    if (!(migrations && (await unpackImage(migrations, aside)))) {
      const { openFiles } = await import('./pglite.js');
      await (await openFiles(aside)).close();
      await syncTree(aside);
    }
    rmdirSync(data); // empty: Windows renames onto nothing
    renameSync(aside, data);
    await syncPath(dirname(data), true);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    mkdirSync(data, { recursive: true, mode: 0o700 });
    throw error;
  }
}
