import {
  Busy,
  type Database,
  isUnreachable,
  MAX_WAITING,
  PipelinedConnection,
  sqlState,
  Unreachable,
} from './database.js';
import type { listener } from './notify.js';
import { Pipeline, rowOf, StatementCache } from './pipeline.js';

/** What a driver answers to a string of several statements: one of these for each. */
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

/** The shape that `pg`'s pool and Neon's, which brings its own copy of it, have in common. */
interface PoolLike {
  connect(): Promise<Client>;
  on(event: 'error', listener: () => void): unknown;
  on(event: 'connect', listener: (client: Client) => void): unknown;
  end(): Promise<void>;
  /** How many wait for a connection. */
  readonly waitingCount: number;
}

/** How long a call waits for a free connection, in milliseconds. */
const CONNECT_TIMEOUT = 5_000;

/**
 * How long an answer may take, in milliseconds, before the connection is given up. The server ends what takes too long
 * itself; this is for one that says nothing more: its machine, or a proxy before it, is gone without a word.
 */
const RESPONSE_TIMEOUT = 30_000;

export const clientOptions = (url: string) => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  application_name: 'taskloom',
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
});

export const poolOptions = (url: string) => ({ ...clientOptions(url), max: 10, idleTimeoutMillis: 30_000 });

/** Makes a database of a pool of `pg`'s kind, and of what listens beside it. */
export function pooled(
  kind: Database['kind'],
  pool: PoolLike,
  { listen, closeAll }: ReturnType<typeof listener>,
  patience = RESPONSE_TIMEOUT,
): Database {
  const ignore = () => {};
  // Without listeners, a connection that dies idle (the pool's event) or checked out (the client's)
  // would end the process. What matters of it reaches the caller as a rejected query.
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
    async connect(work, patient = false) {
      if (pool.waitingCount >= MAX_WAITING) throw new Busy();
      const client = await pool.connect().catch((error: unknown) => {
        // What the server itself refused (a wrong password, no such database) keeps its SQLSTATE.
        throw sqlState(error) && !isUnreachable(error) ? error : new Unreachable(error);
      });
      let broken = false;
      const answered = (error: unknown): never => {
        if (sqlState(error) && !isUnreachable(error)) throw error;
        broken = true;
        throw new Unreachable(error);
      };
      const ask = async <T>(send: () => Promise<T>): Promise<T> => {
        if (broken) throw new Unreachable(); // it would wait behind what was not answered
        return within(patient ? undefined : patience, send()).catch(answered);
      };
      const line = new PipelinedConnection(
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
        return await work(line);
      } finally {
        client.release(broken || line.inTransaction);
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

/** An answer, if it comes in time. */
function within<T>(patience: number | undefined, answer: Promise<T>): Promise<T> {
  if (patience === undefined) return answer;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the database does not answer')), patience);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const asText = (value: string) => value;
/** What a driver would make of the values is left to us. */
const AS_TEXT = { getTypeParser: () => asText };
const typesOf = (fields: { dataTypeID: number }[]) => fields.map(({ dataTypeID }) => dataTypeID);
