import { setTimeout as pauseFor } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import { rateLimited } from '../errors.js';
import type { Database } from './database.js';

/** How much of a user's work may run at once, and how much more may wait for its turn. */
export interface UserLimit {
  concurrent: number;
  waiting: number;
  /**
   * How long a user with more waiting pauses after each, as a multiple of what it took, while work of a user runs who has
   * no more waiting.
   */
  pauseRatio?: number;
}

/** How many account checks, reads and writes of one user may hold a connection. */
export const USER_LIMITS = {
  accountChecks: { concurrent: 2, waiting: 256 },
  reads: { concurrent: 4, waiting: 256 },
  writes: { concurrent: 2, waiting: 64, pauseRatio: 2 },
};
type Workload = keyof typeof USER_LIMITS;

export const tooMany = (what: string) =>
  rateLimited(`Too many ${what} at once.`, `Wait for the answers to earlier ${what}, then repeat this one.`);

/** The longest pause, in milliseconds: a write may have waited for a lock. */
const MAX_PAUSE = 50;

/** Queues one kind of work, for each user on their own. */
export class UserQueues {
  readonly #byUser = new Map<string, LimitFunction>();

  /** @param what what a refusal calls the work */
  constructor(
    private readonly what: string,
    private readonly limit: UserLimit,
    private readonly pause: (ms: number) => Promise<unknown> = pauseFor,
  ) {}

  /**
   * Runs `work` when fewer than `concurrent` others of the same user run.
   *
   * @throws Refusal (rate limited) if too many others wait already
   */
  async run<T>(user: string, work: () => Promise<T>, concurrent = this.limit.concurrent): Promise<T> {
    const limiter = this.#byUser.get(user) ?? pLimit(concurrent);
    this.#byUser.set(user, limiter);
    limiter.concurrency = concurrent;
    if (limiter.pendingCount >= this.limit.waiting) throw tooMany(this.what);
    return new Promise((resolve, reject) => {
      const answered = async () => {
        const began = performance.now();
        await (async () => work())().then(resolve, reject); // also if it throws at once
        const { pauseRatio } = this.limit;
        if (pauseRatio && limiter.pendingCount > 0 && this.#hasModest())
          await this.pause(Math.min(pauseRatio * (performance.now() - began), MAX_PAUSE));
      };
      void limiter(answered).finally(() => {
        if (limiter.activeCount + limiter.pendingCount === 0) this.#byUser.delete(user);
      });
    });
  }

  /** Whether work of a user runs who has no more waiting. */
  #hasModest(): boolean {
    for (const { pendingCount } of this.#byUser.values()) if (pendingCount === 0) return true;
    return false;
  }

  /** Whether work of any other user runs. */
  isUsedByOthers(user: string): boolean {
    return this.#byUser.size > (this.#byUser.has(user) ? 1 : 0);
  }
}

const makeQueues = () => ({
  accountChecks: new UserQueues('requests', USER_LIMITS.accountChecks),
  reads: new UserQueues('reads', USER_LIMITS.reads),
  writes: new UserQueues('writes', USER_LIMITS.writes),
  turns: new UserQueues('calls', { concurrent: 1, waiting: Number.POSITIVE_INFINITY }),
});

const queues = new WeakMap<Database, ReturnType<typeof makeQueues>>();

/**
 * Runs `work` under a per-user limit: beyond it, a user's work waits here and not in the pool, so that other users get
 * connections. On the embedded database, with its one connection, users take turns.
 *
 * @param whose the id of a user; for a look-up that has none yet, its kind and what it looks up, separated by a colon
 * @throws Refusal (rate limited) if too much of the user's work is waiting
 */
export function withUserLimit<T>(
  database: Database,
  whose: string,
  workload: Workload,
  work: () => Promise<T>,
): Promise<T> {
  const own = queues.get(database) ?? makeQueues();
  queues.set(database, own);
  // A second write takes a connection to wait for the first one's lock, to be ready when that ends; not if other users
  // are writing and want the connection.
  const room = workload === 'writes' && own.writes.isUsedByOthers(whose) ? 1 : undefined;
  return own[workload].run(whose, database.kind === 'pglite' ? () => own.turns.run(whose, work) : work, room);
}

/** Returns the database with `connect` under a user's limit. */
export const limitedTo = (
  database: Database,
  whose: string,
  workload: Workload,
): Pick<Database, 'connect' | 'kind'> => ({
  kind: database.kind,
  connect: (work) => withUserLimit(database, whose, workload, () => database.connect(work)),
});
