import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { openNeon } from '../../src/db/neon.js';
import { openPostgres } from '../../src/db/postgres.js';
import { run, TEMPLATE } from './template.js';

/** Databases of this test file, by what was opened on them. */
const urls = new WeakMap<Database, string>();

/** A database on this project's server, migrated and empty unless another is to be copied, dropped when it is closed. */
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

/** Where a database opened above is, for tests that need a second way in. */
export function urlOf(database: Database): string {
  const url = urls.get(database);
  if (!url) throw new Error('not a database of this file');
  return url;
}
