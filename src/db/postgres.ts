import pg from 'pg';
import type { Database } from './database.js';
import { listener } from './notify.js';
import { clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens any PostgreSQL but Neon's.
 *
 * @param url `postgres://…`
 * @param patience how long it may be silent, in milliseconds
 */
export function openPostgres(url: string, patience?: number): Database {
  return pooled(
    'postgres',
    new pg.Pool(poolOptions(url)),
    listener(() => new pg.Client(clientOptions(url))),
    patience,
  );
}
