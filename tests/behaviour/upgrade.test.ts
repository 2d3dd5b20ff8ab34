import { expect, inject, test } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { migrate, readMigrations } from '../../src/db/migrate.js';
import { openMemory } from '../../src/db/pglite.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { rankOf } from '../../src/domain/order.js';
import { type Agent, agentOf, newUser, useWorld, withDatabase } from '../support/harness.js';

const world = useWorld();
const migrations = readMigrations(new URL('../../migrations/', import.meta.url));

/** An empty database of its own, without any migration. */
async function unmigrated(): Promise<Database> {
  if (inject('backend') === 'pglite') return openMemory();
  const { openServerDatabase } = await import('../setup/server.js');
  return openServerDatabase('template0');
}

test('tasks from before there were dependencies, an order and search are ready, placed and found after the upgrade', async () => {
  const database = await unmigrated();
  try {
    await migrate(database, migrations.slice(0, 3));
    const user = await newUser(withDatabase(world, database), { timezone: 'Asia/Tokyo' });
    const ids = [1, 2, 3, 61, 62, 63, 3905, 3906, 3907, 242_233, 242_234, 242_235];
    await queryAsTableOwner(
      database,
      `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, start_date, start_at, parent_id,
         version, created_at, created_by, updated_at, updated_by)
       select $1, id, 'Büro ' || id, 'buro', case id when 3 then 'completed' else 'pending' end, 5, 'infinity',
         case id when 61 then date '2026-11-24' end, case id when 62 then timestamptz '2026-11-24T16:00Z' end,
         case when id in (2, 3) then 1 end, 1, now(), 'x', now(), 'x'
       from json_array_elements_text($2::json) as t (text) cross join lateral (select t.text::int) as n (id)`,
      [user.userId, JSON.stringify(ids)],
    );
    await queryAsTableOwner(database, 'update taskloom.counters set next_task = 242236 where user_id = $1', [
      user.userId,
    ]);
    await migrate(database, migrations);

    const rows = await queryAsTableOwner(
      database,
      `select id, rank, start_sort::text, open_subtasks, open_blockers from taskloom.tasks order by id`,
      [],
    );
    expect(rows.map(([id, rank]) => [id, rank])).toEqual(ids.map((id) => [id, rankOf(id)]));
    expect(Object.fromEntries(rows.map(([id, , start]) => [id, start]))).toMatchObject({
      1: '-infinity',
      61: '2026-11-23 15:00:00+00',
      62: '2026-11-24 16:00:00+00',
    });
    expect(rows.filter(([, , , subtasks]) => subtasks !== 0)).toMatchObject([[1, 'a1', '-infinity', 1, 0]]);

    const ana: Agent = await agentOf(withDatabase(world, database), user);
    const listed = await ana.ok('list_tasks', { sort: 'manual', status: 'all' });
    expect(listed.tasks.map((task: { id: number }) => task.id)).toEqual(ids);
    expect((await ana.ok('list_tasks', { text: 'buro 3906' })).tasks).toMatchObject([{ id: 3906 }]);
    expect((await ana.ok('add_task', { title: 'New' })).task.id).toBe(242_236);
    await ana.ok('update_task', { id: 3906, before: 1 });
    expect((await ana.ok('list_tasks', { sort: 'manual', limit: 2 })).tasks).toMatchObject([{ id: 3906 }, { id: 1 }]);
  } finally {
    await database.close();
  }
});

test('what was blocked by its own sub-tasks waits for them as before, and they can be begun after the upgrade', async () => {
  const database = await unmigrated();
  try {
    await migrate(database, migrations.slice(0, 18));
    const user = await newUser(withDatabase(world, database));
    for (const text of [
      `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, parent_id, open_blockers, open_subtasks,
         version, created_at, created_by, updated_at, updated_by)
       select $1, id, 'Task', 'task', case id when 4 then 'completed' else 'pending' end, 5, 'infinity', 'a' || id,
         case id when 2 then 1 when 4 then 2 end, case id when 1 then 2 else 0 end, case id when 1 then 1 else 0 end,
         1, now(), 'x', now(), 'x' from generate_series(1, 4) id`,
      `insert into taskloom.dependencies (user_id, blocked_id, blocker_id) values ($1, 1, 2), ($1, 1, 3), ($1, 1, 4)`,
    ])
      await queryAsTableOwner(database, text, [user.userId]);
    await migrate(database, migrations);
    const ask = (text: string) => queryAsTableOwner(database, text, []);
    expect(await ask('select blocked_id, blocker_id from taskloom.dependencies')).toEqual([[1, 3]]);
    expect(await ask('select open_blockers from taskloom.tasks order by id')).toEqual([[1], [0], [0], [0]]);
  } finally {
    await database.close();
  }
});
