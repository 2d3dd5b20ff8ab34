import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

const titles = async (agent: Agent, args: Record<string, unknown> = {}) =>
  (await agent.ok('list_tasks', { sort: 'manual', ...args })).tasks.map((task: { title: string }) => task.title);

/** Paint waits for Buy, which waits for Choose. */
async function chain(): Promise<Agent> {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', {
    tasks: [
      { title: 'Choose', ref: 'choose' },
      { title: 'Buy', ref: 'buy', blocked_by: ['choose'] },
      { title: 'Paint', blocked_by: ['buy'] },
    ],
  });
  return ana;
}

describe('dependencies', () => {
  test('what waits for another is not ready, and says for which', async () => {
    const ana = await chain();
    expect(await titles(ana, { ready: true })).toEqual(['Choose']);
    expect(await titles(ana, { ready: false })).toEqual(['Buy', 'Paint']);
    const reply = await ana.call('get_task', { id: 2 });
    expect(reply.json.task).toMatchObject({
      blocked_by: [{ id: 1, title: 'Choose' }],
      blocks: [{ id: 3, title: 'Paint' }],
    });
    expect(reply.text).toContain('  Blocked by:\n  #1 Choose\n  Blocks:\n  #3 Paint');
  });

  test.each([
    ['completed', 'complete_task', {}],
    ['cancelled', 'update_task', { status: 'cancelled' }],
    ['deleted', 'delete_task', {}],
  ])('a blocker that is %s blocks no longer, and the answer names what became ready', async (_how, tool, args) => {
    const ana = await chain();
    const reply = await ana.call(tool, { id: 1, ...args });
    expect(reply.json.ready).toEqual([{ id: 2, title: 'Buy' }]);
    expect(reply.text).toContain('\nReady now: #2 Buy\n');
    expect(await titles(ana, { ready: true })).toEqual(['Buy']);
    await ana.ok('update_task', { id: 1, status: 'pending' });
    expect(await titles(ana, { ready: true })).toEqual(['Choose']);
  });

  test('a task with open sub-tasks is not ready until the last of them is done', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Roof', ref: 'r' },
        { title: 'A', parent: 'r' },
        { title: 'B', parent: 'r' },
      ],
    });
    expect(await titles(ana, { ready: true })).toEqual(['A', 'B']);
    expect((await ana.ok('complete_task', { id: 2 })).ready).toBeUndefined();
    expect((await ana.ok('complete_task', { id: 3 })).ready).toEqual([{ id: 1, title: 'Roof' }]);
    expect(await titles(ana, { ready: true })).toEqual(['Roof']);
  });

  test('what is not to be started yet is not ready', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Later', start: '2026-11-23' });
    await ana.ok('add_task', { title: 'Today', start: '2026-11-22' });
    await ana.ok('add_task', { title: 'Tonight', start: '2026-11-22T20:00' });
    expect(await titles(ana, { ready: true })).toEqual(['Today']);
  });

  test('the ready come with the most important and most urgent first', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Some day' });
    await ana.ok('add_task', { title: 'High, late', priority: 'high', due: '2026-12-01' });
    await ana.ok('add_task', { title: 'High, soon', priority: 'high', due: '2026-11-23' });
    const { tasks } = await ana.ok('list_tasks', { ready: 'true' });
    expect(tasks.map((task: { title: string }) => task.title)).toEqual(['High, soon', 'High, late', 'Some day']);
  });

  test('a circle is refused, naming it, however long; closed tasks count', async () => {
    const ana = await chain();
    expect(await ana.refused('update_task', { id: 1, add_blocked_by: [3] })).toMatchObject({
      code: 'conflict',
      message: '#1 would wait for itself: #1 waits for #3 waits for #2 waits for #1.',
    });
    expect((await ana.refused('update_task', { id: 1, add_blocked_by: [1] })).code).toBe('conflict');
    await ana.ok('complete_task', { ids: [1, 2] });
    expect((await ana.refused('update_task', { id: 1, add_blocked_by: [3] })).code).toBe('conflict');
    await ana.ok('update_task', { id: 3, remove_blocked_by: [2] });
    await ana.ok('update_task', { id: 1, add_blocked_by: [3] });
  });

  test('a sub-task cannot wait for the task it is part of, by whichever way', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Roof', ref: 'r' },
        { title: 'Tiles', parent: 'r' },
        { title: 'Other', blocked_by: ['r'] },
      ],
    });
    for (const args of [
      { id: 2, add_blocked_by: [1] },
      { id: 2, add_blocked_by: [3] },
      { id: 3, parent: 2 },
    ])
      expect((await ana.refused('update_task', args)).message, JSON.stringify(args)).toMatch(/would wait for itself/);
    expect((await ana.refused('add_task', { title: 'x', parent: 1, blocked_by: [3] })).message).toMatch(
      /would wait for itself/,
    );
  });

  test('of two agents that each add half of a circle at once, one is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const ana = await newAgent(world);
      const other = await agentOf(world, ana.principal, 'laptop');
      await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }] });
      const replies = await Promise.all([
        ana.call('update_task', { id: 1, add_blocked_by: [2] }),
        other.call('update_task', { id: 2, add_blocked_by: [1] }),
      ]);
      expect(replies.filter((reply) => reply.isError)).toHaveLength(1);
    }
  });

  test('blockers that are not there, and too many, are refused; removing what is not there is not', async () => {
    const ana = await chain();
    expect(await ana.refused('update_task', { id: 3, add_blocked_by: [99] })).toMatchObject({
      code: 'not_found',
      message: 'No task #99.',
    });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.refused('add_task', { title: 'x', blocked_by: [1] })).message).toBe('#1 is in the trash.');
    expect((await ana.ok('update_task', { id: 3, remove_blocked_by: [77] })).undo).toBeUndefined();
    await ana.ok('add_tasks', { tasks: Array.from({ length: 51 }, (_, i) => ({ title: `t${i}` })) });
    const many = Array.from({ length: 51 }, (_, i) => i + 4);
    expect((await ana.refused('update_task', { id: 3, add_blocked_by: many })).message).toMatch(
      /can have at most 50 blockers/,
    );
    await ana.ok('update_task', { id: 3, clear: 'blocked_by' });
    expect((await ana.ok('get_task', { id: 3 })).task.blocked_by).toBeUndefined();
  });

  test('what they count is what there is', async () => {
    const ana = await chain();
    await ana.ok('update_task', { ids: [1, 2], status: 'completed' });
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    await ana.ok('delete_task', { id: 2 });
    await ana.ok('undo', { last: 2 });
    const wrong = await rowsOf(
      world,
      `select t.id from taskloom.tasks t where t.user_id = $1 and (
         t.open_blockers <> (select count(*) from taskloom.dependencies d join taskloom.tasks b on b.user_id = t.user_id and b.id = d.blocker_id
           where d.user_id = t.user_id and d.blocked_id = t.id and b.status in ('pending', 'in_progress') and b.deleted_at is null)
         or t.open_subtasks <> (select count(*) from taskloom.tasks c
           where c.user_id = t.user_id and c.parent_id = t.id and c.status in ('pending', 'in_progress') and c.deleted_at is null))`,
      [ana.principal.userId],
    );
    expect(wrong).toEqual([]);
  });
});

describe('what is part of a task that is not to be begun', () => {
  /** Deploy, which waits for Build and has parts; of these one is two levels below. */
  async function deployment(): Promise<Agent> {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Build', ref: 'build' },
        { title: 'Deploy', ref: 'deploy', blocked_by: ['build'] },
        { title: 'Switch', ref: 'switch', parent: 'deploy' },
        { title: 'Warn', parent: 'switch' },
        { title: 'Migrate', parent: 'deploy' },
      ],
    });
    return ana;
  }

  test('is shown by every list as waiting, until its ancestor can start', async () => {
    const ana = await deployment();
    await ana.ok('update_task', { id: 4, due: '2026-11-22' });
    for (const [tool, args] of [
      ['list_tasks', {}],
      ['list_tasks', { text: 'warn' }],
      ['list_tasks', { project: 'none', labels: ['none'] }],
      ['get_overview', {}],
    ] as const) {
      const { text, json } = await ana.call(tool, args);
      expect(text).toContain('\n#4 Warn · due Sun 22 Nov · in #3 · waits with #2');
      expect((json.tasks ?? json.today).find((task: { id: number }) => task.id === 4)).toMatchObject({ waits_with: 2 });
    }
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.call('list_tasks')).text).not.toContain('waits with');
  });

  test('is begun or completed all the same, with a note', async () => {
    const ana = await deployment();
    const note = '#4 is part of #2, which waits for #1, still open.';
    expect((await ana.ok('update_task', { id: 4, status: 'in_progress' })).note).toBe(note);
    expect((await ana.ok('update_task', { id: 4, priority: 'high' })).note).toBeUndefined();
    expect((await ana.ok('complete_task', { id: 4 })).note).toBe(note);
    expect((await ana.ok('update_task', { id: 2, status: 'in_progress' })).note).toBe('#2 waits for #1, still open.');
    expect((await ana.ok('complete_task', { ids: [1, 3] })).note).toBeUndefined();
    await ana.ok('update_task', { id: 2, start: '2026-11-30' });
    expect((await ana.ok('complete_task', { id: 5 })).note).toBe('#5 is part of #2, which starts 30 Nov.');
  });

  test('is not ready, is not handed out, and is refused to who asks for it by its id', async () => {
    const ana = await deployment();
    expect(await titles(ana, { ready: true })).toEqual(['Build']);
    expect(await titles(ana, { ready: true, text: 'migrate' })).toEqual([]);
    expect((await ana.refused('claim_task', { text: 'warn' })).message).toBe(
      'Nothing is free to be claimed: 1 is a sub-task of one that is blocked or starts later, such as #2.',
    );
    expect(await ana.refused('claim_task', { id: 4 })).toMatchObject({
      code: 'conflict',
      message: '#4 is part of #2, which is blocked or starts later.',
    });
    const whole = await ana.call('get_task', { id: 4 });
    expect(whole.json.task).toMatchObject({ parent: 3, waits_with: 2 });
    expect(whole.text).toContain('\n  Waits with its ancestor #2.');
    await ana.ok('claim_task');
    expect((await ana.refused('claim_task')).message).toMatch(/1 is claimed.*; 2 are sub-tasks of one that is blocked/);
  });

  test.each([
    ['completed', 'complete_task', {}],
    ['cancelled', 'update_task', { status: 'cancelled' }],
    ['deleted', 'delete_task', {}],
  ])('is ready once what blocked that is %s, and the answer names it', async (_, tool, args) => {
    const ana = await deployment();
    const { ready } = await ana.ok(tool, { id: 1, ...args });
    expect(ready).toEqual([
      { id: 4, title: 'Warn' },
      { id: 5, title: 'Migrate' },
    ]);
    expect(await titles(ana, { ready: true })).toEqual(['Warn', 'Migrate']);
    expect((await ana.ok('claim_task', { id: 4 })).task.id).toBe(4);
  });

  test('waits for another’s day too, and for all above it', async () => {
    const ana = await deployment();
    await ana.ok('add_task', { title: 'Release', start: '2026-11-24' });
    await ana.ok('update_task', { id: 2, parent: 6 });
    expect((await ana.ok('complete_task', { id: 1 })).ready).toBeUndefined();
    expect((await ana.refused('claim_task', { id: 4 })).message).toBe(
      '#4 is part of #6, which is blocked or starts later.',
    );
    await ana.ok('update_task', { id: 6, clear: ['start'] });
    expect(await titles(ana, { ready: true })).toEqual(['Warn', 'Migrate']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['blocks what blocks that', { id: 1, add_blocked_by: [4] }],
    ['comes to be in it, and blocks what blocks it', { id: 6, parent: 3 }],
  ])('cannot be what %s: nothing could be begun', async (_, args) => {
    const ana = await deployment();
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Test', ref: 't' },
        { title: 'Review', parent: 't' },
      ],
    });
    if (args.id === 6) await ana.ok('update_task', { id: 1, add_blocked_by: [7] });
    expect(await ana.refused('update_task', args)).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^#\d would wait for itself: /),
    });
  });

  test('does not block the whole besides, which waits for it anyway', async () => {
    const ana = await deployment();
    expect(await ana.refused('update_task', { id: 2, add_blocked_by: [4] })).toMatchObject({
      message: '#2 already waits for its sub-task #4.',
      hint: 'Leave the sub-task out of blocked_by, or use remove_blocked_by.',
    });
    const moved = await ana.refused('update_task', { id: 1, parent: 3 });
    expect(moved.message).toBe('#2 already waits for its sub-task #1.');
    const plan = [
      { title: 'Epic', ref: 'e', blocked_by: ['s'] },
      { title: 'Step', ref: 's', parent: 'e' },
    ];
    const refusal = await ana.refused('add_tasks', { tasks: plan });
    expect(refusal.message).toContain('"Epic" already waits for its sub-task "Step".');
    expect(refusal.hint).not.toContain('#');
  });

  test('does not make others be refused that come with it', async () => {
    const ana = await deployment();
    await ana.ok('add_task', { title: 'Other' });
    expect(await ana.ok('update_task', { ids: [1, 6], add_blocked_by: [4] })).toMatchObject({
      tasks: [{ id: 6, blocked_by: [4] }],
      failed: [{ id: 1, message: '#1 would wait for itself: #1 waits for #4 waits with #2 for #1.' }],
    });
  });

  test('cannot come to be what blocks that, in a plan either, whoever is named by number or by ref', async () => {
    const ana = await deployment();
    await ana.ok('add_task', { title: 'Test' });
    await ana.ok('update_task', { id: 1, add_blocked_by: [6] });
    const plan = [
      { title: 'Tell', ref: 'tell', parent: 2 },
      { title: 'Check', parent: 6, blocked_by: ['tell'] },
    ];
    expect((await ana.refused('add_tasks', { tasks: plan })).message).toContain(
      '"Tell" would wait for itself: "Tell" waits with #2 for #1 waits for #6 waits for "Check" waits for "Tell".',
    );
    const [own, other] = [
      { title: 'A', ref: 'a', parent: 'b' },
      { title: 'C', ref: 'c', blocked_by: ['a'] },
    ];
    expect(
      (await ana.refused('add_tasks', { tasks: [{ title: 'B', ref: 'b', blocked_by: ['c'] }, own, other] })).message,
    ).toMatch(/would wait for itself/);
  });
});

test('a blocker that is closed already is said to block nothing', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_tasks', { tasks: [{ title: 'Done' }, { title: 'Dropped' }, { title: 'Open' }] });
  await ana.ok('complete_task', { id: 1 });
  await ana.ok('update_task', { id: 2, status: 'cancelled' });
  const added = await ana.call('add_task', { title: 'Next', blocked_by: [1, 3] });
  expect(added.json).toMatchObject({ note: '#1 is completed, so it blocks nothing.', task: { blocked_by: [3] } });
  expect(added.text).toContain(added.json.note);
  expect((await ana.ok('add_tasks', { tasks: [{ title: 'Last', blocked_by: [1, 2] }] })).note).toContain(
    '#1 is completed, so it blocks nothing. #2 is cancelled, so it blocks nothing.',
  );
  expect((await ana.ok('update_task', { id: 3, add_blocked_by: [2] })).note).toBe(
    '#2 is cancelled, so it blocks nothing.',
  );
});
