import { setTimeout as pause } from 'node:timers/promises';
import { eq, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle, type PgRemoteDatabase } from 'drizzle-orm/pg-proxy';
import { forbidden, Refusal } from '../errors.js';
import type { Connection, Database, Row } from './database.js';
import { CommitUnknown, isUnreachable, SQLSTATE, sqlState, Unreachable } from './database-errors.js';
import type { Statement } from './pipeline.js';
import { readBatched } from './read-batches.js';
import { PLANNING, TIME_FORMAT } from './settings.js';
import { BEGIN, COMMIT, plain, ROLLBACK, retryStale, send, setLocal, TIMEOUTS } from './transaction.js';
import { withUserLimit } from './user-limits.js';

/** The user whose rows are visible. Resolved from the connection alone. */
export interface UserScope {
  userId: string;
  /** IANA name. */
  timezone: string;
  /** A check of the caller's credentials that is pending: it is pipelined with their first read or write. */
  proof?: Proof;
}

/** A query whose answer decides whether a user may act. */
export interface AccountCheck {
  statement: Statement;
  /**
   * @returns the user's time zone
   * @throws Refusal if the user may not act
   */
  check(row: Row | undefined): string;
}

/** An account check other than that of the user's own row. */
export interface Proof {
  /** Undefined once it has passed. */
  readonly account: AccountCheck | undefined;
}

declare const brand: unique symbol;

/**
 * One user's view of the database, the only one that code below the server gets. It isolates users twice: the
 * transaction runs under row-level security as that user, and every query restricts its tables with `mine`.
 */
export interface UserTx extends Readonly<Pick<UserScope, 'userId' | 'timezone'>> {
  readonly [brand]: true;
  /** For selects only: all rows are written by one function, see `domain/write-statement.ts`. */
  readonly db: PgRemoteDatabase;
  /** For selects that are built once: see `prepared.ts`. */
  readonly connection: Pick<Connection, 'query'>;
  /** The user predicate that a query needs for each owned table it names. */
  mine(table: { userId: PgColumn }): SQL;
}

/** Runs a query and returns raw rows, as arrays of column values. */
export async function rowsOf(tx: UserTx, query: SQL): Promise<unknown[][]> {
  return (await tx.db.execute(query)) as unknown as unknown[][]; // the pg-proxy driver passes rows through
}

/** State read at the start of a write, with the user's write lock held. */
export interface LockedState {
  /** The database's clock, read after the lock was taken. */
  now: Date;
  nextTask: number;
  nextProject: number;
  nextComment: number;
  changeSeq: number;
  /** Whether this write should also purge expired data. */
  purgeDue: boolean;
  /** The stored answer to this request, if it was made before. */
  request?: { fingerprint: string; answer: Record<string, unknown>; at: Date };
}

/** Identifies a write in its user's history. */
export interface CommitMark {
  seq: number;
  /** The random id of the call that made it. */
  call: string;
}

/** The outcome of a write: a value, and the statements that apply it; none if nothing is to be written. */
interface Written<T> {
  value: T;
  statements: Statement[];
  /** Set if the statements change something. Without a mark, running them again does no harm. */
  mark?: CommitMark;
}

export interface AsUserOptions {
  /** Overrides `app_now()`, for tests. */
  clock?: (() => Date) | undefined;
}

/** Switches to the runtime role, to which every table shows the rows of one user only. */
function become(database: Database, userId: string, clock?: () => Date): Statement {
  return setLocal({
    role: 'taskloom_app',
    'app.user_id': userId,
    // PGlite sets all but the timeouts when it starts. It ignores the first, never waits for a lock, and the last
    // would hang it for good.
    ...(database.kind !== 'pglite' && { ...TIME_FORMAT, ...PLANNING, ...TIMEOUTS }),
    ...(clock && { 'app.now': clock().toISOString() }),
  });
}

/** Takes the user's write lock, which is their row of counters. */
const lockOf = (userId: string): Statement => ({
  text: 'select next_task, next_project, next_comment, change_seq, tidied_at from taskloom.counters where counters.user_id = $1 for update',
  params: [userId],
});

export const accountDisabled = (): Refusal => forbidden('This account is disabled.', 'Ask whoever runs this server.');

/** Checks the user's own row, in every transaction: a disabled account or a new time zone applies to the next call. */
const ownRow = (userId: string): AccountCheck => ({
  statement: { text: 'select timezone, disabled_at is not null from taskloom.users where id = $1', params: [userId] },
  check(row) {
    if (!row || row[1]) throw accountDisabled();
    return String(row[0]);
  },
});

const accountOf = ({ userId, proof }: UserScope): AccountCheck => proof?.account ?? ownRow(userId);

/** Reads the stored answer to a request made in the last 24 hours. */
const requestOf = (userId: string, key: string): Statement => ({
  text: `select fingerprint, answer, at from taskloom.requests where requests.user_id = $1 and key = $2 and at > taskloom.app_now() - interval '24 hours'`,
  params: [userId, key],
});

function userTx(scope: UserScope, connection: Pick<Connection, 'query'>): UserTx {
  const db = drizzle(async (text, params) => ({ rows: await connection.query(text, params) }));
  const { userId, timezone } = scope;
  return {
    userId,
    timezone,
    connection,
    db,
    mine: (table: { userId: PgColumn }) => eq(table.userId, userId),
  } as UserTx;
}

const NOW = plain('select taskloom.app_now()');

/**
 * Reads as a user. Each statement runs in a read-only transaction of one round trip; results that must be consistent
 * with each other belong in one statement.
 */
export async function readAsUser<T>(
  database: Database,
  scope: UserScope,
  work: (tx: UserTx) => Promise<T>,
  options: AsUserOptions = {},
): Promise<T> {
  const opening = become(database, scope.userId, options.clock);
  const zone = scope.timezone;
  let reached = false;
  const query = async (text: string, params: readonly unknown[] = []) => {
    reached = true;
    const account = accountOf(scope);
    const [user, rows] = await readBatched(database, scope.userId, opening, [account.statement, { text, params }]);
    scope.timezone = account.check(user?.[0]);
    return rows ?? [];
  };
  const attempt = () => work(userTx(scope, { query }));
  const first = await attempt().catch(async (error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    if (!reached) await query('select'); // the refusal may rest on an outdated time zone
    if (scope.timezone === zone) throw error;
    return undefined;
  });
  // The user's time zone changed since the scope was made, and with it what "today" means: run `work` again.
  return scope.timezone === zone ? (first as T) : attempt();
}

/** A write: what it reads under the user's write lock, and what it then decides. */
interface Change<S, T> {
  /** Digest of the request_id, if the caller gave one. */
  key?: string | undefined;
  /** Runs everything, then rolls back. */
  dryRun?: boolean;
  read(tx: UserTx): Promise<S>;
  decide(state: S, opened: LockedState): Written<T>;
}

/**
 * Writes as a user, under that user's write lock, which is taken before anything is decided. `read` is pipelined
 * right behind the lock; `decide` gets its result and returns what to write, which is pipelined with the COMMIT.
 *
 * @throws CommitUnknown if the answer to COMMIT was lost and the database cannot be asked for some 10 seconds;
 *   Unreachable if COMMITs were lost on their way to it `COMMIT_ATTEMPTS` times
 */
export async function writeAsUser<S, T>(
  database: Database,
  scope: UserScope,
  change: Change<S, T>,
  options: AsUserOptions = {},
): Promise<T> {
  const id = scope.userId;
  const opening = [BEGIN, become(database, id, options.clock), lockOf(id)];
  const account = accountOf(scope);
  const transaction = () =>
    database.connect((connection) => runLocked(connection, scope, { opening, account, change }));
  return withUserLimit(database, id, 'writes', async () => {
    for (let attempt = 1; ; attempt++)
      try {
        return await retryStale(transaction);
      } catch (error) {
        if (!(error instanceof CommitUnknown)) throw error;
        if (await didCommit(database, opening, id, error)) return error.written.value;
        if (attempt === COMMIT_ATTEMPTS) throw new Unreachable(error);
      }
  });
}

/**
 * Runs the transaction of a write once.
 *
 * @param opening begins it and takes the lock
 * @throws CommitUnknown if the connection broke during COMMIT
 */
async function runLocked<S, T>(
  connection: Connection,
  scope: UserScope,
  { opening, account, change }: { opening: readonly Statement[]; account: AccountCheck; change: Change<S, T> },
): Promise<T> {
  const ready = send(connection, [
    ...opening,
    account.statement, // after the lock, which a change of the user's time zone takes too
    NOW, // its own statement: in the one that waits for the lock, it would be the time before the wait
    ...(change.key === undefined ? [] : [requestOf(scope.userId, change.key)]),
  ]);
  const [opened, read] = await Promise.allSettled([ready, (async () => change.read(userTx(scope, connection)))()]);
  try {
    if (opened.status === 'rejected') throw opened.reason;
    const [lock, user, clock, request] = opened.value.slice(opening.length - 1).map((rows) => rows[0]);
    scope.timezone = account.check(user);
    if (read.status === 'rejected') throw read.reason;
    const { value, statements, mark } = change.decide(read.value, readOpened(lock, clock, request));
    const isKept = statements.length > 0 && !change.dryRun;
    await send(connection, [...statements, isKept ? COMMIT : ROLLBACK]).catch((error: unknown) => {
      throw isKept && isUnreachable(error) ? new CommitUnknown(error, { value, mark }) : error;
    });
    return value;
  } catch (error) {
    await send(connection, [ROLLBACK]).catch(() => {}); // `connect` discards a broken connection
    throw error;
  }
}

/** How often a write is tried whose COMMITs had neither an answer nor an effect. */
const COMMIT_ATTEMPTS = 3;

/** How long to try to find out whether a COMMIT took effect whose answer was lost, in milliseconds. */
const RESOLVE_TIMEOUT = 10_000;

/**
 * Finds out whether a write was committed: takes the user's lock, which waits until the server has dropped the lost
 * connection too, and looks for the write's mark.
 *
 * @throws `unknown` if this does not succeed in time
 */
async function didCommit(
  database: Database,
  opening: readonly Statement[],
  userId: string,
  unknown: CommitUnknown,
): Promise<boolean> {
  const { mark } = unknown.written;
  const until = performance.now() + RESOLVE_TIMEOUT;
  for (let wait = 50; ; wait *= 2) {
    try {
      return await database.connect(async (connection) => {
        const rows = await send(connection, [
          ...opening,
          {
            text: 'select 1 from taskloom.changes c where c.user_id = $1::uuid and c.seq = $2 and c.call = $3::uuid',
            params: [userId, mark?.seq ?? 0, mark?.call ?? null],
          },
          ROLLBACK,
        ]);
        const found = rows.at(-2) ?? [];
        return found.length > 0;
      });
    } catch (error) {
      if (performance.now() + wait > until || !(isUnreachable(error) || sqlState(error) === SQLSTATE.lockNotAvailable))
        throw unknown;
      await pause(wait);
    }
  }
}

/** Milliseconds between two purges of a user's expired data. */
const PURGE_EVERY = 3_600_000;

function readOpened(lock: Row | undefined, clock: Row | undefined, request: Row | undefined): LockedState {
  if (!lock || !clock) throw new Error('a user has a row of counters');
  const now = new Date(String(clock[0]));
  return {
    now,
    nextTask: Number(lock[0]),
    nextProject: Number(lock[1]),
    nextComment: Number(lock[2]),
    changeSeq: Number(lock[3]),
    purgeDue: now.getTime() - new Date(String(lock[4])).getTime() > PURGE_EVERY,
    ...(request && {
      request: {
        fingerprint: String(request[0]),
        answer: request[1] as Record<string, unknown>,
        at: new Date(String(request[2])),
      },
    }),
  };
}
