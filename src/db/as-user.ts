import { eq } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/pg-proxy';
import { forbidden, type Refusal } from '../errors.js';
import type { Connection, Database } from './database.js';
import type { Statement } from './pipeline.js';
import type { AccountCheck, UserScope, UserTx } from './scope.js';
import { PLANNING, TIME_FORMAT } from './settings.js';
import { setLocal, TIMEOUTS } from './transaction.js';

/** Overrides `app_now()`, for tests. */
export type Clock = () => Date;

/** Switches to the runtime role, to which every table shows the rows of one user only. */
export function become(database: Database, userId: string, clock?: Clock): Statement {
  return setLocal({
    role: 'taskloom_app',
    'app.user_id': userId,
    // PGlite sets all but the timeouts when it starts. It ignores the first, never waits for a lock, and the last
    // would hang it for good.
    ...(database.kind !== 'pglite' && { ...TIME_FORMAT, ...PLANNING, ...TIMEOUTS }),
    ...(clock && { 'app.now': clock().toISOString() }),
  });
}

export const accountDisabled = (): Refusal => forbidden('This account is disabled.', 'Ask whoever runs this server.');

/** Checks the user's own row, in every transaction: a disabled account or a new time zone applies to the next call. */
const ownRow = (userId: string): AccountCheck => ({
  statement: { text: 'select timezone, disabled_at is not null from taskloom.users where id = $1', params: [userId] },
  check(row) {
    if (!row || row[1]) throw accountDisabled();
    return String(row[0]);
  },
});

/** Returns the check that a user's next statement is sent with. */
export const accountOf = ({ userId, proof }: UserScope): AccountCheck => proof?.account ?? ownRow(userId);

export function userTx(scope: UserScope, connection: Pick<Connection, 'query'>): UserTx {
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
