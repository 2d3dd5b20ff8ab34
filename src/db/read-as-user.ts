import { Refusal } from '../errors.js';
import { accountOf, become, type Clock, userTx } from './as-user.js';
import type { Database } from './database.js';
import { readBatched } from './read-batches.js';
import type { UserScope, UserTx } from './scope.js';

/**
 * Reads as a user. Each statement runs in a read-only transaction of one round trip; results that must be consistent
 * with each other belong in one statement.
 */
export async function readAsUser<T>(
  database: Database,
  scope: UserScope,
  work: (tx: UserTx) => Promise<T>,
  clock?: Clock,
): Promise<T> {
  const opening = become(database, scope.userId, clock);
  const zone = scope.timezone;
  let reached = false;
  const query = async (text: string, params: readonly unknown[] = []) => {
    reached = true;
    const account = accountOf(scope);
    const [user, rows] = await readBatched(database, scope.userId, opening, [account.statement, { text, params }]);
    scope.timezone = account.check(user?.[0]);
    return rows ?? [];
  };
  const attempt = () => work(userTx(scope, { query }));
  const first = await attempt().catch(async (error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    if (!reached) await query('select'); // the refusal may rest on an outdated time zone
    if (scope.timezone === zone) throw error;
    return undefined;
  });
  // The user's time zone changed since the scope was made, and with it what "today" means: run `work` again.
  return scope.timezone === zone ? (first as T) : attempt();
}
