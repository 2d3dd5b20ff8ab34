import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { btree_gin } from '@electric-sql/pglite/contrib/btree_gin';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import pLimit from 'p-limit';
import { type Connection, type Database, TransactionWatch } from './database.js';
import { Statements } from './pglite-statements.js';

/** Memory of a small server: PostgreSQL's default of 128 MB buffers is of no use in one process. */
const startParams = [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'];

/** What the search of tasks needs: to be named at every open, also of a directory that has them. */
export const extensions = { btree_gin, pg_trgm };

/**
 * Opens the embedded database.
 *
 * @param dataDir where it is kept; in memory without one
 * @param image a data directory to start from, as `dumpDataDir` makes it
 */
export async function openPglite(dataDir?: string, image?: Blob): Promise<Database> {
  const options: PGliteOptions = { startParams, extensions };
  if (dataDir) options.dataDir = dataDir;
  if (image) options.loadDataDir = image;
  return wrapPglite(await PGlite.create(options));
}

/**
 * One connection is all there is, so callers take turns. Whoever asks for it while holding it would wait for
 * ever; nothing below the server ever sees the database, so that nothing can. (An AsyncLocalStorage would
 * notice, at a cost to every promise of the process on Node 20.)
 */
export function wrapPglite(pglite: PGlite): Database {
  const turns = pLimit(1);
  const database: Database = {
    kind: 'pglite',
    connect: (work) => turns(() => lend(work)),
    close: () => turns(() => pglite.close()),
  };
  const watch = new TransactionWatch();
  const statements = new Statements(pglite);
  let before: Promise<unknown> = Promise.resolve();
  /** Callers send without waiting for the answer to what they sent before, as over a wire. */
  function inOrder<T>(send: () => Promise<T>): Promise<T> {
    const sent = before.then(send, send);
    before = sent;
    return sent;
  }
  const connection: Connection = {
    async script(text) {
      database.onStatement?.(text, []);
      return inOrder(() => watch.run(text, () => statements.script(text)));
    },
    async query(text, params) {
      database.onStatement?.(text, params);
      return inOrder(() => statements.run(text, params));
    },
  };

  async function lend<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await work(connection);
    } finally {
      if (watch.open) await connection.script('rollback'); // left behind by `work`: the next caller must not be in it
    }
  }
  return database;
}
