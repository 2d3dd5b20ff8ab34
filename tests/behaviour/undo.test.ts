import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, newAgent, newUser, setClock, useWorld } from '../support/harness.js';

const world = useWorld();
const LIVE = { status: 'all', detail: 'ids' };
const TRASH = { status: 'deleted', detail: 'ids' };
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

test('undo nests no deeper than a write may', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', {
    tasks: [
      { ref: 'a', title: 'A' },
      { ref: 'b', title: 'B', parent: 'a' },
      { title: 'C', parent: 'b' },
    ],
  });
  const { undo } = await ana.ok('update_task', { id: 3, clear: ['parent'] });
  for (const parent of [3, 4, 5]) await ana.ok('add_task', { title: `Below ${parent}`, parent });
  expect((await ana.refused('undo', { undo })).message).toContain('5 levels');
  expect((await ana.ok('get_task', { id: 3 })).task.parent).toBeUndefined();
});

test('undo of several writes takes nothing for a later change that came before one of them', async () => {
  const ana = await newAgent(world);
  const bob = await agentOf(world, ana.principal, 'bob');
  await ana.ok('add_task', { title: 'Call' });
  await bob.ok('update_task', { id: 1, due: '2026-12-01' });
  await bob.ok('delete_task', { id: 1 });
  await ana.ok('update_task', { id: 1, status: 'pending' });
  const undone = await ana.call('undo', { last: 2 });
  expect(undone.json.failed).toBeUndefined();
  expect(undone.text).toContain('#1 Call · deleted by undo');
});

describe('undo of what was added', () => {
  test('leaves what somebody else has changed or works on, and throws away the rest', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'other');
    const { undo } = await ana.ok('add_tasks', {
      tasks: ['changed', 'commented', 'claimed', 'own', 'plain'].map((title) => ({ title, project: 'Plan' })),
    });
    const { undo: edit } = await other.ok('update_task', { id: 1, priority: 'high' });
    const { undo: remark } = await other.ok('add_comment', { id: 2, text: 'Half of it is done.' });
    await other.ok('claim_task', { id: 3 });
    await ana.ok('update_task', { id: 4, priority: 'low' });
    const undone = await ana.ok('undo', { undo });
    expect(undone.tasks.map(({ id }: { id: number }) => id)).toEqual([5, 4]);
    expect(undone.failed.map(({ id, message }: { id: number; message: string }) => [id, message])).toEqual([
      [3, expect.stringMatching(/^#3 is claimed by other until /)],
      [2, `#2 was changed since, by other (${remark}).`],
      [1, `#1 was changed since, by other (${edit}).`],
    ]);
    expect((await ana.ok('list_tasks', { project: 'Plan' })).total).toBe(3);
  });

  test('is refused where nothing of it is left to take back', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'other');
    const { undo } = await ana.ok('add_task', { title: 'One' });
    await other.ok('update_task', { id: 1, description: 'much of it' });
    expect((await ana.refused('undo', { undo })).message).toMatch(/^#1 was changed since, by other \(u\d+\)\.$/);
    // It has only their own work in it then.
    await other.ok('undo', { last: 1 });
    expect((await ana.ok('undo', { undo })).tasks).toHaveLength(1);
  });
});

test('undo of what was added says that its series goes on, if that is so', async () => {
  const ana = await newAgent(world);
  const { undo } = await ana.ok('add_task', { title: 'Water', repeats: 'every day', due: '2026-11-22' });
  const done = await ana.ok('complete_task', { id: 1 });
  const reply = await ana.call('undo', { undo });
  expect(reply.json.note).toBe('#2 carries on the series of #1. To end it: delete_task {"ids":[2]}.');
  expect(reply.text).toContain(reply.json.note);
  await ana.ok('undo', { undo: reply.json.undo });
  expect((await ana.ok('undo', { undo: done.undo })).note).toBeUndefined();
});

test('undo of what brought a closed task back does not speak of its series', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Water', repeats: 'every day', due: '2026-11-22' });
  await ana.ok('complete_task', { id: 1 });
  await ana.ok('delete_task', { id: 1 });
  const { undo } = await ana.ok('update_task', { id: 1, status: 'completed' });
  expect((await ana.ok('undo', { undo })).note).toBeUndefined();
});

describe('undo of what was undone', () => {
  test('throws nothing away that others have put work into meanwhile, nor a project that they have named', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'other');
    const added = await ana.ok('add_task', { title: 'One', project: 'Plan' });
    const gone = await ana.ok('undo', { undo: added.undo });
    const back = await ana.ok('undo', { undo: gone.undo });
    await other.ok('update_task', { id: 1, description: 'much of it' });
    await other.ok('update_project', { project: 'Plan', name: 'Plan of all' });
    const refusal = await ana.refused('undo', { undo: back.undo });
    expect(refusal.message).toContain('#1 was changed since, by other');
    expect(refusal.message).toContain('The project "Plan of all" was changed since, by other');
    const lone = await ana.ok('add_task', { title: 'Two', project: 'Home' });
    await other.ok('update_project', { project: 'Home', name: 'House' });
    const undone = await ana.ok('undo', { undo: lone.undo });
    expect(undone.tasks).toMatchObject([{ id: 2, what: 'deleted by undo' }]);
    expect(undone.failed).toMatchObject([
      { id: 'House', message: expect.stringContaining('was changed since, by other') },
    ]);
    expect((await ana.ok('list_projects')).projects).toMatchObject([{ name: 'House' }, { name: 'Plan of all' }]);
  });
});

describe('the answer to an undo', () => {
  test('says what it did, to projects and to what was remarked as well', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'One', project: 'Alfa' },
        { title: 'Two', project: 'Beta' },
      ],
    });
    const undone = async (undo: string) => {
      const { json, text } = await ana.call('undo', { undo });
      return { undo: json.undo as string, said: text.split('\n').slice(1, -1) };
    };
    const cases: [tool: string, args: Record<string, unknown>, back: string[], again: string[]][] = [
      [
        'add_comment',
        { id: 1, text: 'hm' },
        ['#1 One · undone comment (removed)'],
        ['#1 One · undone comment (restored)'],
      ],
      ['complete_task', { id: 1 }, ['#1 One · undone status (pending)'], ['#1 One · undone status (completed)']],
      ['delete_task', { id: 1 }, ['#1 One · restored by undo'], ['#1 One · deleted by undo']],
      [
        'update_project',
        { project: 'Beta', name: 'Bet' },
        ['+Beta · undone name (was Bet)'],
        ['+Bet · undone name (was Beta)'],
      ],
      [
        'update_project',
        { project: 'Bet', archived: true },
        ['+Bet · undone archived (no)'],
        ['+Bet · undone archived (yes)'],
      ],
      [
        'update_project',
        { project: 'Alfa', archived: true },
        ['+Alfa · undone archived (no)'],
        ['+Alfa · undone archived (yes)'],
      ],
    ];
    for (const [tool, args, back, again] of cases) {
      const first = await undone((await ana.ok(tool, args)).undo);
      expect(first.said, JSON.stringify(args)).toEqual(back);
      expect((await undone(first.undo)).said, JSON.stringify(args)).toEqual(again);
    }
    for (const project of ['Alfa', 'Bet']) await ana.ok('update_project', { project, archived: false });
    const merged = await undone((await ana.ok('update_project', { project: 'Bet', merge_into: 'Alfa' })).undo);
    expect(merged.said).toEqual(['#2 Two · undone project (+Bet)', '+Bet · restored by undo']);
    expect((await undone(merged.undo)).said).toEqual(['#2 Two · undone project (+Alfa)', '+Bet · merged by undo']);
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

  test('puts back what several writes did to one project, as it was before the first', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', project: 'Home' });
    await ana.ok('update_project', { project: 'Home', name: 'House' });
    await ana.ok('update_project', { project: 'House', name: 'Castle', archived: true });
    await ana.ok('update_project', { project: 'Castle', archived: false });
    await ana.ok('undo', { last: 3 });
    expect((await ana.ok('list_projects')).projects).toMatchObject([{ name: 'Home' }]);
    await ana.ok('update_project', { project: 'Home', name: 'Hut' });
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

describe('undo of a repeating task that was completed', () => {
  const daily = { title: 'Water', due: '2026-11-22', repeats: 'every day' };

  test('keeps the next one where the first has been reopened since', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const { undo } = await ana.ok('complete_task', { id: 1 });
    await ana.ok('update_task', { id: 1, status: 'pending' });
    expect(await ana.refused('undo', { undo })).toMatchObject({ code: 'conflict' });
    expect(ids(await ana.ok('list_tasks', LIVE))).toEqual([2, 1]);
  });

  test('works again once what was done to the next one is undone', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('update_task', { id: 2, priority: 'high' });
    await ana.ok('add_comment', { id: 2, text: 'twice' });
    for (let i = 0; i < 3; i++) expect((await ana.ok('undo', { last: 1 })).failed).toBeUndefined();
    expect(ids(await ana.ok('list_tasks', LIVE))).toEqual([1]);
    expect((await ana.ok('get_task', { id: 1 })).task.repeats).toBeDefined();
  });

  test('is not itself undone by halves: the series never goes on twice', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const completed = await ana.ok('complete_task', { id: 1 });
    const undone = await ana.ok('undo', { undo: completed.undo });
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    expect(await ana.refused('undo', { undo: undone.undo })).toMatchObject({ code: 'conflict' });
    expect(ids(await ana.ok('list_tasks', LIVE))).toEqual([1]);
    expect(ids(await ana.ok('list_tasks', TRASH))).toEqual([2]);
  });
});

describe('undo of a write that went on with a series', () => {
  const daily = { title: 'Water', due: '2026-11-22', repeats: 'every day' };
  const open = async (ana: Agent) => ids(await ana.ok('list_tasks'));

  test('takes back the project that it made too, whatever numbers that and its tasks have', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    await ana.ok('update_task', { id: 1, status: 'completed', project: 'Home' });
    expect((await ana.ok('undo', { last: 1 })).failed).toBeUndefined();
    expect(await open(ana)).toEqual([1]);
    expect((await ana.ok('list_projects')).projects).toEqual([]);
  });

  test('brings no second task of it back where it was closed again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const cancelled = await ana.ok('update_task', { id: 1, status: 'cancelled' });
    const { undo } = await ana.ok('undo', { undo: cancelled.undo });
    await ana.ok('update_task', { id: 1, status: 'cancelled' });
    expect(await ana.refused('undo', { undo })).toMatchObject({
      message: expect.stringContaining('#2 and #3 of the same series would both be open.'),
      hint: expect.stringContaining('To have #2 open instead of #3: update_task {"ids":[2]'),
    });
    expect(await open(ana)).toEqual([3]);
  });

  test('reopens nothing where the next, which an undo had brought back, is done and followed', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', daily);
    const first = await ana.ok('complete_task', { id: 1 });
    const back = await ana.ok('undo', { undo: first.undo });
    const again = await ana.ok('undo', { undo: back.undo });
    await ana.ok('complete_task', { id: 2 });
    const { message, hint } = await ana.refused('undo', { undo: again.undo });
    expect(message).toMatch(/^#1 is followed by #2, which was changed since, by test \(u\d+\)\.$/);
    expect(hint).toMatch(/^To have #1 open instead of #3: .* then delete_task \{"ids":\[3\]\}\.$/);
    expect(await open(ana)).toEqual([3]);
  });
});

describe('undo of a deletion that handed a series on', () => {
  const carriers = async (ana: Agent) =>
    (await ana.ok('list_tasks')).tasks.map(({ id, repeats }: { id: number; repeats?: string }) => [id, repeats]);
  async function handedOn() {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', due: '2026-11-22', repeats: 'every day for 3 times' });
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('update_task', { id: 1, status: 'pending' });
    return { ana, undo: (await ana.ok('delete_task', { id: 2 })).undo };
  }
  const rule = 'every day for 3 times';

  test('takes the rule back, and redone gives it again', async () => {
    const { ana, undo } = await handedOn();
    const undone = await ana.ok('undo', { undo });
    expect(undone.failed).toBeUndefined();
    expect(await carriers(ana)).toEqual([
      [2, rule],
      [1, undefined],
    ]);
    expect((await ana.ok('undo', { undo: undone.undo })).failed).toBeUndefined();
    expect(await carriers(ana)).toEqual([[1, rule]]);
    expect((await ana.ok('complete_task', { id: 1 })).next).toMatchObject([{ due: '2026-11-23' }]);
  });

  test('changes nothing where the one that got the rule is closed since, or has another', async () => {
    const { ana, undo } = await handedOn();
    const { undo: done } = await ana.ok('complete_task', { id: 1 });
    expect((await ana.refused('undo', { undo })).message).toBe(
      '#1 can only be reverted together with the other task of its series.',
    );
    expect(await carriers(ana)).toEqual([[3, rule]]);
    await ana.ok('undo', { undo: done });
    await ana.ok('update_task', { id: 1, repeats: 'every week' });
    expect((await ana.refused('undo', { undo })).message).toContain('#1: repeats was changed since');
    expect(await carriers(ana)).toEqual([[1, 'every Sun']]);
  });

  test('is not redone where what it brought back is done since', async () => {
    const { ana, undo } = await handedOn();
    const undone = await ana.ok('undo', { undo });
    await ana.ok('complete_task', { id: 2 });
    expect((await ana.refused('undo', { undo: undone.undo })).message).toContain(
      '#1 is followed by #2, which was changed',
    );
    expect(await carriers(ana)).toEqual([
      [3, rule],
      [1, undefined],
    ]);
  });
});

describe('undo of a write that opened a task', () => {
  test.each(['completed', 'cancelled'])('leaves it open for who has claimed it since: %s', async (status) => {
    const user = await newUser(world);
    const [ana, bob] = [await agentOf(world, user, 'ana'), await agentOf(world, user, 'bob')];
    await ana.ok('add_task', { title: 'Fix login' });
    await ana.ok('update_task', { id: 1, status });
    const { undo } = await ana.ok('update_task', { id: 1, status: 'pending', title: 'Fix the login' });
    const { claim } = await bob.ok('claim_task', { id: 1 });
    const undone = await ana.ok('undo', { undo });
    expect(undone.failed).toMatchObject([{ id: 1, message: '#1 is claimed by bob until 14:32.' }]);
    expect(undone.tasks).toMatchObject([{ id: 1, title: 'Fix login' }]);
    expect((await bob.ok('complete_task', { id: 1, claim })).task.status).toBe('completed');
  });
});

test('undo of a release that closed its task takes the note back too', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Write' });
  const first = await ana.ok('claim_task', { id: 1 });
  await ana.ok('release_task', { id: 1, claim: first.claim, note: 'half of it' });
  const { claim } = await ana.ok('claim_task', { id: 1 });
  const { undo } = await ana.ok('release_task', { id: 1, claim, status: 'completed', note: 'all done' });
  expect((await ana.call('undo', { undo })).text).toContain('undone note (reverted), status (pending)');
  expect((await ana.ok('get_task', { id: 1 })).task.note).toBe('half of it');
});

describe('undo of a series that others have gone on with', () => {
  const daily = { title: 'Water', due: '2026-11-22', repeats: 'every day' };
  const oneAndTwo = async () => {
    const user = await newUser(world);
    return { one: await agentOf(world, user, 'one'), two: await agentOf(world, user, 'two') };
  };

  test('keeps the next one where somebody else has claimed it', async () => {
    const { one, two } = await oneAndTwo();
    await one.ok('add_task', daily);
    const { undo } = await one.ok('complete_task', { id: 1 });
    const { claim } = await two.ok('claim_task', { id: 2 });
    const { message } = await one.refused('undo', { undo });
    expect(message).toContain('is followed by #2, which is claimed by two until');
    await two.ok('release_task', { id: 2, claim, status: 'completed' });
  });

  const works: [string, (two: Agent) => Promise<unknown>][] = [
    ['a comment', (two) => two.ok('add_comment', { id: 2, text: 'I have begun' })],
    ['a description', (two) => two.ok('update_task', { id: 2, description: 'two hours of work' })],
    ['a sub-task', (two) => two.ok('add_task', { title: 'part', parent: 2 })],
    ['a claim', (two) => two.ok('claim_task', { id: 2 })],
  ];
  test.each(works)(
    'keeps the next one that an undo had brought back, with %s of somebody else',
    async (_what, work) => {
      const { one, two } = await oneAndTwo();
      await one.ok('add_task', daily);
      const first = await one.ok('complete_task', { id: 1 });
      const back = await one.ok('undo', { undo: first.undo });
      const again = await one.ok('undo', { undo: back.undo });
      await work(two);
      expect((await one.refused('undo', { undo: again.undo })).message).toContain('is followed by #2');
      expect((await two.ok('get_task', { id: 2 })).task.status).not.toBe('deleted');
    },
  );

  test('takes back one’s own completion, whatever one did to the next that was brought back', async () => {
    const { one } = await oneAndTwo();
    await one.ok('add_task', daily);
    const first = await one.ok('complete_task', { id: 1 });
    const back = await one.ok('undo', { undo: first.undo });
    const again = await one.ok('undo', { undo: back.undo });
    await one.ok('update_task', { id: 2, priority: 'high' });
    await one.ok('undo', { undo: again.undo });
    expect((await one.ok('list_tasks')).tasks).toMatchObject([{ id: 1 }]);
  });

  test('leaves both where one of the two is no longer kept', async () => {
    const { one } = await oneAndTwo();
    const later = async () => {
      setClock(world, '2026-12-24T13:02:00.000Z');
      for (let i = 0; i < 2; i++) await one.ok('add_task', { title: `Other ${i}` }); // removes what was kept long enough
    };
    await one.ok('add_task', daily);
    const done = await one.ok('complete_task', { id: 1 });
    const back = await one.ok('undo', { undo: done.undo });
    await later();
    expect((await one.refused('undo', { undo: back.undo })).message).toContain('#2 no longer exists');
    expect((await one.ok('get_task', { id: 1 })).task.repeats).toBe('every day');
  });

  test('does not take the next one away for one that is no longer kept', async () => {
    const { one } = await oneAndTwo();
    await one.ok('add_task', { ...daily, repeats: 'every month' });
    const done = await one.ok('complete_task', { id: 1 });
    await one.ok('delete_task', { id: 1 });
    setClock(world, '2026-12-24T13:02:00.000Z');
    for (let i = 0; i < 2; i++) await one.ok('add_task', { title: `Other ${i}` });
    expect((await one.refused('undo', { undo: done.undo })).message).toContain('#1 no longer exists');
    expect((await one.ok('get_task', { id: 2 })).task.status).not.toBe('deleted');
  });

  test('what an undo had to leave is still the work of who did it', async () => {
    const { one, two } = await oneAndTwo();
    await one.ok('add_task', { title: 'House' });
    const plan = await one.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B', parent: 1 }] });
    const done = await two.ok('complete_task', { ids: [2, 3] });
    await two.ok('complete_task', { id: 1 });
    await two.ok('undo', { undo: done.undo }); // #3 stays: what it is part of is closed
    await one.ok('undo', { undo: plan.undo });
    expect((await two.ok('get_task', { id: 3 })).task.status).toBe('completed');
    expect((await two.ok('get_task', { id: 2 })).task.status).toBe('deleted');
  });
});

describe('undo of a task that was taken out of the trash', () => {
  test('puts it back below what it was part of, there', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('delete_task', { id: 1 });
    const { undo } = await ana.ok('update_task', { id: 2, status: 'pending', clear: ['parent'] });
    expect((await ana.ok('undo', { undo })).failed).toBeUndefined();
    expect((await ana.ok('get_task', { id: 2 })).task).toMatchObject({ status: 'deleted', parent: 1 });
  });
});

describe('undo of dates', () => {
  test('leaves no task to repeat without one', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water' });
    const dated = await ana.ok('update_task', { id: 1, due: '2026-11-24', priority: 'high' });
    const ruled = await ana.ok('update_task', { id: 1, repeats: 'every day' });
    expect((await ana.ok('undo', { undo: dated.undo })).failed).toMatchObject([{ id: 1, code: 'conflict' }]);
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ due: '2026-11-24', repeats: 'every day' });
    const freed = await ana.ok('undo', { undo: ruled.undo });
    await ana.ok('update_task', { id: 1, clear: ['due'] });
    expect((await ana.refused('undo', { undo: freed.undo })).message).toBe('#1 would repeat without a due date.');
  });

  test('puts a date and its rule back together', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', due: '2026-11-24', repeats: 'every day' });
    const { undo } = await ana.ok('update_task', { id: 1, clear: ['due', 'repeats'] });
    expect((await ana.ok('undo', { undo })).failed).toBeUndefined();
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ due: '2026-11-24', repeats: 'every day' });
  });
});

describe('undo of a comment', () => {
  test('may be undone and done again in any order', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    const undo = async (handle: string) => (await ana.ok('undo', { undo: handle })).undo as string;
    const added = (await ana.ok('add_comment', { id: 1, text: 'Hello' })).undo;
    const removed = await undo(added);
    const back = await undo(removed);
    const gone = await undo(added);
    // It is not there to be removed a second time.
    expect(await ana.refused('undo', { undo: back })).toMatchObject({ code: 'conflict' });
    await undo(gone);
    expect((await ana.ok('get_task', { id: 1 })).task.comments).toMatchObject([{ text: 'Hello' }]);
  });
});

describe('undo of labels', () => {
  test('puts back no more than a task can carry, and says so', async () => {
    const ana = await newAgent(world);
    const many = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
    await ana.ok('add_task', { title: 'One', labels: many('old', 15) });
    const { undo } = await ana.ok('update_task', { id: 1, clear: ['labels'], priority: 'high' });
    await ana.ok('update_task', { id: 1, add_labels: many('new', 15) });
    expect((await ana.ok('undo', { undo })).failed).toMatchObject([{ id: 1, code: 'conflict' }]);
    const { task } = await ana.ok('get_task', { id: 1 });
    expect(task.labels).toHaveLength(15);
    expect(task.priority).toBeUndefined();
  });
});
