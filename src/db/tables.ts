import type { Connection, Database } from './database.js';

/** A table as it is copied: what the database itself says of it, so that none can be forgotten. */
export interface Table {
  name: string;
  /** All but those that the database generates, with their types. */
  columns: { name: string; type: string }[];
  /** What its rows are put in order by: the primary key, text by its bytes, so that the order is the same everywhere. */
  order: string;
}

/** Tables whose rows are the program's own affair. */
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

/** Every table there is, by name. */
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

/** A name from the catalogue, as an identifier. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
export const qualified = (table: Table) => `taskloom.${quoted(table.name)}`;

/** What a long copy sets for itself. Row-level security would hide rows in silence: without the right to all, it fails. */
export const settingsFor = (database: Database) => [
  'set local row_security = off',
  // The second of these would hang the embedded database.
  ...(database.kind === 'pglite'
    ? []
    : ['set local statement_timeout = 0', 'set local idle_in_transaction_session_timeout = 0']),
];
