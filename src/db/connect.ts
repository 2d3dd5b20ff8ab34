import { randomBytes } from 'node:crypto';
import { UsageError } from '../errors.js';
import { type Database, type Row, sqlState } from './database.js';
import { openDirectory } from './directory.js';
import { type Hold, holdDirectory, makeDirectory } from './lock.js';
import { APPLIED, compare, type Migration, migrate, pending } from './migrate.js';
import { compiled } from './pglite-code.js';
import type { Fatal } from './pglite-disk.js';
import { asOwner, assertIsolated, ISOLATION, isIsolated, queryAsOwner } from './scope.js';

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

interface ConnectOptions {
  /** The directory's, where it is held already. It is given back when the database is closed, or cannot be opened. */
  held?: Hold;
  /** What a new embedded database may start with. */
  migrations?: Migration[];
  /** Ends the process, told why, where the embedded database can no longer keep what it is given. */
  fatal?: Fatal | undefined;
}

export interface OpenOptions extends ConnectOptions {
  migrations: Migration[];
  /** Whether to bring PostgreSQL's schema up to date; the embedded database always is. */
  migrate?: boolean;
  /** Signs page cursors, the same on every replica. Kept in the database where not given. */
  secret?: string | undefined;
}

/** Opens the driver alone, loading no other; an embedded directory is held until it is closed. */
export async function connect(target: Target, options: ConnectOptions = {}): Promise<Database> {
  switch (target.kind) {
    case 'memory':
      return (await import('./pglite.js')).openPglite();
    case 'directory': {
      void compiled();
      void import('./pglite.js');
      const hold = options.held ?? (await holdDirectory(makeDirectory(target.path, target.fallback)));
      try {
        const database = await openDirectory(hold, options);
        const close = database.close;
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
 * Opens a database for use: migrations, the check that one user's rows are hidden from another, the key.
 *
 * @throws UsageError for what a person must put right, Unreachable where the database is away
 */
export async function openStore(target: Target, options: OpenOptions): Promise<OpenedStore> {
  const database = await connect(target, options);
  try {
    const found = await asLeft(database, options);
    const applied = found ? [] : await prepare(database, options);
    const secret = found?.key ?? (await readSecret(database, options.secret));
    return { database, secret, applied, close: () => database.close() };
  } catch (error) {
    await database.close();
    if (sqlState(error) === '42501')
      throw new UsageError(
        'the database login has no rights on the schema taskloom or may not act as the role taskloom_app. Use the login that it was migrated for',
      );
    throw error;
  }
}

/**
 * Looks at everything at once, and answers the key that is there, where `prepare` has nothing to do: so it
 * nearly always is of the embedded database, to which a client waits to be connected.
 */
async function asLeft(database: Database, options: OpenOptions): Promise<{ key: Buffer | undefined } | undefined> {
  if (database.kind !== 'pglite') return undefined;
  const script = `${APPLIED}; ${KEY}; set local role taskloom_app; ${ISOLATION}`;
  const found = await asOwner(database, (connection) => connection.script(script)).catch(() => undefined);
  if (!found) return undefined; // nothing is there yet, or step by step it will be found out what is wrong
  const [ledger, keys, , isolation] = found;
  const ready = isIsolated(isolation?.[0]) && compare(options.migrations, ledger ?? []).length === 0;
  return ready ? { key: keyOf(options.secret, keys?.[0]) } : undefined;
}

/** Answers the migrations that it applied. */
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

/** The installation's key: made when a database is first opened, the same for every process that opens it. */
async function readSecret(database: Database, given: string | undefined): Promise<Buffer> {
  const kept = given ? undefined : await queryAsOwner(database, MAKE_KEY, [randomBytes(32).toString('hex')]);
  return keyOf(given, kept?.[0]) ?? readSecret(database, given); // made by another process between our two looks
}

const KEY = `select value from taskloom.secrets where name = 'cursor'`;
const MAKE_KEY = `with made as (
  insert into taskloom.secrets (name, value) values ('cursor', $1) on conflict do nothing returning value
) select value from made union all ${KEY}`;

function keyOf(given: string | undefined, kept: Row | undefined): Buffer | undefined {
  if (given) return Buffer.from(given);
  return kept && Buffer.from(String(kept[0]), 'hex');
}
