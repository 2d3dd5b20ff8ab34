import type { SQL } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { PgRemoteDatabase } from 'drizzle-orm/pg-proxy';
import type { Connection, Row } from './database.js';
import type { Statement } from './pipeline.js';

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
