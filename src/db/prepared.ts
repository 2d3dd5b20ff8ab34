import { eq, type Placeholder, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/pg-proxy';
import type { Connection } from './database.js';
import type { UserTx } from './scope.js';

/** A select that Drizzle has built. */
interface Built<Rows> {
  prepare(name: string): { execute(values: Record<string, unknown>): Promise<Rows> };
}

/** Whose statement it is, from when it is run until Drizzle sends it, which is before anything else can happen. */
let lent: Pick<Connection, 'query'> | undefined;

const db = drizzle(async (text, params) => {
  if (!lent) throw new Error('a prepared query is sent at once');
  return { rows: await lent.query(text, params) };
});

/** A user's view in which the user is still to be named. */
const user = sql.placeholder('user') as Placeholder & string;
const anyone = { db, userId: user, mine: (table: { userId: PgColumn }) => eq(table.userId, user) } as unknown as UserTx;

/**
 * Builds a select once, when it is first run, and leaves the values open: building one costs a fifth of a look-up.
 *
 * @param build as in a tool, but for values that come later: `value('ids')`
 */
export function prepared<Name extends string, Rows>(
  build: (tx: UserTx, value: (name: Name) => Placeholder) => Built<Rows>,
): (tx: UserTx, values: Record<Name, unknown>) => Promise<Rows> {
  let query: ReturnType<Built<Rows>['prepare']> | undefined;
  return (tx, values) => {
    query ??= build(anyone, (name) => sql.placeholder(name)).prepare('');
    lent = tx.connection;
    try {
      return query.execute({ ...values, user: tx.userId });
    } finally {
      lent = undefined;
    }
  };
}

/**
 * A limit, in the statement's text. As a parameter it would have the statement planned anew each time: not knowing it,
 * PostgreSQL reckons with a tenth of the table.
 */
export const literal = (count: number) => sql.raw(String(Math.trunc(count))) as SQL & Placeholder;

/** A list of numbers, of which PostgreSQL likewise does not want to know how many they are before it plans. */
export const listOf = (numbers: number[] | Placeholder, type: 'int' | 'bigint' = 'int'): SQL =>
  sql`(select ${Array.isArray(numbers) ? `{${numbers.join()}}` : numbers}::${sql.raw(type)}[])::${sql.raw(type)}[]`;
