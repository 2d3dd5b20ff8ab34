import pg from 'pg';
import type { Database } from './database.js';
import { makeListener } from './notify.js';
import { clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens any PostgreSQL server other than Neon's.
 *
 * @param url `postgres://…`
 * @param timeout how long to wait for an answer, in milliseconds
 */
export function openPostgres(url: string, timeout?: number): Database {
  return pooled(
    'postgres',
    new pg.Pool(poolOptions(url)),
    makeListener(() => new pg.Client(clientOptions(url))),
    timeout,
  );
}
