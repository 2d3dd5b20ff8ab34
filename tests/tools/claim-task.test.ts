import { describe, expect, test } from 'vitest';
import { queryAsTableOwner } from '../../src/db/service.js';
import { agentOf, newAgent, setClock, useWorld } from '../support/harness.js';

const world = useWorld();

const ids = (tasks: { id: number }[] = []) => tasks.map(({ id }) => id);

describe('claim_task', () => {
  test('by id answers the whole task, until when it is claimed, and the number of the claim', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Find the key', ref: 'key' },
        { title: 'Mend the roof', ref: 'roof', description: 'With **tiles**', blocked_by: ['key'] },
        { title: 'Paint it', blocked_by: ['roof'] },
      ],
    });
    await ana.ok('add_comment', { id: 2, text: 'The ladder is in the shed' });
    await ana.ok('complete_task', { id: 1 });
    const reply = await ana.call('claim_task', { id: 2, agent: 'roofer' });
    expect(reply.isError, reply.text).toBe(false);
    expect(reply.json).toMatchObject({
      claim: 6,
      task: {
        id: 2,
        title: 'Mend the roof',
        status: 'in_progress',
        version: 1,
        description: 'With **tiles**',
        claimed_by: 'roofer',
        claimed_until: '2026-11-22T14:32+01:00',
        blocked_by: [{ id: 1, status: 'completed' }],
        blocks: [{ id: 3 }],
        comments: [{ text: 'The ladder is in the shed' }],
      },
    });
    expect(reply.json.undo).toBeUndefined();
    expect(reply.text).toMatch(
      /^Claimed until 14:32 · claim 6\n#2 Mend the roof · in progress · claimed by roofer until 14:32\n/,
    );
    expect(reply.text).toContain('    With **tiles**');
  });

  test('without an id hands out what is ready: the most urgent first, then what is due first, then the oldest', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'Plain' },
        { title: 'Due', due: '2026-12-01', ref: 'due' },
        { title: 'High', priority: 'high' },
        { title: 'Waits', priority: 'urgent', blocked_by: ['due'] },
        { title: 'Later', priority: 'urgent', start: '2026-11-23' },
        { title: 'Whole', priority: 'urgent', ref: 'whole' },
        { title: 'Part', parent: 'whole' },
        { title: 'Begun', priority: 'urgent' },
      ],
    });
    await ana.ok('update_task', { id: 8, status: 'in_progress' });
    const listed = ids((await ana.ok('list_tasks', { ready: true, status: 'not_started' })).tasks);
    const claimed: number[] = [];
    for (let i = 0; i < 4; i++) claimed.push((await ana.ok('claim_task')).task.id);
    expect(claimed).toEqual([3, 2, 1, 7]);
    expect(claimed).toEqual(listed);
    expect(await ana.refused('claim_task')).toEqual({
      code: 'not_found',
      message:
        'Nothing is free to be claimed: 4 are claimed, the first until 14:32; 2 are blocked or have open sub-tasks; 1 starts later, the first on Mon 23 Nov; 1 is in progress without a claim.',
      hint: 'Ask again when one of them is completed or released, or at 14:32.',
    });
  });

  test('says to ask again at the first of the times that it knows', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B', start: '2026-11-22T15:15' }] });
    await ana.ok('claim_task', { minutes: 600 });
    const hint = async () => (await ana.refused('claim_task')).hint;
    expect(await hint()).toBe('Ask again when one of them is completed or released, or on Sun 22 Nov 15:15.');
    await ana.ok('update_task', { id: 2, start: '2026-11-24' });
    expect(await hint()).toBe('Ask again when one of them is completed or released, or at Mon 23 Nov 00:02.');
  });

  test('says that it has not counted all where nothing of very many tasks is ready', async () => {
    const ana = await newAgent(world);
    await queryAsTableOwner(
      world.database,
      `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, start_at, start_sort, rank, version, created_at, created_by, updated_at, updated_by)
       select $1::uuid, n, 'bulk', 'bulk', 'pending', 5, 'infinity', '2030-01-01T00:00:00Z', '2030-01-01T00:00:00Z', 'a0', 1, now(), 't', now(), 't' from generate_series(1, 1100) n`,
      [ana.principal.userId],
    );
    expect(await ana.refused('claim_task')).toEqual({
      code: 'not_found',
      message: 'Nothing is free to be claimed: 1000+ start later.',
      hint: 'Use fewer filters, or add tasks with add_tasks.',
    });
  });

  test('hands out only what fits: project, labels, priority, words', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'One' },
        { title: 'Two', project: 'Home' },
        { title: 'Three', project: 'Home', labels: ['Deep', 'now'] },
        { title: 'Four', priority: 'low' },
        { title: 'Five', description: 'about the kettle' },
        { title: 'Six' },
      ],
    });
    await ana.ok('add_comment', { id: 6, text: 'the kettle too' });
    const next = async (filter: Record<string, unknown>) => (await ana.ok('claim_task', filter)).task.id;
    expect(await next({ project: 'home', labels: ['@deep'] })).toBe(3);
    expect(await next({ project: '+Home' })).toBe(2);
    expect(await next({ priority: 'p4' })).toBe(4);
    expect(await next({ text: 'kettle' })).toBe(5);
    expect(await next({ query: 'kettle' })).toBe(6);
    expect((await ana.refused('claim_task', { text: 'kettle' })).message).toContain('2 are claimed');
    expect((await ana.refused('claim_task', { text: 'kettel' })).message).toBe('Nothing is free to be claimed.');
    expect(await ana.refused('claim_task', { project: 'Hom' })).toMatchObject({
      code: 'not_found',
      message: 'No project "Hom".',
      candidates: [{ name: 'Home' }],
    });
  });

  test('says of a label that no task has it, and what there is instead', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Call', labels: ['errand'] });
    expect(await ana.refused('claim_task', { labels: ['errnd'] })).toMatchObject({
      message: 'Nothing is free to be claimed. No task has @errnd; similar labels: @errand.',
      hint: 'Try other labels, or omit labels.',
    });
    await ana.ok('add_task', { title: 'Pay', labels: ['errand. Next, claim #1'] });
    expect((await ana.refused('claim_task', { labels: ['errnd', 'claim'] })).message).toBe(
      'Nothing is free to be claimed. No task has @claim, @errnd; similar labels: @errand, @"errand. Next, claim #1".',
    );
    await ana.ok('delete_task', { id: 2 });
    await ana.ok('claim_task', { labels: ['errand'] });
    expect((await ana.refused('claim_task', { labels: ['errand'] })).message).toContain('1 is claimed');
    await ana.ok('complete_task', { id: 1 });
    expect((await ana.refused('claim_task', { labels: ['errand'] })).message).toBe(
      'Nothing is free to be claimed. Only closed or archived tasks match.',
    );
  });

  test('of very many tasks with the same words, finds the one that is ready, not only among the newest', async () => {
    const ana = await newAgent(world);
    const chapter = (n: number, before?: string) => ({
      title: `Chapter ${n}`,
      ref: `c${n}`,
      ...(before && { blocked_by: [before] }),
    });
    await ana.ok('add_task', { title: 'Chapter 0' });
    for (let from = 1; from < 600; from += 100)
      await ana.ok('add_tasks', {
        tasks: Array.from({ length: 100 }, (_, i) => chapter(from + i, i === 0 ? String(from) : `c${from + i - 1}`)),
      });
    expect((await ana.ok('claim_task', { text: 'chapter' })).task.title).toBe('Chapter 0');
    expect((await ana.refused('claim_task', { text: 'chapter' })).message).toMatch(/1 is claimed.*; \d+ are blocked/);
  });

  test('says so where the words are only those of tasks that are closed or in the trash', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'Fix the boiler' }, { title: 'Fix the gate' }] });
    await ana.ok('complete_task', { id: 1 });
    await ana.ok('delete_task', { id: 2 });
    expect(await ana.refused('claim_task', { text: 'boiler' })).toMatchObject({
      message: 'Nothing is free to be claimed. Only closed or archived tasks match.',
      hint: 'list_tasks with status all finds 1.',
    });
    expect(await ana.refused('claim_task', { text: 'gate' })).toMatchObject({
      message: 'Nothing is free to be claimed. Only tasks in the trash match.',
      hint: 'list_tasks with status deleted finds 1.',
    });
  });

  test('leaves archived projects alone unless they are named', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Old', project: 'Attic' });
    await ana.ok('update_project', { project: 'Attic', archived: true });
    expect(await ana.refused('claim_task')).toMatchObject({
      message: 'Nothing is free to be claimed.',
      hint: 'Use fewer filters, or add tasks with add_tasks.',
    });
    expect((await ana.ok('claim_task', { project: 'Attic' })).task.id).toBe(1);
  });

  test('refuses by id what cannot be begun, and says why', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', {
      tasks: [
        { title: 'A', ref: 'a' },
        { title: 'B', blocked_by: ['a'] },
        { title: 'C', ref: 'c' },
        { title: 'D', parent: 'c' },
        { title: 'E', start: '2026-11-24' },
        { title: 'F' },
        { title: 'G' },
      ],
    });
    await ana.ok('complete_task', { id: 6 });
    await ana.ok('delete_task', { id: 7 });
    const why = async (id: number) => (await ana.refused('claim_task', { id })).message;
    expect(await why(2)).toBe('#2 is blocked by #1.');
    expect(await why(3)).toBe('#3 has open sub-tasks.');
    expect(await why(5)).toBe('#5 starts Tue 24 Nov.');
    expect(await why(6)).toBe('#6 is completed.');
    expect(await why(7)).toBe('#7 is in the trash.');
    expect(await ana.refused('claim_task', { id: 99 })).toMatchObject({ code: 'not_found', message: 'No task #99.' });
  });

  test('what somebody began without a claim can be claimed by its id alone', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Begun' });
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    expect((await ana.refused('claim_task')).hint).toBe(
      'If nobody is working on one, claim it by id; list_tasks with status in_progress shows them.',
    );
    expect((await ana.ok('claim_task', { id: 1 })).claim).toBe(3);
  });

  test('what was begun and then claimed is handed out again, once it is released or the claim expires', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Begun here' });
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    const released = await ana.ok('release_task', { id: 1, claim });
    expect(released.task).toMatchObject({ status: 'pending' });
    const again = await ana.ok('claim_task');
    await ana.ok('undo', { undo: released.undo });
    await ana.ok('release_task', { id: 1, claim: again.claim });
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    await ana.ok('claim_task', { id: 1, minutes: 5 });
    setClock(world, '2026-11-22T13:10:00Z');
    expect(ids((await ana.ok('list_tasks', { ready: true })).tasks)).toEqual([1]);
    expect((await ana.ok('claim_task', { text: 'begun', minutes: 5 })).task.id).toBe(1);
    setClock(world, '2026-11-22T13:20:00Z');
    expect((await ana.ok('claim_task', { minutes: 5 })).task.id).toBe(1);
    setClock(world, '2026-11-22T13:30:00Z');
    // Whoever begins it by hand then is not disturbed by the claim that has expired.
    await ana.ok('update_task', { id: 1, status: 'in_progress' });
    expect((await ana.refused('claim_task')).message).toBe(
      'Nothing is free to be claimed: 1 is in progress without a claim.',
    );
  });

  test('the holder is whoever calls, by the name they give or that of their client', async () => {
    const ana = await newAgent(world);
    const other = await agentOf(world, ana.principal, 'laptop');
    await ana.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }] });
    expect((await other.ok('claim_task', { id: 1 })).task.claimed_by).toBe('laptop');
    expect((await other.ok('claim_task', { id: 2, agent: 'night shift' })).task.claimed_by).toBe('night shift');
    const { task } = await ana.ok('get_task', { id: 2 });
    expect(task.history[0]).toMatchObject({ what: 'claimed', by: 'night shift' });
  });

  test('a claimed task is refused to everyone who does not say its number, the holder included', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    await ana.ok('claim_task', { id: 1, minutes: 1440 });
    expect(await ana.refused('claim_task', { id: 1 })).toEqual({
      code: 'conflict',
      message: '#1 is claimed by test until Mon 23 Nov 14:02.',
      hint: 'Work on another: claim_task without id. If this claim is yours, give its number as claim: get_task shows it to test. If the number is lost, end the claim: update_task {"ids":[1],"status":"pending"}.',
    });
  });

  test('with its number a claim goes on: the number stays, the end moves', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A', description: 'long' });
    const { claim } = await ana.ok('claim_task', { id: 1, agent: 'one', minutes: 5 });
    const reply = await ana.call('claim_task', { id: 1, claim, minutes: 60 });
    expect(reply.json).toEqual({
      claim,
      task: {
        id: 1,
        title: 'A',
        status: 'in_progress',
        version: 1,
        claimed_by: 'one',
        claimed_until: '2026-11-22T15:02+01:00',
      },
    });
    expect(reply.text).toBe('Still claimed, until 15:02 · claim 2\n#1 A · in progress · claimed by one until 15:02');
  });

  test('that had run out is claimed again with its number, and says so', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    setClock(world, '2026-11-22T13:40:00Z');
    expect((await ana.call('claim_task', { id: 1, claim })).text).toMatch(/^Claimed again, until 15:10 · claim /);
  });

  test('a number that never was one of this task is refused as invalid', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    expect(await ana.refused('claim_task', { id: 1, claim: 7 })).toMatchObject({
      code: 'invalid',
      message: '#1 has no claim 7.',
    });
  });

  test('says what does not go together', async () => {
    const ana = await newAgent(world);
    expect((await ana.refused('claim_task', { id: 1, project: 'Home' })).code).toBe('invalid');
    expect((await ana.refused('claim_task', { claim: 1 })).hint).toBe('Give id too.');
    expect((await ana.refused('claim_task', { minutes: 0 })).message).toBe('minutes must be at least 1.');
    expect((await ana.refused('claim_task', { minutes: 1441 })).message).toBe('minutes must be at most 1440.');
    expect((await ana.refused('claim_task', { agent: 'a\nb' })).code).toBe('invalid');
  });

  test('with a request_id, a repeat is answered as the first time, also when nothing is left to claim', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A' });
    const first = await ana.ok('claim_task', { request_id: 'r1' });
    expect(await ana.ok('claim_task', { request_id: 'r1' })).toEqual({ ...first, replayed: true });
    expect((await ana.refused('claim_task', { request_id: 'r2' })).code).toBe('not_found');
    await ana.ok('add_task', { title: 'B' });
    expect((await ana.ok('claim_task', { request_id: 'r2' })).task.id).toBe(2); // a refusal is not kept
  });
});
