import { setTimeout as pause } from 'node:timers/promises';
import { accountOf, become, type Clock, userTx } from './as-user.js';
import type { Connection, Database, Row } from './database.js';
import { CommitUnknown, isUnreachable, SQLSTATE, sqlState, Unreachable } from './database-errors.js';
import type { Statement } from './pipeline.js';
import type { AccountCheck, LockedState, UserScope, UserTx } from './scope.js';
import { BEGIN, COMMIT, plain, ROLLBACK, retryStale, send } from './transaction.js';
import { withUserLimit } from './user-limits.js';

/** A write: what it reads under the user's write lock, and what it then decides. */
interface Change<S, T> {
  /** Digest of the request_id, if the caller gave one. */
  key?: string | undefined;
  /** Runs everything, then rolls back. */
  dryRun?: boolean;
  read(tx: UserTx): Promise<S>;
  decide(state: S, opened: LockedState): Written<T>;
}

/** The outcome of a write: a value, and the statements that apply it; none if nothing is to be written. */
interface Written<T> {
  value: T;
  statements: Statement[];
  /** Set if the statements change something. Without a mark, running them again does no harm. */
  mark?: CommitMark;
}

/** Identifies a write in its user's history. */
interface CommitMark {
  seq: number;
  /** The random id of the call that made it. */
  call: string;
}

/**
 * Writes as a user, under that user's write lock, which is taken before anything is decided. `read` is pipelined
 * right behind the lock; `decide` gets its result and returns what to write, which is pipelined with the COMMIT.
 *
 * @throws CommitUnknown if the answer to COMMIT was lost and the database cannot be asked for some 10 seconds;
 *   Unreachable if COMMITs were lost on their way to it `COMMIT_ATTEMPTS` times
 */
export async function writeAsUser<S, T>(
  database: Database,
  scope: UserScope,
  change: Change<S, T>,
  clock?: Clock,
): Promise<T> {
  const id = scope.userId;
  const opening = [BEGIN, become(database, id, clock), lockOf(id)];
  const account = accountOf(scope);
  const transaction = () =>
    database.connect((connection) => runLocked(connection, scope, { opening, account, change }));
  return withUserLimit(database, id, 'writes', async () => {
    for (let attempt = 1; ; attempt++) {
      const { value, lost } = await retryStale(transaction);
      if (!lost || (await didCommit(database, opening, id, lost))) return value;
      if (attempt === COMMIT_ATTEMPTS) throw new Unreachable(lost.error);
    }
  });
}

/** A COMMIT whose answer was lost with the connection. */
interface LostCommit {
  mark: CommitMark | undefined;
  error: unknown;
}

/**
 * Runs the transaction of a write once.
 *
 * @param opening begins it and takes the lock
 */
async function runLocked<S, T>(
  connection: Connection,
  scope: UserScope,
  { opening, account, change }: { opening: readonly Statement[]; account: AccountCheck; change: Change<S, T> },
): Promise<{ value: T; lost?: LostCommit }> {
  const ready = send(connection, [
    ...opening,
    account.statement, // after the lock, which a change of the user's time zone takes too
    NOW, // its own statement: in the one that waits for the lock, it would be the time before the wait
    ...(change.key === undefined ? [] : [requestOf(scope.userId, change.key)]),
  ]);
  const [opened, read] = await Promise.allSettled([ready, (async () => change.read(userTx(scope, connection)))()]);
  try {
    if (opened.status === 'rejected') throw opened.reason;
    const [lock, user, clock, request] = opened.value.slice(opening.length - 1).map((rows) => rows[0]);
    scope.timezone = account.check(user);
    if (read.status === 'rejected') throw read.reason;
    const { value, statements, mark } = change.decide(read.value, readOpened(lock, clock, request));
    const isKept = statements.length > 0 && !change.dryRun;
    const ended = send(connection, [...statements, isKept ? COMMIT : ROLLBACK]);
    return await ended.then(
      () => ({ value }),
      (error: unknown) => {
        if (isKept && isUnreachable(error)) return { value, lost: { mark, error } };
        throw error;
      },
    );
  } catch (error) {
    await send(connection, [ROLLBACK]).catch(() => {}); // `connect` discards a broken connection
    throw error;
  }
}

/** How often a write is tried whose COMMITs had neither an answer nor an effect. */
const COMMIT_ATTEMPTS = 3;

/** How long to try to find out whether a COMMIT took effect whose answer was lost, in milliseconds. */
const RESOLVE_TIMEOUT = 10_000;

/**
 * Finds out whether a write was committed: takes the user's lock, which waits until the server has dropped the lost
 * connection too, and looks for the write's mark.
 *
 * @throws CommitUnknown if this does not succeed in time
 */
async function didCommit(
  database: Database,
  opening: readonly Statement[],
  userId: string,
  { mark, error: cause }: LostCommit,
): Promise<boolean> {
  const until = performance.now() + RESOLVE_TIMEOUT;
  for (let wait = 50; ; wait *= 2) {
    try {
      return await database.connect(async (connection) => {
        const rows = await send(connection, [
          ...opening,
          {
            text: 'select 1 from taskloom.changes c where c.user_id = $1::uuid and c.seq = $2 and c.call = $3::uuid',
            params: [userId, mark?.seq ?? 0, mark?.call ?? null],
          },
          ROLLBACK,
        ]);
        const found = rows.at(-2) ?? [];
        return found.length > 0;
      });
    } catch (error) {
      if (performance.now() + wait > until || !(isUnreachable(error) || sqlState(error) === SQLSTATE.lockNotAvailable))
        throw new CommitUnknown(cause);
      await pause(wait);
    }
  }
}

/** Takes the user's write lock, which is their row of counters. */
const lockOf = (userId: string): Statement => ({
  text: 'select next_task, next_project, next_comment, change_seq, tidied_at from taskloom.counters where counters.user_id = $1 for update',
  params: [userId],
});

/** Reads the stored answer to a request made in the last 24 hours. */
const requestOf = (userId: string, key: string): Statement => ({
  text: `select fingerprint, answer, at from taskloom.requests where requests.user_id = $1 and key = $2 and at > taskloom.app_now() - interval '24 hours'`,
  params: [userId, key],
});

const NOW = plain('select taskloom.app_now()');

/** Milliseconds between two purges of a user's expired data. */
const PURGE_EVERY = 3_600_000;

function readOpened(lock: Row | undefined, clock: Row | undefined, request: Row | undefined): LockedState {
  if (!lock || !clock) throw new Error('a user has a row of counters');
  const now = new Date(String(clock[0]));
  return {
    now,
    nextTask: Number(lock[0]),
    nextProject: Number(lock[1]),
    nextComment: Number(lock[2]),
    changeSeq: Number(lock[3]),
    purgeDue: now.getTime() - new Date(String(lock[4])).getTime() > PURGE_EVERY,
    ...(request && {
      request: {
        fingerprint: String(request[0]),
        answer: request[1] as Record<string, unknown>,
        at: new Date(String(request[2])),
      },
    }),
  };
}
