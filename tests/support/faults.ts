import type { Store } from '../../src/db/connect.js';
import type { Connection, Database } from '../../src/db/database.js';
import { Unreachable } from '../../src/db/database-errors.js';
import type { HttpServerOptions } from '../../src/transports/http-server.js';
import { gate } from './gate.js';
import { type World, withDatabase } from './harness.js';
import { anyToken, type Running, serveHttp } from './http.js';

/** Internal details that must not leak: stack frames, paths, SQL, parameters. */
export const INTERNALS =
  /\bat \S+ \(|\bat (async )?\S+:\d+|node_modules|\/(home|usr|work|tmp|src|dist)\/|\.(ts|js|mjs):\d|\b(select|insert|update|delete)\b[\s\S]{0,80}\b(from|into|set|where)\b|taskloom_app|taskloom\.\w+|PGlite|Drizzle|ECONN|hunter2/i;

/** A store whose database fails from its nth use on, with an error that must not leak. */
export function failingStore(base: World, from: number, error: () => Error): () => Promise<Store> {
  let used = 0;
  const database = {
    ...base.database,
    async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
      if (++used >= from) throw error();
      return base.database.connect(work);
    },
  } as Database;
  return withDatabase(base, database).store;
}

/** Starts a server whose database can be stalled, cut off and restored. */
export async function serveGated(
  world: World,
  timeouts: HttpServerOptions['timeouts'] = {},
): Promise<Running & { gated: GatedDatabase; token: string }> {
  const gated = new GatedDatabase(world.database);
  const running = await serveHttp(withDatabase(world, gated.database), { timeouts: { stopping: 5_000, ...timeouts } });
  return { ...running, gated, token: await anyToken(world) };
}

/** A database that can be stalled (`shut`) or cut off. */
class GatedDatabase {
  /** Number of callers since it was shut. */
  waiting = 0;
  cut = false;
  #gate = gate();
  readonly database: Database;

  constructor(inner: Database) {
    const gated = this;
    this.#gate.open();
    this.database = {
      ...inner,
      async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
        if (gated.cut) throw new Unreachable(new Error('connect ECONNREFUSED 10.0.0.7:5432 hunter2'));
        gated.waiting++;
        await gated.#gate.opened;
        return inner.connect(work);
      },
    } as Database;
  }

  shut() {
    this.waiting = 0;
    this.#gate = gate();
  }

  open() {
    this.#gate.open();
  }
}
