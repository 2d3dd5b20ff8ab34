import pLimit, { type LimitFunction } from 'p-limit';
import { rateLimited } from '../errors.js';
import type { Database } from './database.js';

/** How many requests, reads and writes of one user may hold a connection, and how many more may wait for their turn. */
export const USER_LIMITS = {
  requests: { concurrent: 2, waiting: 256 },
  reads: { concurrent: 4, waiting: 256 },
  writes: { concurrent: 2, waiting: 64 },
};
type Workload = keyof typeof USER_LIMITS;

const queues = new WeakMap<object, Map<string, LimitFunction>>();

/**
 * Runs `work` when fewer than `concurrent` others with the same key run.
 *
 * @param owner the object that the keys belong to
 * @param key whose work it is and, after a space, what a refusal calls it
 * @throws Refusal (rate limited) if `waiting` others wait already
 */
export async function queued<T>(
  owner: object,
  key: string,
  { concurrent, waiting }: { concurrent: number; waiting: number },
  work: () => Promise<T>,
): Promise<T> {
  const byKey = queues.get(owner) ?? new Map<string, LimitFunction>();
  queues.set(owner, byKey);
  const limiter = byKey.get(key) ?? pLimit(concurrent);
  byKey.set(key, limiter);
  limiter.concurrency = concurrent;
  if (limiter.pendingCount >= waiting) throw tooMany(key.split(' ')[1]);
  try {
    return await limiter(work);
  } finally {
    if (limiter.activeCount + limiter.pendingCount === 0) byKey.delete(key);
  }
}

export const tooMany = (what = 'calls') =>
  rateLimited(`Too many ${what} at once.`, `Wait for the answers to earlier ${what}, then repeat this one.`);

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
  const { concurrent, waiting } = USER_LIMITS[workload];
  const serially = () => queued(database, whose, { concurrent: 1, waiting: Number.POSITIVE_INFINITY }, work);
  const key = `${whose} ${workload}`;
  // A second write takes a connection to wait for the first one's lock, to be ready when that ends; not if other users
  // are writing and want the connection.
  const room = workload === 'writes' && othersWrite(queues.get(database), key) ? 1 : concurrent;
  return queued(database, key, { concurrent: room, waiting }, database.kind === 'pglite' ? serially : work);
}

function othersWrite(byKey: ReadonlyMap<string, unknown> | undefined, mine: string): boolean {
  for (const key of byKey?.keys() ?? []) if (key !== mine && key.endsWith(' writes')) return true;
  return false;
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
