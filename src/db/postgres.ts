import pg from 'pg';
import type { Database } from './database.js';
import { listener } from './notify.js';
import { clientOptions, pooled, poolOptions } from './pooled.js';

/**
 * Opens any PostgreSQL but Neon's. Queries are pipelined: what does not depend on an earlier answer is
 * sent without waiting for it.
 *
 * @param url `postgres://…`
 */
export function openPostgres(url: string): Database {
  const pool = new pg.Pool({ ...poolOptions(url), pipeline: true });
  return pooled(
    'postgres',
    pool,
    (oid, format) => pg.types.getTypeParser(oid, format),
    listener(() => new pg.Client(clientOptions(url))),
  );
}
