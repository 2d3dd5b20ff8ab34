import { describe, expect, test } from 'vitest';
import { agentOf, newAgent, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

describe('release_task', () => {
  test('gives a task back at once, with a note that the next one sees', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const { claim } = await ana.ok('claim_task', { id: 1, agent: 'one' });
    const reply = await ana.call('release_task', { id: 1, claim, note: 'Tiles are **ordered**\nLadder is back' });
    expect(reply.json).toEqual({ task: { id: 1, title: 'Roof', status: 'pending', version: 1 } });
    expect(reply.text).toBe('Released #1 Roof');
    const { task } = await ana.ok('claim_task', { agent: 'two' });
    expect(task).toMatchObject({ id: 1, claimed_by: 'two', note: 'Tiles are **ordered**\nLadder is back' });
    const shown = await ana.call('get_task', { id: 1 });
    expect(shown.json.task.note).toBe(task.note);
    expect(shown.text).toContain('  Note left on release:\n    Tiles are **ordered**\n    Ladder is back');
    expect(shown.json.task.history.map(({ what }: { what: string }) => what)).toEqual([
      'claimed',
      'released',
      'claimed',
    ]);
  });

  test('the note stays until another takes its place', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const once = async (note?: string) => {
      const { claim } = await ana.ok('claim_task', { id: 1 });
      await ana.ok('release_task', { id: 1, claim, note });
      return (await ana.ok('get_task', { id: 1 })).task.note;
    };
    expect(await once('first')).toBe('first');
    expect(await once()).toBe('first');
    expect(await once('second')).toBe('second');
    await ana.ok('update_task', { id: 1, title: 'Roofs', description: 'new' });
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ note: 'second', description: 'new' });
  });

  test('may complete in the same write: what became ready, what is next, and a handle to undo it', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Water', ref: 'water', due: '2026-11-22', repeats: 'every day' },
        { title: 'Prune', blocked_by: ['water'] },
      ],
    });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    const reply = await ana.ok('release_task', { id: 1, claim, status: 'done', note: 'Can is empty' });
    expect(reply).toMatchObject({
      task: { status: 'completed', version: 2 },
      ready: [{ id: 2 }],
      next: [{ id: 3, due: '2026-11-23' }],
      undo: 'u4',
    });
    await ana.ok('undo', { undo: reply.undo });
    const { task } = await ana.ok('get_task', { id: 1 });
    expect(task.status).toBe('pending');
    expect(task).not.toHaveProperty('note');
    expect(task).not.toHaveProperty('claimed_by');
  });

  test('may cancel, or make of what was begun by hand something to hand out again', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }] });
    const one = await ana.ok('claim_task', { id: 1 });
    expect((await ana.ok('release_task', { id: 1, claim: one.claim, status: 'cancelled' })).task.status).toBe(
      'cancelled',
    );
    await ana.ok('update_task', { id: 2, status: 'in_progress' });
    const two = await ana.ok('claim_task', { id: 2 });
    await ana.ok('release_task', { id: 2, claim: two.claim, status: 'pending' });
    expect((await ana.ok('claim_task')).task.id).toBe(2);
  });

  test('is refused where completing is, and then the claim goes on', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    await ana.ok('add_task', { title: 'Tiles', parent: 1 });
    expect(await ana.refused('release_task', { id: 1, claim, status: 'completed', note: 'x' })).toMatchObject({
      code: 'conflict',
      message: '#1 has 1 open sub-task.',
      candidates: [{ id: 2 }],
    });
    expect((await ana.ok('get_task', { id: 1 })).task).toMatchObject({ claimed_by: 'test' });
  });

  test('without the number it is refused while somebody has the task', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'laptop');
    await ana.ok('add_task', { title: 'A' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    expect(await other.refused('release_task', { id: 1, status: 'pending' })).toMatchObject({
      code: 'conflict',
      message: '#1 is claimed by test until 14:32.',
    });
    expect(await other.refused('release_task', { id: 1, claim: claim - 1 })).toMatchObject({
      code: 'conflict',
      message: `Claim ${claim - 1} on #1 is over: the task is claimed by test until 14:32 now.`,
    });
    expect((await other.refused('release_task', { id: 1, claim: claim + 1 })).code).toBe('invalid');
  });

  test('without the number it is refused once somebody has closed the task, and says who', async () => {
    const ana = await newAgent(world);
    const bob = await agentOf(world, ana.principal, 'bob');
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', blocked_by: ['a'] },
      ],
    });
    await ana.ok('claim_task', { id: 1, minutes: 5 });
    setClock(world, '2026-11-22T13:10:00Z');
    await bob.ok('complete_task', { id: 1 });
    setClock(world, '2026-11-22T13:20:00Z');
    for (const status of ['pending', 'completed', undefined])
      expect(await ana.refused('release_task', { id: 1, note: 'Could not finish', status })).toEqual({
        code: 'conflict',
        message: '#1 is completed: last changed by bob, Sun 22 Nov 14:10.',
        hint: 'add_comment adds to it all the same. To reopen it: update_task {"ids":[1],"status":"pending"}.',
      });
  });

  test('of what nobody has it leaves the note and sets the status, and twice it changes nothing', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    expect((await ana.call('release_task', { id: 1 })).text).toBe('Unchanged #1 A\nNobody had claimed #1.');
    const left = await ana.call('release_task', { id: 1, note: 'hm' });
    expect(left.text).toBe('Updated #1 A\nNobody had claimed #1.');
    expect(left.json.note).toBe('Nobody had claimed #1.');
    expect((await ana.ok('get_task', { id: 1 })).task.note).toBe('hm');
    const { claim } = await ana.ok('claim_task', { id: 1 });
    await ana.ok('release_task', { id: 1, claim, status: 'completed' });
    const again = await ana.call('release_task', { id: 1, claim, status: 'completed' });
    expect(again.json.undo).toBeUndefined();
    expect(again.text).toMatch(/^Unchanged #1 A · completed/);
  });

  test('refuses what is not there, or in the trash', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    await ana.ok('delete_task', { id: 1 });
    expect((await ana.refused('release_task', { id: 1, status: 'pending' })).message).toBe('#1 is in the trash.');
    expect((await ana.refused('release_task', { id: 9 })).code).toBe('not_found');
    expect((await ana.refused('release_task', { id: 1, note: 'x'.repeat(2001) })).message).toContain(
      'the maximum is 2000',
    );
  });
});
