import pg from 'pg';
import type { Database } from './database.js';
import { makeListener } from './notify.js';
import { checkFiles, clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens any PostgreSQL server other than Neon's.
 *
 * @param url `postgres://…`
 * @param timeout how long to wait for an answer, in milliseconds
 * @throws UsageError if a file that the URL names cannot be read
 */
export function openPostgres(url: string, timeout?: number): Database {
  checkFiles(url);
  return pooled(
    'postgres',
    new pg.Pool(poolOptions(url)),
    makeListener(() => new pg.Client(clientOptions(url))),
    timeout,
  );
}
