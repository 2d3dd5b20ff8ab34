import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, setClock, useWorld } from '../support/harness.js';

const world = useWorld();
const END = '#2 comes next. To end the series: update_task {"ids":[2],"status":"cancelled","clear":["repeats"]}.';
const daily = { title: 'Water', due: '2026-11-22', repeats: 'every day' };

describe('closing a repeating task', () => {
  test('ends the series where the same call clears the rule', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const done = await ana.ok('update_task', { id: 1, status: 'completed', clear: ['repeats'] });
    expect(done.next).toBeUndefined();
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
  });

  test.each([
    ['update_task', { status: 'cancelled' }, END],
    ['release_task', { status: 'cancelled' }, END],
    ['update_task', { status: 'completed' }, undefined],
    ['complete_task', {}, undefined],
  ])('says once how to end the series where it is cancelled: %s %j', async (tool, args, note) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const claim = tool === 'release_task' ? (await ana.ok('claim_task', { id: 1 })).claim : undefined;
    const { json, text } = await ana.call(tool, { id: 1, claim, ...args });
    expect(json).toMatchObject({ next: [{ id: 2 }] });
    expect(json.note).toBe(note);
    expect(text.split('comes next')).toHaveLength(note ? 2 : 1);
    if (note) expect(text).toContain(`\n${note}\nNext #2 Water`);
  });

  test('says how to end several series at once, and nothing of what has ended', async () => {
    const ana = await newAgent(world);
    for (let i = 0; i < 2; i++) await ana.ok('add_task', daily);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 1 time' });
    const both = await ana.ok('update_task', { ids: [1, 2, 3], status: 'cancelled' });
    expect(both.note).toBe(
      '#3 was the last of its series. #4, #5 come next. To end these series: update_task {"ids":[4,5],"status":"cancelled","clear":["repeats"]}.',
    );
    const call = JSON.parse(/update_task (.*)\.$/.exec(both.note)?.[1] ?? '');
    const end = await ana.ok('update_task', call);
    expect([end.note, end.next]).toEqual([undefined, undefined]);
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
  });

  test('says where a series has come to its end by itself', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 1 time' });
    await ana.ok('add_task', daily);
    expect((await ana.ok('complete_task', { ids: [1] })).note).toBe('#1 was the last of its series.');
    const ended = await ana.ok('update_task', { id: 2, status: 'completed', clear: ['repeats'] });
    expect(ended.note).toBeUndefined();
  });

  test.each([
    [undefined, 'Closing #1 ended the series of #2 (every day); reopened with #1, it goes on.'],
    ['every week', undefined],
    [
      'every week for 1 time',
      '#1 was the last of its series. Closing #1 ended the series of #2 (every day); reopened with #1, it goes on.',
    ],
  ])('that ends with what it is part of is said to have ended, if that is not followed (%s)', async (repeats, note) => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Move', ref: 'm', repeats },
        { title: 'Water', parent: 'm', repeats: 'every day' },
      ],
    });
    expect((await ana.ok('complete_task', { ids: [1, 2] })).note).toBe(note);
  });

  test('keeps the rule where none follows, and goes on with it once it is open again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Move' });
    await ana.ok('add_task', { ...daily, parent: 1 });
    await ana.ok('complete_task', { ids: [1, 2] });
    expect((await ana.ok('get_task', { id: 2 })).task).toMatchObject({ status: 'completed', repeats: 'every day' });
    expect((await ana.ok('update_task', { id: 2, title: 'Water it' })).note).toBeUndefined();
    await ana.ok('update_task', { ids: [1, 2], status: 'pending' });
    expect((await ana.ok('complete_task', { id: 2 })).next).toMatchObject([{ due: '2026-11-23' }]);
  });

  test('keeps the rule after its end too', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 2 times' });
    await ana.ok('complete_task', { id: 1 });
    for (const _ of ['once', 'again']) {
      expect((await ana.ok('complete_task', { id: 2 })).note).toBe('#2 was the last of its series.');
      const { task, note } = await ana.ok('update_task', { id: 2, status: 'pending' });
      expect([task.repeats, note]).toEqual(['every day for 2 times', undefined]);
    }
  });

  test('says how to end it with the sub-tasks that came with the next', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('add_task', { title: 'Fill the can', parent: 1 });
    const { note } = await ana.ok('update_task', { ids: [1, 2], status: 'cancelled' });
    const call = /update_task (\{.*\})\./.exec(note)?.[1] as string;
    expect((await ana.ok('update_task', JSON.parse(call))).failed).toBeUndefined();
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
  });

  test('is the way to leave out one with sub-tasks, as is said where it is deleted', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('add_task', { title: 'Fill the can', parent: 1 });
    await ana.ok('add_task', { title: 'Find the can', parent: 2 });
    await ana.ok('add_task', { title: 'Buy seeds', parent: 1 });
    await ana.ok('complete_task', { id: 4 });
    const { note } = await ana.ok('delete_task', { ids: [1, 2] });
    expect(note).toBe(
      'This ends the series of #1. To skip only this time, undo it, then: update_task {"ids":[1,2,3],"status":"cancelled"}.',
    );
    await ana.ok('undo', { last: 1 });
    const skipped = await ana.ok('update_task', { ids: [1, 2, 3], status: 'cancelled' });
    expect(skipped.failed).toBeUndefined();
    expect(skipped.next).toMatchObject([{ due: '2026-11-23' }]);
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

describe('closing what has a sub-task that repeats', () => {
  test('is refused with what works: all in one call, or an end of the series', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Garden' });
    await ana.ok('add_task', { ...daily, parent: 1 });
    await ana.ok('add_task', { title: 'Dig', parent: 1 });
    const { hint } = await ana.refused('complete_task', { id: 1 });
    expect(hint).toBe(
      'Complete or cancel all of them together with #1, in one call: #2 repeats, and closing brings the next. Or end its series first: update_task {"ids":[2],"clear":["repeats"]}.',
    );
    const { undo } = await ana.ok('complete_task', { ids: [1, 2, 3] });
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
    await ana.ok('undo', { undo });
    await ana.ok('update_task', { id: 2, clear: ['repeats'] });
    await ana.ok('complete_task', { ids: [2, 3] });
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.ok('list_tasks')).tasks).toEqual([]);
  });
});

describe('a series with an end', () => {
  test.each([
    ['FREQ=WEEKLY;BYDAY=MO;COUNT=4', '2026-11-02', '2 dates of the series after #1 were past and skipped.'],
    [
      'FREQ=WEEKLY;BYDAY=MO;COUNT=2',
      '2026-11-09',
      '1 date of the series after #1 was past and skipped. #1 was the last of its series.',
    ],
    ['every day until 30 Nov', '2026-11-20', '1 date of the series after #1 was past and skipped.'],
    ['every day until 30 Nov', '2026-11-22', undefined],
    ['every day', '2026-11-02', undefined],
  ])('tells how many of its dates are skipped: %s', async (repeats, due, note) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Report', due, repeats });
    expect((await ana.ok('complete_task', { id: 1 })).note).toBe(note);
  });
});

describe('what follows a repeating task', () => {
  const garden = async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Garden', due: '2026-11-22', repeats: 'every week' });
    await ana.ok('add_task', { title: 'Water', parent: 1, due: '2026-11-22', repeats: 'every day' });
    return ana;
  };
  const later = (minute: number) => setClock(world, `2026-11-22T13:0${minute}:00.000Z`);
  const twice: [string, (ana: Agent) => Promise<unknown>][] = [
    ['cancelled, and edited since', (ana) => ana.ok('update_task', { id: 2, description: 'It rained' })],
    [
      'reopened and closed again',
      async (ana) => {
        await ana.ok('update_task', { id: 2, status: 'pending' });
        later(4);
        await ana.ok('complete_task', { id: 2 });
      },
    ],
    ['renamed and moved', (ana) => ana.ok('update_task', { id: 2, title: 'Sprinkle', after: 3 })],
  ];
  test.each(twice)('is copied with its parent, and what it followed is not: %s', async (_how, change) => {
    const ana = await garden();
    await ana.ok('update_task', { id: 2, status: 'cancelled' });
    later(3);
    await change(ana);
    later(5);
    await ana.ok('complete_task', { ids: [1, 3] });
    const { tasks } = await ana.ok('list_tasks', { sort: 'manual' });
    expect(tasks.map(({ title }: { title: string }) => title).sort()).toEqual(['Garden', 'Water']);
  });

  test('is known of series from before that was stored', async () => {
    const ana = await garden();
    await ana.ok('complete_task', { id: 2 });
    await ana.ok('complete_task', { ids: [3], request_id: 'again' });
    const user = ana.principal.userId;
    const stored = () => rowsOf(world, 'select id, series from taskloom.tasks where user_id = $1 order by id', [user]);
    const before = await stored();
    expect(before).toEqual([
      [1, null],
      [2, null],
      [3, 2],
      [4, 2],
    ]);
    await rowsOf(world, 'alter table taskloom.tasks drop column series', []);
    for (const name of ['0017_follow_in_series', '0021_find_followers', '0022_know_series'])
      for (const statement of readFileSync(`migrations/${name}.sql`, 'utf8').split('--> statement-breakpoint'))
        await rowsOf(world, statement, []);
    expect(await stored()).toEqual(before);
  });

  test('that cannot be reopened by undo says of each how to reopen it instead', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    const daily = { due: '2026-11-22', repeats: 'every day' };
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ...daily },
        { title: 'B', ...daily },
      ],
    });
    await ana.ok('complete_task', { ids: [1, 2] });
    await bob.ok('update_task', { id: 3, title: 'C' });
    const { message, hint } = await ana.refused('undo', { last: 1 });
    for (const id of [1, 2]) {
      expect(message).toContain(`#${id} was closed in one write with others`);
      expect(hint).toContain(`"ids":[${id}]`);
    }
  });

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

describe('what follows a task with a sub-task that repeats too', () => {
  const wait = () => setClock(world, world.now.getTime() + 60_000);

  /** A week with a daily walk, as its second task; each time that it is closed is another moment. */
  async function aWeek() {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Week', due: '2026-11-22', repeats: 'every week' });
    await ana.ok('add_task', { title: 'Walk', due: '2026-11-20', repeats: 'every day', parent: 1 });
    const close = async (ids: number[], status = 'completed'): Promise<number> => {
      wait();
      return (await ana.ok('update_task', { ids, status })).next[0].id;
    };
    const open = async () => (await ana.ok('list_tasks')).tasks.map(({ title }: { title: string }) => title);
    return { ana, close, open };
  }

  test('has that once, however often it was done or left out', async () => {
    const { ana, close, open } = await aWeek();
    let [week, walk] = [1, 2];
    for (const _ of ['one week', 'another']) {
      for (const status of ['completed', 'cancelled', 'completed']) walk = await close([walk], status);
      week = await close([week, walk]);
      walk = week + 1;
      expect(await open()).toEqual(['Walk', 'Week']);
      expect((await ana.ok('get_task', { id: walk })).task).toMatchObject({ parent: week, repeats: 'every day' });
    }
  });

  test('has that as it was last, also where it was renamed or moved, and nothing that was part of those done', async () => {
    const { ana, close, open } = await aWeek();
    await ana.ok('add_task', { title: 'Shoes', parent: 2 });
    await close([2, 3]);
    await ana.ok('update_task', { id: 4, title: 'Long walk' });
    await close([4, 5]);
    await ana.ok('update_task', { id: 6, before: 1 });
    await close([1, 6, 7]);
    expect(await open()).toEqual(['Shoes', 'Long walk', 'Week']);
  });

  test.each([
    ['every day for 3 times', '2026-11-23', ['2026-11-30', '2026-12-01', '2026-12-02']],
    ['every day until 25 Nov', '2026-11-23', ['2026-11-30', '2026-12-01', '2026-12-02']],
    ['every 2 weeks', '2026-11-24', ['2026-12-01', '2026-12-15', '2026-12-29']],
    [
      'every 3 days',
      '2026-11-23T09:00',
      ['2026-11-30T09:00+01:00', '2026-12-03T09:00+01:00', '2026-12-06T09:00+01:00'],
    ],
  ])('begins that anew, as long after as the whole: %s', async (repeats, due, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Week', due: '2026-11-23', repeats: 'every week' });
    await ana.ok('add_task', { title: 'Part', due, repeats, parent: 1 });
    await ana.ok('complete_task', { ids: [1, 2] });
    const dates: string[] = [];
    for (let id = 4; dates.length < expected.length; id++) {
      dates.push((await ana.ok('get_task', { id })).task.due);
      await ana.ok('complete_task', { id });
    }
    expect(dates).toEqual(expected);
  });

  test('has that on a day that its rule allows', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Month', due: '2026-12-10', repeats: 'every month' });
    await ana.ok('add_task', { title: 'Part', due: '2026-12-07', repeats: 'every monday', parent: 1 });
    await ana.ok('complete_task', { ids: [1, 2] });
    expect((await ana.ok('get_task', { id: 4 })).task.due).toBe('2027-01-04');
  });

  test.each([
    ['every day for 3 times', '2026-11-23', ['2026-11-30', '2026-12-01', '2026-12-02']],
    ['every mon and tue until 25 Nov at 09:00', '2026-11-23', ['2026-11-30T09:00+01:00', '2026-12-01T09:00+01:00']],
    ['every 2 days after completion for 3 times', '2026-11-23', ['2026-11-30', '2026-12-01', '2026-12-01']],
  ])('begins that anew from its first, however far it had got: %s', async (repeats, due, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Week', due: '2026-11-26', repeats: 'every thu' });
    await ana.ok('add_task', { title: 'Part', due, repeats, parent: 1 });
    setClock(world, '2026-11-23T12:00:00Z');
    let last = 2;
    for (let next = [{ id: 2 }]; next; next = (await ana.ok('complete_task', { id: last })).next)
      last = next[0]?.id ?? 0;
    await ana.ok('complete_task', { id: 1 });
    setClock(world, '2026-11-29T12:00:00Z');
    const dates: string[] = [];
    for (let id = last + 2; dates.length < expected.length; id++) {
      const { task } = await ana.ok('get_task', { id });
      expect(task.parent).toBe(last + 1);
      dates.push(task.due);
      const { next } = await ana.ok('complete_task', { id });
      expect(next === undefined).toBe(dates.length === expected.length);
    }
    expect(dates).toEqual(expected);
  });

  test('has that before its own due date where it was, with what is part of it', async () => {
    const ana = await newAgent(world);
    setClock(world, '2026-01-12T10:00:00Z');
    await ana.ok('add_task', { title: 'Month', repeats: 'monthly on the 20th' });
    await ana.ok('add_task', {
      title: 'Check',
      parent: 1,
      repeats: 'every mon',
      due: '2026-01-19',
      start: '2026-01-18',
    });
    await ana.ok('add_task', { title: 'Notes', parent: 2, due: '2026-01-17' });
    setClock(world, '2026-01-20T10:00:00Z');
    await ana.ok('complete_task', { ids: [2, 3] });
    await ana.ok('complete_task', { ids: [1, 4, 5] });
    const { tasks } = await ana.ok('list_tasks', { sort: 'manual' });
    expect(tasks).toMatchObject([
      { title: 'Month', due: '2026-02-20' },
      { title: 'Check', due: '2026-02-16', start: '2026-02-15' },
      { title: 'Notes', due: '2026-02-14' },
    ]);
  });

  test('has none where that went to the trash', async () => {
    const { ana, close, open } = await aWeek();
    await close([2]);
    await ana.ok('delete_task', { id: await close([3]) });
    await close([1]);
    expect(await open()).toEqual(['Week']);
  });

  test('has all that was done once, also where another took its name or its place', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Week', due: '2026-11-22', repeats: 'every week' });
    for (const title of ['Plan', 'Buy milk', 'Cook', 'Bake']) await ana.ok('add_task', { title, parent: 1 });
    wait();
    await ana.ok('complete_task', { id: 3 });
    wait();
    await ana.ok('add_task', { title: 'Buy milk', parent: 1 });
    await ana.ok('update_task', { id: 5, after: 2 });
    const ranks = 'select distinct rank from taskloom.tasks where user_id = $1 and id in (3, 5)';
    expect(await rowsOf(world, ranks, [ana.principal.userId])).toHaveLength(1);
    await ana.ok('complete_task', { ids: [1, 2, 4, 5, 6] });
    const titles = (await ana.ok('list_tasks', { parent: 7 })).tasks.map(({ title }: { title: string }) => title);
    expect(titles.sort()).toEqual(['Bake', 'Buy milk', 'Buy milk', 'Cook', 'Plan']);
  });
});

describe('opening a task whose series has gone on', () => {
  const HINT = '#2 of the same series is open too. To have #1 open instead: delete_task {"ids":[2]}.';

  /** Makes the calls of a hint, and closes what is open until the series ends. Returns when each was due. */
  async function follow(ana: Agent, hint: string, most = 4) {
    for (const [, tool, args] of hint.matchAll(/(\w+_task) (\{.*?\})/g))
      await ana.ok(tool as string, JSON.parse(args as string));
    const dates: string[] = [];
    for (;;) {
      const { tasks } = await ana.ok('list_tasks');
      if (tasks.length === 0 || dates.length === most) return dates;
      expect(tasks).toHaveLength(1);
      dates.push(tasks[0].due);
      await ana.ok('complete_task', { id: tasks[0].id });
    }
  }

  test.each(['completed', 'cancelled'])('says so, and how to have it in the place of the next: %s', async (status) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('update_task', { id: 1, status });
    const { note } = await ana.ok('update_task', { id: 1, status: 'pending' });
    expect(note).toBe(HINT);
    const deleted = await ana.ok('delete_task', { id: 2 });
    expect(deleted.note).toBe(
      '#1 now carries on the series of #2 (every day). To end it: update_task {"ids":[1],"clear":["repeats"]}.',
    );
    expect(deleted.task).toMatchObject({ id: 2, status: 'deleted' });
    expect((await ana.ok('list_tasks')).tasks).toMatchObject([{ id: 1, repeats: 'every day' }]);
  });

  test.each([
    ['every day for 3 times', '2026-11-22', ['2026-11-22', '2026-11-23', '2026-11-24']],
    ['every 2 weeks on tue', '2026-11-24', ['2026-11-24', '2026-12-08', '2026-12-22', '2027-01-05']],
    ['every mon and thu for 3 times', '2026-11-25', ['2026-11-25', '2026-11-26', '2026-11-30']],
    ['every 3 days after completion for 3 times', '2026-11-22', ['2026-11-22', '2026-11-25', '2026-11-25']],
    ['every mon after completion', '2026-11-23', ['2026-11-23', '2026-11-30', '2026-12-07', '2026-12-14']],
  ])('and goes on from it as before: %s', async (repeats, due, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', due, repeats });
    await ana.ok('complete_task', { id: 1 });
    expect(await follow(ana, (await ana.ok('update_task', { id: 1, status: 'pending' })).note)).toEqual(expected);
  });

  test('and goes on from it with a rule that the next was given since', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('update_task', { id: 2, repeats: 'every week for 2 times starting 2026-12-01' });
    const { note } = await ana.ok('update_task', { id: 1, status: 'pending', due: '2026-11-25' });
    expect(await follow(ana, note)).toEqual(['2026-11-25', '2026-12-01', '2026-12-08']);
  });

  test('and a date to which it was moved stays', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every mon', due: '2026-11-23' });
    await ana.ok('update_task', { id: 1, due: '2026-11-26' });
    await ana.ok('complete_task', { id: 1 });
    const { note } = await ana.ok('update_task', { id: 1, status: 'pending' });
    expect(await follow(ana, note, 2)).toEqual(['2026-11-26', '2026-11-30']);
  });

  test('says so once of several, and the last of them carries the series on', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 4 times' });
    for (const id of [1, 2, 3]) await ana.ok('complete_task', { id });
    const { note } = await ana.ok('update_task', { ids: [1, 2, 3], status: 'pending' });
    expect(note).toBe('#4 of the same series is open too. To have #1, #2, #3 open instead: delete_task {"ids":[4]}.');
    await ana.ok('delete_task', { id: 4 });
    expect((await ana.ok('list_tasks')).tasks.filter((task: { repeats?: string }) => task.repeats)).toMatchObject([
      { id: 3 },
    ]);
    expect((await ana.ok('complete_task', { id: 3 })).next).toMatchObject([{ due: '2026-11-25' }]);
  });

  test('and goes on where what it was part of is deleted', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Garden' });
    await ana.ok('add_task', { ...daily, parent: 1 });
    await ana.ok('complete_task', { id: 2 });
    await ana.ok('update_task', { id: 2, status: 'pending', clear: ['parent'] });
    expect((await ana.ok('delete_task', { id: 1 })).note).toContain('#2 now carries on the series of #3 (every day).');
  });

  test('and deleting it beside the one that has the rule ends nothing', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const { undo } = await ana.ok('complete_task', { id: 1 });
    await ana.ok('undo', { undo });
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('update_task', { id: 2, status: 'pending' });
    expect((await ana.ok('delete_task', { id: 2 })).note).toBeUndefined();
  });

  test('says so of a next one that comes out of the trash beside another', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const { undo } = await ana.ok('complete_task', { id: 1 });
    await ana.ok('undo', { undo });
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.ok('update_task', { id: 2, status: 'pending' })).note).toContain('#3 of the same series');
    await ana.ok('update_task', { id: 2, status: 'completed' });
    expect((await ana.ok('update_task', { id: 1, status: 'pending' })).note).toContain('#3 of the same series');
  });

  test.each([
    ['ended', 'update_task', { status: 'cancelled', clear: ['repeats'] }],
    ['went to the trash', 'delete_task', {}],
  ])('says that it no longer repeats, and how to set the rule, where the next %s', async (_what, tool, args) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 4 times' });
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('complete_task', { id: 2 });
    await ana.ok(tool, { id: 3, ...args });
    const { note } = await ana.ok('update_task', { ids: [1, 2], status: 'pending' });
    expect(note).toBe(
      '#2 no longer repeats. To have it repeat again: update_task {"ids":[2],"repeats":"every day for 3 times"}.',
    );
    await ana.ok('complete_task', { id: 1 });
    expect(await follow(ana, note)).toEqual(['2026-11-23', '2026-11-24', '2026-11-25']);
  });

  test('says nothing of that where the call clears the rule', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('delete_task', { id: 2 });
    expect((await ana.ok('update_task', { id: 1, status: 'pending', clear: ['repeats'] })).note).toBeUndefined();
  });
});

describe('giving a repeating task the rule that it has', () => {
  /** Completes the open task of the series as often as it comes, and returns when each was due. */
  const rest = async (ana: Agent, from: number, most = 9) => {
    const dates: string[] = [];
    for (let id = from; dates.length < most; id++) {
      dates.push((await ana.ok('get_task', { id })).task.due);
      if (!(await ana.ok('complete_task', { id })).next) break;
    }
    return dates;
  };

  test.each([
    ['every day for 3 times', '2026-11-24', ['2026-11-24']],
    ['Every day, 3 times', '2026-11-24', ['2026-11-24']],
    ['every day for 3 times', '2026-11-28', ['2026-11-28']],
    ['FREQ=DAILY;COUNT=3', undefined, ['2026-11-24']],
    ['every day for 3 times starting 2026-11-24', undefined, ['2026-11-24', '2026-11-25', '2026-11-26']],
    ['every day for 2 times', undefined, ['2026-11-24', '2026-11-25']],
  ])('keeps the count, unless it states a start or another: %s, due %s', async (repeats, due, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 3 times' });
    for (const id of [1, 2]) await ana.ok('complete_task', { id });
    await ana.ok('update_task', { id: 3, title: 'Water the roses', repeats, due });
    expect(await rest(ana, 3)).toEqual(expected);
  });

  test.each([
    ['every 2 weeks on tue', '2026-12-02'],
    ['Every other Tuesday', undefined],
    ['every 2 weeks on Tue', '2026-12-03'],
  ])('keeps the weeks of one that was moved: %s, due %s', async (repeats, due) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Bins', due: '2026-11-24', repeats: 'every 2 weeks on tue' });
    await ana.ok('update_task', { id: 1, due: '2026-12-02' });
    await ana.ok('update_task', { id: 1, title: 'Bins out', repeats, due });
    const { task } = await ana.ok('get_task', { id: 1 });
    expect(task).toMatchObject({ due: due ?? '2026-12-02', next: ['2026-12-08', '2026-12-22', '2027-01-05'] });
  });

  test.each([
    ['every day at 09:00', '2026-11-25', '2026-11-25T09:00+01:00'],
    ['every day at 09:00', '2026-11-24', '2026-11-24'],
    ['every day until 25 Nov 2026 at 09:00', '2026-11-24', '2026-11-24T09:00+01:00'],
  ])('moves the due date that comes with it: %s, due %s', async (repeats, due, expected) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day at 09:00' });
    await ana.ok('update_task', { id: 1, due: '2026-11-24' });
    expect((await ana.ok('update_task', { id: 1, repeats, due })).task.due).toBe(expected);
  });

  test('also after its end, to which it was moved', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day until 25 Nov' });
    const { due, repeats } = (await ana.ok('update_task', { id: 1, due: '2026-11-28' })).task;
    expect((await ana.ok('update_task', { id: 1, due, repeats })).unchanged).toEqual([1]);
  });

  test('is no change, and history tells when it begins anew', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { ...daily, repeats: 'every day for 5 times' });
    expect((await ana.ok('update_task', { id: 1, repeats: 'every day for 5 times' })).unchanged).toEqual([1]);
    await ana.ok('update_task', { id: 1, repeats: 'every day for 5 times starting 2026-11-24' });
    const { history } = (await ana.ok('get_task', { id: 1 })).task;
    expect(history).toMatchObject([
      {
        what: 'updated',
        fields: ['due (Sun 22 Nov → Tue 24 Nov)', 'repeats (every day for 5 times, begun anew)'],
      },
    ]);
  });
});

test.each([
  ['every day at 10:00', undefined, '2026-11-24T10:00+01:00'],
  ['every Tue at 10:00', undefined, '2026-11-24T10:00+01:00'],
  ['every 2 days', undefined, '2026-11-24T09:00+01:00'],
  ['every day at 10:00', '2026-11-24T09:00', '2026-11-24T09:00+01:00'],
])('a new rule moves the time of day of the task that gets it: %s, due %s', async (repeats, due, expected) => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Standup', due: '2026-11-24T09:00', repeats: 'every day' });
  expect((await ana.ok('update_task', { id: 1, repeats, due })).task.due).toBe(expected);
});

test('a rule with the time that it had leaves an occurrence where it was moved to', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Standup', due: '2026-11-24T09:00', repeats: 'every day at 9:00' });
  await ana.ok('update_task', { id: 1, due: '2026-11-24T11:00' });
  const given = await ana.ok('update_task', { id: 1, repeats: 'every day at 9:00 until 2027-01-05' });
  expect(given.task.due).toBe('2026-11-24T11:00+01:00');
});

test.for([
  ['2026-11-22T16:00', '2026-11-23T09:00+01:00'],
  ['2026-11-22', '2026-11-23T09:00+01:00'],
  ['2026-11-21T16:00', '2026-11-21T09:00+01:00'],
] as const)('a rule with a new time does not make a task late that was not: due %s', async ([due, expected]) => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Standup', due });
  expect((await ana.ok('update_task', { id: 1, repeats: 'every day at 9:00' })).task.due).toBe(expected);
});

test('a rule given to what is closed is kept, with a word that it does nothing there', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Water', due: '2026-11-22' });
  await ana.ok('complete_task', { id: 1 });
  const { task, note } = await ana.ok('update_task', { id: 1, repeats: 'every day' });
  expect(task.repeats).toBe('every day');
  expect(note).toBe('#1 is completed: it repeats only once it is open again.');
});

describe('restoring a task', () => {
  test('says of each sub-task that comes back with it that it was restored', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('delete_task', { id: 1 });
    const { text, json } = await ana.call('update_task', { id: 1, status: 'pending' });
    expect(text).toMatch(/^Restored #1 Roof .*\nRestored #2 Tiles/);
    expect(json.tasks).toMatchObject([
      { id: 1, what: 'restored' },
      { id: 2, what: 'restored' },
    ]);
  });

  test('into another project takes along the sub-tasks that come back with it', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', project: 'Home' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('delete_task', { id: 1 });
    await ana.ok('update_task', { id: 1, status: 'pending', project: 'Work' });
    expect((await ana.ok('list_tasks', { project: 'Work' })).tasks).toHaveLength(2);
  });
});
