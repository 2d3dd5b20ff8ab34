import pg from 'pg';
import type { Database } from './database.js';
import { listener } from './notify.js';
import { clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens any PostgreSQL but Neon's.
 *
 * @param url `postgres://…`
 */
export function openPostgres(url: string): Database {
  return pooled(
    'postgres',
    new pg.Pool(poolOptions(url)),
    listener(() => new pg.Client(clientOptions(url))),
  );
}
