import { createHash } from 'node:crypto';
import type { QueryArrayResult } from 'pg';
import {
  Busy,
  type Connection,
  type Database,
  isForgotten,
  isUnreachable,
  MOST_WAITING,
  sqlState,
  TransactionWatch,
  Unreachable,
} from './database.js';
import type { listener } from './notify.js';

/** OIDs of date, time, timestamp, timestamptz: left as text. */
const times = new Set([1082, 1083, 1114, 1184]);
const asText = (value: string) => value;

interface Client {
  query(config: object): Promise<unknown>;
  /** Where the driver has a socket that can hold back what is written. */
  connection?: { stream?: { cork?(): void; uncork?(): void } };
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
type GetTypeParser = (oid: number, format: 'text') => (value: string) => unknown;

/** How long a call waits for a free connection, in milliseconds. */
const CONNECT_TIMEOUT = 5_000;

export const clientOptions = (url: string) => ({
  connectionString: url,
  connectionTimeoutMillis: CONNECT_TIMEOUT,
  application_name: 'taskloom',
  keepAlive: true,
});

export const poolOptions = (url: string) => ({ ...clientOptions(url), max: 10, idleTimeoutMillis: 30_000 });

/** How many statements each connection keeps parsed and planned. There are some dozens; unusual filters make more. */
const KEPT = 200;

/** Makes a database of a pool of `pg`'s kind, and of what listens beside it. */
export function pooled(
  kind: Database['kind'],
  pool: PoolLike,
  getTypeParser: GetTypeParser,
  { listen, closeAll }: ReturnType<typeof listener>,
): Database {
  const ignore = () => {};
  // Without listeners, a connection that dies idle (the pool's event) or checked out (the client's)
  // would end the process. What matters of it reaches the caller as a rejected query.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));

  const types = {
    getTypeParser: (oid: number, format: 'text') => (times.has(oid) ? asText : getTypeParser(oid, format)),
  };

  // A name stands for one text, whichever process gave it: behind a pooler they meet on one connection.
  const names = new Map<string, string>();
  let keeps = true;
  const nameOf = (text: string) => {
    if (names.size < KEPT && !names.has(text)) names.set(text, createHash('sha256').update(text).digest('base64url'));
    return keeps ? names.get(text) : undefined;
  };

  const database: Database = {
    kind,
    async connect(work) {
      if (pool.waitingCount >= MOST_WAITING) throw new Busy();
      const client = await pool.connect().catch((error: unknown) => {
        // What the server itself refused (a wrong password, no such database) keeps its SQLSTATE.
        throw sqlState(error) && !isUnreachable(error) ? error : new Unreachable(error);
      });
      const watch = new TransactionWatch();
      const line = { broken: false };
      try {
        return await work(checkedOut(client, watch, line));
      } finally {
        client.release(line.broken || watch.open);
      }
    },
    listen,
    close: () => {
      closeAll();
      return pool.end();
    },
  };

  function checkedOut(client: Client, watch: TransactionWatch, line: { broken: boolean }): Connection {
    const { stream } = client.connection ?? {};
    const run = async (config: object): Promise<QueryArrayResult | QueryArrayResult[]> => {
      // What is sent without waiting leaves in one piece: each write costs as much as a good part of a call.
      stream?.cork?.();
      process.nextTick(() => stream?.uncork?.());
      try {
        return (await client.query(config)) as QueryArrayResult | QueryArrayResult[];
      } catch (error) {
        if (sqlState(error) && !isUnreachable(error)) throw error;
        line.broken = true;
        throw new Unreachable(error);
      }
    };
    return {
      async script(text) {
        database.onStatement?.(text, []);
        const result = await watch.run(text, () => run({ text, rowMode: 'array', types }));
        return (Array.isArray(result) ? result : [result]).map((each) => each.rows);
      },
      async query(text, params) {
        database.onStatement?.(text, params);
        const sent = run({ name: nameOf(text), text, values: params, rowMode: 'array', types });
        sent.catch((error: unknown) => {
          if (isForgotten(error)) keeps = false;
        });
        return ((await sent) as QueryArrayResult).rows;
      },
    };
  }
  return database;
}
