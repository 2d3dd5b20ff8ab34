import type { Logger } from 'pino';
import { setupMistake, sqlState } from '../db/database-errors.js';
import { RateLimit } from './limits.js';

/**
 * Logs when the database becomes unreachable and when it answers again, once each, and at most once a minute that it is
 * busy.
 */
export class OutageLog {
  #isOut = false;
  readonly #busy = new RateLimit(1, () => performance.now());

  constructor(private readonly log: Logger) {}

  unreachable(error: unknown): void {
    if (!this.#isOut)
      this.log.warn({ state: sqlState(error), why: setupMistake(error) }, 'database unreachable: calls are refused');
    this.#isOut = true;
  }

  answered(): void {
    if (this.#isOut) this.log.warn('database reachable again');
    this.#isOut = false;
  }

  busy(): void {
    if (this.#busy.take('') === 0) this.log.warn('database busy: calls are refused');
  }
}
