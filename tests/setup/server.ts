import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { openNeon } from '../../src/db/neon.js';
import { openPostgres } from '../../src/db/postgres.js';
import { run, TEMPLATE } from './template.js';

/** The URLs of open databases. */
const urls = new WeakMap<Database, string>();

/** Creates a database on this project's server, as a copy of `template`. Closing it drops it. */
export async function openServerDatabase(template = TEMPLATE): Promise<Database> {
  const source = inject('source');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await run(source, `create database ${name} template ${template}`);
  const url = new URL(source);
  url.pathname = name;
  const database = inject('backend') === 'neon' ? openNeon(url.href, inject('proxy')) : openPostgres(url.href);
  urls.set(database, url.href);
  const close = database.close;
  database.close = async () => {
    await close();
    await run(source, `drop database ${name} with (force)`);
  };
  return database;
}

/** Returns the URL of a database opened above, for tests that need another connection. */
export function urlOf(database: Database): string {
  const url = urls.get(database);
  if (!url) throw new Error('not a database that was opened here');
  return url;
}
