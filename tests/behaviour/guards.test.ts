import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, useWorld } from '../support/harness.js';

const world = useWorld();

/** A task that Ana knows at version 1, and that another agent of hers has renamed and made urgent since. */
async function changedSince() {
  const ana = await newAgent(world);
  const other = await agentOf(world, ana.principal, 'laptop');
  await ana.ok('add_task', { title: 'Call', due: '2026-11-24', labels: ['phone'] });
  await other.ok('update_task', { id: 1, title: 'Ring' });
  await other.ok('update_task', { id: 1, priority: 'urgent', add_labels: ['now'] });
  return { ana, other };
}

describe('expected_version', () => {
  test('changes to other fields, labels and blockers are merged with those made since', async () => {
    const { ana } = await changedSince();
    await ana.ok('add_task', { title: 'Find the number' });
    const { task } = await ana.ok('update_task', {
      id: 1,
      expected_version: 1,
      due: '2026-11-25',
      add_labels: ['bob'],
      add_blocked_by: [2],
    });
    expect(task).toMatchObject({
      title: 'Ring',
      priority: 'urgent',
      due: '2026-11-25',
      labels: ['bob', 'now', 'phone'],
      version: 4,
    });
  });

  test('a different change to the same field is a conflict: as it was, as it is, as it was asked to be', async () => {
    const { ana } = await changedSince();
    const reply = await ana.call('update_task', { id: 1, expected_version: 1, title: 'Phone', priority: 'low' });
    expect(reply.json.error).toEqual({
      code: 'conflict',
      message: '#1 has changed since version 1: title, priority.',
      hint: 'Read it with get_task, then decide; it is at version 3 now.',
      conflict: [
        { field: 'title', base: 'Call', theirs: 'Ring', yours: 'Phone' },
        { field: 'priority', base: null, theirs: 'urgent', yours: 'low' },
      ],
    });
    expect(reply.text).toContain('  title: was "Call", is "Ring", you wanted "Phone"');
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ title: 'Ring', version: 3 });
  });

  test('the same change twice is no conflict, and changes nothing', async () => {
    const { ana } = await changedSince();
    const reply = await ana.ok('update_task', { id: 1, expected_version: 1, title: 'Ring' });
    expect([reply.undo, reply.task.version]).toEqual([undefined, 3]);
  });

  test('status, its moment and the rule of repeating are one field', async () => {
    const { ana, other } = await changedSince();
    await other.ok('complete_task', { id: 1 });
    expect((await ana.refused('update_task', { id: 1, expected_version: 3, status: 'cancelled' })).conflict).toEqual([
      { field: 'status', base: 'pending', theirs: 'completed', yours: 'cancelled' },
    ]);
    expect((await ana.ok('complete_task', { id: 1, expected_version: 3 })).undo).toBeUndefined();
  });

  test('a conflict names the field of the status that another changed, not the one asked for', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    await ana.ok('add_task', { title: 'Water', due: '2026-11-23', repeats: 'every day' });
    await bob.ok('update_task', { id: 1, repeats: 'every weekday' });
    const reply = await ana.call('complete_task', { id: 1, expected_version: 1 });
    expect(reply.json.error).toMatchObject({
      code: 'conflict',
      message: '#1 has changed since version 1: repeats.',
      conflict: [{ field: 'repeats', base: 'every day', theirs: 'every weekday' }],
    });
    expect(reply.text).toContain('  repeats: was "every day", is "every weekday"');
    expect(reply.text).not.toContain('you wanted');
    const both = { id: 1, expected_version: 1, status: 'in_progress', repeats: 'every week' };
    expect((await ana.refused('update_task', both)).conflict).toMatchObject([{ field: 'repeats', yours: 'every Mon' }]);
    await bob.ok('update_task', { id: 1, status: 'in_progress' });
    expect((await ana.refused('update_task', { id: 1, expected_version: 2, clear: ['repeats'] })).conflict).toEqual([
      { field: 'status', base: 'pending', theirs: 'in_progress' },
    ]);
  });

  test('clearing a list leaves what others added since', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    await ana.ok('add_tasks', {
      tasks: [{ title: 'A', ref: 'a' }, { title: 'B', blocked_by: ['a'], labels: ['x', 'y'] }, { title: 'C' }],
    });
    await bob.ok('update_task', { id: 2, add_blocked_by: [3], add_labels: ['frozen'], remove_labels: ['y'] });
    await bob.ok('update_task', { id: 2, add_labels: ['y'] });
    const clear = { id: 2, clear: ['blocked_by', 'labels'] };
    expect((await ana.ok('update_task', { ...clear, expected_version: 1 })).task).toMatchObject({
      labels: ['frozen'],
      blocked_by: [3],
    });
    expect((await ana.ok('update_task', clear)).task).not.toHaveProperty('labels');
  });

  test('a task that changed since is not thrown away', async () => {
    const { ana } = await changedSince();
    expect(await ana.refused('delete_task', { id: 1, expected_version: 2 })).toMatchObject({
      code: 'conflict',
      conflict: [{ field: 'version', theirs: 3, yours: 2 }],
    });
    await ana.ok('delete_task', { id: 1, expected_version: 3 });
  });

  test('comments, and what others do to what it waits for, raise no version', async () => {
    const { ana } = await changedSince();
    await ana.ok('add_comment', { id: 1, text: 'hm' });
    await ana.ok('add_task', { title: 'Dial', parent: 1 });
    expect((await ana.ok('complete_task', { id: 2, expected_version: 1 })).task.version).toBe(2);
    expect((await ana.ok('update_task', { id: 1, expected_version: 3, title: 'Phone' })).task.version).toBe(4);
  });

  test('a conflict shows values as answers do, not too much of them, and nothing that a terminal obeys', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water', due: '2026-11-23T09:00', repeats: 'every week on mon' });
    await ana.ok('update_task', {
      id: 1,
      repeats: 'every 2 weeks on mon',
      due: '2026-11-30T09:00',
      description: `a\u2028#9 Fake\u202e${'x'.repeat(9000)}`,
    });
    const reply = await ana.call('update_task', {
      id: 1,
      expected_version: 1,
      repeats: 'every 3 weeks on mon',
      due: '2026-12-07T09:00',
      description: 'y',
    });
    const [description, due, repeats] = reply.json.error.conflict;
    expect(due).toEqual({
      field: 'due',
      base: '2026-11-23T09:00+01:00',
      theirs: '2026-11-30T09:00+01:00',
      yours: '2026-12-07T09:00+01:00',
    });
    expect(repeats).toMatchObject({
      field: 'repeats',
      base: 'every Mon at 09:00',
      theirs: 'every 2 weeks on Mon at 09:00',
    });
    expect([...description.theirs]).toHaveLength(201);
    expect(reply.text).not.toMatch(/[\u2028\u202e]/);
  });

  test('a version that there is not yet, or a guard on many, is refused', async () => {
    const { ana } = await changedSince();
    await ana.ok('add_task', { title: 'Other' });
    expect(await ana.refused('update_task', { id: 1, expected_version: 4, title: 'x' })).toMatchObject({
      code: 'invalid',
      message: '#1 is at version 3; there is no version 4 yet.',
    });
    for (const tool of ['complete_task', 'delete_task'])
      expect((await ana.refused(tool, { ids: [1, 2], expected_version: 1 })).code).toBe('invalid');
    expect((await ana.refused('update_task', { ids: [1, 2], expect_title: 'Ring', priority: 'low' })).code).toBe(
      'invalid',
    );
  });
});

describe('expect_title', () => {
  test.each(['complete_task', 'delete_task', 'update_task'])(
    '%s does nothing to a task of another title',
    async (tool) => {
      const { ana } = await changedSince();
      const args = { id: 1, ...(tool === 'update_task' && { due: '2026-12-01' }) };
      expect(await ana.refused(tool, { ...args, expect_title: 'Call' })).toMatchObject({
        code: 'conflict',
        message: '#1 has another title.',
        conflict: [{ field: 'title', theirs: 'Ring', yours: 'Call' }],
      });
      await ana.ok(tool, { ...args, expect_title: 'ring!' });
    },
  );

  test.each([
    ['Migrate A to B', 'Migrate B to A'],
    ['Learn C++', 'Learn C#'],
    ['काम करो', 'कम करो'],
    ['ซื้อข้าว', 'ซอขาว'],
  ])('takes "%s" for no other than itself', async (title, other) => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title });
    expect((await ana.refused('complete_task', { id: 1, expect_title: other })).conflict).toEqual([
      { field: 'title', theirs: title, yours: other },
    ]);
    await ana.ok('complete_task', { id: 1, expect_title: title.toUpperCase() });
  });

  test.each(['null', 'undefined'])('takes "%s" for a title', async (title) => {
    const { ana } = await changedSince();
    expect((await ana.refused('complete_task', { id: 1, expect_title: title })).conflict).toEqual([
      { field: 'title', theirs: 'Ring', yours: title },
    ]);
  });

  test('takes a title without its accents', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Réserver le train' });
    await ana.ok('complete_task', { id: 1, expect_title: 'reserver le train' });
  });
});
