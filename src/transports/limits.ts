import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';

/** Maximum number of keys: a flood of addresses evicts older ones instead of taking more memory. */
export const MAX_KEYS = 10_000;

/**
 * A rate limit for each key: a token bucket of one minute's requests (or bytes), which may all come at once and refill
 * one by one. For each key it stores only the time at which the bucket will be full again.
 */
export class RateLimit {
  readonly #fullAt = new LRUCache<string, number>({ max: MAX_KEYS });
  /** Time in which one request refills, in milliseconds. */
  readonly #refillMs: number;

  /**
   * @param perMinute 0 for no limit
   * @param now milliseconds on a monotonic clock
   */
  constructor(
    perMinute: number,
    private readonly now: () => number,
  ) {
    this.#refillMs = perMinute > 0 ? 60_000 / perMinute : 0;
  }

  /** @returns 0 if the requests fit, and are then counted; otherwise the seconds until they would */
  take(key: string, requests = 1): number {
    if (this.#refillMs === 0) return 0;
    const now = this.now();
    const fullAt = Math.max(this.#fullAt.get(key) ?? now, now) + this.#refillMs * requests;
    const excess = fullAt - now - 60_000;
    if (excess > 1e-6) return Math.ceil(excess / 1000);
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  /** Refunds one request. */
  refund(key: string): void {
    const fullAt = this.#fullAt.get(key);
    if (fullAt !== undefined) this.#fullAt.set(key, fullAt - this.#refillMs);
  }
}

/**
 * Returns the address that a request came from, as far as it is known. Cuts an IPv6 address to its /64 network, all of
 * which belongs to one customer: `2001:db8:1:2`.
 *
 * @param peer the remote address of the connection
 * @param forwarded the header X-Forwarded-For, to which each proxy has appended the address of its client
 * @param proxies how many of our proxies the request has passed; entries before theirs may be forged
 */
export function originOf(peer: string | undefined, forwarded: string | null = null, proxies = 0): string {
  const hops = proxies > 0 ? (forwarded ?? '').split(',').map(bare) : [];
  const hop = hops.at(-proxies) ?? hops[0] ?? '';
  const address = isIP(hop) ? hop : bare(peer ?? '');
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const [first, last] = [head, tail ?? ''].map((part) => part.split(':').filter(Boolean)) as [string[], string[]];
  const gap = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array<string>(Math.max(gap, 0)).fill('0'), ...last];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** Strips the port, brackets, and the `::ffff:` prefix that a dual-stack socket gives an IPv4 address. */
const bare = (address: string): string =>
  address
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
