import { UsageError } from '../errors.js';
import type { Connection, Database, Row } from './database.js';
import type { Statement } from './pipeline.js';
import { TIME_FORMAT } from './settings.js';
import { BEGIN, COMMIT, plain, ROLLBACK, runPipelined, send, setLocal, TIMEOUTS } from './transaction.js';

/**
 * Runs one statement as the runtime role, outside any user's scope: for data that no user owns, or that a
 * SECURITY DEFINER function returns.
 */
export async function asService(
  database: Pick<Database, 'connect' | 'kind'>,
  text: string,
  params: readonly unknown[],
): Promise<Row[]> {
  const limits = database.kind === 'pglite' ? {} : TIMEOUTS; // PGlite: see `become` in as-user.ts
  const rows = await runPipelined(database, [
    BEGIN,
    setLocal({ role: 'taskloom_app', ...TIME_FORMAT, ...limits }),
    { text, params },
  ]);
  return rows[2] ?? [];
}

/** PostgreSQL has this one since 17. */
const NO_TRANSACTION_TIMEOUT = plain(
  `select set_config('transaction_timeout', '0', true) where current_setting('transaction_timeout', true) is not null`,
);

/** Runs one statement of an administrative command as the login that owns the tables. */
export const queryAsTableOwner = (
  database: Pick<Database, 'connect'>,
  text: string,
  params: readonly unknown[],
): Promise<Row[]> => asTableOwner(database, (connection) => connection.query(text, params));

/**
 * Runs an administrative command as the login that owns the tables, in one transaction.
 *
 * @param options.begin the statement that begins the transaction
 * @param options.settings `set local` statements to run after it
 */
export async function asTableOwner<T>(
  database: Pick<Database, 'connect'>,
  work: (connection: Connection) => Promise<T>,
  { begin = plain('begin'), settings = [] }: { begin?: Statement; settings?: readonly string[] } = {},
): Promise<T> {
  const transaction = async (connection: Connection) => {
    try {
      await send(connection, [
        begin,
        setLocal({ role: 'none', ...TIME_FORMAT, statement_timeout: '0' }),
        NO_TRANSACTION_TIMEOUT,
        ...settings.map(plain),
      ]);
      const value = await work(connection);
      // In a failed transaction COMMIT rolls back without an error; the select raises one.
      await send(connection, [plain('select 1'), COMMIT]);
      return value;
    } catch (error) {
      await send(connection, [ROLLBACK]).catch(() => {});
      throw error;
    }
  };
  return database.connect(transaction, { patient: true }); // no timeout: migrations, backups and the like may take long
}

/** Checks isolation when run as the runtime role without a user: `isIsolated` judges the row. */
export const ISOLATION = `select row_security_active('taskloom.tasks'), (select count(*)::int from taskloom.tasks)`;
export const isIsolated = (row: Row | undefined) => row?.[0] === true && row[1] === 0;

/**
 * Checks that row-level security binds the runtime role.
 *
 * @throws UsageError if that role could see every user's rows
 */
export async function assertIsolated(database: Database): Promise<void> {
  const [row] = await asService(database, ISOLATION, []);
  if (!isIsolated(row))
    throw new UsageError(
      'row-level security does not bind the role taskloom_app: it must not be a superuser, own the tables or have BYPASSRLS',
    );
}

/** Fails on a server that became read-only after a failover, so that the connection is discarded. */
const REFUSE_READ_ONLY = `do $$ begin
  if current_setting('transaction_read_only')::boolean then raise read_only_sql_transaction; end if;
end $$`;

/** Checks that the database answers and can be written. @throws otherwise */
export async function assertWritable(database: Database): Promise<void> {
  await asService(database, REFUSE_READ_ONLY, []);
}

/**
 * Returns the newest change number of each enabled user, and the remaining milliseconds of each valid token. What has no
 * token never expires.
 */
export async function subscriptionState(
  database: Database,
  userIds: Iterable<string>,
  hashes: Iterable<string | undefined>,
): Promise<{ users: Map<string, number>; tokens: Map<string | undefined, number> }> {
  const rows = await asService(
    database,
    `select 'user', u.user_id::text, u.change_seq::double precision from taskloom.change_seqs($1::uuid[]) u
     union all select 'token', t.hash, t.left_ms from taskloom.live_tokens($2::text[]) t`,
    [`{${[...userIds].join()}}`, `{${[...hashes].filter((hash) => hash !== undefined).join()}}`],
  );
  const users = new Map<string, number>();
  const tokens = new Map<string | undefined, number>([[undefined, Number.POSITIVE_INFINITY]]);
  for (const [kind, key, value] of rows)
    if (kind === 'user') users.set(String(key), Number(value));
    else tokens.set(String(key), value === null ? Number.POSITIVE_INFINITY : Number(value));
  return { users, tokens };
}
