import pLimit, { type LimitFunction } from 'p-limit';
import { rateLimited } from '../errors.js';
import type { Database } from './database.js';

/** How much of one user's holds a connection, and how much more may wait for its turn. */
export const USER_LIMITS = {
  requests: { concurrent: 2, waiting: 256 },
  reads: { concurrent: 4, waiting: 256 },
  writes: { concurrent: 2, waiting: 64 },
};
type Workload = keyof typeof USER_LIMITS;

const queues = new WeakMap<object, Map<string, LimitFunction>>();

async function queued<T>(database: object, key: string, concurrent: number, waiting: number, work: () => Promise<T>) {
  const lines = queues.get(database) ?? new Map<string, LimitFunction>();
  queues.set(database, lines);
  const line = lines.get(key) ?? pLimit(concurrent);
  lines.set(key, line);
  line.concurrency = concurrent;
  if (line.pendingCount >= waiting) throw tooMany(key.split(' ')[1]);
  try {
    return await line(work);
  } finally {
    if (line.activeCount + line.pendingCount === 0) lines.delete(key);
  }
}

export const tooMany = (what = 'calls') =>
  rateLimited(`Too many ${what} at once.`, `Wait for the answers to earlier ${what}, then repeat this one.`);

/**
 * What is one user's waits for each other here, not in the pool, so that others get their connections. Where there is
 * but one connection, it goes around among users.
 */
export function withUserLimit<T>(
  database: Database,
  whose: string,
  workload: Workload,
  work: () => Promise<T>,
): Promise<T> {
  const { concurrent, waiting } = USER_LIMITS[workload];
  const alone = () => queued(database, whose, 1, Number.POSITIVE_INFINITY, work);
  const key = `${whose} ${workload}`;
  // A second write waits for the first one's lock, to be ready when it ends: not with a connection that others want.
  const room = workload === 'writes' && othersWrite(queues.get(database), key) ? 1 : concurrent;
  return queued(database, key, room, waiting, database.kind === 'pglite' ? alone : work);
}

function othersWrite(lines: ReadonlyMap<string, unknown> | undefined, mine: string): boolean {
  for (const key of lines?.keys() ?? []) if (key !== mine && key.endsWith(' writes')) return true;
  return false;
}

/** The database, for whatever of one user's runs in a lane. */
export const limitedTo = (database: Database, whose: string, workload: Workload): Pick<Database, 'connect'> => ({
  connect: (work) => withUserLimit(database, whose, workload, () => database.connect(work)),
});
