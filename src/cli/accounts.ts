import { randomUUID } from 'node:crypto';
import { ensureUser } from '../auth/local.js';
import type { Scope } from '../auth/scopes.js';
import { grantedBy, hashToken, makeToken } from '../auth/tokens.js';
import type { Database } from '../db/database.js';
import { notifyRightsChanged } from '../db/notify.js';
import { asTableOwner, queryAsTableOwner } from '../db/service.js';
import { dueSort, startSort } from '../domain/dates/clock.js';
import { UsageError } from '../errors.js';

const noUser = (handle: string) => new UsageError(`there is no user "${handle}"; see: taskloom user list`);

/**
 * Adds an account.
 *
 * @throws UsageError if the handle is taken
 */
export async function addUser(database: Database, handle: string, timezone: string, name?: string): Promise<void> {
  if (!(await ensureUser(database, { handle, timezone, name })))
    throw new UsageError(`user "${handle}" already exists`);
}

/**
 * Changes an account. A new timezone also moves the instants by which tasks with a due or start day are sorted, in the
 * same transaction.
 *
 * @throws UsageError if there is no such user
 */
export async function editUser(
  database: Database,
  handle: string,
  edit: { timezone?: string | undefined; name?: string | undefined },
): Promise<void> {
  await asTableOwner(database, async (connection) => {
    const [user] = await connection.query('select id from taskloom.users where handle = $1', [handle]);
    if (!user) throw noUser(handle);
    await connection.query('select 1 from taskloom.counters where user_id = $1 for update', user);
    await connection.query(
      'update taskloom.users set timezone = coalesce($2, timezone), name = coalesce($3, name) where id = $1',
      [user[0], edit.timezone ?? null, edit.name ?? null],
    );
    const { timezone } = edit;
    if (!timezone) return;
    const days = await connection.query(
      `select due_date::text from taskloom.tasks where user_id = $1 and due_date is not null
       union select start_date::text from taskloom.tasks where user_id = $1 and start_date is not null`,
      user,
    );
    // Computed here, as for every task: if midnight occurs twice, PostgreSQL takes the other one.
    const bounds = days
      .map(([day]) => String(day))
      .map((day) => ({ day, due: dueSort(day, timezone), start: startSort(day, timezone) }));
    for (const kind of ['due', 'start'])
      await connection.query(
        `update taskloom.tasks t set ${kind}_sort = b.${kind} from json_to_recordset($2::json) as b (day date, due timestamptz, start timestamptz)
         where t.user_id = $1 and t.${kind}_date = b.day`,
        [user[0], JSON.stringify(bounds)],
      );
  });
}

/**
 * Disables an account, or enables it again. Its tokens stop or start working with it.
 *
 * @throws UsageError if there is no such user
 */
export async function setDisabled(database: Database, handle: string, disabled: boolean): Promise<void> {
  const changed = await queryAsTableOwner(
    database,
    `with changed as (
       update taskloom.users set disabled_at = case when $2::boolean then coalesce(disabled_at, now()) end where handle = $1 returning id
     ) select id, ${notifyRightsChanged('id')} from changed`,
    [handle, disabled],
  );
  if (changed.length === 0) throw noUser(handle);
}

export interface User {
  handle: string;
  name?: string;
  timezone: string;
  created: string;
  disabled: boolean;
}

/** Returns all accounts, by handle. */
export async function listUsers(database: Database): Promise<User[]> {
  const rows = await queryAsTableOwner(
    database,
    'select handle, name, timezone, created_at, disabled_at is not null from taskloom.users order by handle collate "C"',
    [],
  );
  return rows.map(([handle, name, timezone, created, disabled]) => ({
    handle: String(handle),
    ...(name !== null && { name: String(name) }),
    timezone: String(timezone),
    created: iso(created),
    disabled: disabled === true,
  }));
}

export interface TokenDescription {
  id: string;
  user: string;
  name: string;
  scopes: Scope[];
  created: string;
  expires?: string;
  last_used?: string;
  revoked?: string;
  /** Set if its user is disabled. */
  user_disabled?: true;
}

/**
 * Creates a personal access token and returns it, for the only time.
 *
 * @throws UsageError if there is no such user, or it is disabled
 */
export async function createToken(
  database: Database,
  token: { user: string; name: string; scopes: Scope[]; expires?: Date | undefined },
): Promise<{ token: string; id: string }> {
  const secret = makeToken();
  const id = randomUUID();
  const inserted = await queryAsTableOwner(
    database,
    `insert into taskloom.api_tokens (user_id, id, hash, name, scopes, expires_at)
     select u.id, $2::uuid, $3, $4, $5, $6::timestamptz from taskloom.users u where u.handle = $1 and u.disabled_at is null returning id`,
    [token.user, id, hashToken(secret), token.name, token.scopes.join(' '), token.expires?.toISOString() ?? null],
  );
  if (inserted.length === 0) {
    await expectUser(database, token.user);
    throw new UsageError(`user "${token.user}" is disabled; enable the user first: taskloom user enable ${token.user}`);
  }
  return { token: secret, id };
}

/** @throws UsageError if there is no such user */
async function expectUser(database: Database, handle: string): Promise<void> {
  const found = await queryAsTableOwner(database, 'select 1 from taskloom.users where handle = $1', [handle]);
  if (found.length === 0) throw noUser(handle);
}

/**
 * Lists all tokens, or those of one user.
 *
 * @throws UsageError if there is no such user
 */
export async function listTokens(database: Database, user?: string): Promise<TokenDescription[]> {
  const rows = await queryAsTableOwner(
    database,
    `select t.id, u.handle, t.name, t.scopes, t.created_at, t.expires_at, t.last_used_at, t.revoked_at, u.disabled_at is not null
     from taskloom.api_tokens t join taskloom.users u on u.id = t.user_id
     where $1::text is null or u.handle = $1 order by t.created_at, t.id`,
    [user ?? null],
  );
  if (user !== undefined && rows.length === 0) await expectUser(database, user);
  return rows.map(([id, handle, name, scopes, created, expires, used, revoked, disabled]) => ({
    id: String(id),
    user: String(handle),
    name: String(name),
    scopes: grantedBy(String(scopes)),
    created: iso(created),
    ...(expires !== null && { expires: iso(expires) }),
    ...(used !== null && { last_used: iso(used) }),
    ...(revoked !== null && { revoked: iso(revoked) }),
    ...(disabled === true && { user_disabled: true as const }),
  }));
}

/**
 * Revokes a token from the next request on, and ends its subscriptions. Idempotent.
 *
 * @throws UsageError if there is no such token
 */
export async function revokeToken(database: Database, id: string): Promise<void> {
  const changed = await queryAsTableOwner(
    database,
    `with changed as (
       update taskloom.api_tokens set revoked_at = coalesce(revoked_at, now()) where id::text = $1 returning user_id
     ) select user_id, ${notifyRightsChanged('user_id')} from changed`,
    [id.toLowerCase()],
  );
  if (changed.length === 0) throw new UsageError('there is no token with that id; see: taskloom token list');
}

const iso = (value: unknown) => new Date(String(value)).toISOString();
