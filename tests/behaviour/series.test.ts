import { describe, expect, test } from 'vitest';
import { newAgent, useWorld } from '../harness.js';

const world = useWorld();
const daily = { title: 'Water', due: '2026-11-22', repeats: 'every day' };

describe('closing a repeating task', () => {
  test('ends the series where the same call clears the rule', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const done = await ana.ok('update_task', { id: 1, status: 'completed', clear: ['repeats'] });
    expect(done.next).toBeUndefined();
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
  });

  test('passes on what the same call changed', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('add_task', { title: 'Fill the can', parent: 1 });
    await ana.ok('complete_task', { id: 2 });
    const patch = { title: 'Water the roses', project: 'Garden', add_labels: ['roses'], clear: ['repeats'] };
    const { clear, ...kept } = patch;
    const done = await ana.ok('update_task', { id: 1, status: 'completed', ...kept });
    expect(done.next).toMatchObject([{ id: 3, title: 'Water the roses' }]);
    expect((await ana.ok('list_tasks', { project: 'Garden' })).tasks).toMatchObject([
      { id: 4, title: 'Fill the can', parent: 3 },
      { id: 3, labels: ['roses'] },
    ]);
  });
});

describe('what follows a repeating task', () => {
  test('has no copy of what is below a sub-task in the trash', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('add_task', { title: 'Fill the can', parent: 1 });
    await ana.ok('add_task', { title: 'Find the can', parent: 2 });
    await ana.ok('delete_task', { id: 2 });
    await ana.ok('update_task', { id: 3, status: 'pending' });
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.ok('list_tasks')).tasks).toMatchObject([
      { id: 4, title: 'Water' },
      { id: 3, title: 'Find the can' },
    ]);
  });
});

describe('restoring a task', () => {
  test('into another project takes along the sub-tasks that come back with it', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', project: 'Home' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('delete_task', { id: 1 });
    await ana.ok('update_task', { id: 1, status: 'pending', project: 'Work' });
    expect((await ana.ok('list_tasks', { project: 'Work' })).tasks).toHaveLength(2);
  });
});
