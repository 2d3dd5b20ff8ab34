import type { Logger } from 'pino';
import { RateLimit } from './limits.js';

/** Logs refused requests, at most one a minute for each address and reason: anybody can send any number of them. */
export class RefusalLog {
  readonly #rate: RateLimit;

  /** @param steady milliseconds on a monotonic clock */
  constructor(
    private readonly log: Logger,
    steady = () => performance.now(),
  ) {
    this.#rate = new RateLimit(1, steady);
  }

  /**
   * Logs a response if it refuses the caller (401, 429).
   *
   * @param from returns the address that the request came from
   */
  note({ status, statusText: reason }: Response, from: () => string): void {
    if (status !== 401 && status !== 429) return;
    const address = from();
    if (this.#rate.take(`${address} ${reason}`) === 0) this.log.warn({ status, reason, address }, 'refused a request');
  }
}
