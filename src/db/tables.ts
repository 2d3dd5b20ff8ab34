import type { Connection, Database } from './database.js';

/** A table to copy, as described by the database's catalogue, so that none can be forgotten. */
export interface Table {
  name: string;
  /** All columns but generated ones, with their types. */
  columns: { name: string; type: string }[];
  /** ORDER BY list: the primary key, text by its bytes, so that the order is the same everywhere. */
  order: string;
}

/** The table of applied migrations, which is not copied. */
const LEDGER = 'migrations';

const CATALOGUE = `select c.relname,
    (select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum)
     from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
    (select json_agg(a.attname order by k.place) from pg_index i
     cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
     join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
     where i.indrelid = c.oid and i.indisprimary)
  from pg_class c
  where c.relnamespace = 'taskloom'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '${LEDGER}'
  order by c.relname collate "C"`;

/** Returns all tables to copy, sorted by name. */
export async function tablesOf(connection: Connection): Promise<Table[]> {
  const rows = await connection.query(CATALOGUE, []);
  return rows.map(([name, columns, key]) => {
    const found = (columns as [string, string][]).map(([column, type]) => ({ name: column, type }));
    const types = new Map(found.map((column) => [column.name, column.type]));
    const order = (key as string[]).map((column) =>
      types.get(column) === 'text' ? `${quoted(column)} collate "C"` : quoted(column),
    );
    return { name: String(name), columns: found, order: order.join(', ') };
  });
}

/** Quotes a name from the catalogue as an identifier. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
export const qualified = (table: Table) => `taskloom.${quoted(table.name)}`;

/** Settings for a long copy. With `row_security = off` it fails if policies hide rows, instead of omitting them. */
export const settingsFor = (database: Database) => [
  'set local row_security = off',
  // This one hangs the embedded database.
  ...(database.kind === 'pglite' ? [] : ['set local idle_in_transaction_session_timeout = 0']),
];
