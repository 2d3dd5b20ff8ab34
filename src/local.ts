import { localPrincipal } from './auth/local.js';
import type { Principal } from './auth/principal.js';
import type { Config } from './config.js';
import type { Store } from './db/connect.js';
import { openStore } from './db/connect.js';
import { readMigrations } from './db/migrate.js';

export interface Local {
  store(): Promise<Store>;
  principal(): Promise<Principal>;
  close(): Promise<void>;
}

/** The database and the user of a stdio server, looked up when first needed, and again after a failure. */
export function openOnce(config: Config, migrations: URL): Local {
  const store = once(() => openStore(config.target, { migrations: readMigrations(migrations), secret: config.secret }));
  const principal = once(async () => localPrincipal((await store.get()).database, config.user, config.timezone));
  return {
    store: store.get,
    principal: principal.get,
    close: async () => (await store.started()?.catch(() => undefined))?.close(),
  };
}

/** Runs `make` until it has succeeded once; whoever asks meanwhile shares the attempt. */
function once<T>(make: () => Promise<T>): { get(): Promise<T>; started(): Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  const get = () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return { get, started: () => made };
}
