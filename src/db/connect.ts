import { randomBytes } from 'node:crypto';
import { UsageError } from '../errors.js';
import type { Database, Row } from './database.js';
import { openDirectory } from './directory.js';
import { type DirectoryLock, holdDirectory, makeDirectory } from './lock.js';
import { APPLIED, compare, type Migration, migrate, pending, rethrowForOperator } from './migrate.js';
import { compiled } from './pglite-code.js';
import type { Fatal } from './pglite-disk.js';
import { assertIsolated, asTableOwner, ISOLATION, isIsolated, queryAsTableOwner } from './service.js';

/** Where tasks are stored. */
export type Target =
  | { kind: 'memory' }
  | { kind: 'directory'; path: string /** Used if `path` does not exist and cannot be created. */; fallback?: string }
  | { kind: 'postgres'; url: string }
  | { kind: 'neon'; url: string; proxy?: string };

/** An open database, migrated and checked, and the key that signs page cursors. */
export interface Store {
  database: Database;
  secret: Buffer;
  close(): Promise<void>;
}

export interface OpenedStore extends Store {
  /** Names of the migrations that opening it applied. */
  applied: string[];
}

interface ConnectOptions {
  /** The directory's lock, if it is held already. Released when the database is closed, or cannot be opened. */
  held?: DirectoryLock;
  /** Migrations that a new embedded database may start with. */
  migrations?: Migration[];
  /** Ends the process, with the reason, if the embedded database can no longer store data. */
  fatal?: Fatal | undefined;
}

export interface OpenOptions extends ConnectOptions {
  migrations: Migration[];
  /** Whether to migrate a PostgreSQL server; the embedded database is always migrated. */
  migrate?: boolean;
  /** Signs page cursors; the same on every replica. By default a key stored in the database. */
  secret?: string | undefined;
}

/**
 * Opens a database without migrations or checks, loading its driver only. An embedded directory is locked until closed.
 *
 * @throws UsageError if the directory cannot be used; DirectoryInUse if another process holds it
 */
export async function connect(target: Target, options: ConnectOptions = {}): Promise<Database> {
  switch (target.kind) {
    case 'memory': {
      void compiled();
      const [{ openMemory }, { findImage }] = await Promise.all([import('./pglite.js'), import('./pglite-image.js')]);
      return openMemory(options.migrations && (await findImage(options.migrations)));
    }
    case 'directory': {
      void compiled();
      void import('./pglite.js');
      const hold = options.held ?? (await holdDirectory(makeDirectory(target.path, target.fallback)));
      try {
        const database = await openDirectory(hold, options);
        const { close } = database;
        database.close = () => close().finally(hold.release);
        return database;
      } catch (error) {
        hold.release();
        throw error;
      }
    }
    case 'postgres':
      return (await import('./postgres.js')).openPostgres(target.url);
    case 'neon':
      return (await import('./neon.js')).openNeon(target.url, target.proxy);
  }
}

/**
 * Opens a database for use: migrates it, checks that users are isolated from each other, and reads the key.
 *
 * @throws UsageError for what a person must fix; Unreachable if the database cannot be reached
 */
export async function openStore(target: Target, options: OpenOptions): Promise<OpenedStore> {
  const database = await connect(target, options);
  try {
    const found = await checkUpToDate(database, options);
    const applied = found ? [] : await prepare(database, options);
    const secret = found?.key ?? (await readSecret(database, options.secret));
    return { database, secret, applied, close: () => database.close() };
  } catch (error) {
    await database.close();
    return rethrowForOperator(error);
  }
}

/**
 * Checks everything in one script, and returns the stored key if `prepare` has nothing to do. That is the usual case of
 * the embedded database, which a client is waiting for.
 */
async function checkUpToDate(
  database: Database,
  options: OpenOptions,
): Promise<{ key: Buffer | undefined } | undefined> {
  if (database.kind !== 'pglite') return undefined;
  const script = `${APPLIED}; ${KEY}; set local role taskloom_app; ${ISOLATION}`;
  const found = await asTableOwner(database, (connection) => connection.script(script)).catch(() => undefined);
  if (!found) return undefined; // a new database, or `prepare` will find out what is wrong
  const [ledger, keys, , isolation] = found;
  const ready = isIsolated(isolation?.[0]) && compare(options.migrations, ledger ?? []).length === 0;
  return ready ? { key: keyOf(options.secret, keys?.[0]) } : undefined;
}

/** Migrates, or checks that nothing is pending, and checks isolation. Returns the names of the applied migrations. */
async function prepare(database: Database, options: OpenOptions): Promise<string[]> {
  let applied: string[] = [];
  if (database.kind === 'pglite' || options.migrate) applied = await migrate(database, options.migrations);
  else {
    const names = await pending(database, options.migrations);
    if (names.length > 0)
      throw new UsageError(`the database lacks migrations: ${names.join(', ')}. Run: taskloom migrate`);
  }
  await assertIsolated(database);
  return applied;
}

/** Returns the installation's key: created when the database is first opened, and the same for all processes. */
async function readSecret(database: Database, given: string | undefined): Promise<Buffer> {
  const stored = given ? undefined : await queryAsTableOwner(database, MAKE_KEY, [randomBytes(32).toString('hex')]);
  return keyOf(given, stored?.[0]) ?? readSecret(database, given); // another process inserted it meanwhile
}

const KEY = `select value from taskloom.secrets where name = 'cursor'`;
const MAKE_KEY = `with made as (
  insert into taskloom.secrets (name, value) values ('cursor', $1) on conflict do nothing returning value
) select value from made union all ${KEY}`;

function keyOf(given: string | undefined, stored: Row | undefined): Buffer | undefined {
  if (given) return Buffer.from(given);
  return stored && Buffer.from(String(stored[0]), 'hex');
}
