import { InMemoryTransport } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import { localPrincipal } from './auth/local.js';
import type { Config } from './config.js';
import { openStore, type Target } from './db/connect.js';
import { Feed } from './feed.js';
import { once } from './once.js';
import type { Program } from './program.js';
import { buildServer } from './server.js';
import { depsOf, storeOptions } from './server-deps.js';
import { converse } from './transports/conversation.js';
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
  const { user, timezone } = config;
  const store = once(() => openStore(target, storeOptions(program, config)));
  const principal = once(async () => localPrincipal((await store.get()).database, user, timezone));
  const feed = new Feed({ store: store.get, log });
  const deps = { ...depsOf(program, config, log), store: store.get, feed };
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
