import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, NOON, newAgent, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('get_task', () => {
  test('tells the holder of a claim its number, and nobody else', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }] });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    await ana.ok('claim_task', { id: 2, agent: 'night shift' });
    const seen = async (agent: Agent, id: number) => (await agent.call('get_task', { id })).json.task.claim;
    expect(await seen(ana, 1)).toBe(claim);
    expect((await ana.call('get_task', { id: 1 })).text).toContain(`claimed by test until 14:32 (claim ${claim})`);
    expect([await seen(bob, 1), await seen(ana, 2)]).toEqual([undefined, undefined]);
    expect((await ana.ok('list_tasks', { claimed_by: 'me' })).tasks[1]).not.toHaveProperty('claim');
    await ana.ok('complete_task', { id: 1, claim: await seen(ana, 1) });
    expect(await seen(ana, 1)).toBeUndefined();
  });

  test('shows the handle by which each change of the history can be undone', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A', description: 'as it was' });
    const { undo } = await ana.ok('update_task', { id: 1, description: 'changed' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    await ana.ok('release_task', { id: 1, claim });
    const { json, text } = await ana.call('get_task', { id: 1 });
    expect(json.task.history.map(({ undo }: { undo?: string }) => undo)).toEqual([undefined, undefined, undo]);
    expect(text).toContain(`  Sun 22 Nov 14:02, test: updated description (${undo})`);
    expect(text).toMatch(/test: claimed$/m);
    await ana.ok('undo', { undo: json.task.history[2].undo });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ description: 'as it was' });
  });

  test('quotes titles that read like more than a title, in every list', async () => {
    const ana = await newAgent(world);
    const title = 'Pay rent · completed';
    const quoted = '"Pay rent · completed"';
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Move', ref: 'm' },
        { title, parent: 'm', ref: 'p' },
        { title: 'Paint', blocked_by: ['p'] },
      ],
    });
    expect((await ana.call('get_task', { id: 1 })).text).toContain(`  Sub-tasks:\n  #2 ${quoted}`);
    expect((await ana.call('get_task', { id: 3 })).text).toContain(`  Blocked by:\n  #2 ${quoted}`);
    expect((await ana.call('complete_task', { id: 1 })).text).toContain(`#2 ${quoted}`); // as a candidate
    expect((await ana.call('add_task', { title })).text).toContain(`Similar open tasks:\n  #2 ${quoted}`);
    expect((await ana.call('add_comment', { id: 2, text: 'x' })).text).toContain(`Commented on #2 ${quoted}`);
    expect((await ana.call('list_tasks', { text: 'rent', detail: 'ids' })).text).toContain(`#2 ${quoted}`);
  });

  test('answers everything about one task', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', {
      title: 'Roof',
      description: '# Plan\n- look',
      due: '2026-12-01T17:00',
      project: 'Home',
    });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    await ana.ok('add_task', { title: 'Gutter', parent: 1 });
    await ana.ok('complete_task', { id: 3 });
    const reply = await ana.call('get_task', { ids: ['#1'] });
    expect(reply.json).toEqual({
      task: {
        id: 1,
        title: 'Roof',
        status: 'pending',
        version: 1,
        description: '# Plan\n- look',
        due: '2026-12-01T17:00+01:00',
        project: 'Home',
        subtasks: [
          { id: 2, title: 'Tiles' },
          { id: 3, title: 'Gutter', status: 'completed' },
        ],
        created: '2026-11-22T14:02+01:00',
        created_by: 'test',
      },
    });
    expect(reply.text).toBe(
      [
        '#1 Roof · due 1 Dec 17:00 · +Home',
        '  version 1 · created Sun 22 Nov 14:02 by test',
        '    # Plan',
        '    - look',
        '  Sub-tasks:',
        '  #2 Tiles',
        '  #3 Gutter · completed',
      ].join('\n'),
    );
  });

  test('of what repeats and is late it tells the dates that may follow, none of which is past', async () => {
    const ana = await newAgent(world);
    const added = await ana.ok('add_task', { title: 'Water', due: '2026-11-10', repeats: 'every day' });
    const next = ['2026-11-22', '2026-11-23', '2026-11-24'];
    expect(added.task.next).toEqual(next);
    expect((await ana.ok('get_task', { id: 1 })).task.next).toEqual(next);
    expect((await ana.ok('complete_task', { id: 1 })).next).toMatchObject([{ due: next[0] }]);
  });

  test('names in both channels which tasks have a title that several have, and says a hint once', async () => {
    const ana = await newAgent(world);
    for (const title of ['Same', 'Same', 'Other']) await ana.ok('add_task', { title });
    const { json, text } = await ana.call('get_task', { ids: ['same', 98, 99, 3] });
    expect(text).toContain(
      [
        'Failed: Several tasks are called "same". Use the id of one of the candidates.',
        '  #1 Same',
        '  #2 Same',
        'Failed: No task #98.',
        'Failed: No task #99. Use list_tasks to find its id.',
      ].join('\n'),
    );
    expect(json.failed.map(({ hint }: { hint?: string }) => hint)).toEqual([
      'Use the id of one of the candidates.',
      undefined,
      'Use list_tasks to find its id.',
    ]);
  });

  test('says when it was changed, if that was later', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    setClock(world, '2026-11-22T13:05:00Z');
    await ana.ok('update_task', { id: 1, title: 'Roofs' });
    setClock(world, NOON);
    const { json, text } = await ana.call('get_task', { id: 1 });
    expect(json.task).toMatchObject({ created: '2026-11-22T14:02+01:00', updated: '2026-11-22T14:05+01:00' });
    expect(text).toContain('version 2 · created Sun 22 Nov 14:02 by test · updated Sun 22 Nov 14:05\n');
  });

  test('takes titles, whatever their case, accents and order of words; an open task before a closed one', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Réserver le train' });
    await ana.ok('add_task', { title: 'Pay rent' });
    await ana.ok('complete_task', { id: 2 });
    await ana.ok('add_task', { title: 'Pay rent' });
    expect((await ana.ok('get_task', { ids: ['train reserver LE'] })).task.id).toBe(1);
    expect((await ana.ok('get_task', { title: 'pay rent' })).task.id).toBe(3);
  });

  test('a title that is none, or several, is refused with candidates', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Pay rent' });
    await ana.ok('add_task', { title: 'Pay rent' });
    expect(await ana.refused('get_task', { ids: ['Pay rent'] })).toMatchObject({
      code: 'not_found',
      candidates: [
        { id: 1, title: 'Pay rent' },
        { id: 2, title: 'Pay rent' },
      ],
    });
    expect(await ana.refused('get_task', { ids: ['rent'] })).toMatchObject({
      message: 'No task is called "rent".',
      candidates: [{ id: 2 }, { id: 1 }],
    });
    expect(await ana.refused('get_task', { ids: ['zebra'] })).toEqual({
      code: 'not_found',
      message: 'No task is called "zebra".',
      hint: 'Use list_tasks to find its id.',
    });
  });

  test('of titles of the same words, the one that is asked for is meant', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Migrate A to B' });
    await ana.ok('add_task', { title: 'Migrate B to A' });
    expect((await ana.ok('get_task', { ids: ['migrate a to b'] })).task.id).toBe(1);
  });

  test('a title that only a task in the trash has finds that, as such', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old plan' });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.ok('get_task', { ids: ['Old plan'] })).task).toMatchObject({ id: 1, status: 'deleted' });
    await ana.ok('add_task', { title: 'Old plan' });
    expect((await ana.ok('get_task', { ids: ['Old plan'] })).task.id).toBe(2);
  });

  test('a task named twice is told once', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    expect((await ana.ok('get_task', { ids: [1, '#1', 'One'] })).total).toBeUndefined();
  });

  test('of a habit, the one that is open is meant, however often it was done before', async () => {
    const ana = await newAgent(world);
    for (let i = 1; i <= 12; i++) {
      await ana.ok('add_task', { title: 'Water plants' });
      await ana.ok('complete_task', { id: i });
    }
    await ana.ok('add_task', { title: 'Water plants' });
    await ana.ok('add_task', { title: 'Other' });
    const found = await ana.ok('get_task', { ids: ['water plants', 14] });
    expect(found.tasks.map((task: { id: number }) => task.id)).toEqual([13, 14]);
  });

  test('of several, those that are not there are named beside those that are', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    const reply = await ana.call('get_task', { ids: [1, 77] });
    expect(reply.json.tasks).toHaveLength(1);
    expect(reply.json.failed).toEqual([
      { id: 77, code: 'not_found', message: 'No task #77.', hint: 'Use list_tasks to find its id.' },
    ]);
    expect(reply.text).toContain('Failed: No task #77. Use list_tasks to find its id.');
  });

  test('names candidates for the first titles that several have, and for none where there is no room', async () => {
    const ana = await newAgent(world);
    const words = 'one two three four five six'.split(' ');
    await ana.ok('add_tasks', {
      tasks: words.flatMap((word) => Array.from({ length: 8 }, () => ({ title: `Write chapter ${word} of the book` }))),
    });
    const { task } = await ana.ok('add_task', { title: 'Print' });
    const ids = [task.id, ...words.map((word) => `write chapter ${word} of the book`)];
    const all = await ana.ok('get_task', { ids });
    expect(all.failed.map(({ candidates = [] }) => candidates.length)).toEqual([8, 8, 8, 0, 0, 0]);
    const { json, text } = await ana.call('get_task', { ids, max_tokens: 400 });
    expect(json.failed.map(({ id, candidates }: { id: string; candidates?: [] }) => [id, candidates])).toEqual(
      ids.slice(1).map((id) => [id, undefined]),
    );
    expect(text).not.toMatch(/^ *#1 /m);
  });

  test('shows what is in the trash, as such', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Gone' });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.ok('get_task', { id: 1 })).task.status).toBe('deleted');
  });

  test('of very many sub-tasks shows the open ones, in order, and how many there are', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 99 }, (_, i) => ({ title: `Step ${i + 2}`, parent: 'top' }));
    await ana.ok('add_tasks', { tasks: [{ title: 'Top', ref: 'top' }, ...tasks] });
    await ana.ok('complete_task', { ids: Array.from({ length: 70 }, (_, i) => i + 2) });
    const { json, text } = await ana.call('get_task', { id: 1, max_tokens: 3000 });
    const shown = json.task.subtasks;
    expect(shown).toHaveLength(99);
    const usual = await ana.call('get_task', { id: 1 });
    expect(usual.json.task.subtasks_total).toBe(99);
    expect(usual.json.task.subtasks).toHaveLength(50);
    expect(usual.json.task.subtasks.filter((each: { status?: string }) => !each.status)).toHaveLength(29);
    expect(usual.text).toContain(
      '  Sub-tasks (50 of 99; list_tasks parent 1 for the rest):\n  #2 Step 2 · completed\n',
    );
    expect(text).toContain('  Sub-tasks:\n');
    expect(json.task).not.toHaveProperty('subtasks_total');
  });

  test('shows more comments and history to who asks for more', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Log' });
    for (let i = 0; i < 12; i++) {
      await ana.ok('add_comment', { id: 1, text: `Entry ${i}` });
      await ana.ok('update_task', { id: 1, title: `Log ${i}` });
    }
    const usual = await ana.call('get_task', { id: 1 });
    expect(usual.text).toContain('  Comments 3–12 of 12 (earlier ones: get_task with comments_before 3):\n');
    expect([usual.json.task.comments.length, usual.json.task.history.length]).toEqual([10, 8]);
    const { json, text } = await ana.call('get_task', { id: 1, max_tokens: 5000 });
    expect(json.task.comments.map((each: { text: string }) => each.text)).toEqual(
      Array.from({ length: 12 }, (_, i) => `Entry ${i}`),
    );
    expect(json.task.history).toHaveLength(12);
    expect(text).toContain('  Comments:\n');
  });

  test('pages back through all comments of a task, without the rest of it', async () => {
    const ana = await newAgent(world);
    const whole = { description: 'word '.repeat(1000), labels: ['log'] };
    await ana.ok('add_tasks', { tasks: [{ title: 'Log', ...whole }, { title: 'Other' }] });
    for (let i = 0; i < 12; i++) {
      await ana.ok('add_comment', { id: 1, text: `Entry ${i} ${'word '.repeat(90)}` });
      await ana.ok('add_comment', { id: 2, text: 'Other' });
    }
    const seen: string[] = [];
    let before: number | undefined = 24;
    while (before !== undefined) {
      const { json, text } = await ana.call('get_task', { id: 1, max_tokens: 600, comments_before: before });
      const { comments, ...task } = json.task;
      seen.unshift(...comments.map((each: { text: string }) => each.text.split(' ').slice(0, 2).join(' ')));
      expect(task).toMatchObject({ id: 1, title: 'Log', labels: ['log'], comments_total: 12 });
      expect(task).not.toHaveProperty('description');
      expect(text).toContain(`  Comments ${13 - seen.length}–${13 - seen.length + comments.length - 1} of 12`);
      before = task.comments_before;
    }
    expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => `Entry ${i}`));
    expect((await ana.ok('get_task', { id: 1, comments_before: 1 })).task).not.toHaveProperty('comments');
  });

  test('takes the number of a comment only with one id', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'One' }, { title: 'Two' }] });
    expect((await ana.refused('get_task', { ids: [1, 2], comments_before: 9 })).message).toBe(
      'comments_before needs one id.',
    );
    expect((await ana.refused('get_task', { id: 1, comments_before: 'x' })).message).toMatch(
      /^comments_before must be/,
    );
  });

  test('counts all comments, looked up or not, where it leaves out some', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Log', description: 'word '.repeat(400) });
    for (let i = 0; i < 12; i++) await ana.ok('add_comment', { id: 1, text: `Entry ${i}` });
    const { text } = await ana.call('get_task', { id: 1, max_tokens: 400 });
    expect(text).toContain('12 of 12 comments of #1');
  });
});
