import type { Database, Row } from './database.js';
import { isUnreachable } from './database-errors.js';
import type { Statement } from './pipeline.js';
import { BEGIN_READ, runPipelined } from './transaction.js';
import { tooMany, USER_LIMITS, withUserLimit } from './user-limits.js';

/** How many waiting reads of one user share a transaction: opening one is half the time of a look-up. */
const READ_BATCH = 4;

interface Waiting {
  statements: readonly Statement[];
  answered(answers: Row[][]): void;
  failed(error: unknown): void;
}

/** Reads of one user whose transactions open with the same statement. */
interface ReadQueue {
  /** Including the running ones. */
  count: number;
  waiting: Waiting[];
  /** Transactions that were requested and have not begun. */
  turns: number;
}

const shared = new WeakMap<object, Map<string, ReadQueue>>();

/** Reads under the per-user limit, batched into one transaction with waiting reads that open it in the same way. */
export async function readBatched(
  database: Database,
  userId: string,
  opening: Statement,
  statements: readonly Statement[],
): Promise<Row[][]> {
  const all = shared.get(database) ?? new Map<string, ReadQueue>();
  shared.set(database, all);
  const key = opening.params.join(' ');
  const queue = all.get(key) ?? { count: 0, waiting: [], turns: 0 };
  all.set(key, queue);
  if (queue.count >= USER_LIMITS.reads.concurrent + USER_LIMITS.reads.waiting) throw tooMany('reads');

  const read = async (reads: readonly Waiting[]): Promise<void> => {
    try {
      const sent = reads.flatMap(({ statements }) => statements);
      const answers = (await runPipelined(database, [BEGIN_READ, opening, ...sent])).slice(2);
      for (const { statements, answered } of reads) answered(answers.splice(0, statements.length));
    } catch (error) {
      // A failing read fails its whole batch: run each alone to find it, unless the database is unreachable.
      if (reads.length > 1 && !isUnreachable(error)) for (const each of reads) await read([each]);
      else for (const { failed } of reads) failed(error);
    }
  };
  queue.count++;
  try {
    return await new Promise((answered, failed) => {
      queue.waiting.push({ statements, answered, failed });
      if (queue.turns * READ_BATCH >= queue.waiting.length) return; // a requested transaction has room
      queue.turns++;
      void withUserLimit(database, userId, 'reads', () => {
        queue.turns--;
        return read(queue.waiting.splice(0, READ_BATCH));
      });
    });
  } finally {
    queue.count--;
    if (queue.count === 0) all.delete(key);
  }
}
