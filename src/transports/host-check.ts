import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { refuse } from './http-responses.js';
import { MAX_KEYS } from './limits.js';

/** Longer Host headers are not cached: unauthenticated clients must not fill the memory. */
const MAX_HOST_LENGTH = 100;

/** How many refused host names are logged: anybody can send any number of them. */
const MAX_FOREIGN_HOSTS = 20;

const FOREIGN_HOST =
  'This server does not answer to that host name. Whoever runs it names it in TASKLOOM_ALLOWED_HOSTS or TASKLOOM_PUBLIC_URL.';

/** Refuses foreign hosts and origins, against DNS rebinding: a page may point its own name at this machine. */
export class HostCheck {
  readonly #allowed: string[];
  /** Host headers found valid. Parsing one takes a fifth of the time that a request needs before it is run. */
  readonly #good = new LRUCache<string, true>({ max: MAX_KEYS });
  readonly #foreign = new Set<string>();

  /** @param allowed host names of this server, besides those of loopback */
  constructor(
    allowed: string[],
    private readonly log: Logger,
  ) {
    this.#allowed = [...localhostAllowedHostnames(), ...allowed.map(asInHeader)];
  }

  /** Returns the response that refuses a request, if its host or origin is foreign. */
  refusal(request: Request): Response | undefined {
    const host = request.headers.get('host') ?? '';
    if (!this.#good.get(host) && hostHeaderValidationResponse(request, this.#allowed)) {
      this.#logForeign(host.slice(0, MAX_HOST_LENGTH));
      return refuse(403, 'forbidden', FOREIGN_HOST);
    }
    if (host.length <= MAX_HOST_LENGTH) this.#good.set(host, true); // a port may have thousands of leading zeros
    return originValidationResponse(request, this.#allowed);
  }

  /** Logs each refused host name once. */
  #logForeign(host: string): void {
    if (this.#foreign.size >= MAX_FOREIGN_HOSTS || this.#foreign.has(host)) return;
    this.#foreign.add(host);
    this.log.warn({ host }, 'refused a host name that is not in TASKLOOM_ALLOWED_HOSTS');
  }
}

/** Normalizes a host name for comparison with a header: lower case, ASCII (Punycode), IPv6 at its shortest. */
const asInHeader = (host: string): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : host;
