import { createHash } from 'node:crypto';
import type { Connection, Database } from './database.js';
import { APPLIED } from './migrate.js';
import { asOwner } from './scope.js';
import { qualified, quoted, settingsFor, type Table, tablesOf } from './tables.js';

/** Of what is in a backup. Raised when an older program could not read it. */
export const FORMAT = 1;

/** How many rows are in memory at a time. */
const PAGE = 200;

/** The first line. */
export interface Head {
  taskloom: 'backup';
  format: number;
  /** The program that made it. */
  version: string;
  at: string;
  migrations: { name: string; hash: string }[];
  /** In the order they follow. */
  tables: { name: string; columns: string[]; rows: number }[];
}

/** How many rows of a table there are, and a digest of them all in order. */
export interface Sum {
  rows: number;
  sha256: string;
}

/** The last line: what came, and a digest of all lines before. */
export interface Tail {
  end: Record<string, Sum>;
  sha256: string;
}

/**
 * Reads a whole installation, as one moment saw it, into lines of JSON: a head, then for each table a line
 * `{"table":…}` and one array a row, all values as PostgreSQL writes them; then the tail. What comes are whole
 * lines, many at a time, as fast as they are taken.
 */
export function readBackup(database: Database, about: { version: string; now: Date }): AsyncIterable<string> {
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  const whole = createHash('sha256');
  const write = async (lines: string) => {
    whole.update(lines);
    await writer.write(lines);
  };
  const work = asOwner(
    database,
    async (connection) => {
      const tables = await tablesOf(connection);
      const ledger = await connection.query(`${APPLIED} order by created_at`, []);
      const counts = await countsOf(connection, tables);
      const head: Head = {
        taskloom: 'backup',
        format: FORMAT,
        version: about.version,
        at: about.now.toISOString(),
        migrations: ledger.map(([, name, hash]) => ({ name: String(name), hash: String(hash) })),
        tables: tables.map(({ name, columns }, i) => ({
          name,
          columns: columns.map((c) => c.name),
          rows: counts[i] ?? 0,
        })),
      };
      await write(`${JSON.stringify(head)}\n`);
      const end: Tail['end'] = {};
      for (const table of tables) {
        await write(`${JSON.stringify({ table: table.name })}\n`);
        end[table.name] = await readRows(connection, table, write);
      }
      await writer.write(`${JSON.stringify({ end, sha256: whole.digest('hex') } satisfies Tail)}\n`);
    },
    { begin: 'begin isolation level repeatable read read only', settings: settingsFor(database) },
  );
  // The reader may go before the end: then there is nobody to tell.
  void work
    .then(
      () => writer.close(),
      (error: unknown) => writer.abort(error),
    )
    .catch(() => {});
  return readable as unknown as AsyncIterable<string>; // a stream of the web is one in Node, but not in its types
}

/** Reads a table in order, a page at a time, and answers what it came to. */
export async function readRows(
  connection: Connection,
  table: Table,
  take: (lines: string) => Promise<void> = async () => {},
): Promise<Sum> {
  const columns = table.columns.map(({ name }) => `${quoted(name)}::text`).join(', ');
  await connection.script(
    `declare rows_of_table no scroll cursor for select ${columns} from ${qualified(table)} order by ${table.order}`,
  );
  const hash = createHash('sha256');
  let rows = 0;
  for (;;) {
    const [page = []] = await connection.script(`fetch ${PAGE} from rows_of_table`);
    const lines = page.map((row) => `${JSON.stringify(row)}\n`).join('');
    rows += page.length;
    hash.update(lines);
    if (page.length > 0) await take(lines);
    if (page.length < PAGE) break;
  }
  await connection.script('close rows_of_table');
  return { rows, sha256: hash.digest('hex') };
}

async function countsOf(connection: Connection, tables: Table[]): Promise<number[]> {
  const counts = await connection.script(tables.map((table) => `select count(*) from ${qualified(table)}`).join('; '));
  return counts.map(([row]) => Number(row?.[0]));
}
