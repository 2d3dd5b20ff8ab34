import { describe, expect, test } from 'vitest';
import { NOON, newAgent, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('delete_task', () => {
  test('moves a task and all below it to the trash, from where it comes back whole', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('add_task', { title: 'Nails', parent: 2 });
    await ana.ok('add_task', { title: 'Old', parent: 1 });
    setClock(world, '2026-11-22T13:00:00Z');
    await ana.ok('delete_task', { id: 4 }); // earlier, by itself
    setClock(world, NOON);
    const reply = await ana.call('delete_task', { id: 1 });
    expect(reply.text).toMatch(/^Deleted #1 Roof\nDeleted #2 Tiles · in #1\nDeleted #3 Nails · in #2\nundo: u\d+$/);
    expect(reply.json).toMatchObject({ tasks: [{ id: 1 }, { id: 2 }, { id: 3 }], total: 3 });
    expect((await ana.ok('list_tasks')).total).toBe(0);
    expect((await ana.ok('list_tasks', { status: 'deleted' })).total).toBe(4);

    expect((await ana.ok('update_task', { id: 1, status: 'pending' })).total).toBe(3);
    expect((await ana.ok('list_tasks')).tasks.map((task: { id: number }) => task.id)).toEqual([3, 2, 1]);
  });

  test('names twenty of the sub-tasks that go along, and counts the others', async () => {
    const ana = await newAgent(world);
    const parts = Array.from({ length: 30 }, (_, i) => ({ title: `Part ${i}`, parent: 'whole' }));
    await ana.ok('add_tasks', { tasks: [{ title: 'Whole', ref: 'whole' }, ...parts] });
    const { json, text } = await ana.call('delete_task', { id: 1 });
    expect(json).toMatchObject({ total: 31, tasks: { length: 21 } });
    expect(text).toContain('\nand 10 more\n');
  });

  test('says that the series of a repeating task ends, and how to skip only this time', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', due: '2026-11-24', repeats: 'every week' });
    const { note, undo } = await ana.ok('delete_task', { id: 1 });
    expect(note).toBe(
      'This ends the series of #1. To skip only this time, undo it, then: update_task {"ids":[1],"status":"cancelled"}.',
    );
    await ana.ok('undo', { undo });
    expect((await ana.ok('update_task', { ids: [1], status: 'cancelled' })).next).toMatchObject([{ id: 2 }]);
    expect((await ana.ok('delete_task', { id: 1 })).note).toBeUndefined();
  });

  test('what is in the trash is not changed there, and doing it again is no harm', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Gone' });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.ok('delete_task', { id: 1 })).undo).toBeUndefined();
    for (const args of [
      { id: 1, title: 'New' },
      { id: 1, status: 'completed' },
    ])
      expect(await ana.refused('update_task', args)).toEqual({
        code: 'conflict',
        message: '#1 is in the trash.',
        hint: 'Restore it first: update_task {"ids":[1],"status":"pending"}.',
      });
  });

  test.each(['completed', 'cancelled', 'in_progress'])('what was %s comes out of the trash as that', async (status) => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', blocked_by: ['a'] },
      ],
    });
    const { completed } = (await ana.ok('update_task', { id: 1, status })).task;
    await ana.ok('delete_task', { id: 1 });
    setClock(world, '2026-11-23T09:00:00Z');
    const { hint } = await ana.refused('add_comment', { id: 1, text: 'hm' });
    expect(hint).toBe(`Restore it first: update_task {"ids":[1],"status":"${status}"}.`);
    expect((await ana.refused('complete_task', { id: 1 })).hint).toBe(hint);
    const reply = await ana.call('update_task', JSON.parse(/update_task (.*)\.$/.exec(hint)?.[1] ?? ''));
    expect(reply.text).toMatch(/^Restored #1 A/);
    expect(reply.json.task).toMatchObject({ status, ...(completed && { completed }) });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.ok('update_task', { id: 1, status: 'pending' })).task.status).toBe('pending');
  });

  test('an id is never given twice', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'First' });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.ok('add_task', { title: 'Second' })).task.id).toBe(2);
  });
});
