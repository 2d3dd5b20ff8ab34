import { isIP } from 'node:net';

/** How many keys are kept: a flood of addresses makes earlier ones forgotten, and takes no more memory. */
const MAX_KEYS = 10_000;

/** A map that forgets what was not used for longest. */
export class LruMap<T> {
  readonly #entries = new Map<string, T>();

  get(key: string): T | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key); // what is set again goes to the end
    this.#entries.set(key, value);
    if (this.#entries.size > MAX_KEYS) this.#entries.delete(this.#entries.keys().next().value as string);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/**
 * So many requests a minute for each key, in whichever rhythm: all of them may come at once, and come back one by one.
 * Of each key one moment is kept, at which all of it will have come back.
 */
export class Rate {
  readonly #whole = new LruMap<number>();
  /** What one request costs, in milliseconds. */
  readonly #each: number;

  /**
   * @param perMinute 0 for any number
   * @param now milliseconds on a clock that is never set back
   */
  constructor(
    perMinute: number,
    private readonly now: () => number,
  ) {
    this.#each = perMinute > 0 ? 60_000 / perMinute : 0;
  }

  /** @returns after how many seconds there is room for this request, or so many; 0 if there was, and it was taken */
  take(key: string, requests = 1): number {
    if (this.#each === 0) return 0;
    const now = this.now();
    const whole = Math.max(this.#whole.get(key) ?? now, now) + this.#each * requests;
    const early = whole - now - 60_000;
    if (early > 1e-6) return Math.ceil(early / 1000);
    this.#whole.set(key, whole);
    return 0;
  }

  /** Takes back one that was taken. */
  giveBack(key: string): void {
    const whole = this.#whole.get(key);
    if (whole !== undefined) this.#whole.set(key, whole - this.#each);
  }
}

/**
 * The address that a request came from, as far as it can be known: of an IPv6 address the network, for one customer has
 * all of it.
 *
 * @param peer the other end of the connection
 * @param forwarded the header X-Forwarded-For, to which each proxy has added whom it was asked by
 * @param proxies how many proxies of ours a request has come through; what stands before theirs may be invented
 */
export function originOf(peer: string | undefined, forwarded: string | null = null, proxies = 0): string {
  const hops = proxies > 0 ? (forwarded ?? '').split(',').map(bare) : [];
  const said = hops.at(-proxies) ?? hops[0] ?? '';
  const address = isIP(said) ? said : bare(peer ?? '');
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

/** An address without port, brackets, or the prefix of an IPv4 address that came over a socket of both kinds. */
const bare = (address: string): string =>
  address
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
