import { randomBytes } from 'node:crypto';
import { UsageError } from '../errors.js';
import { type Database, sqlState } from './database.js';
import { type Hold, holdDirectory, makeDirectory } from './lock.js';
import { type Migration, migrate, pending } from './migrate.js';
import { asOwner, asService, assertIsolated } from './scope.js';

/** Where tasks are kept. */
export type Target =
  | { kind: 'memory' }
  | { kind: 'directory'; path: string /** Used where `path` cannot be. */; fallback?: string }
  | { kind: 'postgres'; url: string }
  | { kind: 'neon'; url: string; proxy?: string };

/** An opened database, migrated and checked, and the key that signs page cursors. */
export interface Store {
  database: Database;
  secret: Buffer;
  close(): Promise<void>;
}

export interface OpenedStore extends Store {
  /** Names of the migrations that were applied when it was opened. */
  applied: string[];
}

export interface OpenOptions {
  migrations: Migration[];
  /** Whether to bring PostgreSQL's schema up to date; the embedded database always is. */
  migrate?: boolean;
  /** Signs page cursors, the same on every replica. Kept in the database where not given. */
  secret?: string | undefined;
  /** The directory's, where it is held already. It is given back when the store is closed, or cannot be opened. */
  held?: Hold;
}

/** Opens the driver alone, loading no other; an embedded directory is held until it is closed. */
export async function connect(target: Target, held?: Hold): Promise<Database> {
  switch (target.kind) {
    case 'memory':
      return (await import('./pglite.js')).openPglite();
    case 'directory': {
      const hold = held ?? (await holdDirectory(makeDirectory(target.path, target.fallback)));
      try {
        const database = await (await import('./pglite.js')).openPglite(hold.data);
        const close = database.close;
        database.close = () => close().finally(hold.release);
        return database;
      } catch (error) {
        await hold.release();
        throw error;
      }
    }
    case 'postgres':
      return (await import('./postgres.js')).openPostgres(target.url);
    case 'neon':
      return (await import('./neon.js')).openNeon(target.url, target.proxy);
  }
}

/** The embedded database gathers no statistics by itself. Without any, it searches by reading every task. A small sample will do. */
const ANALYZE =
  'set local default_statistics_target = 10; analyze taskloom.tasks, taskloom.task_labels, taskloom.comments';

/**
 * Opens a database for use: migrations, the check that one user's rows are hidden from another, the key.
 *
 * @throws UsageError for what a person must put right, Unreachable where the database is away
 */
export async function openStore(target: Target, options: OpenOptions): Promise<OpenedStore> {
  const database = await connect(target, options.held);
  try {
    let applied: string[] = [];
    if (database.kind === 'pglite' || options.migrate) applied = await migrate(database, options.migrations);
    else {
      const names = await pending(database, options.migrations);
      if (names.length > 0)
        throw new UsageError(`the database lacks migrations: ${names.join(', ')}. Run: taskloom migrate`);
    }
    if (database.kind === 'pglite') await asOwner(database, (connection) => connection.script(ANALYZE));
    await assertIsolated(database);
    return { database, applied, secret: await readSecret(database, options.secret), close: () => database.close() };
  } catch (error) {
    await database.close();
    if (sqlState(error) === '42501')
      throw new UsageError(
        'the database login has no rights on the schema taskloom or may not act as the role taskloom_app. Use the login that it was migrated for',
      );
    throw error;
  }
}

/** The installation's key: made when a database is first opened, the same for every process that opens it. */
async function readSecret(database: Database, given: string | undefined): Promise<Buffer> {
  if (given) return Buffer.from(given);
  const [row] = await asService(
    database,
    `with made as (
       insert into taskloom.secrets (name, value) values ('cursor', $1) on conflict do nothing returning value
     ) select value from made union all select value from taskloom.secrets where name = 'cursor'`,
    [randomBytes(32).toString('hex')],
    'owner',
  );
  if (!row) return readSecret(database, given); // another process made it between our two looks
  return Buffer.from(String(row[0]), 'hex');
}
