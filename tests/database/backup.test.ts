import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createToken } from '../../src/cli/accounts.js';
import { type BackupHeader, readBackup } from '../../src/db/backup.js';
import type { Database } from '../../src/db/database.js';
import { type Migration, migrate, readMigrations } from '../../src/db/migrate.js';
import { openMemory } from '../../src/db/pglite.js';
import { restore } from '../../src/db/restore.js';
import { asTableOwner, queryAsTableOwner } from '../../src/db/service.js';
import { checkInvariants } from '../model/replay.js';
import { readTables } from '../model/tables.js';
import { agentOf, newAgent, newUser, openTestDatabase, useWorld, withDatabase } from '../support/harness.js';

const world = useWorld();
const migrations = readMigrations(new URL('../../migrations/', import.meta.url));
const about = { version: '1.2.3', now: new Date('2026-11-22T13:02:00Z') };

async function textOf(database: Database): Promise<string> {
  let text = '';
  for await (const lines of readBackup(database, about)) text += lines;
  return text;
}

async function* pieces(text: string, size = 700): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

const rowsOf = (database: Database, text: string) => queryAsTableOwner(database, text, []);
const headOf = (text: string) => JSON.parse(text.slice(0, text.indexOf('\n'))) as BackupHeader;
/** All but the first line, in which the moment of the backup is, and the digest of everything with it. */
const contentOf = (text: string) => text.slice(text.indexOf('\n'), text.lastIndexOf('"sha256"'));

let full: string;
let userIds: string[];
beforeAll(async () => {
  const [ana, bob] = [await newAgent(world), await newAgent(world, { timezone: 'Asia/Tokyo' })];
  userIds = [ana.principal.userId, bob.principal.userId];
  await ana.ok('add_tasks', {
    tasks: [
      {
        ref: 'house',
        title: 'House "quoted" \\ 牛奶 🌱',
        project: 'Home',
        labels: ['Deep', 'errand'],
        priority: 'high',
      },
      { title: 'Roof', parent: 'house', due: '2026-11-24', description: 'two\nlines\tand\u2028more' },
      { ref: 'water', title: 'Water', due: '2026-11-22T09:30', repeats: 'every day', project: 'Garden' },
      { title: 'Wait', blocked_by: ['water'], start: '2026-12-01', estimate_minutes: 30 },
    ],
    request_id: 'kept',
  });
  await ana.ok('add_task', { title: 'Elder, with a higher number', project: 'Old' });
  await ana.ok('update_task', { id: 1, parent: 5 });
  await ana.ok('add_comment', { id: 2, text: 'a comment' });
  await ana.ok('complete_task', { id: 3 });
  await ana.ok('delete_task', { id: 2 });
  await ana.ok('undo', { last: 1 });
  await ana.ok('update_project', { project: 'Old', merge_into: 'Home' });
  await ana.ok('update_project', { project: 'Garden', archived: true });
  for (let i = 0; i < 3; i++)
    await bob.ok('add_tasks', { tasks: Array.from({ length: 100 }, (_, n) => ({ title: `Task ${i} ${n}` })) });
  const [user] = await rowsOf(world.database, `select handle from taskloom.users where id = '${userIds[0]}'`);
  await createToken(world.database, { user: String(user?.[0]), name: 'CI', scopes: ['tasks:read'] });
  await rowsOf(world.database, `insert into taskloom.secrets (name, value) values ('cursor', 'of this installation')`);
  full = await textOf(world.database);
}, 120_000);

const opened: Database[] = [];
afterAll(() => Promise.all(opened.map((database) => database.close())));

/** A migrated, empty database: of this project's kind, or embedded. */
async function empty(kind: 'same' | 'embedded' = 'same'): Promise<Database> {
  const database = kind === 'same' ? await openTestDatabase() : await openMemory();
  opened.push(database);
  if (kind === 'embedded') await migrate(database, migrations);
  return database;
}

describe('a backup', () => {
  test('has every table there is, and every row of it', async () => {
    const there = await rowsOf(
      world.database,
      `select relname::text from pg_class where relnamespace = 'taskloom'::regnamespace and relkind in ('r', 'p') and relname <> 'migrations'`,
    );
    const { tables } = headOf(full);
    expect(tables.map(({ name }) => name).sort()).toEqual(there.flat().sort());
    for (const { name, rows, columns } of tables) {
      expect([[rows]]).toEqual(await rowsOf(world.database, `select count(*)::int from taskloom.${name}`));
      const kept = await rowsOf(
        world.database,
        `select column_name::text from information_schema.columns where table_schema = 'taskloom' and table_name = '${name}' and is_generated = 'NEVER'`,
      );
      expect([...columns].sort()).toEqual(kept.flat().sort());
    }
    // What is empty here would be tested by nothing below.
    expect(tables.filter(({ rows }) => rows === 0).map(({ name }) => name)).toEqual([]);
  });

  test.each(['same', 'embedded'] as const)('fills another database, %s, with the same installation', async (kind) => {
    const other = await empty(kind);
    for (const [name, rows] of Object.entries(await restore(other, migrations, pieces(full))))
      expect(await rowsOf(other, `select count(*)::int from taskloom.${name}`), name).toEqual([[rows]]);
    expect(contentOf(await textOf(other))).toBe(contentOf(full));
    for (const userId of userIds) checkInvariants(await readTables(withDatabase(world, other), userId));
    const links = `select conname::text, condeferrable from pg_constraint where connamespace = 'taskloom'::regnamespace and contype = 'f' order by 1`;
    expect(await rowsOf(other, links)).toEqual(await rowsOf(world.database, links));

    const [user] = await rowsOf(other, `select id, handle, timezone from taskloom.users where id = '${userIds[0]}'`);
    const ana = await agentOf(withDatabase(world, other), {
      ...(await newUser(world)),
      userId: String(user?.[0]),
      handle: String(user?.[1]),
    });
    expect((await ana.ok('list_tasks', { text: '牛奶' })).tasks).toMatchObject([{ id: 1, parent: 5 }]);
    expect((await ana.ok('add_task', { title: 'Next' })).task.id).toBe(7);
    expect((await ana.ok('undo', { last: 1 })).failed ?? []).toEqual([]);
  });

  test('is of one moment, whatever is written meanwhile', async () => {
    const source = await empty();
    await restore(source, migrations, pieces(full));
    const ana = await newAgent(withDatabase(world, source));
    for (let i = 0; i < 5; i++) await ana.ok('add_task', { title: `Before ${i}`, labels: ['x'] });
    let writing = true;
    let written = 0;
    const writes = (async () => {
      for (; writing; written++) {
        await ana.ok('add_task', { title: `Meanwhile ${written}`, labels: ['x', 'y'] });
        await turn(); // all of this is in one process: the reader must get its turn too
      }
    })();
    let text = '';
    for await (const lines of readBackup(source, about)) {
      text += lines;
      await turn();
    }
    writing = false;
    await writes;
    expect(written).toBeGreaterThan(0);
    const other = await empty();
    await restore(other, migrations, pieces(text));
    checkInvariants(await readTables(withDatabase(world, other), ana.principal.userId));
  });

  test('that nobody reads to its end leaves the database as it was', async () => {
    const source = await empty();
    await restore(source, migrations, pieces(full));
    for await (const _ of readBackup(source, about)) break;
    await source.connect(async (connection) => {
      const [row] = await connection.query('select pg_current_xact_id_if_assigned() is null', []);
      expect(row).toEqual([true]);
    });
    expect(contentOf(await textOf(source))).toBe(contentOf(full));
  });

  test('of an older schema is restored as that, and then brought up to date', async () => {
    const old = migrations.slice(0, -1);
    const [last] = migrations.slice(-1) as [Migration];
    const source = await openMemory();
    opened.push(source);
    await migrate(source, old);
    await asTableOwner(source, (connection) =>
      connection.script(
        `insert into taskloom.users (id, handle, timezone) values ('0193a000-0000-7000-8000-000000000000', 'old', 'UTC');
         insert into taskloom.counters (user_id) select id from taskloom.users`,
      ),
    );
    const other = await empty();
    await restore(other, migrations, pieces(await textOf(source)));
    const [row] = await rowsOf(
      other,
      `select array_agg(name order by created_at) @> array['${last.name}'] from taskloom.migrations`,
    );
    expect(row).toEqual([true]);
    expect(await rowsOf(other, 'select handle from taskloom.users')).toEqual([['old']]);
    expect(await rowsOf(other, `select has_table_privilege('taskloom_app', 'taskloom.tasks', 'select')`)).toEqual([
      [true],
    ]);
  });
});

describe('what is refused, and leaves the database empty', () => {
  let target: Database;
  beforeAll(async () => {
    target = await empty();
  });
  const refusal = async (text: string, into = target) => {
    const before = contentOf(await textOf(into));
    const error = await restore(into, migrations, pieces(text)).catch((reason: unknown) => reason);
    expect(contentOf(await textOf(into))).toBe(before);
    return error instanceof Error ? `${error.name}: ${error.message}` : error;
  };
  const edited = (edit: (head: BackupHeader) => object) =>
    JSON.stringify(edit(headOf(full))) + full.slice(full.indexOf('\n'));

  test.each([
    ['a changed word', () => full.replace('House', 'Horse'), 'its checksum does not match'],
    [
      'a changed key',
      () => full.replace('of this installation', 'of that installation'),
      'its checksum does not match',
    ],
    ['a row twice', () => full.replace(/(\n\["[^\n]*,"Task 0 7"[^\n]*)/, '$1$1'), 'rows'],
    ['a row less', () => full.replace(/\n\["[^\n]*,"Task 0 7"[^\n]*/, ''), 'rows of'],
    [
      'a row out of place',
      () => full.replace(/(\n\["[^\n]*)(\n\["[^\n]*)(\n\{"table":"tasks)/, '$2$1$3'),
      'its checksum does not match',
    ],
    ['a value that is none', () => full.replace('"2026-11-24"', '"2026-11-99"'), 'SQLSTATE 22'],
    ['no last line', () => full.slice(0, full.trimEnd().lastIndexOf('\n') + 1), 'it is truncated'],
    ['half of it', () => full.slice(0, full.length / 2), 'it is truncated'],
    ['more after its end', () => `${full}[]\n`, 'there is data after its end'],
    ['no JSON', () => full.replace('{"table":"tasks"}', 'tasks'), 'cannot be read'],
    ['a table less', () => full.replace(/\{"table":"task_labels"\}\n(\[[^\n]*\n)*/, ''), 'task_labels is missing'],
    ['no list of tables', () => full.replace('"tables":', '"tablex":'), 'its first line'],
    ['no list of migrations', () => full.replace('"migrations":', '"migration5":'), 'its first line'],
    ['a table of no name', () => full.replace('"tables":[', '"tables":[null,'), 'its first line'],
    ['a migration of no name', () => full.replace('"migrations":[', '"migrations":[null,'), 'its first line'],
    ['a link to nothing', () => full.replace(/\n\["[^\n]*,"Elder, with[^\n]*/, ''), 'rows of'],
  ])('%s', async (_, text, message) => {
    expect(text()).not.toBe(full);
    expect(await refusal(text())).toMatch(new RegExp(`^UsageError: the backup is damaged: .*${message}`));
  });

  test('a file that is none, or of another version', async () => {
    expect(await refusal('{"some":"json"}\n{}\n')).toContain('not a backup of Taskloom');
    expect(await refusal(edited((head) => ({ ...head, format: 2 })))).toContain('Update Taskloom');
    const newer = { name: '9999_newer', hash: 'x' };
    expect(await refusal(edited((head) => ({ ...head, migrations: [...head.migrations, newer] })))).toContain(
      'made by a newer Taskloom (1.2.3)',
    );
    expect(
      await refusal(
        edited((head) => ({ ...head, migrations: head.migrations.map(({ name }) => ({ name, hash: 'x' })) })),
      ),
    ).toContain('was edited after it was applied');
  });

  test('a database that has an account already', async () => {
    expect(await refusal(full, world.database)).toContain('the database is not empty');
  });
});
