import { uuidv7 } from 'uuidv7';
import type { Database } from '../db/database.js';
import { asService, queryAsTableOwner } from '../db/service.js';
import { limitedTo } from '../db/user-limits.js';
import { forbidden } from '../errors.js';
import type { Principal } from './principal.js';
import { SCOPES } from './scopes.js';

/**
 * Returns the user of a stdio connection. In the embedded database the account is created when first needed; elsewhere
 * it must exist, because a mistyped name must not open an empty list beside the real one.
 *
 * @param timezone the timezone of a new account
 * @throws Refusal `forbidden` if there is no such account, `rate_limited` if too many look-ups of it wait
 */
export async function localPrincipal(database: Database, handle: string, timezone: string): Promise<Principal> {
  const limited = limitedTo(database, `handle:${handle}`, 'accountChecks');
  const find = () => asService(limited, 'select user_id, timezone from taskloom.find_user($1)', [handle]);
  let [row] = await find();
  if (!row && database.kind === 'pglite') {
    await ensureUser(database, { handle, timezone });
    [row] = await find();
  }
  if (!row)
    throw forbidden(
      `This server is set up for the user "${handle}", but that user does not exist.`,
      'Tell whoever set up this server: TASKLOOM_USER must name an existing user; see: taskloom user list.',
    );
  return { userId: String(row[0]), timezone: String(row[1]), handle, scopes: SCOPES, via: 'stdio' };
}

export interface NewUser {
  handle: string;
  timezone: string;
  name?: string | undefined;
}

/** Creates an account and its counters, in one statement. Returns false if the account exists. */
export async function ensureUser(database: Database, { handle, timezone, name }: NewUser): Promise<boolean> {
  const made = await queryAsTableOwner(
    database,
    `with made as (
       insert into taskloom.users (id, handle, name, timezone) values ($1::uuid, $2, $3, $4) on conflict do nothing returning id
     ) insert into taskloom.counters (user_id) select id from made returning user_id`,
    [uuidv7(), handle, name ?? null, timezone],
  );
  return made.length === 1;
}
