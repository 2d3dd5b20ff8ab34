import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.js';
import type { Connection, Database, Row } from './database.js';
import { SQLSTATE, sqlState } from './database-errors.js';
import { asTableOwner } from './service.js';

/** One file of `migrations/`. */
export interface Migration {
  name: string;
  /** When it was created, in milliseconds since 1970: determines the order, and identifies it. */
  when: number;
  /** SHA-256 of the file, hex. */
  hash: string;
  statements: string[];
}

/** Reads drizzle-kit's journal and migration files. */
export function readMigrations(folder: URL): Migration[] {
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', folder), 'utf8')) as {
    entries: { when: number; tag: string }[];
  };
  return journal.entries.map(({ when, tag }) => {
    const text = readFileSync(new URL(`${tag}.sql`, folder), 'utf8');
    return {
      name: tag,
      when,
      hash: createHash('sha256').update(text).digest('hex'),
      statements: text
        .split('--> statement-breakpoint')
        .map((statement) => statement.trim())
        .filter(Boolean),
    };
  });
}

/** Waits as long as another process migrates. The login's own `lock_timeout` is for the tables. */
const LOCK = `set local lock_timeout = 0;
select pg_advisory_xact_lock(hashtext('taskloom'), hashtext('migrate'));
set local lock_timeout to default`;
const LEDGER = [
  'create schema if not exists taskloom',
  `create table if not exists taskloom.migrations (
  created_at bigint primary key, name text not null, hash text not null, applied_at timestamptz not null default now())`,
];
/**
 * Loads the library of pg_trgm, if the database has it: only then may a login that is not a superuser create a function
 * that sets one of its parameters.
 */
const LOAD_TRIGRAMS = `do $load$
declare place text := (select quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'pg_trgm');
begin
  if place is not null then execute format('select %s.show_limit()', place); end if;
end
$load$`;
const record = (m: Migration) =>
  `insert into taskloom.migrations (created_at, name, hash) values (${m.when}, '${m.name}', '${m.hash}')`;

/**
 * Brings the schema up to date, in one transaction under an advisory lock, so that any number of processes may start at
 * once. Compares sets, not the newest date: a migration merged late is still applied.
 *
 * @returns the names of the migrations it applied
 * @throws UsageError if an applied migration was edited or is unknown here, or rights or extensions are missing
 */
export async function migrate(database: Database, migrations: Migration[]): Promise<string[]> {
  return attempt(database, migrations).catch((error: unknown) => {
    // The runtime role belongs to the whole server, and a concurrent migration of another database was granted it
    // first. The conflict is reported once that one has committed, so a retry finds the grant.
    if (sqlState(error) === SQLSTATE.uniqueViolation) return attempt(database, migrations);
    throw error;
  });
}

const attempt = (database: Database, migrations: Migration[]): Promise<string[]> =>
  asTableOwner(database, (connection) => apply(connection, migrations).catch(rethrowForAdministrator));

/** Rethrows an error; as a UsageError if an administrator must first grant rights or install extensions. */
function rethrowForAdministrator(error: unknown): never {
  if (sqlState(error) === SQLSTATE.insufficientPrivilege)
    throw new UsageError(
      `the database login may not create the role, schema or extensions Taskloom needs (${(error as Error).message}). Have an administrator run the output of: taskloom migrate --print-sql`,
    );
  if (sqlState(error) === SQLSTATE.undefinedFile)
    throw new UsageError(
      'the database server lacks the extensions Taskloom needs, btree_gin and pg_trgm. They come with PostgreSQL, in a package that is often named postgresql-contrib',
    );
  throw error;
}

/** Runs the migrations that a database lacks, in the caller's transaction, and returns their names. */
export async function apply(connection: Connection, migrations: Migration[]): Promise<string[]> {
  await connection.script(LOCK);
  if (!(await hasLedger(connection).catch(rethrowForOperator)))
    for (const statement of LEDGER) await connection.script(statement);
  const missing = await missingFrom(connection, migrations);
  if (missing.length > 0) await connection.script(LOAD_TRIGRAMS);
  for (const migration of missing) {
    for (const statement of migration.statements) await connection.script(statement);
    await connection.script(record(migration));
  }
  return missing.map((migration) => migration.name);
}

/** Returns the names of the migrations that a database lacks. Writes nothing. */
export async function pending(database: Database, migrations: Migration[]): Promise<string[]> {
  const missing = await database.connect((connection) => missingFrom(connection, migrations));
  return missing.map((migration) => migration.name);
}

/**
 * Returns what `migrate` would run, as one script for an administrator; without a database, that of all migrations.
 *
 * With a database, it ends by making the current login the owner of everything: administrative commands run as the
 * owner of the tables, user transactions switch to the runtime role, and later migrations need no administrator.
 */
export async function migrationScript(migrations: Migration[], database?: Database): Promise<string> {
  const missing = await (database?.connect((connection) => missingFrom(connection, migrations)) ?? migrations);
  if (missing.length === 0) return '-- Nothing to do: the schema is up to date.\n';
  const login = database && (await loginOf(database));
  const note = login
    ? '-- To be run as a superuser, or as one who may create roles and schemas and is a member of the login it ends with.'
    : '-- For no login in particular: set TASKLOOM_DATABASE_URL to have the schema handed to the login it names.';
  const statements = [LOCK, ...LEDGER, LOAD_TRIGRAMS, ...missing.flatMap((m) => [...m.statements, record(m)])];
  const lines = [...statements, ...(login ? handOver(login) : [])];
  return `${note}\nbegin;\n\n${lines.map((line) => `${line.replace(/;$/, '')};\n`).join('\n')}\ncommit;\n`;
}

/** A login's name, quoted as an identifier and as a string. */
interface Login {
  name: string;
  literal: string;
}

async function loginOf(database: Database): Promise<Login> {
  const text = 'select quote_ident(session_user), quote_literal(session_user)';
  const [row] = await database.connect((connection) => connection.query(text, []));
  return { name: String(row?.[0]), literal: String(row?.[1]) };
}

const handOver = ({ name, literal }: Login) => [
  `grant taskloom_app to ${name}`,
  `alter schema taskloom owner to ${name}`,
  `do $hand_over$
declare
  object text;
begin
  for object in
    select format('table taskloom.%I', relname) from pg_class
    where relnamespace = 'taskloom'::regnamespace and relkind = 'r'
    union all
    select format('function %s', oid::regprocedure) from pg_proc
    where pronamespace = 'taskloom'::regnamespace
      and not exists (select from pg_depend where classid = 'pg_proc'::regclass and objid = oid and deptype = 'e')
  loop
    execute format('alter %s owner to %I', object, ${literal});
  end loop;
end
$hand_over$`,
];

/** @throws UsageError if the login may not read which migrations the database has */
async function missingFrom(connection: Connection, migrations: Migration[]): Promise<Migration[]> {
  const ledger = async () => ((await hasLedger(connection)) ? await connection.query(APPLIED, []) : []);
  return compare(migrations, await ledger().catch(rethrowForOperator));
}

/** Rethrows an error; as a UsageError if it means that the schema belongs to another login. */
export function rethrowForOperator(error: unknown): never {
  if (sqlState(error) !== SQLSTATE.insufficientPrivilege) throw error;
  throw new UsageError(
    'the database login has no rights on the schema taskloom or may not act as the role taskloom_app. Use the login that it was migrated for',
  );
}

/** Checked first: `create schema if not exists` needs the right to create a schema even if it exists. */
async function hasLedger(connection: Connection): Promise<boolean> {
  const [row] = await connection.query(`select to_regclass('taskloom.migrations') is not null`, []);
  return row?.[0] === true;
}

/** Selects the migrations that a database has. */
export const APPLIED = 'select created_at::text, name, hash from taskloom.migrations';

/**
 * Returns the migrations that a database lacks.
 *
 * @param applied rows of `APPLIED`
 * @throws UsageError if an applied migration was edited or is unknown to this program
 */
export function compare(migrations: Migration[], applied: Row[]): Migration[] {
  const done = new Map(applied.map(([when, name, hash]) => [Number(when), { name: String(name), hash: String(hash) }]));
  const known = new Set(migrations.map((migration) => migration.when));
  for (const [when, { name }] of done)
    if (!known.has(when))
      throw new UsageError(`the database is newer than this program: it has migration ${name}. Update Taskloom`);
  return migrations.filter((migration) => {
    const before = done.get(migration.when);
    if (before && before.hash !== migration.hash)
      throw new UsageError(`migration ${migration.name} was edited after it was applied. Restore the original file`);
    return !before;
  });
}
