import { describe, expect, test } from 'vitest';
import { type Agent, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();

/** Makes the next write of this user the one that tidies up. */
const dueForTidying = (agent: Agent) =>
  rowsOf(
    world,
    `update taskloom.counters set tidied_at = '${world.now.toISOString()}'::timestamptz - interval '61 minutes' where user_id = $1`,
    [agent.principal.userId],
  );

const countOf = async (agent: Agent, table: string) => {
  const [[count] = []] = await rowsOf(world, `select count(*)::int from taskloom.${table} where user_id = $1`, [
    agent.principal.userId,
  ]);
  return count;
};

/** Moves what was written so far into the past. */
const age = (agent: Agent, table: string, column: string, by: string) =>
  rowsOf(world, `update taskloom.${table} set ${column} = ${column} - $2::interval where user_id = $1`, [
    agent.principal.userId,
    by,
  ]);

describe('housekeeping', () => {
  test('of old history leaves no changed task out of a list by when it changed', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old' });
    await rowsOf(world, 'delete from taskloom.changes where user_id = $1', [ana.principal.userId]); // as tidying would in time
    await ana.ok('add_task', { title: 'New' });
    expect((await ana.ok('list_tasks', { changed_since: '2026-11-21' })).tasks).toMatchObject([{ id: 2 }, { id: 1 }]);
  });

  test('answers to repeats are kept for a day, and removed with a later write', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old', request_id: 'r1' });
    await age(ana, 'requests', 'at', '25 hours');
    await ana.ok('add_task', { title: 'New', request_id: 'r2' });
    expect(await countOf(ana, 'requests')).toBe(2); // not more than once an hour
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'Newer' });
    expect(await countOf(ana, 'requests')).toBe(1);
    expect((await ana.ok('add_task', { title: 'New', request_id: 'r2' })).replayed).toBe(true);
  });

  test('goes on in a minute where there was more than one write removes', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One', request_id: 'r1' });
    await rowsOf(
      world,
      `insert into taskloom.requests (user_id, key, fingerprint, answer, at)
       select user_id, key || n, fingerprint, answer, at from taskloom.requests, generate_series(1, 1500) n where user_id = $1`,
      [ana.principal.userId],
    );
    await age(ana, 'requests', 'at', '25 hours');
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'Two' });
    expect(await countOf(ana, 'requests')).toBe(501);
    await ana.ok('add_task', { title: 'Three' });
    expect(await countOf(ana, 'requests')).toBe(501);
    await age(ana, 'counters', 'tidied_at', '61 seconds');
    await ana.ok('add_task', { title: 'Four' });
    expect(await countOf(ana, 'requests')).toBe(0);
    await age(ana, 'counters', 'tidied_at', '61 seconds');
    const [[before] = []] = await rowsOf(world, 'select tidied_at from taskloom.counters where user_id = $1', [
      ana.principal.userId,
    ]);
    await ana.ok('add_task', { title: 'Five' });
    const [[after] = []] = await rowsOf(world, 'select tidied_at from taskloom.counters where user_id = $1', [
      ana.principal.userId,
    ]);
    expect(after).toEqual(before); // an hour from then on
  });

  test('answers to calls that were handed on are kept for an hour', async () => {
    const ana = await newAgent(world);
    for (const request_id of ['r1', 'r2', 'r3']) await ana.ok('add_task', { title: request_id, request_id });
    const requests = (set: string, place: number) =>
      rowsOf(
        world,
        `update taskloom.requests set ${set} where user_id = $1 and key = (
           select key from taskloom.requests where user_id = $1 order by key offset ${place} limit 1)`,
        [ana.principal.userId],
      );
    await age(ana, 'requests', 'at', '59 minutes');
    await requests('relayed = true', 0);
    await requests(`relayed = true, at = at - interval '1 minute'`, 1);
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'New' });
    expect(await countOf(ana, 'requests')).toBe(2);
  });

  test('the trash is emptied after thirty days: labels, comments, dependencies and places in families too', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'House', ref: 'house', labels: ['big'], project: 'Home' },
        { title: 'Roof', ref: 'roof', parent: 'house' },
        { title: 'Paint', blocked_by: ['house', 'roof'] },
      ],
    });
    await ana.ok('add_comment', { id: 1, text: 'hm' });
    await ana.ok('update_task', { id: 2, add_labels: ['high up'] });
    const gone = await ana.ok('delete_task', { id: 1 });
    await ana.ok('update_task', { id: 2, status: 'pending' });
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'now' });
    expect((await ana.ok('list_tasks', { status: 'deleted' })).total).toBe(1);

    await age(ana, 'tasks', 'deleted_at', '30 days');
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'then' });
    expect((await ana.ok('list_tasks', { status: 'deleted' })).total).toBe(0);
    expect(await countOf(ana, 'comments')).toBe(0);
    const left = (await ana.ok('get_task', { ids: [2, 3] })).tasks;
    expect(left).toMatchObject([
      { title: 'Roof', labels: ['high up'] },
      { title: 'Paint', blocked_by: [{ id: 2 }] },
    ]);
    expect(left[0].parent).toBeUndefined();
    expect((await ana.refused('undo', { undo: gone.undo })).message).toContain('#1 no longer exists');
    expect((await ana.refused('get_task', { id: 1 })).code).toBe('not_found');
    expect((await ana.ok('add_task', { title: 'next' })).task.id).toBe(6); // numbers are never given out again
  });

  test('history goes when it is old, by whole writes, and says so', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }] });
    await ana.ok('update_task', { id: 1, title: 'AA' });
    await age(ana, 'changes', 'at', '364 days');
    await dueForTidying(ana);
    await ana.ok('update_task', { id: 2, title: 'BB' });
    expect(await countOf(ana, 'changes')).toBe(4);

    await rowsOf(world, `update taskloom.changes set at = at - interval '2 days' where user_id = $1 and seq <= 3`, [
      ana.principal.userId,
    ]);
    await dueForTidying(ana);
    await ana.ok('update_task', { id: 2, priority: 'low' });
    expect(await countOf(ana, 'changes')).toBe(2);
    const [counters] = await rowsOf(
      world,
      'select changes_from::int, change_seq::int from taskloom.counters where user_id = $1',
      [ana.principal.userId],
    );
    expect(counters).toEqual([4, 5]);
    expect((await ana.refused('undo', { undo: 'u1' })).message).toBe('The history of u1 is no longer kept.');
    expect((await ana.refused('update_task', { id: 2, expected_version: 1, title: 'C' })).conflict).toMatchObject([
      { field: 'title', theirs: 'BB', yours: 'C' },
    ]);
    expect((await ana.refused('update_task', { id: 1, expected_version: 1, title: 'C' })).conflict).toEqual([
      { field: 'title', theirs: 'AA', yours: 'C' },
    ]);
    await ana.ok('undo', { undo: 'u4' });
  });

  test('nothing is tidied up for somebody else', async () => {
    const [ana, bob] = [await newAgent(world), await newAgent(world)];
    for (const agent of [ana, bob]) {
      await agent.ok('add_task', { title: 'x', request_id: 'r' });
      await agent.ok('delete_task', { id: 1 });
      await age(agent, 'tasks', 'deleted_at', '31 days');
      await age(agent, 'requests', 'at', '25 hours');
      await age(agent, 'changes', 'at', '999 days');
    }
    await dueForTidying(ana);
    await ana.ok('add_task', { title: 'y' });
    expect(await Promise.all(['tasks', 'requests', 'changes'].map((table) => countOf(bob, table)))).toEqual([1, 1, 2]);
    expect(await Promise.all(['tasks', 'requests', 'changes'].map((table) => countOf(ana, table)))).toEqual([1, 0, 1]);
  });
});
