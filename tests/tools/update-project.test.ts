import { describe, expect, test } from 'vitest';
import { newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

const names = (reply: { projects: { name: string }[] }) => reply.projects.map((project) => project.name);

describe('update_project', () => {
  test('renames, and its tasks are found by the new name only', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', project: 'Hose' });
    const reply = await ana.call('update_project', { project: '+hose', name: 'House' });
    expect(reply.text).toBe('Updated +House\nundo: u3');
    expect((await ana.ok('list_tasks', { project: 'house' })).tasks).toMatchObject([{ project: 'House' }]);
    expect((await ana.refused('list_tasks', { project: 'Hose' })).code).toBe('not_found');
    expect((await ana.call('update_project', { project: 'HOUSE', name: 'House' })).text).toBe('Unchanged +House');
    expect((await ana.ok('update_project', { project: 'House', name: 'HOUSE' })).project.name).toBe('HOUSE');
  });

  test('a name that another has is refused, with how to join the two', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', project: 'One' },
        { title: 'B', project: 'Two' },
      ],
    });
    expect(await ana.refused('update_project', { project: 'One', name: 'TWO' })).toMatchObject({
      code: 'conflict',
      message: 'A project "Two" already exists.',
      hint: 'To merge them: update_project {"project":"One","merge_into":"Two"}.',
    });
  });

  test('merging moves every task, the trash included, and gives the name up; undo brings it back', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', project: 'One' },
        { title: 'B', project: 'One' },
        { title: 'C', project: 'One' },
        { title: 'D', project: 'Two' },
      ],
    });
    await ana.ok('complete_task', { id: 2 });
    await ana.ok('delete_task', { id: 3 });
    const merged = await ana.call('update_project', { project: 'One', merge_into: 'two' });
    expect(merged.text).toMatch(/^Merged \+One into \+Two: 2 tasks, and 1 in the trash, moved\n/);
    expect(merged.json).toMatchObject({
      project: { name: 'One', merged_into: 'Two' },
      moved: 2,
      note: 'Moved 1 in the trash too.',
    });
    expect(names(await ana.ok('list_projects'))).toEqual(['Two']);
    expect((await ana.ok('list_tasks', { project: 'Two', status: 'all' })).total).toBe(3);
    await ana.ok('undo', { undo: merged.json.undo });
    expect(names(await ana.ok('list_projects'))).toEqual(['One', 'Two']);
    expect((await ana.ok('list_tasks', { project: 'One', status: 'all' })).total).toBe(2);
    expect((await ana.ok('list_tasks', { project: 'One', status: 'deleted' })).total).toBe(1);
  });

  test('a project of more than 2,000 tasks is merged in several calls, each of which can be undone', async () => {
    const ana = await newAgent(world);
    const hundred = Array.from({ length: 100 }, (_, i) => ({ title: `Page ${i}`, project: 'Book' }));
    for (let i = 0; i < 21; i++) await ana.ok('add_tasks', { tasks: hundred.slice(0, i < 20 ? 100 : 3) });
    const total = async (project: string) => (await ana.ok('list_tasks', { project, limit: 1 })).total;
    await ana.ok('add_task', { title: 'Shelf', project: 'Books' });
    const merge = { project: 'Book', merge_into: 'Books' };

    const first = await ana.call('update_project', merge);
    expect(first.text).toMatch(/^Moved 2000 tasks from \+Book to \+Books\. More tasks remain\. Repeat the call/);
    expect(await total('Book')).toBe(3);
    const second = await ana.call('update_project', merge);
    expect(second.json).toMatchObject({ project: { merged_into: 'Books' }, moved: 3 });
    expect(names(await ana.ok('list_projects'))).toEqual(['Books']);

    await ana.ok('undo', { undo: second.json.undo });
    await ana.ok('undo', { undo: first.json.undo });
    expect(await total('Books')).toBe(1);
    expect((await ana.ok('get_task', { ids: [1, 2003] })).tasks).toMatchObject([
      { project: 'Book' },
      { project: 'Book' },
    ]);
  });

  test('a merge whose name was taken since stays, and so do its tasks; both are named', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', project: 'One' },
        { title: 'B', project: 'Two' },
      ],
    });
    const { undo } = await ana.ok('update_project', { project: 'One', merge_into: 'Two' });
    await ana.ok('add_task', { title: 'C', project: 'one' });
    const refusal = await ana.refused('undo', { undo });
    expect(refusal.code).toBe('conflict');
    expect(refusal.message).toContain('Another project is called "one" now.');
    expect(refusal.message).toContain('#1: its former project "One" no longer exists.');
  });

  test('what waits in an archived project is not told to be ready', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Scaffold', ref: 'a', project: 'Now' },
        { title: 'Roof', project: 'Past', blocked_by: ['a'] },
        { title: 'Walls', project: 'Now', blocked_by: ['a'] },
      ],
    });
    await ana.ok('update_project', { project: 'Past', archived: true });
    const done = await ana.call('complete_task', { id: 1 });
    expect(done.json.ready).toEqual([{ id: 3, title: 'Walls' }]);
    expect(done.text).not.toContain('Roof');
    expect((await ana.ok('list_tasks', { ready: true })).tasks).toMatchObject([{ id: 3 }]);
  });

  test('a sub-task in an archived project can be changed where it is', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'House', project: 'Past' });
    await ana.ok('add_task', { title: 'Roof', parent: 1 });
    await ana.ok('update_project', { project: 'Past', archived: true });
    expect((await ana.ok('update_task', { id: 2, parent: 1, priority: 'high' })).task).toMatchObject({ parent: 1 });
  });

  test('an archived project is out of the way until it is named, and takes no new tasks', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Old', project: 'Past', due: '2026-11-20' },
        { title: 'New', project: 'Now', due: '2026-11-20' },
      ],
    });
    const reply = await ana.call('update_project', { project: 'Past', archived: true });
    expect(reply.text).toMatch(/^Updated \+Past · archived, and 1 open task with it\n/);
    expect(reply.json.project).toEqual({ name: 'Past', archived: true, open: 1 });
    expect((await ana.call('update_project', { project: 'Past', archived: true })).text).toBe(
      'Unchanged +Past · archived',
    );
    expect(names(await ana.ok('list_projects'))).toEqual(['Now']);
    expect(await ana.ok('list_projects', { archived: true, completed: true })).toMatchObject({
      projects: [{ name: 'Past', open: 1, completed: 0 }],
    });
    for (const args of [{}, { ready: true }, { due: 'overdue' }, { sort: 'manual' }])
      expect((await ana.ok('list_tasks', args)).tasks, JSON.stringify(args)).toMatchObject([{ title: 'New' }]);
    expect((await ana.ok('get_overview')).counts).toMatchObject({ open: 1, overdue: 1 });
    const named = await ana.call('list_tasks', { project: 'past' });
    expect(named.json.tasks).toMatchObject([{ title: 'Old', project: 'Past', project_archived: true }]);
    expect(named.text).toContain('#1 Old · due Fri 20 Nov · +Past (archived)');
    expect((await ana.ok('list_tasks', { status: 'all' })).total).toBe(2);
    for (const [tool, args] of [
      ['add_task', { title: 'More', project: 'PAST' }],
      ['update_task', { id: 2, project: 'Past' }],
      ['add_task', { title: 'More', parent: 1 }],
      ['update_task', { id: 2, parent: 1 }],
    ] as const)
      expect(await ana.refused(tool, args)).toMatchObject({
        code: 'conflict',
        message: 'The project "Past" is archived.',
        hint: 'Choose another, or unarchive it: update_project {"project":"Past","archived":false}.',
      });
    expect((await ana.call('update_project', { project: 'Past', archived: true, name: 'PAST' })).text).toMatch(
      /^Updated \+PAST · archived\n/,
    );
    await ana.ok('update_project', { project: 'Past', archived: false });
    expect((await ana.ok('list_tasks')).total).toBe(2);
  });

  test('what cannot be is refused, with the way out', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', project: 'One' },
        { title: 'B', project: 'Two' },
      ],
    });
    await ana.ok('update_project', { project: 'Two', archived: true });
    for (const [args, code, message] of [
      [{ project: 'One' }, 'invalid', 'Nothing to change.'],
      [{ project: 'One', merge_into: 'One' }, 'conflict', '"One" cannot be merged into itself.'],
      [{ project: 'One', merge_into: 'Two' }, 'conflict', 'The project "Two" is archived.'],
      [{ project: 'One', merge_into: 'Tree' }, 'not_found', 'No project "Tree".'],
      [{ project: 'Oen', name: 'X' }, 'not_found', 'No project "Oen".'],
      [
        { project: 'One', merge_into: 'Two', name: 'X' },
        'invalid',
        'merge_into cannot be combined with name or archived, because it removes the project.',
      ],
    ] as const)
      expect(await ana.refused('update_project', args)).toMatchObject({ code, message });
    expect((await ana.refused('update_project', { project: 'On', name: 'X' })).candidates).toEqual([{ name: 'One' }]);
    // By a slip too, and one that is archived, to be brought back.
    for (const [project, name] of [
      ['Oen', 'One'],
      ['Tow', 'Two'],
    ] as const)
      for (const [tool, args] of [
        ['update_project', { project, archived: false }],
        ['list_tasks', { project }],
      ] as const)
        expect((await ana.refused(tool, args)).candidates, `${tool} ${project}`).toEqual([{ name }]);
  });
});
