import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openStore } from '../../src/db/connect.js';
import type { Database } from '../../src/db/database.js';
import { readMigrations } from '../../src/db/migrate.js';
import { asTableOwner } from '../../src/db/service.js';
import { ROOT, scratch, seed } from '../support/process.js';

const migrations = readMigrations(pathToFileURL(join(ROOT, 'migrations/')));

/** A migrated data directory, and how to open it; why its process would have ended is kept. */
function directory() {
  const path = join(scratch(), 'data');
  seed(path);
  const reasons: string[] = [];
  const fatal = (reason: string): never => {
    reasons.push(reason);
    throw new Error(reason);
  };
  return { open: () => openStore({ kind: 'directory', path }, { migrations, fatal }), reasons };
}

const run = (database: Database, text: string) => asTableOwner(database, (connection) => connection.script(text));

test.each([
  'alter table taskloom.tasks disable row level security',
  'create policy everyone on taskloom.tasks for select to public using (true)',
])('a database in which one user could see another’s rows is not served from: %s', async (text) => {
  const { open } = directory();
  const { database, close } = await open();
  await run(
    database,
    `insert into taskloom.users (id, handle, timezone) values ('00000000-0000-7000-8000-000000000001', 'ana', 'UTC');
     insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
     values ('00000000-0000-7000-8000-000000000001', 1, 'Hers', 'hers', 'pending', 5, 'infinity', 'a', 1, now(), 'ana', now(), 'ana'); ${text}`,
  );
  await close();
  await expect(open()).rejects.toThrow('row-level security does not bind the role taskloom_app');
});

describe('an embedded database that can no longer keep what it is given ends its process', () => {
  test.each([
    ['has no room', '53100', 'the disk is full'],
    ['cannot read or write', '58030', 'the database failed (SQLSTATE 58030)'],
    ['is in a state that must not be', 'XX000', 'the database failed (SQLSTATE XX000)'],
  ])('where it %s', async (_, state, reason) => {
    const { open, reasons } = directory();
    const { database, close } = await open();
    const raise = `do $$ begin raise exception 'no' using errcode = '${state}'; end $$`;
    await expect(run(database, raise)).rejects.toThrow();
    expect(reasons[0]).toContain(reason);
    await close();
  });

  test('where PostgreSQL itself ends', async () => {
    const { open, reasons } = directory();
    const { database } = await open();
    // More calls within calls than its memory holds, which it is told to allow.
    const deep = `set max_stack_depth = '7MB';
      create function pg_temp.deep(n int) returns int language plpgsql as 'begin return pg_temp.deep(n + 1); end';
      select pg_temp.deep(1)`;
    await run(database, deep).catch(() => {}); // the process would be gone
    expect(reasons[0]).toBe('the database stopped');
  });
});
