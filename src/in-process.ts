import { InMemoryTransport } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import { localPrincipal } from './auth/local.js';
import type { Config } from './config.js';
import { openStore, type Target } from './db/connect.js';
import { readMigrations } from './db/migrate.js';
import { Feed } from './feed.js';
import { once } from './once.js';
import type { Program } from './program.js';
import { buildServer } from './server.js';
import { converse } from './transports/conversation.js';
import { OutageLog } from './transports/outage.js';
import type { Link } from './transports/relay.js';
import { stdioSubscriptions } from './transports/stdio-subscriptions.js';

export interface InProcessServer {
  open(): Promise<Link>;
  close(): Promise<void>;
}

/**
 * Serves a PostgreSQL or in-memory database from the process that the client started: such a database needs no owner
 * process. The database is opened on first use, and opening is retried on the next use after a failure.
 */
export function serveLocally(program: Program, config: Config, target: Target, log: Logger): InProcessServer {
  const { user, timezone, secret, historyDays } = config;
  const store = once(() => openStore(target, { migrations: readMigrations(program.migrations), secret }));
  const principal = once(async () => localPrincipal((await store.get()).database, user, timezone));
  const feed = new Feed({ store: store.get, log });
  const deps = {
    store: store.get,
    feed,
    clock: program.clock,
    log,
    outages: new OutageLog(log),
    version: program.build.version,
    historyDays,
  };
  return {
    async open() {
      const [near, far] = InMemoryTransport.createLinkedPair();
      converse(far, log, () => buildServer(deps, principal.get), { subscriptions: stdioSubscriptions });
      return { transport: near };
    },
    async close() {
      await feed.close();
      await (await store.started()?.catch(() => undefined))?.close();
    },
  };
}
