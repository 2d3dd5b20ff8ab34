import { describe, expect, test } from 'vitest';
import { newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

describe('complete_task', () => {
  test('completes one, and answers a handle', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call' });
    const reply = await ana.call('complete_task', { ids: 1 });
    expect(reply.json).toEqual({
      task: { id: 1, title: 'Call', status: 'completed', version: 2, completed: '2026-11-22T14:02+01:00' },
      undo: 'u2',
    });
    expect(reply.text).toBe('Completed #1 Call\nundo: u2');
  });

  test('says which tasks that one waits for are still open', async () => {
    const ana = await newAgent(world);
    const tasks = [
      { title: 'A', ref: 'a' },
      { title: 'B', ref: 'b' },
      { title: 'Ship', blocked_by: ['a', 'b'] },
    ];
    await ana.ok('add_tasks', { tasks });
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.ok('complete_task', { id: 3 })).note).toBe('#3 waits for #2, still open.');
    expect((await ana.ok('complete_task', { ids: [2, 3] })).note).toBeUndefined();
    await ana.ok('update_task', { ids: [2, 3], status: 'pending' });
    expect((await ana.ok('complete_task', { ids: [2, 3] })).note).toBeUndefined();
  });

  test('is no toggle: doing it again changes nothing, and there is nothing to undo', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call' });
    await ana.ok('complete_task', { id: 1 });
    const again = await ana.call('complete_task', { id: 1 });
    expect(again.json).toMatchObject({ task: { status: 'completed', version: 2 } });
    expect(again.json.undo).toBeUndefined();
    expect(again.text).toBe('Unchanged #1 Call · completed Sun 22 Nov 14:02');
  });

  test('of many, good ones are done and bad ones are named; if all are bad, it is refused', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    await ana.ok('add_task', { title: 'Two' });
    await ana.ok('delete_task', { id: 2 });
    const reply = await ana.ok('complete_task', { ids: [1, 2, 9] });
    expect(reply.tasks).toEqual([{ id: 1, title: 'One' }]);
    expect(reply.failed.map((each: { id: number; code: string }) => [each.id, each.code])).toEqual([
      [2, 'conflict'],
      [9, 'not_found'],
    ]);
    expect(await ana.refused('complete_task', { ids: [8, 9] })).toMatchObject({
      code: 'not_found',
      message: 'No task #8. No task #9.',
    });
  });

  test('a parent names all that is open below it, at any distance, so that one more call is enough', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'House', ref: 'a' },
        { title: 'Roof', ref: 'b', parent: 'a' },
        { title: 'Tiles', ref: 'c', parent: 'b' },
        { title: 'Nails', parent: 'c' },
        { title: 'Garden', parent: 'a' },
      ],
    });
    const { message, candidates } = await ana.refused('complete_task', { id: 1 });
    expect(message).toBe('#1 has 4 open sub-tasks.');
    const ids = [1, ...candidates.map(({ id }: { id: number }) => id)];
    expect((await ana.ok('complete_task', { ids })).failed).toBeUndefined();
  });

  test('a parent waits for its sub-tasks, unless they come along', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('add_task', { title: 'Gutter', parent: 1 });
    expect(await ana.refused('complete_task', { id: 1 })).toEqual({
      code: 'conflict',
      message: '#1 has 2 open sub-tasks.',
      hint: 'Complete or cancel them first, or all together: complete_task and update_task take many ids.',
      candidates: [
        { id: 2, title: 'Tiles' },
        { id: 3, title: 'Gutter' },
      ],
    });
    // A bad id among them makes the parent fail too, and the good sub-task is done all the same.
    const partly = await ana.ok('complete_task', { ids: [1, 2, 99] });
    expect(partly.tasks.map((task: { id: number }) => task.id)).toEqual([2]);
    expect((await ana.ok('complete_task', { ids: [1, 3] })).tasks).toHaveLength(2);
  });

  test('of a parent with very many sub-tasks says how many are not named, and how to find them', async () => {
    const ana = await newAgent(world);
    const parts = Array.from({ length: 25 }, (_, i) => ({ title: `Part ${i + 1}`, parent: 'a' }));
    await ana.ok('add_tasks', { tasks: [{ title: 'House', ref: 'a' }, ...parts] });
    const { text, json } = await ana.call('complete_task', { id: 1 });
    expect(json.error).toMatchObject({
      message: '#1 has 25 open sub-tasks.',
      hint: expect.stringMatching(/Those directly below #1: list_tasks \{"parent":1,"limit":100\}\.$/),
      candidates_total: 25,
    });
    expect(json.error.candidates).toHaveLength(20);
    expect(text).toMatch(/\n#21 Part 20\nand 5 more$/);
    await ana.ok('add_task', { title: 'Errand' });
    const partly = await ana.call('complete_task', { ids: [1, 27] });
    expect(partly.json.failed[0]).toMatchObject({ id: 1, candidates_total: 25 });
    expect(partly.text).toContain('\n  #21 Part 20\n  and 5 more');
  });

  test('of very many tasks that became ready says how many there are, and how to see all', async () => {
    const ana = await newAgent(world);
    const rest = Array.from({ length: 25 }, (_, i) => ({ title: `Step ${i + 1}`, blocked_by: ['a'] }));
    await ana.ok('add_tasks', { tasks: [{ title: 'Gate', ref: 'a' }, ...rest] });
    const { text, json } = await ana.call('complete_task', { id: 1 });
    const note = '25 tasks are ready now, 20 listed; all: list_tasks {"ready":true,"limit":100}.';
    expect(json).toMatchObject({ note });
    expect(json.ready).toHaveLength(20);
    expect(text).toMatch(/^Completed #1 Gate\n25 tasks are ready now, .*\nReady now: #2 Step 1, .*, #21 Step 20\n/);
    expect((await ana.ok('list_tasks', { ready: true, limit: 100 })).tasks).toHaveLength(25);
  });

  test('an alias beside its field is refused, not half obeyed', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    expect(await ana.refused('complete_task', { id: 1, ids: [1] })).toMatchObject({
      code: 'invalid',
      message: 'ids is given twice, under two names.',
    });
  });

  test('with a request_id, a repeat is answered as the first time even if the task was reopened since', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call' });
    await ana.ok('complete_task', { id: 1, request_id: 'done-1' });
    await ana.ok('update_task', { id: 1, status: 'pending' });
    expect(await ana.ok('complete_task', { id: 1, request_id: 'done-1' })).toMatchObject({ replayed: true });
    expect((await ana.ok('get_task', { id: 1 })).task.status).toBe('pending');
  });
});
