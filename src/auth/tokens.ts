import { hash as digest, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database, Row } from '../db/database.js';
import type { Statement } from '../db/pipeline.js';
import type { AccountCheck, Proof } from '../db/scope.js';
import { asService } from '../db/service.js';
import { limitedTo } from '../db/user-limits.js';
import { forbidden } from '../errors.js';
import type { Principal } from './principal.js';
import { SCOPES, type Scope } from './scopes.js';

/** Identifies a leaked token to people and secret scanners. */
const PREFIX = 'tlm_';
const TOKEN = /^tlm_[A-Za-z0-9_-]{43}$/;

/** Makes a personal access token of 256 random bits. It is shown once; only its hash is stored. */
export const makeToken = (): string => PREFIX + randomBytes(32).toString('base64url');

export const hashToken = (token: string): string => digest('sha256', token);

/**
 * Parses an `Authorization` header (RFC 6750, 2.1).
 *
 * @returns the token, if it has the format of a Taskloom token
 */
export function bearerToken(header: string | null): string | undefined {
  const [, token] = /^bearer +(\S+)$/i.exec(header ?? '') ?? [];
  return token && TOKEN.test(token) ? token : undefined;
}

/** Whether an `Authorization` header has a token, of whatever format. */
export const hasBearerToken = (header: string | null): boolean => /^bearer +\S/i.test(header ?? '');

/** Selects the holder of a token, if that is known, not revoked and not expired, and its user not disabled. */
const lookUp = (hash: string): Statement => ({
  text: 'select hash, token_id, scopes, user_id, handle, timezone, use_noted, name from taskloom.authenticate($1)',
  params: [hash],
});

/**
 * Returns the holder of a token, if it is good. Every request runs this or a `TokenProof`. Also records the use of the
 * token, at most once a minute, without waiting for it; a failure to record is ignored.
 *
 * @param expected the user that the token belonged to last time, whose per-user limit then applies; all other tokens
 *   share one limit, so that a flood of wrong tokens delays no known user
 * @throws Refusal `rate_limited` if too many look-ups wait
 */
export async function authenticate(
  database: Database,
  hash: string,
  expected?: string,
): Promise<Principal | undefined> {
  const { text, params } = lookUp(hash);
  const [row] = await asService(limitedTo(database, expected ?? 'token:unknown', 'accountChecks'), text, params);
  return holderIn(database, hash, row);
}

type LookedUp = [
  hash: string,
  token: string,
  scopes: string,
  userId: string,
  handle: string,
  timezone: string,
  isUseNoted: boolean,
  tokenName: string,
];

/** Returns the holder of a token from a row of `lookUp`, and has the use of the token recorded if that is due. */
function holderIn(database: Database, hash: string, row: Row | undefined): Principal | undefined {
  if (!row) return undefined;
  const [found, token, scopes, userId, handle, timezone, isUseNoted, tokenName] = row as LookedUp;
  // The look-up is by a hash of 256 random bits, so its timing reveals nothing; this guards against a wrong row.
  if (!timingSafeEqual(Buffer.from(found), Buffer.from(hash))) return undefined;
  if (!isUseNoted) asService(database, 'select taskloom.note_token_use($1)', [hash]).catch(() => {});
  return { userId, handle, timezone, token, tokenName, scopes: grantedBy(scopes), via: 'http' };
}

export const REFUSED_TOKEN = 'This token is unknown, expired or revoked.';

/** Checks a token that was good last time, in the same pipeline as the first statement of the request. */
export class TokenProof implements Proof {
  account: AccountCheck | undefined;
  #good: boolean | undefined;

  constructor(
    private readonly database: Database,
    private readonly hash: string,
    private readonly last: Principal,
  ) {
    this.account = { statement: lookUp(hash), check: (row) => this.#check(row) };
  }

  #check(row: Row | undefined): string {
    const found = holderIn(this.database, this.hash, row);
    this.#good = this.#isAsBefore(found);
    if (!found || !this.#good) throw forbidden(REFUSED_TOKEN);
    this.account = undefined;
    return found.timezone;
  }

  /** Whether the token is still good. Queries the database if no statement has checked it. */
  async isStillGood(): Promise<boolean> {
    this.#good ??= this.#isAsBefore(await authenticate(this.database, this.hash, this.last.userId));
    return this.#good;
  }

  #isAsBefore(found: Principal | undefined): boolean {
    return found?.userId === this.last.userId && found.scopes.join() === this.last.scopes.join();
  }
}

/** Returns the scopes that a stored list such as `tasks:read tasks:write` grants. Writing includes reading. */
export function grantedBy(stored: string): Scope[] {
  const listed = stored.split(' ');
  return SCOPES.filter((scope) => listed.includes(scope) || listed.includes('tasks:write'));
}
