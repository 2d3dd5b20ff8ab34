import { createHash } from 'node:crypto';
import type { Connection, Database } from './database.js';
import { APPLIED } from './migrate.js';
import { asTableOwner } from './service.js';
import { qualified, quoted, settingsFor, type Table, tablesOf } from './tables.js';
import { BEGIN_READ } from './transaction.js';

/** Version of the backup format. Raised when an older program could not read a backup. */
export const FORMAT = 1;

/** How many rows are read at a time. */
const PAGE = 200;

/** The first line. */
export interface BackupHeader {
  taskloom: 'backup';
  format: number;
  /** Version of the program that made it. */
  version: string;
  at: string;
  migrations: { name: string; hash: string }[];
  /** In the order in which they follow. */
  tables: { name: string; columns: string[]; rows: number }[];
}

/** The number of rows by table: `{ tasks: 120 }`. */
export type RowCounts = Record<string, number>;

export const rowCounts = ({ tables }: BackupHeader): RowCounts =>
  Object.fromEntries(tables.map(({ name, rows }) => [name, rows]));

/** A table's number of rows, and a digest of all of them in order. */
export interface TableDigest {
  rows: number;
  sha256: string;
}

/** The last line: the digest of each table, and one of all lines before. */
export interface BackupFooter {
  end: Record<string, TableDigest>;
  sha256: string;
}

/**
 * Reads a whole installation, in one snapshot, as lines of JSON: a header, then for each table a line `{"table":…}` and
 * one array per row, all values as PostgreSQL's text; then a footer. Yields whole lines, many at a time, with
 * back-pressure.
 */
export function readBackup(database: Database, about: { version: string; now: Date }): AsyncIterable<string> {
  const { readable, writable } = new TransformStream<string, string>();
  const writer = writable.getWriter();
  const whole = createHash('sha256');
  const write = async (lines: string) => {
    whole.update(lines);
    await writer.write(lines);
  };
  const work = asTableOwner(
    database,
    async (connection) => {
      const tables = await tablesOf(connection);
      const ledger = await connection.query(`${APPLIED} order by created_at`, []);
      const counts = await countsOf(connection, tables);
      const header: BackupHeader = {
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
      await write(`${JSON.stringify(header)}\n`);
      const end: BackupFooter['end'] = {};
      for (const table of tables) {
        await write(`${JSON.stringify({ table: table.name })}\n`);
        end[table.name] = await readRows(connection, table, write);
      }
      await writer.write(`${JSON.stringify({ end, sha256: whole.digest('hex') } satisfies BackupFooter)}\n`);
    },
    { begin: BEGIN_READ, settings: settingsFor(database) },
  );
  // The reader may stop before the end; then an error has nowhere to go.
  void work
    .then(
      () => writer.close(),
      (error: unknown) => writer.abort(error),
    )
    .catch(() => {});
  return readable as unknown as AsyncIterable<string>; // Node's web streams are iterable; their types do not say so
}

/**
 * Reads a table in order, a page at a time, and returns its digest.
 *
 * @param take gets the lines of each page
 */
export async function readRows(
  connection: Connection,
  table: Table,
  take: (lines: string) => Promise<void> = async () => {},
): Promise<TableDigest> {
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
