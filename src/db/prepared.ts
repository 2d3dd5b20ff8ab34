import { Column, eq, fillPlaceholders, is, Placeholder, SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/pg-proxy';
import type { Row } from './database.js';
import type { UserTx } from './scope.js';

/** A select that Drizzle has built, and not run. */
interface Select<Rows> extends PromiseLike<Rows> {
  toSQL(): { sql: string; params: unknown[] };
  readonly _: { readonly selectedFields: object };
}

type Reader = (row: Row) => unknown;

/**
 * How a row becomes an object, as Drizzle does it; but of a table that was joined in vain, each value is null. Drizzle
 * finds it out again for each value, which took a sixth of a list.
 */
function readerOf(fields: object, place = { next: 0 }): Reader {
  const readers = Object.entries(fields).map(([name, field]): [string, Reader] => [
    name,
    is(field, Column) || is(field, SQL) || is(field, SQL.Aliased)
      ? fieldReader(field, place.next++)
      : readerOf(field as object, place),
  ]);
  return (row) => {
    const read: Record<string, unknown> = {};
    for (const [name, reader] of readers) read[name] = reader(row);
    return read;
  };
}

function fieldReader(field: Column | SQL | SQL.Aliased, place: number): Reader {
  if (!is(field, Column) || field.mapFromDriverValue === Column.prototype.mapFromDriverValue)
    return (row) => row[place];
  const decode = field.mapFromDriverValue.bind(field);
  return (row) => (row[place] === null ? null : decode(row[place]));
}

const db = drizzle(() => Promise.reject(new Error('a prepared select is not run by itself')));

/** A user's view in which the user is still to be named. */
const user = sql.placeholder('user') as Placeholder & string;
const anyone = { db, userId: user, mine: (table: { userId: PgColumn }) => eq(table.userId, user) } as unknown as UserTx;

type Prepared<Name extends string, Rows> = (tx: UserTx, values: Record<Name, unknown>) => Promise<Rows>;
type Build<Name extends string, Rows> = (tx: UserTx, value: (name: Name) => Placeholder) => Select<Rows>;

/**
 * Builds a select once, when it is first run, and leaves the values open: building one costs a fifth of a look-up, and
 * half of a list. A value that it names several times is one parameter.
 *
 * @param build as in a tool, but for values that come later: `value('ids')`
 */
export function prepared<Name extends string, Rows>(build: Build<Name, Rows>): Prepared<Name, Rows> {
  let made: { text: string; params: unknown[]; read: Reader } | undefined;
  const make = () => {
    const values = new Map<Name, Placeholder>();
    const value = (name: Name) => {
      const placeholder = values.get(name) ?? sql.placeholder(name);
      values.set(name, placeholder);
      return placeholder;
    };
    const select = build(anyone, value);
    return { ...once(select.toSQL()), read: readerOf(select._.selectedFields) };
  };
  return async (tx, values) => {
    made ??= make();
    const rows = await tx.connection.query(made.text, fillPlaceholders(made.params, { ...values, user: tx.userId }));
    return rows.map(made.read) as Rows;
  };
}

/** So many shapes of a select are kept, those used last: there are some dozens, and of limits a hundred. */
const SHAPES = 200;

/** Likewise a select that has several shapes: `shape` is all that its text depends on. */
export function preparedBy<Shape extends object, Name extends string, Rows>(
  build: (shape: Shape) => Build<Name, Rows>,
): (shape: Shape, ...given: Parameters<Prepared<Name, Rows>>) => Promise<Rows> {
  const kept = new Map<string, Prepared<Name, Rows>>();
  return (shape, ...given) => {
    const key = JSON.stringify(shape);
    const select = kept.get(key) ?? prepared(build(shape));
    kept.delete(key);
    kept.set(key, select);
    const [oldest] = kept.keys();
    if (oldest !== undefined && kept.size > SHAPES) kept.delete(oldest);
    return select(...given);
  };
}

/** Gives a value that a statement names several times one parameter. */
function once({ sql: text, params }: { sql: string; params: unknown[] }): { text: string; params: unknown[] } {
  const kept: unknown[] = [];
  const places = params.map((param) =>
    is(param, Placeholder) && kept.includes(param) ? kept.indexOf(param) : kept.push(param) - 1,
  );
  return { text: text.replace(/\$(\d+)/g, (_, n) => `$${Number(places[n - 1]) + 1}`), params: kept };
}

/**
 * A limit, in the statement's text. As a parameter it would have the statement planned anew each time: not knowing it,
 * PostgreSQL reckons with a tenth of the table.
 */
export const literal = (count: number) => sql.raw(String(Math.trunc(count))) as SQL & Placeholder;

/** A list of numbers, of which PostgreSQL likewise does not want to know how many they are before it plans. */
export const listOf = (numbers: number[] | Placeholder, type: 'int' | 'bigint' = 'int'): SQL =>
  sql`(select ${Array.isArray(numbers) ? `{${numbers.join()}}` : numbers}::${sql.raw(type)}[])::${sql.raw(type)}[]`;
