import { LRUCache } from 'lru-cache';
import type { Principal } from '../auth/principal.js';
import { authenticate, bearerToken, hasBearerToken, hashToken, TokenProof } from '../auth/tokens.js';
import type { Store } from '../db/connect.js';
import { MAX_BATCH } from '../json-bounds.js';
import { badToken, malformedToken, noToken, refuse, tooManyRequests } from './http-responses.js';
import { MAX_KEYS, originOf, RateLimit } from './limits.js';
import type { OutageLog } from './outage.js';

/** An authenticated caller. */
export interface AuthenticatedCaller {
  /** The hash of the token. */
  hash: string;
  principal: Principal;
  /** Set if the token was good last time: it is then checked in the pipeline of the first statement. */
  proof?: TokenProof;
}

export interface AuthenticatorOptions {
  /** How many of our proxies are in front, each of which appends to X-Forwarded-For. Default: 0. */
  proxies?: number | undefined;
  /** How many requests one user may send per minute. Default: 0, for no limit, of bytes either. */
  perMinute?: number | undefined;
  /** Milliseconds on a monotonic clock. */
  steady?: (() => number) | undefined;
}

/**
 * How many requests per minute one address may send without a token known to be good. If the token proves good, or
 * cannot be looked up, the request is refunded, so only wrong and missing tokens count.
 */
const STRANGERS = 300;

/** How many bytes of request bodies one user may send per minute: large ones cost more than many small ones. */
const BYTES_PER_MINUTE = 64 * 1024 * 1024;

/** Authenticates requests by their tokens, and limits their rate, in requests and in bytes. */
export class Authenticator {
  readonly #proxies: number;
  readonly #perMinute: number;
  readonly #strangers: RateLimit;
  readonly #users: RateLimit;
  readonly #bytes: RateLimit;
  /** The holders of tokens that were good last time, by the hash of the token. */
  readonly #known = new LRUCache<string, Principal>({ max: MAX_KEYS });
  /** Pending look-ups of tokens that were not, by hash. Requests that come meanwhile await them, and are not counted. */
  readonly #lookUps = new Map<string, Promise<Principal | undefined>>();

  constructor(
    private readonly store: () => Promise<Store>,
    private readonly outages: OutageLog,
    { proxies = 0, perMinute = 0, steady = () => performance.now() }: AuthenticatorOptions,
  ) {
    this.#proxies = proxies;
    this.#perMinute = perMinute;
    this.#strangers = new RateLimit(STRANGERS, steady);
    this.#users = new RateLimit(perMinute, steady);
    this.#bytes = new RateLimit(perMinute > 0 ? BYTES_PER_MINUTE : 0, steady);
  }

  /**
   * Authenticates a request, which counts against a rate limit. Returns its caller, or the response that refuses it.
   *
   * @param peer the remote address of the connection
   * @param defer whether a token that was good last time may be checked later, with the first statement
   */
  async admit({ headers }: Request, peer: string | undefined, defer: boolean): Promise<AuthenticatedCaller | Response> {
    const authorization = headers.get('authorization');
    const token = bearerToken(authorization);
    const hash = token && hashToken(token);
    const pending = hash && this.#lookUps.get(hash);
    if (pending && !(await pending)) return badToken();
    const last = hash && this.#known.get(hash);
    if (last) return this.#admitAgain(hash, last, defer);
    const from = originOf(peer, headers.get('x-forwarded-for'), this.#proxies);
    const wait = this.#strangers.take(from);
    if (wait > 0) return tooManyRequests(wait, 'Too many requests without a valid token came from this address.');
    if (!hash) return hasBearerToken(authorization) ? malformedToken() : noToken();
    const principal = await this.#lookUp(hash).catch((error: unknown) => {
      this.#strangers.refund(from);
      throw error;
    });
    if (!principal) return badToken();
    this.#strangers.refund(from);
    return this.#overdrawnBy(principal) ?? { hash, principal };
  }

  async #admitAgain(hash: string, last: Principal, defer: boolean): Promise<AuthenticatedCaller | Response> {
    const refusal = this.#overdrawnBy(last);
    if (refusal) return refusal;
    const { database } = await this.store();
    if (defer) {
      const proof = new TokenProof(database, hash, last);
      return { hash, principal: { ...last, proof }, proof };
    }
    const principal = await authenticate(database, hash, last.userId);
    this.outages.answered();
    return principal ? { hash, principal } : this.#forget(hash);
  }

  /** Looks a token up for all requests that come with it meanwhile. */
  #lookUp(hash: string): Promise<Principal | undefined> {
    const found = this.store()
      .then(({ database }) => authenticate(database, hash))
      .then((principal) => {
        this.outages.answered();
        if (principal) this.#known.set(hash, principal);
        return principal;
      })
      .finally(() => this.#lookUps.delete(hash));
    this.#lookUps.set(hash, found);
    return found;
  }

  /** Counts a request of a user. Returns a refusal if it exceeds the rate limit. */
  #overdrawnBy({ userId }: Principal): Response | undefined {
    const wait = this.#users.take(userId);
    return wait > 0 ? tooManyRequests(wait) : undefined;
  }

  /** Completes a deferred check. Returns the response that refuses the request, if the token is no longer good. */
  async confirm({ hash, principal, proof }: AuthenticatedCaller): Promise<Response | undefined> {
    if (!proof) return undefined;
    const isGood = await proof.isStillGood();
    this.outages.answered();
    if (!isGood) return this.#forget(hash);
    const { proof: _, ...found } = principal; // its timezone is the current one if a statement ran
    this.#known.set(hash, found);
    return undefined;
  }

  /**
   * Counts a batch as one request per call. Returns a refusal if they exceed the rate limit, and without counting them if
   * no batch may have as many.
   */
  overdrawn(body: unknown, { userId }: Principal): Response | undefined {
    const calls = Array.isArray(body) ? body.length : 1;
    if (calls <= 1) return undefined;
    const most = Math.min(this.#perMinute || MAX_BATCH, MAX_BATCH);
    const wait = calls > most ? Number.POSITIVE_INFINITY : this.#users.take(userId, calls - 1);
    if (wait === 0) return undefined;
    this.#users.refund(userId); // the one that `admit` counted
    const batch = `A batch of ${calls} calls`;
    return Number.isFinite(wait)
      ? tooManyRequests(wait, `${batch} exceeds the rate limit: send fewer calls at once.`)
      : refuse(413, 'too_large', `${batch} is too large: send at most ${most} calls per batch.`);
  }

  /** Counts the bytes of a body. Returns a refusal if they exceed the rate limit. */
  overweight(bytes: number, { userId }: Principal): Response | undefined {
    const wait = this.#bytes.take(userId, bytes);
    return wait > 0 ? tooManyRequests(wait, 'Too many large requests.') : undefined;
  }

  #forget(hash: string): Response {
    this.#known.delete(hash);
    return badToken();
  }
}
