import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, rowsOf, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('add_task', () => {
  test('answers the new task in both channels, with a handle to undo it', async () => {
    const ana = await newAgent(world);
    const reply = await ana.call('add_task', {
      title: 'Buy milk',
      due: '2026-11-24',
      priority: 'high',
      project: 'Home',
      labels: ['errand'],
    });
    expect(reply.text).toBe('Added #1 Buy milk · due Tue 24 Nov · high +Home @errand\nundo: u1');
    expect(reply.json).toEqual({
      task: {
        id: 1,
        title: 'Buy milk',
        status: 'pending',
        version: 1,
        due: '2026-11-24',
        priority: 'high',
        project: 'Home',
        labels: ['errand'],
      },
      undo: 'u1',
    });
  });

  test.each([
    ['a day that is past', { due: '2024-11-24' }, 'Due in the past: #1; today is Sun 22 Nov 2026.'],
    ['a time that is past', { due: '2026-11-22T14:01' }, 'Due in the past: #1; today is Sun 22 Nov 2026.'],
    ['a start after its due date', { due: '2026-11-24', start: '2026-11-25' }, 'Starts after it is due: #1.'],
    [
      'both',
      { due: '2025-11-24', start: '2026-11-25' },
      'Due in the past: #1; today is Sun 22 Nov 2026. Starts after it is due: #1.',
    ],
  ])('takes %s, and says so: it may be a slip', async (_, dates, note) => {
    const ana = await newAgent(world);
    const { json, text } = await ana.call('add_task', { title: 'Renew', ...dates });
    expect(json.note).toBe(note);
    expect(text.split('\n').slice(1)).toEqual([note, 'undo: u1']);
  });

  test.each([
    [{ due: '2026-11-22' }],
    [{ due: '2026-11-22T14:03', start: '2026-11-22' }],
    [{ start: '2020-01-01' }],
    [{ due: '2026-11-24T10:00', start: '2026-11-24T10:00' }],
  ])('says nothing of %j', async (dates) => {
    const ana = await newAgent(world);
    expect(await ana.ok('add_task', { title: 'Renew', ...dates })).not.toHaveProperty('note');
  });

  test('counts ids per user, from 1', async () => {
    const [ana, bob] = [await newAgent(world), await newAgent(world)];
    await ana.ok('add_task', { title: 'One' });
    expect((await ana.ok('add_task', { title: 'Two' })).task.id).toBe(2);
    expect((await bob.ok('add_task', { title: 'Mine' })).task.id).toBe(1);
  });

  test('a write sent twice with the same request_id happens once', async () => {
    const ana = await newAgent(world);
    const first = await ana.call('add_task', { title: 'Once', request_id: 'r-1' });
    const again = await ana.call('add_task', { title: 'Once', request_id: 'r-1' });
    expect(again.json).toEqual({ ...first.json, replayed: true });
    expect(again.text).toBe(`Already done at 14:02, nothing new was written.\n${first.text}`);
    expect((await ana.ok('list_tasks')).total).toBe(1);
    setClock(world, '2026-11-23T09:00:00Z');
    const nextDay = await ana.call('add_task', { title: 'Once', request_id: 'r-1' });
    expect(nextDay.text).toMatch(/^Already done at Sun 22 Nov 14:02, /);
  });

  test('a parent that is done takes no new sub-tasks, and the refusal says how to reopen it', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Done' });
    await ana.ok('complete_task', { id: 1 });
    expect(await ana.refused('add_task', { title: 'Late', parent: 1 })).toEqual({
      code: 'conflict',
      message: '#1 is completed: it takes no new sub-tasks.',
      hint: 'Reopen it first: update_task {"ids":[1],"status":"pending"}.',
    });
  });

  test('a client may call itself anything', async () => {
    const ana = await newAgent(world);
    for (const name of ['a\0b\u202e', `${'x'.repeat(99)}🦓🦓`, '']) {
      const named = await agentOf(world, ana.principal, name);
      expect((await named.ok('add_task', { title: 'x' })).task).toBeDefined();
    }
    const rows = await rowsOf(world, 'select created_by from taskloom.tasks where user_id = $1 order by id', [
      ana.principal.userId,
    ]);
    expect(rows.flat()).toEqual(['ab', `${'x'.repeat(99)}🦓`, 'stdio']);
  });

  test('history keeps who did what', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Logged', project: 'Home' });
    const rows = await rowsOf(
      world,
      'select seq, batch, entity, op, after, actor from taskloom.changes where user_id = $1 order by seq',
      [ana.principal.userId],
    );
    expect(rows.map((row) => row.slice(0, 4).map(String))).toEqual([
      ['1', '1', 'project', 'create'],
      ['2', '1', 'task', 'create'],
    ]);
    expect(rows[1]?.[4]).toMatchObject({ title: 'Logged', project: 1 });
    expect(rows[1]?.[5]).toEqual({ via: 'stdio', client: 'test' });
  });

  test('puts a sub-task where its parent is, which may be in no project', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'House', project: 'Home' });
    await ana.ok('add_task', { title: 'Roof', parent: 1 });
    await ana.ok('update_task', { id: 2, clear: ['project'] });
    await ana.ok('update_project', { project: 'Home', archived: true });
    const { task } = await ana.ok('add_task', { title: 'Tiles', parent: 2 });
    expect(task.project).toBeUndefined();
    expect((await ana.ok('list_tasks', {})).tasks.map(({ id }: { id: number }) => id)).toEqual([3, 2]);
  });

  test('names open tasks that may be the same, and never refuses', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Buy milk' });
    await ana.ok('add_task', { title: 'Réserver le train pour Lyon' });
    await ana.ok('add_task', { title: 'Old milk' });
    await ana.ok('complete_task', { id: 3 });
    const same = await ana.call('add_task', { title: 'milk: BUY!' });
    expect(same.json.similar).toEqual([{ id: 1, title: 'Buy milk' }]);
    expect(same.text).toContain('Similar open tasks:\n  #1 Buy milk');
    expect((await ana.ok('add_task', { title: 'Train Lyon reserver' })).similar).toEqual([
      { id: 2, title: 'Réserver le train pour Lyon' },
    ]);
    expect((await ana.ok('add_task', { title: 'Something else' })).similar).toBeUndefined();
    await ana.ok('add_task', { title: 'Plan the garden', project: 'Past' });
    await ana.ok('update_project', { project: 'Past', archived: true });
    expect((await ana.ok('add_task', { title: 'Plan the garden' })).similar).toBeUndefined();
  });

  test.each([
    [{ project: 'Hom' }, '+Hom is new; there is also +Home.'],
    [{ project: 'Homes' }, '+Homes is new; there is also +Home.'],
    [{ project: 'home office' }, '+home office is new; there is also +Home.'],
    [{ project: 'Garden' }, undefined],
    [{ project: 'HOME' }, undefined],
    [{ labels: ['errnd'] }, '@errnd is new; there is also @errand.'],
    [{ labels: ['at home', 'phone'] }, '@at home is new; there is also @home.'],
    [{ labels: ['ERRAND', 'home'] }, undefined],
    [{ labels: ['q2', 'ux', 'sprint 2'] }, undefined],
    [
      { project: 'Hme', labels: ['home', 'hoem', 'other'] },
      '+Hme is new; there is also +Home. @hoem is new; there is also @home.',
    ],
  ])('what is new of %j is said where it is written like what there is', async (given, note) => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', project: 'Home', labels: ['errand', 'home', 'q1', 'ui', 'sprint 1'] },
        { title: 'B', project: 'Zoo' },
      ],
    });
    const added = await ana.call('add_task', { title: 'C', ...given });
    expect(added.json.note).toBe(note);
    if (note) expect(added.text.split('\n')).toContain(note);
    // It is there now.
    expect((await ana.ok('add_task', { title: 'D', ...given })).note).toBeUndefined();
  });

  test('a name is not held against that of a project or a label of another user', async () => {
    const [ana, ben] = [await newAgent(world), await newAgent(world)];
    await ben.ok('add_task', { title: 'A', project: 'Home', labels: ['errand'] });
    expect((await ana.ok('add_task', { title: 'B', project: 'Hom', labels: ['errnd'] })).note).toBeUndefined();
  });

  test('waits for tasks that there are', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'First' });
    expect((await ana.ok('add_task', { title: 'Second', blocked_by: '#1' })).task.blocked_by).toEqual([1]);
    // Nor is the third, which it would be itself, there already.
    for (const id of [9, 3])
      expect((await ana.refused('add_task', { title: 'Third', blocked_by: [id] })).message).toBe(`No task #${id}.`);
  });

  test('dates and repeats can be words; the answer says how they were understood', async () => {
    const ana = await newAgent(world);
    const reply = await ana.call('add_task', { title: 'Bins', due: 'every other tuesday', start: 'tomorrow' });
    expect(reply.text).toBe(
      'Added #1 Bins · due Tue 24 Nov · starts Mon 23 Nov · every 2 weeks on Tue\n  then 8 Dec, 22 Dec, 5 Jan 2027\nundo: u1',
    );
    expect(reply.json.task).toMatchObject({
      due: '2026-11-24',
      repeats: 'every 2 weeks on Tue',
      next: ['2026-12-08', '2026-12-22', '2027-01-05'],
    });
    expect((await ana.ok('add_task', { title: 'Call', due: 'friday 5pm' })).task.due).toBe('2026-11-27T17:00+01:00');
    expect(await ana.refused('add_task', { title: 'Call', due: '03/04' })).toMatchObject({
      code: 'invalid',
      message: 'due: "03/04" can mean 3 April or 4 March.',
    });
  });

  test('what repeats and is to start later is first due then', async () => {
    const ana = await newAgent(world);
    const add = async (given: object) => (await ana.ok('add_task', { title: 'Mow', ...given })).task;
    expect(await add({ start: '2027-05-01', repeats: 'every Monday' })).toMatchObject({ due: '2027-05-03' });
    expect(await add({ start: '2027-05-03', repeats: 'every Monday' })).toMatchObject({ due: '2027-05-03' });
    expect(await add({ start: '2026-11-01', repeats: 'every Monday' })).toMatchObject({ due: '2026-11-23' });
    for (const [start, repeats, due] of [
      ['2027-05-01', 'every day starting monday', '2027-05-03'],
      ['2027-05-01', 'every day at 9 starting monday', '2027-05-03T09:00+02:00'],
      ['2027-07-01', 'every day at 9 starting june 1', '2028-06-01T09:00+02:00'],
      ['2027-05-03', 'every day at 9 starting tomorrow', '2026-11-23T09:00+01:00'],
      ['2027-05-03T09:00', 'every day at 9', '2027-05-03T09:00+02:00'],
    ])
      expect(await add({ start, repeats }), repeats).toMatchObject({ due });
    expect(await add({ start: '2027-05-03T10:00', repeats: 'every day at 9' })).toMatchObject({
      due: '2027-05-04T09:00+02:00',
    });
    expect(
      await ana.refused('add_task', { title: 'a', start: '2027-05-01', repeats: 'every day until tomorrow' }),
    ).toMatchObject({
      message: 'repeats: it ends 2026-11-23, before its first day, 2027-05-01.',
    });
    const given = { start: '2027-05-01', repeats: 'every Monday', due: '2027-06-01' };
    expect(await add(given)).toMatchObject({ due: '2027-06-01' });
    await ana.ok('complete_task', { id: 1 });
    const { tasks } = await ana.ok('list_tasks', { due: '2027-05-10' });
    expect(tasks).toMatchObject([{ due: '2027-05-10', start: '2027-05-08' }]);
  });
});
