import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type Head, readBackup } from '../db/backup.js';
import { connect, type Target } from '../db/connect.js';
import type { Database } from '../db/database.js';
import { type Migration, migrate } from '../db/migrate.js';
import { areOne, isEmpty, type Restored, restore, sameContents } from '../db/restore.js';
import { UsageError } from '../errors.js';

/** Refuses a file that is there, unless it is to be replaced: asked before anything is read. */
export function checkNew(file: string, force: boolean): void {
  if (!force && existsSync(file))
    throw new UsageError('there is a file of that name already; --force replaces it', file);
}

/**
 * Writes a backup into a file that only its owner can read: aside, and under its name once all of it is on the
 * disk, so that there is a whole one or none.
 */
export async function writeBackup(file: string, lines: AsyncIterable<string>, force: boolean): Promise<Counts> {
  let counts: Counts = {};
  /** The first line says what follows. */
  async function* counting() {
    let first = true;
    for await (const piece of lines) {
      if (first) counts = rowsIn((JSON.parse(piece) as Head).tables);
      first = false;
      yield piece;
    }
  }
  const aside = `${file}.tmp-${process.pid}`;
  try {
    await pipeline(Readable.from(counting()), createGzip(), createWriteStream(aside, { flags: 'wx', mode: 0o600 }));
    await sync(aside, 'r+');
    checkNew(file, force);
    await rename(aside, file);
    if (process.platform !== 'win32') await sync(dirname(file), 'r');
    return counts;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(aside, { force: true });
    throw fileMistake(error, file) ?? error;
  }
}

async function sync(path: string, flags: 'r' | 'r+'): Promise<void> {
  const handle = await open(path, flags);
  await handle.sync().finally(() => handle.close());
}

/** Reads a backup's lines out of its file. */
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
  if (code === 'Z_BUF_ERROR') return new UsageError('the backup is damaged: it ends too early', file);
  if (code.startsWith('Z_')) return new UsageError('the file is not a backup of Taskloom, or it is damaged', file);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new UsageError('the disk is full', file);
  if (code === 'EEXIST') return new UsageError('there is a file of that name already', `${file}.tmp-${process.pid}`);
  return /^E[A-Z]+$/.test(code) ? new UsageError(`cannot use the file ${basename(file)} (${code})`, file) : undefined;
}

/**
 * Carries everything to another database, in one transaction there: stopped at any moment, it has done nothing
 * and can be run again, or it has done all of it, which it then finds out.
 *
 * @returns whether anything had to be carried
 */
export async function moveTo(
  target: Target,
  from: Database,
  migrations: Migration[],
  about: { version: string; now: Date },
): Promise<Restored | undefined> {
  const to = await connect(target);
  try {
    if (await areOne(from, to)) throw new UsageError('the database to move to is the one that has the tasks');
    await migrate(to, migrations);
    if (await isEmpty(to)) return await restore(to, migrations, readBackup(from, about));
    if (await sameContents(from, to)) return undefined;
    throw new UsageError('the database to move to is not empty: only one that nobody has used yet can be filled');
  } finally {
    await to.close();
  }
}

/** Rows of each table. */
type Counts = Record<string, number>;

export const rowsIn = (tables: Restored | Head['tables']): Counts =>
  Object.fromEntries(
    Array.isArray(tables)
      ? tables.map(({ name, rows }) => [name, rows])
      : Object.entries(tables).map(([name, { rows }]) => [name, rows]),
  );

/** `3 users, 120 tasks, 340 changes`. */
export function counted(tables: Counts): string {
  const some = (name: string) => `${tables[name] ?? 0} ${tables[name] === 1 ? name.slice(0, -1) : name}`;
  return ['users', 'tasks', 'changes'].map(some).join(', ');
}
