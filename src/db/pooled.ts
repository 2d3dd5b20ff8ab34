import { Busy, type Database, isUnreachable, Line, MOST_WAITING, sqlState, Unreachable } from './database.js';
import { Flight, KeptStatements, rowOf } from './flight.js';
import type { listener } from './notify.js';

/** What a driver answers to a string of several statements: one of these for each. */
interface Result {
  fields: { dataTypeID: number }[];
  rows: (string | null)[][];
}

interface Client {
  query(flight: Flight): unknown;
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

export const clientOptions = (url: string) => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  application_name: 'taskloom',
  keepAlive: true,
});

export const poolOptions = (url: string) => ({ ...clientOptions(url), max: 10, idleTimeoutMillis: 30_000 });

/** Makes a database of a pool of `pg`'s kind, and of what listens beside it. */
export function pooled(
  kind: Database['kind'],
  pool: PoolLike,
  { listen, closeAll }: ReturnType<typeof listener>,
): Database {
  const ignore = () => {};
  // Without listeners, a connection that dies idle (the pool's event) or checked out (the client's)
  // would end the process. What matters of it reaches the caller as a rejected query.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));

  const kept = new KeptStatements();
  const known = new WeakMap<Client, Set<string>>();
  const knownTo = (client: Client) => {
    const names = known.get(client) ?? new Set<string>();
    known.set(client, names);
    return names;
  };

  const database: Database = {
    kind,
    async connect(work) {
      if (pool.waitingCount >= MOST_WAITING) throw new Busy();
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
      const line = new Line(
        (statements) => {
          for (const { text, params } of statements) database.onStatement?.(text, params);
          const flight = new Flight(statements, kept, knownTo(client));
          client.query(flight);
          return flight.answer.catch(answered);
        },
        async (text) => {
          database.onStatement?.(text, []);
          const result = await client.query({ text, rowMode: 'array', types: AS_TEXT }).catch(answered);
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

const asText = (value: string) => value;
/** What a driver would make of the values is left to us. */
const AS_TEXT = { getTypeParser: () => asText };
const typesOf = (fields: { dataTypeID: number }[]) => fields.map(({ dataTypeID }) => dataTypeID);
