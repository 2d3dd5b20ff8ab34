import { describe, expect, test } from 'vitest';
import { newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

describe('add_tasks', () => {
  test('says which of a plan have dates that may be a slip', async () => {
    const ana = await newAgent(world);
    const { json, text } = await ana.call('add_tasks', {
      tasks: [
        { title: 'One', due: '2025-12-01' },
        { title: 'Two', due: '2026-12-01' },
        { title: 'Three', due: '2025-12-02', start: '2026-01-01' },
      ],
    });
    const note = 'Due in the past: #1, #3; today is Sun 22 Nov 2026. Starts after it is due: #3.';
    expect(json.note).toBe(`Other fields are as given. ${note}`);
    expect(text).toContain(`Other fields are as given.\n${note}\n`);
  });

  test('names open tasks of the same titles, which an earlier call may have made', async () => {
    const ana = await newAgent(world);
    const tasks = [{ title: 'Paint the wall' }, { title: 'Buy paint' }];
    expect((await ana.ok('add_tasks', { tasks })).similar).toBeUndefined();
    await ana.ok('add_tasks', { tasks: [{ title: 'buy PAINT', project: 'Past' }, { title: 'Buy more paint' }] });
    await ana.ok('update_project', { project: 'Past', archived: true });
    await ana.ok('complete_task', { id: 1 });
    const again = await ana.call('add_tasks', { tasks });
    expect(again.json.similar).toEqual([{ id: 2, title: 'Buy paint' }]);
    expect(again.text).toContain('\nOpen tasks with the same titles:\n  #2 Buy paint\n');
  });

  test('counts the open tasks of the same titles that it does not list', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 60 }, (_, i) => ({ title: `Step ${i + 1}` }));
    await ana.ok('add_tasks', { tasks });
    const { text, json } = await ana.call('add_tasks', { tasks });
    const note = '60 open tasks have the same titles; the newest 20 are listed.';
    expect(json.note).toBe(`Other fields are as given. ${note}`);
    expect(json.similar).toHaveLength(20);
    expect(text).toContain(`\n${note}\nOpen tasks with the same titles:\n  #60 Step 60\n`);
  });

  test('leaves what is like a number in the caller’s own words as it is', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old', project: 'Sprint #3' });
    await ana.ok('update_project', { project: 'Sprint #3', archived: true });
    const tasks = [{ title: 'First' }, { title: 'Buy milk', project: 'Sprint #3' }];
    expect(await ana.refused('add_tasks', { tasks })).toMatchObject({
      message: expect.stringContaining('tasks[1] "Buy milk": The project "Sprint #3" is archived'),
      hint: expect.stringContaining('{"project":"Sprint #3","archived":false}'),
    });
    expect((await ana.refused('add_task', { title: 'Ship', due: 'release #2' })).message).toContain('"release #2"');
  });

  test('says all dates of a plan that it cannot read at once', async () => {
    const ana = await newAgent(world);
    const tasks = [{ title: 'A', due: 'foo' }, { title: 'B' }, { title: 'C', due: 'bar', project: 'none at all' }];
    const { message } = await ana.refused('add_tasks', { tasks });
    expect(message).toContain('tasks[0] "A": due: "foo" is not a date');
    expect(message).toContain('tasks[2] "C": due: "bar" is not a date');
    expect((await ana.ok('list_projects')).projects).toEqual([]);
  });

  test('of very many new names compares a few, and says fewer', async () => {
    const ana = await newAgent(world);
    const many = (end: string) => Array.from({ length: 20 }, (_, i) => `label ${'x'.repeat(80)} ${i}${end}`);
    for (let i = 0; i < 4; i++) await ana.ok('add_task', { title: `A${i}`, labels: many(`a${i}`) });
    const tasks = Array.from({ length: 100 }, (_, i) => ({ title: `B${i}`, labels: many(`${i}b`), due: '2027-01-01' }));
    const { note } = await ana.ok('add_tasks', {
      tasks: [{ title: 'B', labels: many('a0').map((each) => `${each}s`) }, ...tasks.slice(1)],
    });
    expect(note.match(/ is new; /g)).toHaveLength(5);
  });

  test('a plan with very many wrong dates is refused in few words', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 100 }, (_, i) => ({ title: `B${i}`, due: `whenever ${i}` }));
    const { message } = await ana.refused('add_tasks', { tasks });
    expect(message.match(/is not a date/g)).toHaveLength(10);
    expect(message).toContain('And 90 more like that.');
  });

  test('says which of its projects and labels are new and written like others', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A', project: 'Home', labels: ['errand'] });
    const { json } = await ana.call('add_tasks', {
      tasks: [
        { title: 'B', project: 'Hme', labels: ['errnd', 'phone'] },
        { title: 'C', project: 'hme', labels: ['errands', 'errand'] },
      ],
    });
    expect(json.note).toBe(
      'Other fields are as given. +Hme is new; there is also +Home. @errnd is new; there is also @errand. @errands is new; there is also @errand.',
    );
  });

  test('tells what came out otherwise than it was given, and nothing else', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'First', project: 'Home', labels: ['errand'] });
    const { tasks } = await ana.ok('add_tasks', {
      tasks: [
        {
          title: 'As given',
          due: '2026-11-24',
          start: '2026-11-23T09:00+01:00',
          priority: 'high',
          project: 'Home',
          labels: ['errand'],
          estimate_minutes: 5,
        },
        { title: 'In words', due: 'tomorrow 5pm', start: 'today', project: '+home', labels: ['@Errand'] },
        { title: 'Over and over', due: '2026-11-24', repeats: 'every week' },
        { title: 'By number', priority: 4 },
        { title: 'By letter', priority: 'P1' },
        { title: 'In capitals', priority: ' Low' },
      ],
    });
    expect(tasks).toEqual([
      { id: 2, title: 'As given' },
      { id: 3, title: 'In words', due: '2026-11-23T17:00+01:00', start: '2026-11-22', project: 'Home' },
      { id: 4, title: 'Over and over', repeats: 'every Tue', next: ['2026-12-01', '2026-12-08', '2026-12-15'] },
      { id: 5, title: 'By number', priority: 'low' },
      { id: 6, title: 'By letter', priority: 'urgent' },
      { id: 7, title: 'In capitals' },
    ]);
    const inText = await ana.call('add_tasks', { tasks: '[{"title": "A", "priority": "p2"}, {"title": "B"}]' });
    expect(inText.text).toContain('\n#8 A · high\n#9 B\n');
  });

  test('adds a plan: parents and blockers by ref, tasks that there are by id, projects by name', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Get the keys' });
    const reply = await ana.call('add_tasks', {
      tasks: [
        { title: 'Paint', ref: 'paint', blocked_by: ['buy', '#1'] },
        { title: 'Buy paint', ref: 'buy', parent: 'move', due: '2026-11-24', labels: ['errand'] },
        { title: 'Move', ref: 'move', project: 'Flat' },
        { title: 'Boxes', parent: 'move', project: 'flat' },
      ],
    });
    expect(reply.text).toBe(
      [
        'Added 4 tasks',
        '#2 paint',
        '#3 buy',
        '#4 move',
        '#5 Boxes · +Flat',
        'Other fields are as given.',
        'undo: u2',
      ].join('\n'),
    );
    expect(reply.json).toEqual({
      tasks: [
        { id: 2, ref: 'paint' },
        { id: 3, ref: 'buy' },
        { id: 4, ref: 'move' },
        { id: 5, title: 'Boxes', project: 'Flat' },
      ],
      total: 4,
      note: 'Other fields are as given.',
      undo: 'u2',
    });
    expect((await ana.ok('list_tasks')).tasks).toMatchObject([
      { id: 5, parent: 4, project: 'Flat' },
      { id: 4, open_subtasks: 2 },
      { id: 3, parent: 4, project: 'Flat', due: '2026-11-24', labels: ['errand'] },
      { id: 2, blocked_by: [1, 3] },
      { id: 1 },
    ]);
    expect((await ana.ok('list_tasks', { ready: true })).tasks.map((task: { id: number }) => task.id)).toEqual([
      3, 1, 5,
    ]);
  });

  test.each([
    ['a ref that nobody has', [{ title: 'A', parent: 'b' }], 'tasks[0]: no task of this plan has the ref "b".'],
    [
      'a ref that nobody has, though a task has its number',
      [
        { title: 'A', ref: 'T7' },
        { title: 'B', blocked_by: ['T1'] },
      ],
      'tasks[1]: no task of this plan has the ref "T1".',
    ],
    [
      'a ref that says none',
      [
        { title: 'A', ref: 'none' },
        { title: 'B', parent: 'none' },
      ],
      'tasks[0].ref must not be "none", which means no task.',
    ],
    [
      'a ref given twice',
      [
        { title: 'A', ref: 'x' },
        { title: 'B', ref: 'x' },
      ],
      'tasks: the ref "x" is given twice.',
    ],
    ['a task that is not there', [{ title: 'A' }, { title: 'B', blocked_by: [99] }], 'tasks[1] "B": No task #99.'],
    [
      'an id that no task has yet, but one of the plan would get',
      [{ title: 'A' }, { title: 'B', blocked_by: [1] }],
      'tasks[1] "B": No task #1.',
    ],
    [
      'tasks that would wait for each other',
      [
        { title: 'A', ref: 'a', blocked_by: ['b'] },
        { title: 'B', ref: 'b', blocked_by: ['a'] },
      ],
      'tasks[0] "A": "A" would wait for itself: "A" waits for "B" waits for "A".',
    ],
    [
      'parents in a circle',
      [
        { title: 'C', parent: 'a' },
        { title: 'A', ref: 'a', parent: 'b' },
        { title: 'B', ref: 'b', parent: 'a' },
      ],
      'tasks[1] "A": "A" would wait for itself: "A" waits for "B" waits for "A".',
    ],
    [
      'a task that waits for its own parent',
      [
        { title: 'A', ref: 'a' },
        { title: 'B', parent: 'a', blocked_by: ['a'] },
      ],
      /would wait for itself/,
    ],
    ['a bad date', [{ title: 'A', due: 'blue' }, { title: 'B' }], /^tasks\[0\] "A": due: "blue" is not a date/],
    ['a missing title', [{ ref: 'a' }], 'tasks[0].title is missing.'],
    ['a field that there is none of', [{ title: 'A', colour: 'red' }], 'tasks[0] has no field colour.'],
    [
      'fields that may mean others',
      [{ title: 'A', when: '2026-12-01', colour: 'red' }],
      /^tasks\[0\] has no field when, colour \(did you mean due\?\)\.$/,
    ],
    ['a ref that is a number', [{ title: 'A', ref: '7' }], /^tasks\[0\]\.ref must not be a number/],
    [
      'six levels',
      ['a', 'b', 'c', 'd', 'e', 'f'].map((ref, i, all) => ({ title: ref, ref, parent: all[i - 1] })),
      /nested at most 5 levels deep/,
    ],
  ])('refuses %s, and writes nothing of the plan', async (_what, tasks, message) => {
    const ana = await newAgent(world);
    const refusal = await ana.refused('add_tasks', { tasks });
    expect(refusal.message).toMatch(
      message instanceof RegExp ? message : new RegExp(`^${message.replace(/[[\]().]/g, '\\$&')}$`),
    );
    expect((await ana.ok('list_tasks', { status: 'all' })).total).toBe(0);
  });

  test('takes a hundred, and no more', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 101 }, (_, i) => ({ title: `Task ${i}` }));
    expect(await ana.refused('add_tasks', { tasks })).toMatchObject({ message: 'tasks can have at most 100 items.' });
    const made = await ana.ok('add_tasks', { tasks: tasks.slice(1) });
    expect([made.tasks.length, made.total]).toEqual([100, 100]);
    const [[created] = []] = await rowsOf(
      world,
      `select count(distinct batch)::int from taskloom.changes where user_id = $1`,
      [ana.principal.userId],
    );
    expect(created).toBe(1);
  });

  test('sent again with its request_id it is answered, not repeated; undone as one', async () => {
    const ana = await newAgent(world);
    const plan = {
      tasks: [
        { title: 'A', ref: 'a', project: 'P' },
        { title: 'B', parent: 'a' },
      ],
      request_id: 'r1',
    };
    const first = await ana.ok('add_tasks', plan);
    expect(await ana.ok('add_tasks', plan)).toEqual({ ...first, replayed: true });
    expect((await ana.ok('list_tasks')).total).toBe(2);
    await ana.ok('undo', { undo: first.undo });
    expect((await ana.ok('list_tasks')).total).toBe(0);
    expect((await ana.ok('list_projects')).projects).toEqual([]);
  });

  test('takes tasks as JSON text, as some hosts send them', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: '[{"title": "A", "due": null}, {"title": "B", "labels": ""}]' });
    await ana.ok('add_tasks', { tasks: ['{"title": "C"}'] });
    expect((await ana.ok('list_tasks')).total).toBe(3);
  });

  test('says which of its tasks have the same title, project and parent', async () => {
    const ana = await newAgent(world);
    const tasks = [
      { title: 'Buy milk' },
      { title: 'buy milk.' },
      { title: 'Ship', ref: 'ship' },
      { title: 'Test', parent: 'ship' },
      { title: 'Test', project: 'Other' },
    ];
    expect((await ana.ok('add_tasks', { tasks })).note).toBe('Other fields are as given. #1, #2 have the same title.');
  });

  test('takes labels for given in whatever order they come', async () => {
    const ana = await newAgent(world);
    const { json } = await ana.call('add_tasks', { tasks: [{ title: 'A', labels: ['zoo', 'art'] }] });
    expect(json.tasks[0]).not.toHaveProperty('labels');
  });
});
