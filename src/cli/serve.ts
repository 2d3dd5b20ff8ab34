import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { openStore } from '../db/connect.js';
import { isUnreachable } from '../db/database-errors.js';
import { makeDirectory } from '../db/lock.js';
import { UsageError } from '../errors.js';
import { Feed } from '../feed.js';
import { makeLog } from '../log.js';
import { depsOf, storeOptions } from '../server-deps.js';
import type { Deps } from '../tool-calls.js';
import { createApp } from '../transports/http.js';
import { startHttpServer } from '../transports/http-server.js';
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
  const { deps, close } = await openServed(context, config, log, options.migrate ?? false);
  try {
    const app = createApp(deps, {
      allowedHosts: [...allowedHosts, host.includes(':') ? `[${host}]` : host],
      proxies: config.proxies,
      perMinute: config.rateLimit,
    });
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
    await close();
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
  deps: Deps;
  close(): Promise<void>;
}

/** Opens the database. An embedded one is shared with the other processes of this machine while it is served. */
async function openServed(context: Context, config: Config, log: Logger, migrate: boolean): Promise<Served> {
  const { target } = config;
  if (target.kind !== 'directory') {
    const opened = await onceReachable(() => openStore(target, { ...storeOptions(context, config), migrate }));
    const store = async () => opened;
    const feed = new Feed({ store, log });
    return { deps: { ...depsOf(context, config, log), store, feed }, close: () => feed.close().then(opened.close) };
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
    await owner.store();
    return { deps: owner.deps, close: owner.stop };
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
