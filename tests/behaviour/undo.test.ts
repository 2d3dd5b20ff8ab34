import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, useWorld } from '../harness.js';

const world = useWorld();
const ids = (answer: { tasks: { id: number }[] }) => answer.tasks.map(({ id }) => id);

describe('undo, sent twice', () => {
  test('is answered as the first time, by handle and by count', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One' });
    const first = await ana.ok('undo', { undo, request_id: 'a' });
    expect(await ana.ok('undo', { undo, request_id: 'a' })).toEqual({ ...first, replayed: true });
    await ana.ok('add_task', { title: 'Two' });
    const last = await ana.ok('undo', { last: 1, request_id: 'b' });
    expect(await ana.ok('undo', { last: 1, request_id: 'b' })).toEqual({ ...last, replayed: true });
    const laptop = await agentOf(world, ana.principal, 'ana-laptop');
    expect(await laptop.ok('undo', { last: 1, request_id: 'b' })).toEqual({ ...last, replayed: true });
  });
});

describe('undo of what a project went through', () => {
  test('leaves a merge alone whose name was taken since', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', project: 'Home' });
    await ana.ok('add_task', { title: 'Two', project: 'Work' });
    const { undo } = await ana.ok('update_project', { project: 'Home', merge_into: 'Work' });
    await ana.ok('add_task', { title: 'Three', project: 'home' });
    expect(await ana.refused('undo', { undo })).toMatchObject({ code: 'conflict' });
  });

  test('leaves a project removed whose name was taken since', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One', project: 'Home' });
    const undone = await ana.ok('undo', { undo });
    await ana.ok('add_task', { title: 'Two', project: 'HOME' });
    const again = await ana.ok('undo', { undo: undone.undo });
    expect(again.failed.map((each: { id: unknown }) => each.id)).toEqual(['Home', 1]);
    expect((await ana.ok('get_task', { id: 1 })).task.project).toBeUndefined();
  });

  test('takes no project away that others have put tasks in', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One', project: 'Home' });
    const undone = await ana.ok('undo', { undo });
    const redone = await ana.ok('undo', { undo: undone.undo });
    await ana.ok('add_task', { title: 'Two', project: 'Home' });
    expect((await ana.ok('undo', { undo: redone.undo })).failed).toMatchObject([{ id: 'Home', code: 'conflict' }]);
    expect((await ana.ok('list_tasks', { project: 'Home' })).tasks).toMatchObject([{ id: 2, project: 'Home' }]);
  });

  test('merges no project again that others have put tasks in', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', project: 'Home' });
    await ana.ok('add_task', { title: 'Two', project: 'Work' });
    const merged = await ana.ok('update_project', { project: 'Home', merge_into: 'Work' });
    const undone = await ana.ok('undo', { undo: merged.undo });
    await ana.ok('add_task', { title: 'Three', project: 'Home' });
    expect((await ana.ok('undo', { undo: undone.undo })).failed).toMatchObject([{ id: 'Home', code: 'conflict' }]);
    expect(ids(await ana.ok('list_tasks', { project: 'Home' }))).toEqual([3]);
  });

  test('takes a project away that the same undo has emptied', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    await ana.ok('add_task', { title: 'Two', project: 'Home' });
    await ana.ok('update_task', { id: 1, project: 'Home' });
    await ana.ok('undo', { last: 2 });
    expect((await ana.ok('list_projects')).projects).toEqual([]);
  });
});
