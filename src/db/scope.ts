import { setTimeout as pause } from 'node:timers/promises';
import { eq, type SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle, type PgRemoteDatabase } from 'drizzle-orm/pg-proxy';
import { forbidden, Refusal, UsageError } from '../errors.js';
import {
  CommitUnknown,
  type Connection,
  type Database,
  isStaleStatement,
  isUnreachable,
  type Row,
  sqlState,
} from './database.js';
import type { Statement } from './pipeline.js';
import { AS_TEXT, PLANNING } from './settings.js';
import { tooMany, USER_LIMITS, withUserLimit } from './user-limits.js';

/** For whom the rows are. Resolved from the connection alone. */
export interface UserScope {
  userId: string;
  /** IANA name. */
  timezone: string;
  /** What the caller still has to show, and does in the flight of the first thing that is read or written for them. */
  proof?: Proof;
}

/** A question to the database on whose answer it depends that a user is heard. */
export interface AccountCheck {
  statement: Statement;
  /**
   * @returns the user's time zone
   * @throws Refusal where the answer is no
   */
  check(row: Row | undefined): string;
}

/** Asks in another way than by the user's own row. */
export interface Proof {
  /** Nothing once it was answered. */
  readonly account: AccountCheck | undefined;
}

declare const brand: unique symbol;

/**
 * One user's view of the database, and the only one there is below the server. Both locks hold in it: the
 * transaction runs under row-level security as that user, and every query names its tables through `mine`.
 */
export interface UserTx extends UserScope {
  readonly [brand]: true;
  /** Select only: rows are written by one function, see `domain/write.ts`. */
  readonly db: PgRemoteDatabase;
  /** For what is built once: see `prepared.ts`. */
  readonly connection: Pick<Connection, 'query'>;
  /** The predicate that belongs beside every owned table a query names. */
  mine(table: { userId: PgColumn }): SQL;
}

/** What the opening of a write found, with the user's lock held. */
export interface LockedState {
  /** The database's clock, read after the lock. */
  now: Date;
  nextTask: number;
  nextProject: number;
  nextComment: number;
  changeSeq: number;
  /** Whether what has been kept long enough is to be removed along with this write. */
  purgeDue: boolean;
  /** The stored answer to this request, if it was made before. */
  request?: { fingerprint: string; answer: Record<string, unknown>; at: Date };
}

/** Where a write can be found in the history of its user. */
interface CommitMark {
  seq: number;
  /** The random id of the call that made it. */
  call: string;
}

/** What a write comes to: a value, and the statement that makes it so, if anything is to be written. */
export interface Written<T> {
  value: T;
  statement?: Statement;
  /** Sent along with it. */
  purge?: Statement | undefined;
  /** Of a statement that changes something. Without one, running it again does no harm. */
  mark?: CommitMark;
}

export interface AsUserOptions {
  /** The tests' clock, for `app_now()`. */
  clock?: (() => Date) | undefined;
}

/** What elsewhere than on PGlite no transaction of a user's goes beyond. */
const BOUNDS = { statement_timeout: '10s', lock_timeout: '5s', idle_in_transaction_session_timeout: '10s' };

/** Sets for this transaction alone, all in one statement: each by itself would cost as much. */
function setLocal(settings: Record<string, string>): Statement {
  const names = Object.keys(settings);
  const key = names.join();
  const text = setting.get(key) ?? `select ${names.map((name, i) => `set_config('${name}', $${i + 1}, true)`)}`;
  setting.set(key, text);
  return { text, params: Object.values(settings) };
}

/** The few statements that set something, by its names. */
const setting = new Map<string, string>();

const plain = (text: string): Statement => ({ text, params: [] });
const [COMMIT, ROLLBACK] = [plain('commit'), plain('rollback')];
/** Whatever the database's default is: what waited for a user's lock must see what was done meanwhile. */
const BEGIN = plain('begin isolation level read committed');
/** What one statement reads agrees with what another does. */
const BEGIN_READ = plain('begin isolation level repeatable read read only');

/** Becomes the runtime role, for whom every table shows the rows of one user. */
function become(database: Database, userId: string, clock?: () => Date): Statement {
  return setLocal({
    role: 'taskloom_app',
    'app.user_id': userId,
    // PGlite has all but the bounds from its start. Of the bounds it ignores one and never waits for a lock; the last would hang it for good.
    ...(database.kind !== 'pglite' && { ...AS_TEXT, ...PLANNING, ...BOUNDS }),
    ...(clock && { 'app.now': clock().toISOString() }),
  });
}

/** A user's one write lock. */
const lockOf = (userId: string): Statement => ({
  text: 'select next_task, next_project, next_comment, change_seq, tidied_at from taskloom.counters where counters.user_id = $1 for update',
  params: [userId],
});

/** The user's own row, asked for with every opening: an account closed or moved takes effect on the next call. */
const ownRow = (userId: string): AccountCheck => ({
  statement: { text: 'select timezone, disabled_at is not null from taskloom.users where id = $1', params: [userId] },
  check(row) {
    if (!row || row[1]) throw forbidden('This account is disabled.', 'Ask whoever runs this server.');
    return String(row[0]);
  },
});

const accountOf = ({ userId, proof }: UserScope): AccountCheck => proof?.account ?? ownRow(userId);

/** The answer to a request that was made before. */
const requestOf = (userId: string, key: string): Statement => ({
  text: `select fingerprint, answer, at from taskloom.requests where requests.user_id = $1 and key = $2 and at > taskloom.app_now() - interval '24 hours'`,
  params: [userId, key],
});

/** Sends statements, in one flight with whatever else is sent before an answer comes. */
const send = (connection: Pick<Connection, 'query'>, statements: readonly Statement[]): Promise<Row[][]> =>
  Promise.all(statements.map(({ text, params }) => connection.query(text, params)));

function userTx(scope: UserScope, connection: Pick<Connection, 'query'>): UserTx {
  const db = drizzle(async (text, params) => ({ rows: await connection.query(text, params) }));
  return { ...scope, connection, db, mine: (table: { userId: PgColumn }) => eq(table.userId, scope.userId) } as UserTx;
}

/** Sends a transaction once more in which a statement was used that the database did not know any more. */
const retryStale = <T>(transaction: () => Promise<T>): Promise<T> =>
  transaction().catch((error: unknown) => {
    if (!isStaleStatement(error)) throw error;
    return transaction();
  });

const NOW = plain('select taskloom.app_now()');

/** Runs a transaction that is one flight. */
const runPipelined = (database: Pick<Database, 'connect'>, statements: readonly Statement[]): Promise<Row[][]> =>
  retryStale(() =>
    database.connect(async (connection) => {
      try {
        return await send(connection, [...statements, COMMIT]);
      } catch (error) {
        await send(connection, [ROLLBACK]).catch(() => {}); // a broken connection is thrown away by its owner
        throw error;
      }
    }),
  );

/** How many reads of one user that wait for their turn share the next: beginning one is half of what a look-up takes. */
const READ_BATCH = 4;

interface Waiting {
  statements: readonly Statement[];
  answered(answers: Row[][]): void;
  failed(error: unknown): void;
}

/** Reads that begin in the same way. */
interface ReadQueue {
  /** With those under way. */
  count: number;
  waiting: Waiting[];
  /** That were asked for and have not come. */
  turns: number;
}

const shared = new WeakMap<object, Map<string, ReadQueue>>();

/** Reads in one transaction, in a user's turn, along with what else of theirs waits for it and begins in the same way. */
async function readBatched(
  database: Database,
  userId: string,
  opening: Statement,
  statements: readonly Statement[],
): Promise<Row[][]> {
  const all = shared.get(database) ?? new Map<string, ReadQueue>();
  shared.set(database, all);
  const key = opening.params.join(' ');
  const line = all.get(key) ?? { count: 0, waiting: [], turns: 0 };
  all.set(key, line);
  if (line.count >= USER_LIMITS.reads.concurrent + USER_LIMITS.reads.waiting) throw tooMany('reads');

  const read = async (reads: readonly Waiting[]): Promise<void> => {
    try {
      const asked = reads.flatMap(({ statements }) => statements);
      const answers = (await runPipelined(database, [BEGIN_READ, opening, ...asked])).slice(2);
      for (const { statements, answered } of reads) answered(answers.splice(0, statements.length));
    } catch (error) {
      // After one that fails none of the rest is run: each by itself, to see whose it was. Where nothing answers, it is all.
      if (reads.length > 1 && !isUnreachable(error)) for (const each of reads) await read([each]);
      else for (const { failed } of reads) failed(error);
    }
  };
  line.count++;
  try {
    return await new Promise((answered, failed) => {
      line.waiting.push({ statements, answered, failed });
      if (line.turns * READ_BATCH >= line.waiting.length) return; // one that was asked for has room
      line.turns++;
      void withUserLimit(database, userId, 'reads', () => {
        line.turns--;
        return read(line.waiting.splice(0, READ_BATCH));
      });
    });
  } finally {
    line.count--;
    if (line.count === 0) all.delete(key);
  }
}

/**
 * Reads as a user. Each statement goes in a read-only transaction of one flight, so that a tool that needs one
 * statement waits for one round trip; what must agree belongs in one statement.
 */
export async function readAsUser<T>(
  database: Database,
  scope: UserScope,
  work: (tx: UserTx) => Promise<T>,
  options: AsUserOptions = {},
): Promise<T> {
  const opening = become(database, scope.userId, options.clock);
  const zone = scope.timezone;
  let asked = false;
  const query = async (text: string, params: readonly unknown[] = []) => {
    asked = true;
    const account = accountOf(scope);
    const [user, rows] = await readBatched(database, scope.userId, opening, [account.statement, { text, params }]);
    scope.timezone = account.check(user?.[0]);
    return rows ?? [];
  };
  const attempt = () => work(userTx(scope, { query }));
  const first = await attempt().catch(async (error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    if (!asked) await query('select'); // it was judged by what was known of the user before
    if (scope.timezone === zone) throw error;
    return undefined;
  });
  // The user moved to another zone since the scope was made: what "today" means has changed.
  return scope.timezone === zone ? (first as T) : attempt();
}

/**
 * Writes as a user, under that user's write lock, which is taken before anything is decided. `read` is sent
 * right behind the lock; `decide` sees its result and answers what to write, which goes out with the COMMIT.
 *
 * @param key digest of the request id, if the caller gave one
 * @param dryRun runs all of it, and then rolls back
 */
export async function writeAsUser<S, T>(
  database: Database,
  scope: UserScope,
  change: {
    key?: string | undefined;
    dryRun?: boolean;
    read(tx: UserTx): Promise<S>;
    decide(state: S, opened: LockedState): Written<T>;
  },
  options: AsUserOptions = {},
): Promise<T> {
  const id = scope.userId;
  const opening = [BEGIN, become(database, id, options.clock), lockOf(id)];
  const account = accountOf(scope);
  const asked = [
    account.statement, // behind the lock: who moved the user to another zone held it
    NOW, // in its own statement: in the one that waits, it would be the time before the wait
    ...(change.key === undefined ? [] : [requestOf(id, change.key)]),
  ];

  const transaction = () =>
    database.connect(async (connection): Promise<T> => {
      const ready = send(connection, [...opening, ...asked]);
      const [opened, read] = await Promise.allSettled([ready, (async () => change.read(userTx(scope, connection)))()]);
      try {
        if (opened.status === 'rejected') throw opened.reason;
        const [lock, user, clock, request] = opened.value.slice(opening.length - 1).map((rows) => rows[0]);
        scope.timezone = account.check(user);
        if (read.status === 'rejected') throw read.reason;
        const { value, statement, purge, mark } = change.decide(read.value, readOpened(lock, clock, request));
        if (statement && !change.dryRun) {
          await send(connection, [statement, ...(purge ? [purge] : []), COMMIT]).catch((error: unknown) => {
            throw isUnreachable(error) ? new CommitUnknown(error, { mark, value }) : error;
          });
          return value;
        }
        await send(connection, [...(statement ? [statement] : []), ROLLBACK]);
        return value;
      } catch (error) {
        await send(connection, [ROLLBACK]).catch(() => {}); // a broken connection is thrown away by its owner
        throw error;
      }
    });

  const attempt = () => retryStale(transaction);
  return withUserLimit(database, id, 'writes', async () => {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CommitUnknown)) throw error;
      const { mark, value } = error.attempt as { mark?: CommitMark; value: T };
      return (await didCommit(database, opening, id, mark, error)) ? value : attempt();
    }
  });
}

/** How long it is tried to find out whether a COMMIT took place whose answer was lost, in milliseconds. */
const RESOLVE_TIMEOUT = 10_000;

/**
 * Finds out whether a write took place: takes the user's lock, which waits until the connection that was lost
 * is gone on the other side too, and looks for the write's mark.
 *
 * @throws the doubt itself, where it cannot be resolved in time
 */
async function didCommit(
  database: Database,
  opening: readonly Statement[],
  userId: string,
  mark: CommitMark | undefined,
  doubt: CommitUnknown,
): Promise<boolean> {
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
      if (performance.now() + wait > until || !(isUnreachable(error) || sqlState(error) === '55P03')) throw doubt;
      await pause(wait);
    }
  }
}

/** Milliseconds between two removals of what has been kept long enough. */
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

/**
 * Runs one statement as the runtime role, outside any user's scope: what no user owns, or what a definer function
 * answers of one.
 */
export async function asService(
  database: Pick<Database, 'connect'>,
  text: string,
  params: readonly unknown[],
): Promise<Row[]> {
  const rows = await runPipelined(database, [BEGIN, setLocal({ role: 'taskloom_app', ...AS_TEXT }), { text, params }]);
  return rows[2] ?? [];
}

/** Runs one statement of a person's own command as the login that owns the tables. */
export const queryAsOwner = (
  database: Pick<Database, 'connect'>,
  text: string,
  params: readonly unknown[],
): Promise<Row[]> => asOwner(database, (connection) => connection.query(text, params));

/**
 * Runs a person's own command as the login that owns the tables, in one transaction.
 *
 * @param begin how the transaction begins
 * @param settings what is set in it
 */
export async function asOwner<T>(
  database: Pick<Database, 'connect'>,
  work: (connection: Connection) => Promise<T>,
  { begin = 'begin', settings = [] }: { begin?: string; settings?: readonly string[] } = {},
): Promise<T> {
  const transaction = async (connection: Connection) => {
    try {
      await send(connection, [plain(begin), setLocal({ role: 'none', ...AS_TEXT }), ...settings.map(plain)]);
      const value = await work(connection);
      // In a transaction that failed, COMMIT would answer ROLLBACK without an error: the select does not.
      await send(connection, [plain('select 1'), COMMIT]);
      return value;
    } catch (error) {
      await send(connection, [ROLLBACK]).catch(() => {});
      throw error;
    }
  };
  return database.connect(transaction, true); // a migration or a backup takes its time
}

/** As the runtime role, outside any user's scope. */
export const ISOLATION = `select row_security_active('taskloom.tasks'), (select count(*)::int from taskloom.tasks)`;
export const isIsolated = (row: Row | undefined) => row?.[0] === true && row[1] === 0;

/** Refuses to serve from a database in which the runtime role could see every user's rows. */
export async function assertIsolated(database: Database): Promise<void> {
  const [row] = await asService(database, ISOLATION, []);
  if (!isIsolated(row))
    throw new UsageError(
      'row-level security does not bind the role taskloom_app: it must not be a superuser, own the tables or have BYPASSRLS',
    );
}
