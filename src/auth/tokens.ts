import { hash as digest, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database, Row } from '../db/database.js';
import type { Statement } from '../db/pipeline.js';
import { type AccountCheck, asService, type Proof } from '../db/scope.js';
import { limitedTo } from '../db/user-limits.js';
import { forbidden } from '../errors.js';
import type { Principal } from './principal.js';
import { SCOPES, type Scope } from './scopes.js';

/** Says what a leaked string is, to people and to secret scanners. */
const PREFIX = 'tlm_';
const TOKEN = /^tlm_[A-Za-z0-9_-]{43}$/;

/** A new personal access token: 256 random bits. Shown once; only its hash is kept. */
export const makeToken = (): string => PREFIX + randomBytes(32).toString('base64url');

export const hashToken = (token: string): string => digest('sha256', token);

/**
 * Reads the scheme and credentials of an `Authorization` header (RFC 6750, 2.1).
 *
 * @returns the token if it has the form of one of ours
 */
export function bearerToken(header: string | null): string | undefined {
  const [, token] = /^bearer +(\S+)$/i.exec(header ?? '') ?? [];
  return token && TOKEN.test(token) ? token : undefined;
}

/** Who holds a token, if it is known, not revoked, not expired, and its user not disabled. */
const lookUp = (hash: string): Statement => ({
  text: 'select hash, token_id, scopes, user_id, handle, timezone, use_noted, name from taskloom.authenticate($1)',
  params: [hash],
});

/**
 * Who holds a token. Asked for every request, by this or by a `TokenProof`. That the token was used is noted at most once
 * a minute; nobody waits for that, or minds if it fails.
 *
 * @param expected the id of the user that it was last found to be of, if any: those of one wait for each other, and
 *   tokens never seen for each other, so that nobody waits for a flood of wrong ones
 * @throws Refusal where too many wait already
 */
export async function authenticate(
  database: Database,
  hash: string,
  expected = 'stranger',
): Promise<Principal | undefined> {
  const { text, params } = lookUp(hash);
  const [row] = await asService(limitedTo(database, expected, 'requests'), text, params);
  return holder(database, hash, row);
}

function holder(database: Database, hash: string, row: Row | undefined): Principal | undefined {
  // The look-up is by a hash of 256 random bits, so its timing tells nothing; this guards against a look-up that is wrong.
  if (!row || !timingSafeEqual(Buffer.from(String(row[0])), Buffer.from(hash))) return undefined;
  if (!row[6]) asService(database, 'select taskloom.note_token_use($1)', [hash]).catch(() => {});
  const [token, scopes, userId, handle, timezone] = row.slice(1, 6).map(String) as [
    string,
    string,
    string,
    string,
    string,
  ];
  return { userId, handle, timezone, token, tokenName: String(row[7]), scopes: grantedBy(scopes), via: 'http' };
}

export const REFUSED_TOKEN = 'This token is unknown, expired or revoked.';

/** A token that was good when it last came: it is asked about along with what its holder asks for, in one flight. */
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
    const found = holder(this.database, this.hash, row);
    this.#good = found?.userId === this.last.userId && found.scopes.join() === this.last.scopes.join();
    if (!found || !this.#good) throw forbidden(REFUSED_TOKEN);
    this.account = undefined;
    return found.timezone;
  }

  /** Whether the token is good still. It is asked now where nothing has been read or written. */
  async holds(): Promise<boolean> {
    this.#good ??= (await authenticate(this.database, this.hash, this.last.userId)) !== undefined;
    return this.#good;
  }
}

/** Scopes that a stored list grants: writing includes reading. */
export function grantedBy(stored: string): Scope[] {
  const listed = stored.split(' ');
  return SCOPES.filter((scope) => listed.includes(scope) || listed.includes('tasks:write'));
}
