import { createHash } from 'node:crypto';
import { UsageError } from '../errors.js';
import {
  type BackupFooter,
  type BackupHeader,
  FORMAT,
  type RowCounts,
  readRows,
  rowCounts,
  type TableDigest,
} from './backup.js';
import type { Connection, Database } from './database.js';
import { sqlState } from './database-errors.js';
import { apply, compare, type Migration } from './migrate.js';
import { asTableOwner } from './service.js';
import { qualified, quoted, settingsFor, type Table, tablesOf } from './tables.js';
import { BEGIN_READ } from './transaction.js';

/** How much one INSERT may hold: rows, and characters. */
const ROWS = 500;
const CHARACTERS = 1_000_000;

const damaged = (what: string) => new UsageError(`the backup is damaged: ${what}`);

/**
 * Restores a backup into a database that is empty except for its schema, all or nothing in one transaction: before
 * COMMIT, everything is read back and compared with the digests at the end of the backup.
 *
 * @param lines as `readBackup` yields them, in chunks of any size
 * @returns the restored row counts
 * @throws UsageError if the backup is damaged or of an unsupported version, or the database is not empty
 */
export async function restore(
  database: Database,
  migrations: Migration[],
  lines: AsyncIterable<string>,
): Promise<RowCounts> {
  const reader = new Lines(lines);
  try {
    const header = readHeader(await reader.next());
    const backedUp = migrationsOf(header, migrations);
    return await asTableOwner(
      database,
      async (connection) => {
        await expectEmpty(connection, await tablesOf(connection));
        if (backedUp.length < migrations.length) {
          // Rows of an older schema: recreate that schema, and run the later migrations once the rows are in it.
          await connection.script('drop schema taskloom cascade');
          await apply(connection, backedUp);
        }
        const tables = await tablesOf(connection);
        const constraints = await deferAll(connection);
        const footer = await writeRows(connection, header, tables, reader);
        await enforce(connection, constraints);
        for (const table of tables) {
          const { rows, sha256 } = await readRows(connection, table);
          if (rows !== footer.end[table.name]?.rows || sha256 !== footer.end[table.name]?.sha256)
            throw damaged(`the restored rows of ${table.name} differ from it`);
        }
        await apply(connection, migrations);
        await connection.script(`analyze ${(await tablesOf(connection)).map(qualified).join(', ')}`);
        return rowCounts(header);
      },
      { settings: settingsFor(database) },
    );
  } catch (error) {
    const state = sqlState(error) ?? '';
    // Invalid or contradictory values are the backup's fault; other errors are the database's.
    if (/^(22|23)/.test(state)) throw damaged(`its rows are invalid (SQLSTATE ${state})`);
    throw error;
  } finally {
    await reader.close(); // else the writer of the backup would wait for its rest to be read
  }
}

/** Whether both are connected to the same database. */
export async function isSameDatabase(one: Database, other: Database): Promise<boolean> {
  const [a, b] = await Promise.all([identityOf(one), identityOf(other)]);
  return a === b;
}

/** The server's start time, to the microsecond, and the database's OID. */
const identityOf = (database: Database) =>
  asTableOwner(database, (connection) =>
    connection.query(
      `select extract(epoch from pg_postmaster_start_time())::text, oid::text from pg_database where datname = current_database()`,
      [],
    ),
  ).then((rows) => JSON.stringify(rows));

/** Whether two databases have the same rows. Compares digests, and reads each database once. */
export async function sameContents(one: Database, other: Database): Promise<boolean> {
  const [a, b] = await Promise.all([digestsOf(one), digestsOf(other)]);
  return JSON.stringify(a) === JSON.stringify(b);
}

const digestsOf = (database: Database) =>
  asTableOwner(
    database,
    async (connection) => {
      const digests: [string, TableDigest][] = [];
      for (const table of await tablesOf(connection)) digests.push([table.name, await readRows(connection, table)]);
      return digests;
    },
    { begin: BEGIN_READ, settings: settingsFor(database) },
  );

/** Whether a database with a schema has no rows. The installation's key does not count: a restore replaces it. */
export const isEmpty = (database: Database) =>
  asTableOwner(database, async (connection) => (await populated(connection, await tablesOf(connection))).length === 0, {
    settings: settingsFor(database),
  });

const KEYS = 'secrets';

async function populated(connection: Connection, tables: Table[]): Promise<string[]> {
  const checked = tables.filter(({ name }) => name !== KEYS);
  const found = await connection.script(
    checked.map((table) => `select exists (select from ${qualified(table)})`).join('; '),
  );
  return checked.filter((_, i) => found[i]?.[0]?.[0] === true).map(({ name }) => name);
}

async function expectEmpty(connection: Connection, tables: Table[]): Promise<void> {
  await connection.script(`lock table ${tables.map(qualified).join(', ')} in access exclusive mode`);
  if ((await populated(connection, tables)).length > 0)
    throw new UsageError('the database is not empty: name an unused one, with TASKLOOM_HOME or TASKLOOM_DATABASE_URL');
  await connection.script(`delete from taskloom.${KEYS}`);
}

/** Defers foreign keys, so that rows can be inserted in any order. Returns what `enforce` needs to undo it. */
async function deferAll(connection: Connection): Promise<string[]> {
  const constraints = await connection.query(
    `select format('alter table %s alter constraint %I', conrelid::regclass, conname)
     from pg_constraint where connamespace = 'taskloom'::regnamespace and contype = 'f' and not condeferrable and conparentid = 0`,
    [],
  );
  const changes = constraints.map(([text]) => String(text));
  if (changes.length > 0)
    await connection.script(changes.map((text) => `${text} deferrable initially deferred`).join('; '));
  return changes;
}

/** Checks the deferred foreign keys, and makes them immediate again. */
async function enforce(connection: Connection, constraints: string[]): Promise<void> {
  await connection.script(
    ['set constraints all immediate', ...constraints.map((text) => `${text} not deferrable`)].join('; '),
  );
}

async function writeRows(
  connection: Connection,
  header: BackupHeader,
  tables: Table[],
  reader: Lines,
): Promise<BackupFooter> {
  const digests: BackupFooter['end'] = {};
  for (const { name, columns, rows: expected } of header.tables) {
    const table = tables.find((each) => each.name === name);
    const known = table?.columns.map((column) => column.name);
    if (!table || JSON.stringify(known) !== JSON.stringify(columns))
      throw damaged(`its table ${name} has other columns`);
    if (!isObject(reader.peek) || reader.peek.table !== name) throw damaged(`${name} is missing`);
    await reader.next();
    const hash = createHash('sha256');
    let rows = 0;
    while (Array.isArray(reader.peek)) {
      const batch: string[] = [];
      for (let size = 0; Array.isArray(reader.peek) && batch.length < ROWS && size < CHARACTERS; ) {
        const row: unknown[] = reader.peek;
        if (row.length !== columns.length || !row.every((cell) => cell === null || typeof cell === 'string'))
          throw damaged(`a row of ${name} is malformed`);
        const line = (await reader.next()).text;
        hash.update(`${line}\n`);
        batch.push(line);
        size += line.length;
      }
      rows += batch.length;
      await connection.query(insertInto(table), [`[${batch.join(',')}]`]);
    }
    digests[name] = { rows, sha256: hash.digest('hex') };
    if (reader.peek === undefined) throw damaged('it is truncated');
    if (rows !== expected) throw damaged(`${name} has ${rows} rows of ${expected}`);
  }
  if (tables.length !== header.tables.length) throw damaged('tables are missing');
  const before = reader.digest();
  const { value } = await reader.next();
  if (reader.peek !== undefined) throw damaged('there is data after its end');
  if (!isObject(value) || !isObject(value.end)) throw damaged('its end is missing');
  const footer = value as unknown as BackupFooter;
  if (footer.sha256 !== before || JSON.stringify(footer.end) !== JSON.stringify(digests))
    throw damaged('its checksum does not match');
  return footer;
}

function insertInto(table: Table): string {
  const names = table.columns.map(({ name }) => quoted(name));
  const values = table.columns.map(({ type }, i) => `(row ->> ${i})::${type}`);
  return `insert into ${qualified(table)} (${names.join(', ')})
    select ${values.join(', ')} from json_array_elements($1::json) as rows (row)`;
}

function readHeader({ value }: Line): BackupHeader {
  if (!isObject(value) || value.taskloom !== 'backup') throw new UsageError('the file is not a backup of Taskloom');
  if (value.format !== FORMAT)
    throw new UsageError(
      `the backup was made by Taskloom ${String(value.version)}, which this version cannot read. Update Taskloom`,
    );
  const lists = [value.migrations, value.tables];
  if (!lists.every((list) => Array.isArray(list) && list.every(isObject))) throw damaged('its first line is malformed');
  return value as unknown as BackupHeader;
}

/**
 * Returns the migrations of a backup's database, which must be the first of ours.
 *
 * @throws UsageError if they are not
 */
function migrationsOf(header: BackupHeader, migrations: Migration[]): Migration[] {
  const had = new Map(header.migrations.map(({ name, hash }) => [name, hash]));
  const known = migrations.filter(({ name }) => had.has(name));
  if (known.length !== had.size)
    throw new UsageError(`the backup was made by a newer Taskloom (${header.version}). Update Taskloom`);
  compare(
    migrations,
    known.map(({ when, name }) => [when, name, had.get(name)]),
  );
  if (known.some((migration, i) => migration !== migrations[i]))
    throw new UsageError(
      `the backup was made by Taskloom ${header.version}, whose database lacks a migration in between`,
    );
  return known;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Line {
  text: string;
  value: unknown;
}

/** Parses chunks of text as lines of JSON, with a look-ahead of one line. */
class Lines {
  readonly #pieces: AsyncIterator<string>;
  readonly #hash = createHash('sha256');
  #rest = '';
  #ready: string[] = [];
  #ahead: Line | undefined;

  constructor(pieces: AsyncIterable<string>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** The value of the line that `next` will return. */
  get peek(): unknown {
    return this.#ahead?.value;
  }

  /** SHA-256 of all lines taken so far, hex. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Takes the next line. Throws UsageError if there is none, or the one after it cannot be parsed. */
  async next(): Promise<Line> {
    const line = this.#ahead ?? (await this.#read());
    if (!line) throw damaged('it is truncated');
    this.#hash.update(`${line.text}\n`);
    this.#ahead = await this.#read();
    return line;
  }

  /** Stops reading. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #read(): Promise<Line | undefined> {
    while (this.#ready.length === 0) {
      const { value, done } = await this.#pieces.next();
      if (done) return undefined;
      const [rest = '', ...lines] = (this.#rest + value).split('\n').reverse();
      this.#rest = rest;
      this.#ready = lines;
    }
    const text = this.#ready.pop() ?? '';
    try {
      return { text, value: JSON.parse(text) };
    } catch {
      throw damaged('a line of it cannot be read');
    }
  }
}
