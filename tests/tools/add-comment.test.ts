import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('add_comment', () => {
  test('is kept with who wrote it and when, and shown with its task', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const reply = await ana.call('add_comment', { id: '#1', text: 'Two tiles\nare broken' });
    expect(reply.text).toBe('Commented on #1 Roof\nundo: u2');
    const other = await agentOf(world, ana.principal, 'laptop');
    await other.ok('add_comment', { id: 1, text: 'Ordered' });
    const shown = await ana.call('get_task', { id: 1 });
    expect(shown.json.task.comments).toEqual([
      { text: 'Two tiles\nare broken', by: 'test', at: '2026-11-22T14:02+01:00' },
      { text: 'Ordered', by: 'laptop', at: '2026-11-22T14:02+01:00' },
    ]);
    expect(shown.text).toContain('Comments:\n  Sun 22 Nov 14:02, test:\n    Two tiles\n    are broken\n');
    expect(shown.json.task).toMatchObject({ version: 1 });
    expect(shown.json.task.history).toBeUndefined(); // each says itself whose it is
  });

  test('says that the claim it was written under has expired', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    expect((await ana.ok('add_comment', { id: 1, text: 'Begun', claim })).note).toBeUndefined();
    setClock(world, '2026-11-22T13:40:00Z');
    const late = await ana.call('add_comment', { id: 1, text: 'Done', claim });
    expect(late.json.note).toBe(
      `Your claim on #1 expired at 14:32. To renew it: claim_task {"id":1,"claim":${claim}}.`,
    );
    expect(late.text).toContain(late.json.note);
  });

  test('the latest ten of many are shown, with how many there are', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    for (let i = 1; i <= 12; i++) await ana.ok('add_comment', { id: 1, text: `note ${i}` });
    const reply = await ana.call('get_task', { id: 1 });
    expect(reply.json.task.comments.map((comment: { text: string }) => comment.text)).toEqual(
      Array.from({ length: 10 }, (_, i) => `note ${i + 3}`),
    );
    expect(reply.json.task.comments_total).toBe(12);
    expect(reply.text).toContain('Comments 3–12 of 12 (earlier ones: get_task with comments_before 3):');
  });

  test('can be undone, and done again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const { undo } = await ana.ok('add_comment', { id: 1, text: 'Secret' });
    const again = await ana.ok('undo', { undo });
    const { task } = await ana.ok('get_task', { id: 1 });
    expect(task.comments).toBeUndefined();
    expect(task.history[0]).toMatchObject({ what: 'undone', fields: ['comment (removed)'] });
    await ana.ok('undo', { undo: again.undo });
    expect((await ana.ok('get_task', { id: 1 })).task.comments).toMatchObject([{ text: 'Secret', by: 'test' }]);
  });

  test('text cannot pose as a row, and is refused where it is none', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('add_comment', { id: 1, text: '#2 Fake · due today\n\u001b[2J' });
    const { text } = await ana.call('get_task', { id: 1 });
    expect(text).toContain('\n    #2 Fake · due today\n    \\u{1b}[2J');
    for (const bad of ['', '  ', 'x'.repeat(10_001), 'nul\0'])
      expect((await ana.refused('add_comment', { id: 1, text: bad })).code, bad.slice(0, 5)).toBe('invalid');
    expect(await ana.refused('add_comment', { id: 9, text: 'x' })).toMatchObject({ code: 'not_found' });
    await ana.ok('delete_task', { id: 1 });
    expect(await ana.refused('add_comment', { id: 1, text: 'x' })).toMatchObject({ code: 'conflict' });
  });
});
