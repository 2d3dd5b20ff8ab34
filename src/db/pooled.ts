import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { type Database, MAX_WAITING } from './database.js';
import { Busy, isUnreachable, setupMistake, sqlState, Unreachable } from './database-errors.js';
import type { makeListener } from './notify.js';
import { Pipeline, rowOf, StatementCache } from './pipeline.js';
import { PipelinedConnection } from './pipelined-connection.js';

/** A driver's result of one statement; for a string of several it returns an array of these. */
interface Result {
  fields: { dataTypeID: number }[];
  rows: (string | null)[][];
}

interface Client {
  query(pipeline: Pipeline): unknown;
  query(config: { text: string; rowMode: 'array'; types: typeof AS_TEXT }): Promise<Result | Result[]>;
  on(event: 'error', listener: () => void): unknown;
  release(destroy: boolean): void;
}

/** The interface that `pg`'s pool and Neon's copy of it have in common. */
interface PoolLike {
  connect(): Promise<Client>;
  on(event: 'error', listener: () => void): unknown;
  on(event: 'connect', listener: (client: Client) => void): unknown;
  end(): Promise<void>;
  /** How many callers wait for a connection. */
  readonly waitingCount: number;
}

/** How long to wait for a free connection, in milliseconds. */
const CONNECT_TIMEOUT = 5_000;

/**
 * How long to wait for an answer, in milliseconds, before the connection is discarded. The server itself cancels slow
 * statements; this timeout is for a server or proxy that vanished without closing the connection.
 */
const RESPONSE_TIMEOUT = 30_000;

export const clientOptions = (url: string) => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  application_name: 'taskloom',
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
});

/**
 * Checks the files that a database URL names: the driver reads them while it connects, and would throw there.
 *
 * @throws UsageError naming the first that cannot be read
 */
export function checkFiles(url: string): void {
  const { searchParams } = new URL(url);
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const file = searchParams.get(name);
    try {
      if (file) readFileSync(file);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new UsageError(`cannot read the file that ${name} in the database address names (${code})`, file ?? '');
    }
  }
}

export const poolOptions = (url: string) => ({ ...clientOptions(url), max: 10, idleTimeoutMillis: 30_000 });

/**
 * Makes a database of a connection pool and a listener.
 *
 * @param wait how long to wait for an answer, in milliseconds
 */
export function pooled(
  kind: Database['kind'],
  pool: PoolLike,
  { listen, closeAll }: ReturnType<typeof makeListener>,
  wait = RESPONSE_TIMEOUT,
): Database {
  const ignore = () => {};
  // Without listeners, a connection that breaks while idle (pool event) or checked out (client event) would end the
  // process. Callers learn of it by a rejected query.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));

  const cache = new StatementCache();
  const known = new WeakMap<Client, Set<string>>();
  const knownTo = (client: Client) => {
    const names = known.get(client) ?? new Set<string>();
    known.set(client, names);
    return names;
  };

  const database: Database = {
    kind,
    async connect(work, { patient = false } = {}) {
      if (pool.waitingCount >= MAX_WAITING) throw new Busy();
      const client = await pool.connect().catch((error: unknown) => {
        // What a person must fix (a wrong password, an untrusted certificate) is not an outage.
        throw setupMistake(error) || (sqlState(error) && !isUnreachable(error)) ? error : new Unreachable(error);
      });
      let broken = false;
      const failed = (error: unknown): never => {
        if (sqlState(error) && !isUnreachable(error)) throw error;
        broken = true;
        throw new Unreachable(error);
      };
      const ask = async <T>(send: () => Promise<T>): Promise<T> => {
        if (broken) throw new Unreachable(); // it would queue behind the unanswered query
        return within(patient ? undefined : wait, send()).catch(failed);
      };
      const connection = new PipelinedConnection(
        (statements) => {
          for (const { text, params } of statements) database.onStatement?.(text, params);
          const pipeline = new Pipeline(statements, cache, knownTo(client));
          return ask(() => {
            client.query(pipeline);
            return pipeline.answer;
          });
        },
        async (text) => {
          database.onStatement?.(text, []);
          const result = await ask(() => client.query({ text, rowMode: 'array', types: AS_TEXT }));
          return [result].flat().map(({ rows, fields }) => rows.map((row) => rowOf(row, typesOf(fields))));
        },
      );
      try {
        return await work(connection);
      } finally {
        client.release(broken || connection.inTransaction);
      }
    },
    listen,
    close: () => {
      closeAll();
      return pool.end();
    },
  };
  return database;
}

/** Rejects if an answer takes longer than `wait` milliseconds. */
function within<T>(wait: number | undefined, answer: Promise<T>): Promise<T> {
  if (wait === undefined) return answer;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the database does not answer')), wait);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const asText = (value: string) => value;
/** Keeps the driver from decoding values: `rowOf` does. */
const AS_TEXT = { getTypeParser: () => asText };
const typesOf = (fields: { dataTypeID: number }[]) => fields.map(({ dataTypeID }) => dataTypeID);
