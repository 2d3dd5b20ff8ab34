import { expect, inject, test } from 'vitest';
import { titleKey } from '../../src/domain/names.js';
import { newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

const SIMILAR = 'select id from taskloom.similar_tasks($1::text, $2::text)';
const NEAR = `select id from taskloom.near_tasks($1::text, null, '{pending,in_progress}', false, true, null, null, null, null, null, null, null)`;

/** Rows of tasks that one call reads, in a transaction of its own, where nothing has gathered statistics. */
async function rowsRead(userId: string, text: string, params: unknown[]): Promise<number> {
  return world.database.connect(async (connection) => {
    await connection.script(`begin; set local app.user_id = '${userId}'`);
    await connection.query(text, params);
    const [row] = await connection.query(
      `select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'tasks'`,
      [],
    );
    await connection.script('rollback');
    return Number(row?.[0]);
  });
}

test('a look for tasks that are alike or come near reads no more of many than it must, also right after they came', async () => {
  const ana = await newAgent(world);
  const { userId } = ana.principal;
  const similarRead = (title: string) => rowsRead(userId, SIMILAR, [title, titleKey(title)]);
  await ana.ok('add_task', { title: 'Water the plants' });
  await similarRead('water the plants'); // a plan for one task, which may be kept
  await rowsOf(
    world,
    `insert into taskloom.tasks (user_id, id, title, title_key, status, completed_at, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
    select $1, n, title, case when n > 4000 then $2 else lower(title) end, case when n % 2 = 0 then 'completed' else 'pending' end, case when n % 2 = 0 then now() end,
      5, 'infinity', 'z' || n, 1, now(), 'seed', now(), 'seed'
    from (select n, case when n > 4000 then 'Water the plants' else 'Another matter ' || n end as title from generate_series(2, 8001) n) many`,
    [userId, titleKey('Water the plants')],
  );
  await rowsOf(world, 'update taskloom.counters set next_task = 8002 where user_id = $1', [userId]);

  expect(await similarRead('something else')).toBeLessThan(100);
  expect(await similarRead('another matter')).toBeLessThan(2_000);
  expect(await similarRead('water the plants')).toBeLessThan(2_000);
  await rowsOf(world, 'analyze taskloom.tasks');
  // A server may plan otherwise, and stops long statements anyway.
  if (inject('backend') === 'pglite') expect(await rowsRead(userId, NEAR, ['watr plantz'])).toBeLessThan(3_000);
  expect((await ana.ok('list_tasks', { text: 'watr plantz' })).near).toBe(true);
  const { task, similar } = await ana.ok('add_task', { title: 'Water the plants' });
  expect(task.id).toBe(8002);
  expect(similar.map(({ id }: { id: number }) => id)).toEqual([8001, 7999, 7997]);
});
