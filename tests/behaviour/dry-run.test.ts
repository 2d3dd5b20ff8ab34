import { expect, test } from 'vitest';
import { newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

const without = ({ undo, dry_run, ...answer }: Record<string, unknown>) => answer;

test.each<[tool: string, args: Record<string, unknown>]>([
  ['add_task', { title: 'New', project: 'New', due: 'every day' }],
  [
    'add_tasks',
    {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', parent: 'a' },
      ],
    },
  ],
  ['update_task', { ids: [1, 2, 99], priority: 'high', project: 'Other', after: 3 }],
  ['complete_task', { ids: [2, 3] }],
  ['delete_task', { ids: [1, 2] }],
  ['claim_task', { agent: 'me' }],
  ['release_task', { id: 2, note: 'hm', status: 'completed' }],
  ['undo', { last: 2 }],
  ['add_comment', { id: 1, text: 'hm' }],
  ['update_project', { project: 'Home', merge_into: 'Garden' }],
])('a dry run of %s answers what would be answered, and writes nothing', async (tool, args) => {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', {
    tasks: [
      { title: 'House', project: 'Home' },
      { title: 'Tree', ref: 'tree', project: 'Garden', repeats: 'every week', due: '2026-11-22' },
      { title: 'Roof', blocked_by: ['tree'] },
    ],
  });
  await ana.ok('update_task', { id: 1, title: 'Big house' });
  const everything = async () =>
    Promise.all(
      ['tasks', 'task_labels', 'projects', 'dependencies', 'comments', 'changes', 'counters', 'requests'].map((table) =>
        rowsOf(world, `select * from taskloom.${table} where user_id = $1 order by 1, 2, 3`, [ana.principal.userId]),
      ),
    );
  const before = await everything();
  const dry = await ana.call(tool, { ...args, dry_run: true, request_id: 'r1' });
  expect(dry.isError, dry.text).toBe(false);
  expect(dry.json).toMatchObject({ dry_run: true });
  expect(dry.json.undo).toBeUndefined();
  expect(dry.text).toMatch(/^Dry run, nothing was written\. The answer would be:\n/);
  expect(await everything()).toEqual(before);
  const real = await ana.ok(tool, { ...args, request_id: 'r1' });
  expect(real.replayed).toBeUndefined();
  expect(without(dry.json)).toEqual(without(real));
});
