import { setTimeout as pause } from 'node:timers/promises';
import { type OpenOptions, openStore, type Store, type Target } from '../db/connect.js';
import { isUnreachable } from '../db/database.js';
import { UsageError } from '../errors.js';
import { Feed } from '../feed.js';
import { makeLog } from '../log.js';
import { createApp, listen } from '../transports/http.js';
import type { Context } from './commands.js';

/** How long a database may take to come up before `serve` gives up, in milliseconds. */
const PATIENCE = 30_000;

/** Serves over HTTP until the process is asked to stop; then finishes what is under way. */
export async function serve(
  context: Context,
  options: { host?: string; port?: number; migrate?: boolean; json?: boolean },
): Promise<void> {
  const config = context.config();
  const host = options.host ?? config.host;
  const allowedHosts = [...config.allowedHosts, ...(config.publicUrl ? [config.publicUrl.hostname] : [])];
  if ((host === '0.0.0.0' || host === '::') && allowedHosts.length === 0)
    throw new UsageError(
      `to listen on ${host}, name the hosts that clients use: set TASKLOOM_PUBLIC_URL or TASKLOOM_ALLOWED_HOSTS`,
    );
  const store = await patiently(config.target, {
    migrations: context.migrations(),
    migrate: options.migrate ?? false,
    secret: config.secret,
  });
  const log = makeLog(config.logLevel);
  const feed = new Feed({ store: async () => store, log });
  try {
    const app = createApp(
      {
        store: async () => store,
        clock: context.clock,
        log,
        version: context.version,
        historyDays: config.historyDays,
        feed,
      },
      { allowedHosts: [...allowedHosts, host.includes(':') ? `[${host}]` : host] },
    );
    const server = await listen(app, { host, port: options.port ?? config.port }).catch(
      (error: NodeJS.ErrnoException) => {
        throw new UsageError(`cannot listen on ${host} port ${options.port ?? config.port} (${error.code})`);
      },
    );
    const stopped = context.untilStopped(); // from the moment that somebody is told, a signal is heard
    context.complain(
      options.json ? JSON.stringify({ url: server.url.href }) : `Taskloom listens on ${server.url.href}`,
    );
    await stopped;
    await server.close();
  } finally {
    await feed.close();
    await store.close();
  }
}

/** A database that starts together with us may take its time. What is wrong for good is said at once. */
async function patiently(target: Target, options: OpenOptions): Promise<Store> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await openStore(target, options);
    } catch (error) {
      if (!isUnreachable(error) || performance.now() > until) throw error;
      await pause(500);
    }
  }
}
