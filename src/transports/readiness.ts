import type { Store } from '../db/connect.js';
import { assertWritable } from '../db/service.js';
import type { OutageLog } from './outage.js';

/** Checks whether requests can be served. Concurrent checks share one query: anybody may ask. */
export class Readiness {
  #pending: Promise<boolean> | undefined;

  constructor(
    private readonly store: () => Promise<Store>,
    private readonly outages: OutageLog,
  ) {}

  /** Resolves to whether the database answers and can be written. */
  check(): Promise<boolean> {
    this.#pending ??= this.#ask().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #ask(): Promise<boolean> {
    try {
      await assertWritable((await this.store()).database);
      this.outages.answered();
      return true;
    } catch (error) {
      this.outages.unreachable(error);
      return false;
    }
  }
}
