import { expect, inject, test } from 'vitest';
import { type Agent, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

/** What a move does is no matter of the database: it is moved often on the fastest alone. */
const everyRun = inject('backend') === 'pglite';

const order = async (agent: Agent, args: Record<string, unknown> = {}) =>
  (await agent.ok('list_tasks', { sort: 'manual', limit: 100, ...args })).tasks.map((task: { id: number }) => task.id);

async function five(): Promise<Agent> {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', { tasks: ['A', 'B', 'C', 'D', 'E'].map((title) => ({ title })) });
  return ana;
}

test('tasks are in the order they were made in until they are placed by hand', async () => {
  const ana = await five();
  expect(await order(ana)).toEqual([1, 2, 3, 4, 5]);
  await ana.ok('update_task', { id: 5, before: 2 });
  expect(await order(ana)).toEqual([1, 5, 2, 3, 4]);
  await ana.ok('update_task', { ids: [4, 1], after: 5 });
  expect(await order(ana)).toEqual([5, 4, 1, 2, 3]);
  await ana.ok('update_task', { ids: [2], after: 3 });
  expect(await order(ana)).toEqual([5, 4, 1, 3, 2]);
  await ana.ok('add_task', { title: 'F' });
  expect(await order(ana)).toEqual([5, 4, 1, 3, 2, 6]);
  await ana.ok('update_task', { id: 6, before: 5 });
  expect(await order(ana)).toEqual([6, 5, 4, 1, 3, 2]);
});

test('the sub-tasks of a task are listed in it, like a plan', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', {
    tasks: [{ title: 'Plan', ref: 'p' }, ...['A', 'B', 'C'].map((title) => ({ title, parent: 'p' }))],
  });
  await ana.ok('update_task', { id: 4, before: 3 });
  await ana.ok('complete_task', { id: 2 });
  const listed = (args: object) => order(ana, { sort: undefined, parent: 1, ...args });
  expect(await listed({})).toEqual([4, 3]);
  expect(await listed({ status: 'all' })).toEqual([2, 4, 3]);
  const { next_cursor: cursor } = await ana.ok('list_tasks', { parent: 1, limit: 1 });
  expect(await listed({ limit: 1, cursor })).toEqual([3]);
  expect(await listed({ parent: 'none', status: 'all' })).toEqual([1]);
  expect(await listed({ sort: 'newest' })).toEqual([4, 3]);
  expect(await listed({ ready: true })).toEqual([3, 4]);
});

test('pages follow it, each task once', async () => {
  const ana = await five();
  await ana.ok('update_task', { id: 5, before: 1 });
  const seen: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await ana.ok('list_tasks', { sort: 'manual', limit: 2, cursor });
    seen.push(...page.tasks.map((task: { id: number }) => task.id));
    cursor = page.next_cursor;
  } while (cursor);
  expect(seen).toEqual([5, 1, 2, 3, 4]);
});

test('the same gap takes any number of moves, and ranks stay short', async () => {
  const ana = await five();
  const expected = [1, 2, 3, 4, 5];
  for (let i = 0; i < (everyRun ? 60 : 10); i++) {
    const [id, target] = i % 2 === 0 ? [4, 2] : [5, 2];
    await ana.ok('update_task', { id, before: target });
    expected.splice(expected.indexOf(id), 1);
    expected.splice(expected.indexOf(target), 0, id);
    if (i % 20 === 0) expect(await order(ana)).toEqual(expected);
  }
  for (let i = 0; i < (everyRun ? 120 : 10); i++) {
    const { task } = await ana.ok('add_task', { title: `n${i}` });
    await ana.ok('update_task', { id: task.id, before: 2 });
    expected.splice(expected.indexOf(2), 0, task.id);
    if (expected.length > 100) {
      await ana.ok('delete_task', { ids: expected.splice(40, 30) });
    }
  }
  expect(await order(ana)).toEqual(expected);
  const [[longest] = []] = await rowsOf(world, 'select max(length(rank)) from taskloom.tasks where user_id = $1', [
    ana.principal.userId,
  ]);
  expect(longest).toBeLessThanOrEqual(50);
}, 120_000);

test('of several, those that are refused stay where they are, and the others come right beside their place', async () => {
  const ana = await newAgent(world);
  for (const title of ['A', 'X']) await ana.ok('add_task', { title });
  await ana.ok('add_task', { title: 'F', due: '2026-11-24', repeats: 'every day' });
  await ana.ok('add_task', { title: 'T' });
  const { failed } = await ana.ok('update_task', { ids: [3, 1], before: 4, clear: ['due'] });
  expect(failed).toMatchObject([{ id: 3 }]);
  expect(await order(ana)).toEqual([2, 3, 1, 4]);
});

test('what cannot be a place is refused', async () => {
  const ana = await five();
  await ana.ok('delete_task', { id: 5 });
  for (const [args, code] of [
    [{ id: 1, before: 1 }, 'conflict'],
    [{ id: 1, before: 99 }, 'not_found'],
    [{ id: 1, after: 5 }, 'conflict'],
    [{ id: 1, before: 2, after: 3 }, 'invalid'],
  ] as const)
    expect((await ana.refused('update_task', args)).code, JSON.stringify(args)).toBe(code);
});

test.runIf(everyRun)('a hundred tasks from right above are placed among keys that have grown long', async () => {
  const ana = await newAgent(world);
  const user = ana.principal.userId;
  for (let i = 0; i < 4; i++)
    await ana.ok('add_tasks', { tasks: Array.from({ length: 100 }, (_, n) => ({ title: `T${i * 100 + n + 1}` })) });
  const all = async (cursor?: string): Promise<number[]> => {
    const page = await ana.ok('list_tasks', { sort: 'manual', limit: 100, detail: 'ids', cursor, max_tokens: 20_000 });
    const ids = page.tasks.map((task: { id: number }) => task.id);
    return page.next_cursor ? [...ids, ...(await all(page.next_cursor))] : ids;
  };
  const [[rank] = []] = await rowsOf(world, 'select rank from taskloom.tasks where user_id = $1 and id = 199', [user]);
  const long = `${rank}${'V'.repeat(47 - String(rank).length)}`;
  const digit = (i: number) => '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[i];
  const set = (id: number, rank: string) =>
    rowsOf(world, 'update taskloom.tasks set rank = $3 where user_id = $1 and id = $2 returning id', [user, id, rank]);
  for (let i = 0; i < 50; i++) await set(301 + i, `${rank}1${digit(i + 2)}1`);
  await set(300, `${long}1`);
  for (let i = 0; i < 50; i++) await set(351 + i, `${long}${digit(i + 3)}`);
  await set(200, `${long}z`);
  const moving = Array.from({ length: 100 }, (_, i) => 400 - i);
  const expected = (await all()).filter((id) => !moving.includes(id));
  expected.splice(expected.indexOf(200), 0, ...moving);
  await ana.ok('update_task', { ids: moving, before: 200 });
  expect(await all()).toEqual(expected);
});
