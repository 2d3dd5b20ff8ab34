import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, rowsOf, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('update_task', () => {
  test('says of dates it was given that they may be a slip, and of others nothing', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'One', due: '2025-12-01' }, { title: 'Two' }, { title: 'Three' }] });
    expect(await ana.ok('update_task', { id: 1, priority: 'high' })).not.toHaveProperty('note');
    expect(await ana.ok('update_task', { id: 1, due: '2025-12-01', title: 'First' })).not.toHaveProperty('note');
    const { json, text } = await ana.call('update_task', { ids: [1, 2, 3], due: '2025-12-24' });
    expect(json.note).toBe('Due in the past: #1, #2, #3; today is Sun 22 Nov 2026.');
    expect(text).toContain(`\n${json.note}\n`);
    await ana.ok('complete_task', { id: 2 });
    expect(await ana.ok('update_task', { id: 2, due: '2025-12-20' })).not.toHaveProperty('note');
    const started = await ana.ok('update_task', { id: 3, start: '2026-12-01' });
    expect(started.note).toBe('Starts after it is due: #3.');
    await ana.ok('add_task', { title: 'Part of it', parent: 3, due: '2025-12-31' });
    expect(await ana.ok('update_task', { id: 3, project: 'Home' })).not.toHaveProperty('note');
  });

  test('changes what is given and leaves the rest', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', description: 'about the roof', due: '2026-11-24', labels: ['phone'] });
    const reply = await ana.call('update_task', { id: 1, title: 'Call Bob', priority: 'urgent', project: 'Home' });
    expect(reply.text).toBe('Updated #1 Call Bob · due Tue 24 Nov · urgent +Home @phone\nundo: u2');
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({
      title: 'Call Bob',
      description: 'about the roof',
      due: '2026-11-24',
      labels: ['phone'],
      version: 2,
    });
  });

  test('"none" empties a field, as clear does; a new task is without it', async () => {
    const ana = await newAgent(world);
    const given = {
      title: 'Roof',
      due: '2026-11-24',
      start: '2026-11-23',
      repeats: 'every week',
      priority: 'high',
      project: 'Home',
      labels: ['diy'],
      estimate_minutes: 30,
    };
    const none = Object.fromEntries(Object.keys(given).map((field) => [field, 'None']));
    await ana.ok('add_task', given);
    const emptied = await ana.call('update_task', { id: 1, ...none, title: 'Roof', labels: 'none', parent: 'none' });
    expect(emptied.json.task).toEqual({ id: 1, title: 'Roof', status: 'pending', version: 2 });
    const added = await ana.call('add_task', { ...none, title: 'Wall', repeats: 'never' });
    expect(added.text).toMatch(/^Added #2 Wall\n/);
    expect((await ana.ok('add_tasks', { tasks: [{ ...none, title: 'Floor', parent: 'none' }] })).tasks).toEqual([
      { id: 3, title: 'Floor' },
    ]);
    expect((await ana.ok('list_projects')).projects).toEqual([{ name: 'Home', open: 0 }]);
    expect(
      (await ana.ok('update_task', { id: 3, due: '2026-12-01', priority: 'none', clear: ['project'] })).task.due,
    ).toBe('2026-12-01');
    for (const to of [{ name: 'none' }, { merge_into: 'None' }])
      expect((await ana.refused('update_project', { project: 'Home', ...to })).message).toMatch(
        /^"none" is reserved: it means no project\.$/i,
      );
  });

  test('"none" goes together with clear, and is the same call in whatever order the fields come', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', priority: 'high', due: '2026-12-01', start: '2026-11-30' });
    const once = { id: 1, clear: '["start"]', priority: 'none', due: 'none', request_id: 'once' };
    expect((await ana.call('update_task', once)).text).toMatch(/^Updated #1 Roof\n/);
    const again = { id: 1, due: 'none', priority: 'none', request_id: 'once', clear: ['start'] };
    expect((await ana.ok('update_task', again)).replayed).toBe(true);
    const clear = 'description,priority,due,start,repeats,estimate_minutes,project,parent,labels,blocked_by';
    expect((await ana.call('update_task', { id: 1, clear, due: 'none' })).text).toBe('Unchanged #1 Roof');
  });

  test.each(['+none', '@None', '# none'])(
    'the project %s is none, as it would be without the sign',
    async (project) => {
      const ana = await newAgent(world);
      await ana.ok('add_tasks', {
        tasks: [
          { title: 'Roof', project: 'Home' },
          { title: 'Wall', project },
        ],
      });
      await ana.ok('add_task', { title: 'Door', project, labels: ['none'] });
      await ana.ok('update_task', { id: 1, project });
      expect((await ana.ok('list_projects')).projects).toEqual([{ name: 'Home', open: 0 }]);
      expect((await ana.ok('list_tasks', { project })).tasks).toEqual([
        { id: 3, title: 'Door' },
        { id: 2, title: 'Wall' },
        { id: 1, title: 'Roof' },
      ]);
    },
  );

  test('null and "" mean not given; only clear empties', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', {
      title: 'Call',
      description: 'x',
      due: '2026-11-24',
      start: '2026-11-23',
      priority: 'low',
      estimate_minutes: 5,
      project: 'Home',
      labels: ['a', 'b'],
    });
    await ana.ok('update_task', { id: 1, title: 'Ring', description: '', due: null, project: '', priority: null });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({
      description: 'x',
      due: '2026-11-24',
      project: 'Home',
    });
    await ana.ok('update_task', {
      id: 1,
      clear: ['description', 'due', 'start', 'priority', 'estimate_minutes', 'project', 'labels'],
    });
    const { created, created_by, updated, history, ...left } = (await ana.ok('get_task', { id: 1 })).task;
    expect(left).toEqual({ id: 1, title: 'Ring', status: 'pending', version: 3 });
    expect(await ana.refused('update_task', { id: 1, due: '2026-11-24', clear: ['due'] })).toMatchObject({
      code: 'invalid',
      message: 'due is both given and cleared.',
    });
    expect(await ana.refused('update_task', { id: 1, add_labels: ['x', 'Y'], remove_labels: ['y'] })).toMatchObject({
      code: 'invalid',
      message: '@Y is both added and removed.',
    });
    expect(await ana.refused('update_task', { id: 1, add_blocked_by: [2], remove_blocked_by: [2] })).toMatchObject({
      code: 'invalid',
      message: '#2 is both added and removed as a blocker.',
    });
  });

  test('shifts the dates of many, each from where it is', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Build', start: '2027-03-01', due: '2027-03-27T09:00' },
        { title: 'Test', due: '2027-01-31' },
        { title: 'Water', due: '2027-01-02', repeats: 'every week' },
        { title: 'Some day' },
      ],
    });
    const datesAfter = async (shift: string, ids = [1, 2, 3]) => {
      await ana.ok('update_task', { ids, shift });
      const { tasks } = await ana.ok('get_task', { ids });
      return tasks.map(({ start, due }: { start?: string; due?: string }) => [start, due].filter(Boolean).join(' '));
    };
    // At nine before the clocks change, and at nine after.
    expect(await datesAfter('1 day')).toEqual(['2027-03-02 2027-03-28T09:00+02:00', '2027-02-01', '2027-01-03']);
    expect(await datesAfter('-1 day')).toEqual(['2027-03-01 2027-03-27T09:00+01:00', '2027-01-31', '2027-01-02']);
    expect(await datesAfter('a month later')).toEqual([
      '2027-04-01 2027-04-27T09:00+02:00',
      '2027-02-28',
      '2027-02-02',
    ]);
    expect(await datesAfter('by 2 weeks earlier')).toEqual([
      '2027-03-18 2027-04-13T09:00+02:00',
      '2027-02-14',
      '2027-01-19',
    ]);
    const moved = await ana.call('update_task', { ids: [1, 4], shift: '+1 week' });
    expect(moved.json).toMatchObject({ tasks: [{ id: 1, due: '2027-04-20T09:00+02:00' }, { id: 4 }], unchanged: [4] });
    await ana.ok('undo', { last: 1 });
    expect((await ana.ok('get_task', { id: 1 })).task.due).toBe('2027-04-13T09:00+02:00');
    // The series goes on as it was: this one alone is late.
    expect((await ana.ok('complete_task', { id: 3 })).next).toMatchObject([{ id: 5, due: '2027-01-23' }]);
  });

  test.each([
    [{ shift: 'soon' }, 'shift: "soon" is not an amount of time.'],
    [{ shift: '0 days' }, 'shift: "0 days" is not an amount of time.'],
    [{ shift: '2027-01-01' }, 'shift: "2027-01-01" is not an amount of time.'],
    [{ shift: '3 hours' }, 'due is a day without a time and cannot be moved by hours.'],
    [{ shift: '2000 years' }, 'shift moves due outside the years 1900 to 2999.'],
    [{ shift: '999999 years' }, 'shift: "999999 years" is not an amount of time.'],
    [{ shift: '-2 days earlier' }, 'shift: "-2 days earlier" is not an amount of time.'],
    [{ shift: '1 day', due: 'tomorrow' }, 'shift and due are both given.'],
    [{ shift: '1 day', clear: ['start'] }, 'shift and start are both given.'],
  ])('refuses to shift by %j', async (patch, message) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Test', due: '2027-01-31' });
    expect((await ana.refused('update_task', { id: 1, ...patch })).message).toBe(message);
  });

  test('refuses to shift what has no date, and leaves it as it is among others that have one', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }, { title: 'C', start: '2027-01-31' }] });
    expect(await ana.refused('update_task', { ids: [1, 2], shift: '1 day' })).toMatchObject({
      code: 'invalid',
      message: 'There is no due or start date to shift.',
    });
    expect((await ana.ok('update_task', { ids: [1, 3], shift: '1 day' })).unchanged).toEqual([1]);
    expect((await ana.refused('update_task', { id: 1, shift: 'banana' })).message).toContain('not an amount of time');
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.refused('update_task', { id: 1, shift: '1 day' })).message).toContain('in the trash');
  });

  test('says of each that it cannot shift which it is and why, and shifts the rest', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', due: '2027-01-31' },
        { title: 'B', due: '2027-03-27T02:30' },
      ],
    });
    const hours = await ana.call('update_task', { ids: [1, 2], shift: '3 hours' });
    expect(hours.text).toContain('Failed: #1: due is a day without a time and cannot be moved by hours.');
    expect(hours.json.tasks).toMatchObject([{ id: 2, due: '2027-03-27T05:30+01:00' }]);
    await ana.ok('update_task', { id: 2, shift: '3 hours sooner' });
    // At half past two the clocks are at three.
    expect((await ana.refused('update_task', { id: 2, shift: '1 day' })).message).toBe(
      'shift moves due to 02:30, which the clocks skip that day.',
    );
  });

  test('says once what is wrong with all of them', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }, { title: 'C' }] });
    const { message } = await ana.refused('update_task', { ids: [1, 2, 3, 9], due: 'whenever' });
    expect(message.match(/whenever/g)).toHaveLength(1);
    expect(message).toContain('No task #9.');
  });

  test('says where a sub-task comes out of the trash and what it is part of does not', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', parent: 'a' },
        { title: 'C', parent: 'a' },
      ],
    });
    await ana.ok('delete_task', { id: 1 });
    const note = '#2 is part of #1, still in the trash: restore that too, or clear its parent.';
    expect((await ana.ok('update_task', { id: 2, status: 'pending' })).note).toBe(note);
    expect((await ana.ok('update_task', { ids: [1, 3], status: 'pending' })).note).toBeUndefined();
  });

  test('says of a project and labels that are new what there is that is written like them', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', project: 'Home', labels: ['errand'] });
    await ana.ok('add_task', { title: 'Write' });
    const updated = await ana.call('update_task', { ids: [1, 2], project: 'Hme', add_labels: ['errnd', 'phone'] });
    const note = '+Hme is new; there is also +Home. @errnd is new; there is also @errand.';
    expect(updated.json.note).toBe(note);
    expect(updated.text.split('\n')).toContain(note);
    // A project that comes of nothing is none.
    expect((await ana.refused('update_task', { ids: [9], project: 'Hom' })).code).toBe('not_found');
  });

  test('adds and removes labels one by one, and a label keeps its spelling', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', labels: ['Phone', 'home'] });
    expect(
      (await ana.ok('update_task', { id: 1, add_labels: ['phone', 'now'], remove_labels: 'HOME' })).task.labels,
    ).toEqual(['now', 'Phone']);
    expect((await ana.ok('update_task', { id: 1, clear: ['labels'], add_labels: ['phone'] })).task.labels).toEqual([
      'Phone',
    ]);
    await ana.ok('update_task', { id: 1, add_labels: ['now'] });
    const unchanged = await ana.ok('update_task', { id: 1, add_labels: ['PHONE'], remove_labels: ['nothing'] });
    expect(unchanged.undo).toBeUndefined();
    expect(unchanged.task.version).toBe(4);
  });

  test('many at once take the same patch; only what changes gets a new version', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', priority: 'high' });
    await ana.ok('add_task', { title: 'Two' });
    const reply = await ana.call('update_task', { ids: '[1, "#2"]', priority: 'high' });
    expect(reply.text).toBe('Unchanged #1 One · high\nUpdated #2 Two · high\nundo: u3');
    expect((await ana.ok('get_task', { id: 1 })).task.version).toBe(1);
    expect((await ana.ok('get_task', { id: 2 })).task.version).toBe(2);
  });

  test('of many it tells what changed and what stands in their way, and all of those that went along', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', due: '2026-11-24', priority: 'high', labels: ['phone'] });
    await ana.ok('add_task', { title: 'Two', due: '2026-12-24', blocked_by: [1] });
    await ana.ok('add_task', { title: 'Part', parent: 2, due: '2026-12-01' });
    const moved = await ana.call('update_task', { ids: [1, 2], project: 'Home', due: '2026-12-24' });
    expect(moved.text).toBe(
      'Updated #1 One · due 24 Dec · +Home\nUpdated #2 Two · +Home · 1 open sub-task · blocked by #1\nUpdated #3 Part · due 1 Dec · +Home · in #2\nundo: u4',
    );
    expect(moved.json.tasks).toEqual([
      { id: 1, title: 'One', due: '2026-12-24', project: 'Home' },
      { id: 2, title: 'Two', project: 'Home', open_subtasks: 1, blocked_by: [1] },
      { id: 3, title: 'Part', due: '2026-12-01', project: 'Home', parent: 2 },
    ]);
    expect((await ana.ok('update_task', { ids: [1, 3], status: 'in_progress' })).tasks).toEqual([
      { id: 1, title: 'One' },
      { id: 3, title: 'Part' },
    ]);
  });

  test('of very many tells once what is the same for all, and of each what is not', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 40 }, (_, i) => ({ title: `Step ${i + 1}`, labels: [`l${i}`] }));
    await ana.ok('add_tasks', { tasks: [...tasks, { title: 'Bins', due: '2026-11-24', repeats: 'every week' }] });
    const ids = Array.from({ length: 41 }, (_, i) => 41 - i);
    await ana.ok('update_task', { id: 3, priority: 'high' });
    const { text, json } = await ana.call('update_task', { ids, due: 'in 9 days', add_labels: ['now'] });
    expect(text).toBe(
      'Updated 40 tasks, #1–#40 · due 1 Dec.\nUpdated #41 Bins · due 1 Dec · @now\n  then 8 Dec, 15 Dec, 22 Dec\nundo: u43',
    );
    expect(json).toMatchObject({ tasks: [{ id: 41 }], total: 41, note: 'Updated 40 tasks, #1–#40 · due 1 Dec.' });
    const again = await ana.call('update_task', { ids: [...ids.slice(1), 99], due: '2026-12-01' });
    expect(again.text).toBe('Unchanged 40 tasks, #1–#40.\nFailed: No task #99. Use list_tasks to find its id.');
    expect(again.json.unchanged).toHaveLength(40);
    expect((await ana.call('delete_task', { ids: ids.slice(1) })).text).toBe('Deleted 40 tasks, #1–#40.\nundo: u84');
  });

  test('of many that repeat it tells the next dates where these changed, in both channels', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due: '2026-11-24', repeats: 'every week' });
    await ana.ok('add_task', { title: 'Rent', due: '2026-11-25' });
    const renamed = await ana.call('update_task', { ids: [1, 2], priority: 'high' });
    expect(renamed.text).toBe('Updated #1 Bins · high\nUpdated #2 Rent · high\nundo: u3');
    expect(renamed.json.tasks[0]).toEqual({ id: 1, title: 'Bins', priority: 'high' });
    const moved = await ana.call('update_task', { ids: [1, 2], due: '2026-12-01' });
    expect(moved.text).toContain('Updated #1 Bins · due 1 Dec\n  then 8 Dec, 15 Dec, 22 Dec\nUpdated #2');
    expect(moved.json.tasks[0].next).toEqual(['2026-12-08', '2026-12-15', '2026-12-22']);
  });

  test('a rule keeps the time of the day that it starts from, also where it starts on another day', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Meeting', due: '2026-11-29T14:30' });
    const reply = await ana.call('update_task', { id: 1, repeats: 'every Mon and Wed' });
    expect(reply.json.task).toMatchObject({ due: '2026-11-30T14:30+01:00', repeats: 'every Mon and Wed at 14:30' });
    expect((await ana.ok('update_task', { id: 1, repeats: 'every friday' })).task).toMatchObject({
      due: '2026-12-04T14:30+01:00',
      repeats: 'every Fri at 14:30',
    });
    expect((await ana.ok('update_task', { id: 1, repeats: 'every monday at 9' })).task.due).toBe(
      '2026-12-07T09:00+01:00',
    );
  });

  test.each([
    ['2027-12-24', 'every day', { due: '2027-12-24' }],
    ['2027-12-24', 'every day starting tomorrow', { due: '2026-11-23' }],
    ['2027-12-24', 'every day starting friday', { due: '2026-11-27' }],
    ['2027-12-24', 'every monday starting 1 dec', { due: '2026-12-07' }],
    ['2027-12-24T14:30', 'every monday starting 1 dec', { due: '2026-12-07T14:30+01:00' }],
    ['2027-12-24T14:30', 'every day starting today', { due: '2026-11-22T14:30+01:00' }],
    ['2027-12-24T14:30', 'every day at 9 starting today', { due: '2026-11-23T09:00+01:00' }],
    ['2027-12-24', 'every day until june', { due: '2027-12-24', repeats: 'every day until 30 Jun 2028' }],
    ['2026-11-10', 'every day starting friday', { due: '2026-11-27' }],
    ['2026-11-10', 'every day until friday', { due: '2026-11-10', repeats: 'every day until 27 Nov 2026' }],
    ['2026-11-24', 'every day at 0:00', { due: '2026-11-24T00:00+01:00' }],
  ])('due %s and made to repeat %s it starts and ends as said today, not then', async (due, repeats, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due });
    expect((await ana.ok('update_task', { id: 1, repeats })).task).toMatchObject(expected);
  });

  test('with a recurrence as its due date it is due as a new task would be', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due: '2026-11-01' });
    await ana.ok('add_task', { title: 'Plants', due: '2027-06-01T14:00' });
    const { tasks } = await ana.ok('update_task', { ids: [1, 2], due: 'every monday' });
    expect(tasks.map(({ due }: { due: string }) => due)).toEqual(['2026-11-23', '2026-11-23']);
  });

  test('refuses an end before the day that it is due on, and a start beside a due date, as a new task does', async () => {
    const ana = await newAgent(world);
    const due = '2027-12-24';
    await ana.ok('add_task', { title: 'Bins', due });
    for (const [repeats, end] of [
      ['every friday until today', '2026-11-22'],
      ['every day until tomorrow', '2026-11-23'],
      ['every day until 2027-12-23', '2027-12-23'],
    ]) {
      const message = `repeats: it ends ${end}, before its first day, 2027-12-24.`;
      expect(await ana.refused('update_task', { id: 1, repeats })).toMatchObject({ message });
      expect(await ana.refused('add_task', { title: 'Bins', due, repeats })).toMatchObject({ message });
    }
    expect((await ana.refused('update_task', { id: 1, repeats: 'every monday until tomorrow' })).message).toBe(
      'repeats: it ends 2026-11-23, before its first day, 2027-12-27.',
    );
    const both = { due, repeats: 'every day starting tomorrow' };
    const { message } = await ana.refused('update_task', { id: 1, ...both });
    expect(message).toBe('repeats: it starts 2026-11-23, but due is 2027-12-24.');
    expect((await ana.refused('add_task', { title: 'Bins', ...both })).message).toBe(message);
  });

  test('tells next dates only where they changed and something follows', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due: '2026-11-24', repeats: 'every week' });
    const nextAfter = async (tool: string, args: object) => {
      const { json, text } = await ana.call(tool, { id: 1, ...args });
      expect(text.includes('\n  then '), text).toBe(json.task.next !== undefined);
      return json.task.next;
    };
    expect(await nextAfter('update_task', { due: '2026-11-25' })).toHaveLength(3);
    expect(await nextAfter('update_task', { due: '2026-11-25' })).toBeUndefined();
    expect(await nextAfter('update_task', { priority: 'high' })).toBeUndefined();
    expect(await nextAfter('delete_task', {})).toBeUndefined();
  });

  test('completing here is completing there', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    expect(await ana.refused('update_task', { id: 1, status: 'completed' })).toMatchObject({
      code: 'conflict',
      message: '#1 has 1 open sub-task.',
    });
    await ana.ok('update_task', { ids: [1, 2], status: 'completed' });
    expect((await ana.ok('list_tasks', { status: 'completed' })).total).toBe(2);
    expect(await ana.refused('update_task', { id: 2, status: 'pending' })).toMatchObject({
      code: 'conflict',
      message: '#2 is a sub-task of #1, which is completed.',
    });
    expect((await ana.ok('update_task', { ids: [2, 1], status: 'pending' })).tasks).toHaveLength(2);
    expect((await ana.ok('get_task', { id: 1 })).task.completed).toBeUndefined();
  });

  test('a parent is neither the task itself, nor below it, nor too deep, nor closed', async () => {
    const ana = await newAgent(world);
    for (let i = 1; i <= 5; i++) await ana.ok('add_task', { title: `level ${i}`, ...(i > 1 && { parent: i - 1 }) });
    await ana.ok('add_task', { title: 'apart' }); // #6
    for (const parent of [1, 3])
      expect(await ana.refused('update_task', { id: 1, parent })).toMatchObject({ code: 'conflict' });
    expect(await ana.refused('update_task', { id: 6, parent: 5 })).toMatchObject({ code: 'invalid' });
    expect(await ana.refused('update_task', { id: 1, parent: 6 })).toMatchObject({ code: 'invalid' });
    expect(await ana.refused('add_task', { title: 'deeper', parent: 5 })).toMatchObject({ code: 'invalid' });
    await ana.ok('complete_task', { id: 6 });
    const closed = {
      code: 'conflict',
      message: '#6 is completed: it takes no new sub-tasks.',
      hint: 'Reopen it first: update_task {"ids":[6],"status":"pending"}.',
    };
    expect(await ana.refused('update_task', { id: 5, parent: 6 })).toEqual(closed);
    expect(await ana.refused('update_task', { ids: [4, 5], parent: 6 })).toEqual(closed);
    expect(await ana.refused('add_task', { title: 'late', parent: 6 })).toEqual(closed);
    expect((await ana.ok('update_task', { id: 5, parent: 6, status: 'completed' })).task.parent).toBe(6);
    await ana.ok('update_task', { id: 5, parent: 4, status: 'pending' });
    await ana.ok('delete_task', { id: 6 });
    expect(await ana.refused('update_task', { id: 5, parent: 6 })).toMatchObject({ message: '#6 is in the trash.' });
    expect(await ana.refused('update_task', { id: 5, parent: 99 })).toMatchObject({ message: 'No task #99.' });
    await ana.ok('update_task', { id: 5, clear: ['parent'] });
    expect((await ana.ok('list_tasks', { parent: 4 })).total).toBe(0);
  });

  test('a task and one below it move together as deep as both may be afterwards, and back', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { ref: 'a', title: 'A' },
        { ref: 'b', title: 'B', parent: 'a' },
        { ref: 'c', title: 'C', parent: 'b' },
        { title: 'D', parent: 'c' },
        { ref: 'e', title: 'E' },
        { title: 'F', parent: 'e' },
      ],
    });
    const parents = async () =>
      (await ana.ok('get_task', { ids: [1, 2] })).tasks.map(({ parent }: { parent?: number }) => parent);
    const { failed, undo } = await ana.ok('update_task', { ids: [1, 2], parent: 6 });
    expect(failed).toBeUndefined();
    expect(await parents()).toEqual([6, 6]);
    expect((await ana.ok('undo', { undo })).failed).toBeUndefined();
    expect(await parents()).toEqual([undefined, 1]);
  });

  test('asks for something to change', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call' });
    expect(await ana.refused('update_task', { id: 1 })).toMatchObject({
      code: 'invalid',
      message: 'Nothing to change.',
    });
  });

  test('history keeps the fields that changed, before and after', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', description: 'long story', labels: ['a'] });
    await ana.ok('update_task', {
      id: 1,
      title: 'Ring',
      add_labels: ['b'],
      remove_labels: ['a'],
      clear: ['description'],
    });
    const [row] = await rowsOf(
      world,
      'select op, version, before, after from taskloom.changes where user_id = $1 and seq = 2',
      [ana.principal.userId],
    );
    expect(row).toEqual([
      'update',
      2,
      { title: 'Call', description: 'long story', labels: ['a'] },
      { title: 'Ring', description: null, labels: ['b'] },
    ]);
  });
});

describe('every write', () => {
  const state = async (userId: string) => ({
    tasks: await rowsOf(world, 'select * from taskloom.tasks where user_id = $1 order by id', [userId]),
    labels: await rowsOf(world, 'select * from taskloom.task_labels where user_id = $1 order by 2, 3', [userId]),
    projects: await rowsOf(world, 'select * from taskloom.projects where user_id = $1 order by id', [userId]),
    changes: await rowsOf(world, 'select * from taskloom.changes where user_id = $1 order by seq', [userId]),
    counters: await rowsOf(world, 'select * from taskloom.counters where user_id = $1', [userId]),
    requests: await rowsOf(world, 'select * from taskloom.requests where user_id = $1 order by key', [userId]),
  });

  test.each([
    ['add_task', { title: 'New', project: 'New', labels: ['new'] }],
    ['update_task', { ids: [1, 99], title: 'Other', add_labels: ['x'] }],
    ['complete_task', { ids: [1] }],
    ['delete_task', { ids: [1] }],
  ])('%s as a dry run answers what would change and writes nothing', async (tool, args) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old', labels: ['a'] });
    const before = await state(ana.principal.userId);
    const dry = await ana.call(tool, { ...args, dry_run: true, request_id: 'dry' });
    expect(await state(ana.principal.userId)).toEqual(before);
    expect(dry.text).toMatch(/^Dry run, nothing was written\. The answer would be:\n/);
    const { dry_run, ...would } = dry.json;
    expect(dry_run).toBe(true);
    // The same request_id may then be used for the real thing: a dry run stores nothing.
    const { undo, ...did } = await ana.ok(tool, { ...args, request_id: 'dry' });
    expect(did).toEqual(would);
    expect(undo).toBeDefined();
  });

  test('a request_id is of one call: other arguments or another tool are refused', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', request_id: 'r' });
    for (const [tool, args] of [
      ['add_task', { title: 'Two' }],
      ['complete_task', { id: 1 }],
    ] as const)
      expect(await ana.refused(tool, { ...args, request_id: 'r' })).toMatchObject({
        code: 'conflict',
        message: 'This request_id was already used for another call.',
      });
    // Spelled otherwise, it is the same call; and another user's ids are another user's.
    expect(await ana.ok('add_task', { request_id: 'r', title: ' One ', description: '' })).toMatchObject({
      replayed: true,
    });
    const bob = await newAgent(world);
    expect((await bob.ok('add_task', { title: 'One', request_id: 'r' })).replayed).toBeUndefined();
  });

  test('a claim is repeated to its own client only, any other write to whoever sends it again', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    const restarted = await agentOf(world, ana.principal, 'test');
    const addition = { title: 'A', request_id: 'add-1' };
    const added = await ana.ok('add_task', addition);
    for (const agent of [bob, restarted])
      expect(await agent.ok('add_task', addition)).toEqual({ ...added, replayed: true });

    const claimed = await ana.ok('claim_task', { request_id: 'claim-1' });
    expect(await bob.refused('claim_task', { request_id: 'claim-1' })).toEqual({
      code: 'conflict',
      message: 'This request_id was already used by test, at 14:02.',
      hint: 'Nothing was written. Use a fresh random request_id for each new write.',
    });
    expect(await restarted.ok('claim_task', { request_id: 'claim-1' })).toEqual({ ...claimed, replayed: true });
  });

  test('a dry run with a request_id that was used answers what the call would', async () => {
    const ana = await newAgent(world);
    const added = await ana.ok('add_task', { title: 'One', request_id: 'r' });
    const call = { title: 'One', request_id: 'r', dry_run: true };
    expect(await ana.ok('add_task', call)).toEqual({ ...added, replayed: true, dry_run: true });
    const other = await ana.refused('add_task', { ...call, title: 'Two' });
    expect(other.message).toBe('This request_id was already used for another call.');
  });

  test('a refusal is not kept: the same request is judged afresh', async () => {
    const ana = await newAgent(world);
    await ana.refused('complete_task', { id: 1, request_id: 'r' });
    await ana.ok('add_task', { title: 'Now there' });
    expect((await ana.ok('complete_task', { id: 1, request_id: 'r' })).task.status).toBe('completed');
  });

  test('after a day a request_id may be used again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water plants', request_id: 'r' });
    setClock(world, '2026-11-23T13:02:01Z');
    expect((await ana.ok('add_task', { title: 'Water plants', request_id: 'r' })).task.id).toBe(2);
    expect(await ana.ok('add_task', { title: 'Water plants', request_id: 'r' })).toMatchObject({
      replayed: true,
      task: { id: 2 },
    });
  });

  test('of twins sent at once, one writes and the others replay it', async () => {
    const ana = await newAgent(world);
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => ana.ok('add_task', { title: 'Twin', request_id: 'same' })),
    );
    expect(replies.filter((reply) => !reply.replayed)).toHaveLength(1);
    expect(new Set(replies.map((reply) => reply.task.id))).toEqual(new Set([1]));
    expect((await ana.ok('list_tasks')).total).toBe(1);
  });

  test('a host’s own id of a call serves like a request_id, but never those of one attempt', async () => {
    const ana = await newAgent(world);
    const send = (_meta: Record<string, unknown>) =>
      ana.client.callTool({ name: 'add_task', arguments: { title: 'Hosted' }, _meta });
    await send({ 'claudecode/toolUseId': 'toolu_1' });
    expect((await send({ 'claudecode/toolUseId': 'toolu_1' })).structuredContent).toMatchObject({ replayed: true });
    await send({ progressToken: 7 });
    await send({ progressToken: 7 });
    expect((await ana.ok('list_tasks')).total).toBe(3);
  });

  test.each([
    ['by nothing else', {}, {}],
    ['by a request_id', { request_id: 'r' }, {}],
    ['by a host’s own id', {}, { 'claudecode/toolUseId': 'toolu_1' }],
  ])('what a relay sends again, known %s, is answered as the first time', async (_known, args, meta) => {
    const ana = await newAgent(world);
    const send = async (call: string) => {
      const _meta = { ...meta, 'taskloom/call': call };
      const params = { name: 'add_task', arguments: { title: 'Relayed', ...args }, _meta };
      const { content, structuredContent } = await ana.client.callTool(params);
      return { content, structuredContent };
    };
    const first = await send('one');
    expect(await send('one')).toEqual(first);
    expect((await ana.ok('list_tasks')).total).toBe(1);
  });

  test('ids of calls from a client, its host and a relay do not meet, even if they are the same text', async () => {
    const ana = await newAgent(world);
    for (const [args, _meta] of [
      [{ request_id: 'same' }, {}],
      [{}, { 'claudecode/toolUseId': 'same' }],
      [{}, { 'taskloom/call': 'same' }],
    ])
      await ana.client.callTool({ name: 'add_task', arguments: { title: 'Once', ...args }, _meta: { ..._meta } });
    expect((await ana.ok('list_tasks')).total).toBe(3);
  });

  test('a write that the client itself repeats through a relay is marked as replayed', async () => {
    const ana = await newAgent(world);
    const send = (call: string) =>
      ana.client.callTool({
        name: 'add_task',
        arguments: { title: 'Repeated', request_id: 'r' },
        _meta: { 'taskloom/call': call },
      });
    await send('one');
    for (const call of ['two', 'two']) expect((await send(call)).structuredContent).toMatchObject({ replayed: true });
  });

  test('says of what comes out of the trash that it is restored, and where lists leave it out', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A', project: 'Attic' });
    await ana.ok('delete_task', { id: 1 });
    await ana.ok('update_project', { project: 'Attic', archived: true });
    const { json, text } = await ana.call('update_task', { id: 1, status: 'pending' });
    expect(text).toContain('Restored #1 A');
    expect(json.note).toBe('+Attic is archived: lists omit its tasks.');
  });
});
