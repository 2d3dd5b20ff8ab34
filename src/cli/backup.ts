import { createReadStream, createWriteStream, lstatSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type BackupHeader, type RowCounts, readBackup, rowCounts } from '../db/backup.js';
import { connect, type Target } from '../db/connect.js';
import type { Database } from '../db/database.js';
import { type Migration, migrate } from '../db/migrate.js';
import { isEmpty, isSameDatabase, restore, sameContents } from '../db/restore.js';
import { syncDirectory, syncFile } from '../db/sync.js';
import { UsageError } from '../errors.js';

/**
 * Checks that a file is new or, if `force` is set, a regular one: the rename would replace a device or a link itself.
 * Called before anything is read, and again before the rename.
 *
 * @throws UsageError if it is not
 */
export function checkReplaceable(file: string, force: boolean): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found && !found.isFile()) throw new UsageError('this is not a regular file: name another file', file);
  if (found && !force) throw new UsageError('the file already exists; --force replaces it', file);
}

/**
 * Writes a backup to a file with mode 0600, and returns its row counts. Writes a temporary file and renames it once it
 * is synced, so that there is a complete backup or none.
 *
 * @throws UsageError if the file exists and `force` is not set, or it cannot be written
 */
export async function writeBackup(file: string, lines: AsyncIterable<string>, force: boolean): Promise<RowCounts> {
  let counts: RowCounts = {};
  /** Reads the row counts from the first line. */
  async function* countRows() {
    let first = true;
    for await (const piece of lines) {
      if (first) counts = rowCounts(JSON.parse(piece) as BackupHeader);
      first = false;
      yield piece;
    }
  }
  const temporary = `${file}.tmp-${process.pid}`;
  try {
    await pipeline(
      Readable.from(countRows()),
      createGzip(),
      createWriteStream(temporary, { flags: 'wx', mode: 0o600 }),
    );
    await syncFile(temporary);
    checkReplaceable(file, force);
    await rename(temporary, file);
    await syncDirectory(dirname(file));
    return counts;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(temporary, { force: true });
    throw fileMistake(error, file) ?? error;
  }
}

/**
 * Reads a backup file, and yields its unpacked text in pieces.
 *
 * @throws UsageError if it cannot be read or is damaged
 */
export async function* readFile(file: string): AsyncGenerator<string> {
  try {
    const text = createReadStream(file)
      .on('error', (error) => text.destroy(error))
      .pipe(createGunzip())
      .setEncoding('utf8');
    yield* text;
  } catch (error) {
    throw fileMistake(error, file) ?? error;
  }
}

function fileMistake(error: unknown, file: string): UsageError | undefined {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code === 'Z_BUF_ERROR') return new UsageError('the backup is damaged: it is truncated', file);
  if (code.startsWith('Z_')) return new UsageError('the file is not a backup of Taskloom, or it is damaged', file);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new UsageError('the disk is full', file);
  if (code === 'EEXIST') return new UsageError('the file already exists', `${file}.tmp-${process.pid}`);
  return /^E[A-Z]+$/.test(code) ? new UsageError(`cannot use the file ${basename(file)} (${code})`, file) : undefined;
}

/**
 * Copies everything to another database, in one transaction there. If interrupted, it has copied nothing or everything;
 * it can be run again either way.
 *
 * @returns the row counts copied; undefined if the other database has the same contents already
 * @throws UsageError if the other database is the same one, or has other contents
 */
export async function moveTo(
  target: Target,
  from: Database,
  migrations: Migration[],
  about: { version: string; now: Date },
): Promise<RowCounts | undefined> {
  const to = await connect(target);
  try {
    if (await isSameDatabase(from, to)) throw new UsageError('the source and target databases are the same');
    await migrate(to, migrations);
    if (await isEmpty(to)) return await restore(to, migrations, readBackup(from, about));
    if (await sameContents(from, to)) return undefined;
    throw new UsageError('the target database is not empty: name an unused one');
  } finally {
    await to.close();
  }
}

/** Formats counts as `3 users, 120 tasks, 340 changes`. */
export function formatCounts(tables: RowCounts): string {
  const count = (name: string) => `${tables[name] ?? 0} ${tables[name] === 1 ? name.slice(0, -1) : name}`;
  return ['users', 'tasks', 'changes'].map(count).join(', ');
}
