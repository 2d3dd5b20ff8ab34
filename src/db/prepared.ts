import { Column, eq, fillPlaceholders, is, Placeholder, SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/pg-proxy';
import { LRUCache } from 'lru-cache';
import type { Row } from './database.js';
import type { UserTx } from './scope.js';

/** A select that Drizzle has built but not run. */
interface Select<Rows> extends PromiseLike<Rows> {
  toSQL(): { sql: string; params: unknown[] };
  readonly _: { readonly selectedFields: object };
}

type Reader = (row: Row) => unknown;

/**
 * Returns a function that turns a row into an object as Drizzle does, except that each value of an outer-joined table
 * without a match is null. Drizzle works out the mapping again for each value, which took a sixth of a list.
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

/** A user's view with a placeholder for the user's id. */
const user = sql.placeholder('user') as Placeholder & string;
const anyone = { db, userId: user, mine: (table: { userId: PgColumn }) => eq(table.userId, user) } as unknown as UserTx;

type Prepared<Name extends string, Rows> = (tx: UserTx, values: Record<Name, unknown>) => Promise<Rows>;
type Build<Name extends string, Rows> = (tx: UserTx, value: (name: Name) => Placeholder) => Select<Rows>;

/**
 * Builds a select once, when it is first run, with placeholders for its values: building takes a fifth of a look-up,
 * and half of a list. A value that is used several times becomes one parameter.
 *
 * @param build builds the select as usual, with `value('ids')` for a value that each run supplies
 */
export function prepared<Name extends string, Rows>(build: Build<Name, Rows>): Prepared<Name, Rows> {
  let statement: { text: string; params: unknown[]; read: Reader } | undefined;
  const make = () => {
    const values = new Map<Name, Placeholder>();
    const value = (name: Name) => {
      const placeholder = values.get(name) ?? sql.placeholder(name);
      values.set(name, placeholder);
      return placeholder;
    };
    const select = build(anyone, value);
    return { ...mergePlaceholders(select.toSQL()), read: readerOf(select._.selectedFields) };
  };
  return async (tx, values) => {
    statement ??= make();
    const rows = await tx.connection.query(
      statement.text,
      fillPlaceholders(statement.params, { ...values, user: tx.userId }),
    );
    return rows.map(statement.read) as Rows;
  };
}

/** How many shapes of a select the LRU cache holds: there are some dozens, and a hundred different limits. */
const MAX_SHAPES = 200;

/** Like `prepared`, for a select with several shapes: `shape` is everything that its text depends on. */
export function preparedBy<Shape extends object, Name extends string, Rows>(
  build: (shape: Shape) => Build<Name, Rows>,
): (shape: Shape, ...given: Parameters<Prepared<Name, Rows>>) => Promise<Rows> {
  const kept = new LRUCache<string, Prepared<Name, Rows>>({ max: MAX_SHAPES });
  return (shape, ...given) => {
    const key = JSON.stringify(shape);
    const select = kept.get(key) ?? prepared(build(shape));
    kept.set(key, select);
    return select(...given);
  };
}

/** Merges the parameters of a placeholder that a statement uses several times. */
function mergePlaceholders({ sql: text, params }: { sql: string; params: unknown[] }): {
  text: string;
  params: unknown[];
} {
  const kept: unknown[] = [];
  const places = params.map((param) =>
    is(param, Placeholder) && kept.includes(param) ? kept.indexOf(param) : kept.push(param) - 1,
  );
  return { text: text.replace(/\$(\d+)/g, (_, n) => `$${Number(places[n - 1]) + 1}`), params: kept };
}

/**
 * Puts a limit into the statement's text. For a limit that is a parameter, a generic plan assumes a tenth of all rows.
 */
export const literalLimit = (count: number) => sql.raw(String(Math.trunc(count))) as SQL & Placeholder;

/** A list of numbers as a sub-select, so that the plan does not depend on how many they are. */
export const arrayOf = (numbers: number[] | Placeholder, type: 'int' | 'bigint' = 'int'): SQL =>
  sql`(select ${Array.isArray(numbers) ? `{${numbers.join()}}` : numbers}::${sql.raw(type)}[])::${sql.raw(type)}[]`;
