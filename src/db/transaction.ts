import type { Connection, Database, Row } from './database.js';
import { isStaleStatement } from './database-errors.js';
import type { Statement } from './pipeline.js';

/** Limits of every user and service transaction, except on PGlite. */
export const TIMEOUTS = { statement_timeout: '10s', lock_timeout: '5s', idle_in_transaction_session_timeout: '10s' };

/** Sets parameters for this transaction only, all in one statement: one statement each would cost a multiple. */
export function setLocal(settings: Record<string, string>): Statement {
  const names = Object.keys(settings);
  const key = names.join();
  const text = settingTexts.get(key) ?? `select ${names.map((name, i) => `set_config('${name}', $${i + 1}, true)`)}`;
  settingTexts.set(key, text);
  return { text, params: Object.values(settings) };
}

/** The few texts of `setLocal`, by the names of the parameters. */
const settingTexts = new Map<string, string>();

export const plain = (text: string): Statement => ({ text, params: [] });
export const [COMMIT, ROLLBACK] = [plain('commit'), plain('rollback')];
/** Read committed, whatever the default: after waiting for a user's lock, statements must see what was committed. */
export const BEGIN = plain('begin isolation level read committed');
/** Repeatable read: all statements see one snapshot. */
export const BEGIN_READ = plain('begin isolation level repeatable read read only');

/** Sends statements, pipelined with whatever else is sent before an answer is awaited. */
export const send = (connection: Pick<Connection, 'query'>, statements: readonly Statement[]): Promise<Row[][]> =>
  Promise.all(statements.map(({ text, params }) => connection.query(text, params)));

/** Retries a transaction once if it failed because a prepared statement was stale. */
export const retryStale = <T>(transaction: () => Promise<T>): Promise<T> =>
  transaction().catch((error: unknown) => {
    if (!isStaleStatement(error)) throw error;
    return transaction();
  });

/** Runs a transaction in one round trip. */
export const runPipelined = (database: Pick<Database, 'connect'>, statements: readonly Statement[]): Promise<Row[][]> =>
  retryStale(() =>
    database.connect(async (connection) => {
      try {
        return await send(connection, [...statements, COMMIT]);
      } catch (error) {
        await send(connection, [ROLLBACK]).catch(() => {}); // `connect` discards a broken connection
        throw error;
      }
    }),
  );
