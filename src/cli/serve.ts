import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { openStore, type Store } from '../db/connect.js';
import { isUnreachable } from '../db/database-errors.js';
import { makeDirectory } from '../db/lock.js';
import { readMigrations } from '../db/migrate.js';
import { UsageError } from '../errors.js';
import { Feed } from '../feed.js';
import { makeLog } from '../log.js';
import { createApp } from '../transports/http.js';
import { startHttpServer } from '../transports/http-server.js';
import { OutageLog } from '../transports/outage.js';
import type { Context } from './with-store.js';

/** How long `serve` waits for an unreachable database, in milliseconds. */
const DATABASE_TIMEOUT = 30_000;

/**
 * Serves over HTTP until the process is asked to stop, and then finishes the requests in progress.
 *
 * @throws UsageError if the options or the configuration are wrong, or it cannot listen
 */
export async function serve(
  context: Context,
  options: { host?: string; port?: number; migrate?: boolean; json?: boolean },
): Promise<void> {
  const config = context.config();
  const host = normalizedAddress(options.host?.trim() || config.host);
  const allowedHosts = [...config.allowedHosts, ...(config.publicUrl ? [config.publicUrl.hostname] : [])];
  if ((host === '0.0.0.0' || host === '::') && allowedHosts.length === 0)
    throw new UsageError(
      `to listen on ${host}, name the hosts that clients use: set TASKLOOM_PUBLIC_URL or TASKLOOM_ALLOWED_HOSTS`,
    );
  const log = makeLog(config.logLevel);
  const { store, feed } = await openServed(context, config, log, options.migrate ?? false);
  try {
    const app = createApp(
      {
        store: async () => store,
        clock: context.clock,
        log,
        outages: new OutageLog(log),
        version: context.build.version,
        historyDays: config.historyDays,
        feed,
      },
      {
        allowedHosts: [...allowedHosts, host.includes(':') ? `[${host}]` : host],
        proxies: config.proxies,
        perMinute: config.rateLimit,
      },
    );
    const port = options.port ?? config.port;
    // Behind a proxy, all connections come from its address.
    const limits = config.proxies > 0 ? { perAddress: Number.POSITIVE_INFINITY } : {};
    const server = await startHttpServer(app, { host, port, limits }).catch((error: NodeJS.ErrnoException) => {
      throw new UsageError(`cannot listen on ${host} port ${port} (${error.code})`);
    });
    const stopped = context.untilStopped(); // before the URL is printed: from then on, signals are handled
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

/** Writes an IP address in its usual form: `0` as `0.0.0.0`, `[::0]` as `::`. Returns host names as they are. */
function normalizedAddress(host: string): string {
  const bare = withoutBrackets(host);
  const url = `http://${bare.includes(':') ? `[${bare}]` : bare}`;
  return /^[\da-fx.:]+$/i.test(bare) && URL.canParse(url) ? withoutBrackets(new URL(url).hostname) : bare;
}

const withoutBrackets = (host: string) => host.replace(/^\[(.*)\]$/, '$1');

interface Served {
  store: Store;
  feed: Feed;
}

/** Opens the database. An embedded one is shared with the other processes of this machine while it is served. */
async function openServed(context: Context, config: Config, log: Logger, migrate: boolean): Promise<Served> {
  const { target, secret } = config;
  if (target.kind !== 'directory') {
    const options = { migrations: readMigrations(context.migrations), migrate, secret };
    const store = await onceReachable(() => openStore(target, options));
    return { store, feed: new Feed({ store: async () => store, log }) };
  }
  const [{ askToRetire }, { becomeOwner, takeOver }] = await Promise.all([
    import('../owner/reach.js'),
    import('../owner/background.js'),
  ]);
  const home = makeDirectory(target.path, target.fallback);
  const owner = await takeOver(
    () => becomeOwner(context, config, log, home, { retires: false }),
    () => askToRetire(home, context.build),
  );
  try {
    return { store: { ...(await owner.store()), close: owner.stop }, feed: owner.feed };
  } catch (error) {
    await owner.stop();
    throw error;
  }
}

/** Retries while the database is unreachable, since it may be starting too. Throws any other error at once. */
async function onceReachable<T>(open: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + DATABASE_TIMEOUT; ; await pause(500)) {
    try {
      return await open();
    } catch (error) {
      if (!isUnreachable(error) || performance.now() > until) throw error;
    }
  }
}
