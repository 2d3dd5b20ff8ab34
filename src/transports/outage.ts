import type { Logger } from 'pino';

/** Logs when the database becomes unreachable and when it answers again, once each. */
export class OutageLog {
  #isOut = false;

  constructor(private readonly log: Logger) {}

  unreachable(): void {
    if (!this.#isOut) this.log.warn('database unreachable: requests are refused with 503');
    this.#isOut = true;
  }

  answered(): void {
    if (this.#isOut) this.log.warn('database reachable again');
    this.#isOut = false;
  }
}
