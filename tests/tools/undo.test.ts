import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

/** All there is of a user's tasks, but for stamps and versions. */
async function stateOf(agent: Agent) {
  const [live, trash, projects] = [
    await agent.ok('list_tasks', { status: 'all', detail: 'full', limit: 100, max_tokens: 20_000 }),
    await agent.ok('list_tasks', { status: 'deleted', detail: 'full', limit: 100, max_tokens: 20_000 }),
    await agent.ok('list_projects'),
  ];
  return JSON.stringify([live.tasks, trash.tasks, projects.projects], (key, value) =>
    key === 'updated' ? undefined : value,
  );
}

describe('undo', () => {
  test('takes back what was changed, by the handle of the write; undone again it is done again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', due: '2026-11-24', labels: ['phone'], description: 'roof' });
    const before = await stateOf(ana);
    const { undo } = await ana.ok('update_task', {
      id: 1,
      title: 'Ring',
      priority: 'high',
      project: 'Home',
      add_labels: ['now'],
      remove_labels: ['phone'],
      clear: ['due', 'description'],
    });
    const after = await stateOf(ana);
    const undone = await ana.call('undo', { undo });
    expect(undone.text).toBe(
      [
        'Undone: 1 task and 1 project reverted',
        '#1 Call · undone description, due (Tue 24 Nov), labels (@phone, no @now), priority (none), project (none), title (was Ring)',
        '+Home · deleted by undo',
        'undo: u4',
      ].join('\n'),
    );
    expect(await stateOf(ana)).toBe(before);
    expect((await ana.ok('get_task', { id: 1 })).task.version).toBe(3);
    await ana.ok('undo', { undo: undone.json.undo });
    expect(await stateOf(ana)).toBe(after);
  });

  test('names what is blocked again by what it opens, and what is ready after it closes that', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Build', ref: 'a' },
        { title: 'Test', blocked_by: ['a'] },
        { title: 'Ship', blocked_by: ['a'], ref: 'c' },
        { title: 'Tell', parent: 'c' },
      ],
    });
    const { undo } = await ana.ok('complete_task', { id: 1 });
    const opened = await ana.call('undo', { undo });
    expect(opened.text.split('\n')).toContain('#2, #3 are blocked again.');
    expect(opened.json).toMatchObject({ note: '#2, #3 are blocked again.' });
    expect(opened.json.ready).toBeUndefined();
    const closed = await ana.call('undo', { undo: opened.json.undo });
    expect(closed.text.split('\n')).toContain('Ready now: #2 Test, #4 Tell');
    expect(closed.json.ready).toEqual([
      { id: 2, title: 'Test' },
      { id: 4, title: 'Tell' },
    ]);
    expect((await ana.ok('update_task', { id: 1, status: 'pending' })).note).toBe('#2, #3 are blocked again.');
    expect((await ana.ok('delete_task', { id: 1 })).ready).toHaveLength(2);
    expect((await ana.ok('undo', { last: 1 })).note).toBe('#2, #3 are blocked again.');
  });

  test.each<[what: string, tool: string, args: Record<string, unknown>]>([
    ['a new task with its project', 'add_task', { title: 'New', project: 'New', parent: 1, blocked_by: [2] }],
    [
      'a plan',
      'add_tasks',
      {
        tasks: [
          { title: 'A', ref: 'a', project: 'P' },
          { title: 'B', parent: 'a', blocked_by: [1] },
        ],
      },
    ],
    ['a change of many', 'update_task', { ids: [1, 2, 3, 4], priority: 'urgent', project: 'Other' }],
    ['completing many', 'complete_task', { ids: [1, 3] }],
    ['completing what another waits for', 'complete_task', { id: 2 }],
    ['completing what repeats', 'complete_task', { id: 5 }],
    ['skipping what repeats', 'update_task', { id: 5, status: 'cancelled' }],
    ['deleting a family', 'delete_task', { ids: [1, 2] }],
    ['moving below another', 'update_task', { ids: [4, 5], parent: 1 }],
    ['new blockers', 'update_task', { id: 4, add_blocked_by: [1, 5] }],
    ['a place by hand', 'update_task', { ids: [5, 4], before: 1 }],
    ['renaming a project', 'update_project', { project: 'Home', name: 'Work' }],
    ['archiving a project', 'update_project', { project: 'Home', archived: true }],
    ['merging projects', 'update_project', { project: 'Home', merge_into: 'Garden' }],
    ['a comment', 'add_comment', { id: 1, text: 'hm' }],
  ])('takes back %s, and does it again', async (_what, tool, args) => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'House', ref: 'house', project: 'Home', labels: ['big'] },
        { title: 'Ask', ref: 'ask', project: 'Garden' },
        { title: 'Roof', parent: 'house', priority: 'low' },
        { title: 'Tree', blocked_by: ['ask'], due: '2026-11-24' },
        { title: 'Water', repeats: 'every day', due: '2026-11-22', project: 'Garden' },
      ],
    });
    const [before, order] = [await stateOf(ana), await ana.ok('list_tasks', { sort: 'manual' })];
    const { undo } = await ana.ok(tool, args);
    const [after, orderAfter] = [await stateOf(ana), await ana.ok('list_tasks', { sort: 'manual' })];
    const back = await ana.ok('undo', { undo });
    const trashed = (state: string) => JSON.stringify(JSON.parse(state)[1].map((task: { id: number }) => task.id));
    if (tool.startsWith('add_task') || /repeats/.test(_what)) {
      // What was made is in the trash now, all else is as it was.
      expect(JSON.parse(await stateOf(ana)).filter((_: unknown, i: number) => i !== 1)).toEqual(
        JSON.parse(before).filter((_: unknown, i: number) => i !== 1),
      );
      expect(trashed(await stateOf(ana))).not.toBe(trashed(before));
    } else expect(await stateOf(ana)).toBe(before);
    expect(await ana.ok('list_tasks', { sort: 'manual' })).toEqual(order);
    await ana.ok('undo', { undo: back.undo });
    expect(await stateOf(ana)).toBe(after);
    expect(await ana.ok('list_tasks', { sort: 'manual' })).toEqual(orderAfter);
  });

  test('last takes back the caller’s own writes, newest first, and no undos', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'laptop');
    await ana.ok('add_task', { title: 'One' });
    await other.ok('add_task', { title: 'Two' });
    await ana.ok('update_task', { id: 1, priority: 'high' });
    await ana.ok('update_task', { id: 1, title: 'Uno' });
    const undone = await ana.ok('undo', { last: 2 });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ title: 'One' });
    expect((await ana.ok('get_task', { id: 1 })).task.priority).toBeUndefined();
    await ana.ok('undo', { last: 1 });
    expect((await ana.ok('list_tasks')).tasks).toMatchObject([{ title: 'Two' }]);
    expect(await ana.refused('undo', { last: 1 })).toMatchObject({
      code: 'not_found',
      message: 'You have no write to undo.',
    });
    await ana.ok('update_task', { id: 1, status: 'pending' });
    await ana.ok('undo', { undo: undone.undo });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ title: 'Uno', priority: 'high' });
  });

  test('a field that somebody changed since is left, and named with who and how', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'laptop');
    await ana.ok('add_task', { title: 'Call' });
    const { undo } = await ana.ok('update_task', { id: 1, title: 'Ring', priority: 'high' });
    await other.ok('update_task', { id: 1, priority: 'low' });
    const reply = await ana.call('undo', { undo });
    expect(reply.json).toMatchObject({
      tasks: [{ id: 1, title: 'Call' }],
      failed: [{ id: 1, code: 'conflict', message: '#1: priority was changed since, by laptop (u3).' }],
    });
    expect(reply.text).toContain('Failed: #1: priority was changed since, by laptop (u3).');
  });

  test('what repeats stays completed if its next was touched, and both are named', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', repeats: 'every day', due: '2026-11-22' });
    const done = await ana.ok('complete_task', { id: 1 });
    expect(done.next).toMatchObject([{ id: 2, title: 'Water' }]);
    await ana.ok('add_comment', { id: 2, text: 'half' });
    const refusal = await ana.refused('undo', { undo: done.undo });
    expect(refusal).toMatchObject({
      code: 'conflict',
      message: '#1 is followed by #2, which was changed since, by test (u4).',
      hint: 'To have #1 open instead of #2: update_task {"ids":[1],"status":"pending"}, then delete_task {"ids":[2]}.',
    });
    expect((await ana.ok('get_task', { id: 1 })).task.status).toBe('completed');
    const [, reopen, away] = /update_task (.*), then delete_task (.*)\.$/.exec(refusal.hint) ?? [];
    await ana.ok('update_task', JSON.parse(reopen as string));
    await ana.ok('delete_task', JSON.parse(away as string));
    expect((await ana.ok('list_tasks')).tasks).toMatchObject([{ id: 1, due: '2026-11-22', repeats: 'every day' }]);
  });

  test('where a part of what came next was touched, that is named as such', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', repeats: 'every day', due: '2026-11-22' });
    await ana.ok('add_task', { title: 'Fill', parent: 1 });
    const { undo } = await ana.ok('complete_task', { ids: [1, 2] });
    await ana.ok('add_comment', { id: 4, text: 'half' });
    expect(await ana.refused('undo', { undo })).toMatchObject({
      message: expect.stringContaining('#1 is followed by #3, whose sub-task #4 was changed since'),
      hint: expect.stringContaining('open instead of #3'),
    });
  });

  test('what was made does not go from above sub-tasks that came later', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'House' });
    await ana.ok('add_task', { title: 'Roof', parent: 1 });
    expect((await ana.refused('undo', { undo })).message).toBe('#1 cannot be deleted: its sub-task #2 stays.');
  });

  test('what would leave a circle, or an open task below a closed one, is left and named', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', blocked_by: ['a'] },
        { title: 'P', ref: 'p' },
        { title: 'C', parent: 'p' },
      ],
    });
    const free = await ana.ok('update_task', { id: 2, remove_blocked_by: [1] });
    await ana.ok('update_task', { id: 1, add_blocked_by: [2] });
    expect((await ana.refused('undo', { undo: free.undo })).message).toMatch(/^#2 would wait for itself/);
    const child = await ana.ok('complete_task', { id: 4 });
    await ana.ok('complete_task', { id: 3 });
    expect((await ana.refused('undo', { undo: child.undo })).message).toBe(
      '#4 is a sub-task of #3, which is completed.',
    );
  });

  test('last says if there were fewer writes to undo, and counts projects apart from tasks', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', project: 'Home' });
    await ana.ok('update_project', { project: 'Home', name: 'House' });
    const renamed = await ana.call('undo', { last: 1 });
    expect(renamed.text).toMatch(/^Undone: 1 project reverted\n/);
    const all = await ana.call('undo', { last: 5 });
    expect(all.json.note).toBe('Of your last 5 writes, only 1 could be undone.');
    expect(all.text).toMatch(/^Undone: 1 task and 1 project reverted\n/);
  });

  test('of a write that was reverted otherwise says which it is, and how to go past it', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'laptop');
    await ana.ok('add_task', { title: 'One' });
    await ana.ok('update_task', { id: 1, priority: 'high' });
    const done = await ana.ok('complete_task', { id: 1 });
    await other.ok('update_task', { id: 1, status: 'pending' });
    expect(await ana.refused('undo', { last: 1 })).toMatchObject({
      code: 'conflict',
      message: 'Nothing is left to undo of u3: already reverted.',
      hint: 'To undo the write before as well: undo {"last":2}.',
    });
    expect(await ana.refused('undo', { undo: done.undo })).toMatchObject({ hint: 'Give the handle of another write.' });
    expect((await ana.ok('undo', { last: 2 })).tasks).toEqual([
      { id: 1, title: 'One', what: 'undone priority (none)' },
    ]);
  });

  test('says once what it did to very many tasks', async () => {
    const ana = await newAgent(world);
    const plan = await ana.ok('add_tasks', {
      tasks: Array.from({ length: 60 }, (_, i) => ({ title: `Step ${i + 1}` })),
    });
    const ids = Array.from({ length: 60 }, (_, i) => i + 1).filter((id) => id !== 8);
    const moved = await ana.ok('update_task', { ids, project: 'Home' });
    await ana.ok('update_task', { id: 5, project: 'Past' });
    const back = await ana.call('undo', { undo: moved.undo });
    expect(back.text).toMatch(
      /^Undone: 58 tasks and 1 project reverted\n\+Home · .*\n58 tasks, #1–#4, #6, #7, #9–#60: undone project \(none\)\.\nFailed: /,
    );
    expect(back.json).toMatchObject({ total: 58, note: '58 tasks, #1–#4, #6, #7, #9–#60: undone project (none).' });
    expect(back.json.tasks).toBeUndefined();
    const gone = await ana.call('undo', { undo: plan.undo });
    expect(gone.json.note).toContain('60 tasks, #1–#60: deleted by undo.');
    expect(gone.text.length).toBeLessThan(500);
  });

  test('a second undo of the same write is refused, and says what did it', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One' });
    const first = await ana.ok('undo', { undo });
    expect(await ana.refused('undo', { undo })).toMatchObject({
      code: 'conflict',
      message: `${undo} was already undone by ${first.undo}.`,
      hint: `To redo it, undo ${first.undo}.`,
    });
    await ana.ok('undo', { undo: first.undo });
    await ana.ok('undo', { undo });
    expect((await ana.ok('list_tasks')).total).toBe(0);
  });

  test('what is no handle, or one of nobody, is refused', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    for (const [args, code] of [
      [{}, 'invalid'],
      [{ undo: 'u1', last: 1 }, 'invalid'],
      [{ undo: 'blue' }, 'invalid'],
      [{ undo: 'u0' }, 'invalid'],
      [{ undo: 'u99' }, 'not_found'],
      [{ last: 0 }, 'invalid'],
      [{ last: 21 }, 'invalid'],
    ] as const)
      expect((await ana.refused('undo', args)).code, JSON.stringify(args)).toBe(code);
    await rowsOf(world, 'update taskloom.counters set changes_from = 2 where user_id = $1', [ana.principal.userId]);
    expect((await ana.refused('undo', { undo: 'u1' })).message).toBe('The history of u1 is no longer kept.');
  });

  test.each(['id', 'ids', 'task_id', 'task'])(
    '%s, which names a task, is not taken for the handle of a write',
    async (field) => {
      const ana = await newAgent(world);
      await ana.ok('add_task', { title: 'One' });
      expect(await ana.refused('undo', { [field]: 1 })).toMatchObject({
        code: 'invalid',
        hint: 'undo takes a handle, such as u57; get_task shows those of a task.',
      });
      expect((await ana.ok('list_tasks')).total).toBe(1);
    },
  );

  test('a dry run says what would be put back, and puts nothing back', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'One' });
    const reply = await ana.call('undo', { undo, dry_run: true });
    expect(reply.json).toMatchObject({ tasks: [{ id: 1, what: 'deleted by undo' }], dry_run: true });
    expect((await ana.ok('list_tasks')).total).toBe(1);
  });
});
