import { describe, expect, onTestFinished, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, setClock, through, useWorld } from '../support/harness.js';

const world = useWorld();

/** Lets time pass, for this test. */
const later = (minutes: number) => setClock(world, world.now.getTime() + minutes * 60_000);

/** Two agents of one user, and a task that the first has claimed. */
async function claimed(minutes = 30) {
  const one = await newAgent(world);
  const two = await agentOf(world, one.principal, 'two');
  await one.ok('add_task', { title: 'Roof' });
  const { claim } = await one.ok('claim_task', { id: 1, agent: 'one', minutes });
  return { one, two, claim };
}

const get = async (agent: Agent, id = 1) => (await agent.ok('get_task', { id })).task;
const ids = (tasks: { id: number }[] = []) => tasks.map(({ id }) => id);

describe('while a claim lives', () => {
  test('the task is in progress, for all who look; what is stored stays as it was', async () => {
    const { one, two } = await claimed();
    await one.ok('add_tasks', { tasks: [{ title: 'Free' }, { title: 'Paint', blocked_by: [1] }] });
    const list = async (filter: Record<string, unknown>) => ids((await two.ok('list_tasks', filter)).tasks);
    expect(await list({ status: 'in_progress' })).toEqual([1]);
    expect(await list({ status: 'not_started' })).toEqual([3, 2]);
    expect(await list({ status: 'in_progress', text: 'roof' })).toEqual([1]);
    expect(await list({ status: 'not_started', text: 'roof' })).toEqual([]);
    expect(await list({ ready: true })).toEqual([2]);
    expect(await list({ ready: true, text: 'roof' })).toEqual([]);
    expect((await two.call('list_tasks', { status: 'in_progress' })).text).toContain(
      '#1 Roof · in progress · claimed by one until 14:32',
    );
    expect((await get(two, 3)).blocked_by).toEqual([{ id: 1, title: 'Roof', status: 'in_progress' }]);
    const rows = await rowsOf(world, 'select status, version from taskloom.tasks where user_id = $1 and id = 1', [
      one.principal.userId,
    ]);
    expect(rows).toEqual([['pending', 1]]);
  });

  test('lists and the overview find what is claimed, by whom, and what is not', async () => {
    const { one, two } = await claimed(10);
    await one.ok('add_tasks', { tasks: [{ title: 'B' }, { title: 'C', due: '2026-11-20' }] });
    await two.ok('claim_task', { id: 3, minutes: 5, agent: 'Élise' });
    const by = async (claimed_by: string) => ids((await two.ok('list_tasks', { claimed_by })).tasks);
    expect(await by('one')).toEqual([1]);
    expect(await by('me')).toEqual([3]); // its agent's
    expect(ids((await one.ok('list_tasks', { claimed_by: 'me' })).tasks)).toEqual([1]);
    expect(await by('élise')).toEqual([3]); // whatever the locale of the database
    expect(await by('any')).toEqual([3, 1]);
    expect(await by('NONE')).toEqual([2]);
    expect(await by('nobody')).toEqual([]);
    const { json, text } = await two.call('get_overview');
    expect(json.counts).toMatchObject({ open: 3, in_progress: 2, claimed: 2, overdue: 1 });
    expect(ids(json.claimed)).toEqual([3, 1]);
    expect(json.claimed[1]).toEqual({
      id: 1,
      title: 'Roof',
      status: 'in_progress',
      claimed_by: 'one',
      claimed_until: '2026-11-22T14:12+01:00',
    });
    expect(text).toContain('3 open, 2 in progress, 2 claimed');
    expect(text).toContain('Claimed:\n#3 C\n#1 Roof · '); // the rest of #3 is told where it is overdue
  });

  test('what became ready leaves out what somebody has claimed', async () => {
    const one = await newAgent(world);
    await one.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }, { title: 'C' }] });
    await one.ok('claim_task', { id: 2 });
    await one.ok('update_task', { ids: [2, 3], add_blocked_by: [1] });
    expect(ids((await one.ok('complete_task', { id: 1 })).ready)).toEqual([3]);
  });

  test('claims raise no version and move no stamp, so that a write with an older version goes through', async () => {
    const { one, two } = await claimed();
    expect(await get(two)).toMatchObject({ version: 1, created: '2026-11-22T14:02+01:00' });
    expect(await get(two)).not.toHaveProperty('updated');
    await one.ok('claim_task', { id: 1, claim: 2 });
    expect((await two.ok('update_task', { id: 1, expected_version: 1, title: 'Roofs' })).task.version).toBe(2);
    expect((await one.ok('update_task', { id: 1, expected_version: 1, priority: 'low' })).task.version).toBe(3);
  });
});

test('a holder is found by the name that is shown, however it was written', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'A' });
  await ana.ok('claim_task', { id: 1, agent: 'Claude  Code' });
  const { tasks } = await ana.ok('list_tasks', { claimed_by: 'any' });
  expect((await ana.ok('list_tasks', { claimed_by: tasks[0].claimed_by })).total).toBe(1);
  expect((await ana.ok('list_tasks', { claimed_by: 'claude  code' })).total).toBe(1);
});

describe('when its time is over', () => {
  test('a claim ends by itself, and nothing is written', async () => {
    const { one, two } = await claimed();
    const before = await rowsOf(world, 'select count(*)::int from taskloom.changes where user_id = $1', [
      one.principal.userId,
    ]);
    later(29);
    expect(await two.refused('claim_task', { id: 1 })).toMatchObject({ code: 'conflict' });
    later(1);
    expect(await get(two)).toMatchObject({ status: 'pending', version: 1 });
    expect((await get(two)).claimed_by).toBeUndefined();
    expect(ids((await two.ok('list_tasks', { ready: true })).tasks)).toEqual([1]);
    expect(ids((await two.ok('list_tasks', { status: 'not_started' })).tasks)).toEqual([1]);
    expect((await two.ok('get_overview')).counts).toMatchObject({ claimed: 0, in_progress: 0 });
    expect(
      await rowsOf(world, 'select count(*)::int from taskloom.changes where user_id = $1', [one.principal.userId]),
    ).toEqual(before);
  });

  test('what its holder said to be in progress is handed out again', async () => {
    const { one, two, claim } = await claimed();
    const begun = async (claim: number) =>
      expect((await one.call('update_task', { id: 1, status: 'in_progress', claim })).text).toMatch(
        /^Unchanged #1 Roof · in progress/,
      );
    await begun(claim);
    later(31);
    expect(ids((await two.ok('list_tasks', { status: 'not_started' })).tasks)).toEqual([1]);
    const next = await one.ok('claim_task');
    await begun(next.claim);
    await one.ok('release_task', { id: 1, claim: next.claim });
    expect((await two.ok('claim_task')).task.id).toBe(1);
  });

  test('who writes on under its number is told, and can have it again', async () => {
    const { one, claim } = await claimed();
    expect((await one.ok('update_task', { id: 1, title: 'Roofs', claim })).note).toBeUndefined();
    later(31);
    const { note } = await one.ok('update_task', { id: 1, priority: 'low', claim });
    expect(note).toMatch(/^Your claim on #1 expired at \d\d:\d\d\. To renew it: claim_task \{.*\}\.$/);
    await one.ok('claim_task', JSON.parse(/claim_task (.*)\.$/.exec(note)?.[1] ?? ''));
    expect((await one.ok('update_task', { id: 1, priority: 'high', claim })).note).toBeUndefined();
    later(31);
    expect((await one.ok('complete_task', { id: 1, claim })).note).toBeUndefined();
  });

  test('another gets the task, and what the first still sends is refused', async () => {
    const { one, two, claim } = await claimed();
    later(31);
    const next = await two.ok('claim_task');
    expect(next).toMatchObject({ task: { id: 1, claimed_by: 'two' } });
    expect(next.claim).toBeGreaterThan(claim);
    const late = {
      code: 'conflict',
      message: `Claim ${claim} on #1 is over: the task is claimed by two until 15:03 now.`,
      hint: 'Read it with get_task before you change it again.',
    };
    expect(await one.refused('complete_task', { id: 1, claim })).toEqual(late);
    expect(await one.refused('update_task', { id: 1, claim, title: 'Mine' })).toEqual(late);
    expect(await one.refused('delete_task', { id: 1, claim })).toEqual(late);
    expect(await one.refused('claim_task', { id: 1, claim })).toEqual(late);
    expect(await one.refused('release_task', { id: 1, claim, note: 'x' })).toEqual(late);
    await two.ok('complete_task', { id: 1, claim: next.claim });
  });

  test('who is only late still has the task: to write, to go on, to give back', async () => {
    const { one, claim } = await claimed();
    later(60);
    await one.ok('update_task', { id: 1, claim, title: 'Roofs' });
    expect((await one.ok('claim_task', { id: 1, claim, minutes: 10 })).task).toMatchObject({
      claimed_by: 'one',
      claimed_until: '2026-11-22T15:12+01:00',
    });
    expect((await one.ok('claim_task', { id: 1, claim, minutes: 1 })).task.claimed_until).toBe(
      '2026-11-22T15:12+01:00',
    );
    later(60);
    await one.ok('release_task', { id: 1, claim, note: 'half done' });
    expect(await get(one)).toMatchObject({ note: 'half done' });
  });

  test('a claim that was given back does not come to life again by being made longer', async () => {
    const { one, claim } = await claimed();
    await one.ok('release_task', { id: 1, claim });
    expect(await one.refused('claim_task', { id: 1, claim })).toMatchObject({
      code: 'conflict',
      message: `Claim ${claim} on #1 was released.`,
    });
    expect((await one.ok('claim_task', { id: 1 })).claim).toBeGreaterThan(claim);
  });
});

describe('a write of somebody else', () => {
  test('that does not close the task leaves the claim, and names the holder', async () => {
    const { two, one, claim } = await claimed();
    const reply = await two.call('update_task', { id: 1, priority: 'high' });
    expect(reply.json.task).toMatchObject({ claimed_by: 'one', claimed_until: '2026-11-22T14:32+01:00' });
    expect(reply.text).toContain('claimed by one until 14:32');
    await one.ok('complete_task', { id: 1, claim });
  });

  test.each([
    ['complete_task', { id: 1 }, 'completed'],
    ['update_task', { id: 1, status: 'cancelled' }, 'cancelled'],
    ['delete_task', { id: 1 }, 'in the trash'],
  ])('%s ends the claim, says whose it was, and the holder is told', async (tool, args, became) => {
    const { two, one, claim } = await claimed();
    const reply = await two.call(tool, args);
    expect(reply.json.note).toBe('Ended the claim on #1, held by one until 14:32.');
    expect(reply.text).toContain(reply.json.note);
    expect((await get(two)).claimed_by).toBeUndefined();
    expect(await one.refused('complete_task', { id: 1, claim })).toMatchObject({
      code: 'conflict',
      message: `Claim ${claim} on #1 is over: the task is ${became} now.`,
    });
  });

  test('that is ended by somebody leaves the task free, and says so to who comes late', async () => {
    const { two, one, claim } = await claimed();
    await two.ok('update_task', { id: 1, status: 'pending' });
    const { message, hint } = await one.refused('update_task', { id: 1, claim, title: 'x' });
    expect(message).toBe(`Claim ${claim} on #1 is over: the task is unclaimed now.`);
    expect(hint).toBe('To continue: claim_task {"id":1}.');
  });

  test('ends a claim that had run out too, so that who comes late finds out', async () => {
    const { two, one, claim } = await claimed();
    later(31);
    expect((await two.ok('complete_task', { id: 1 })).note).toBeUndefined();
    expect((await one.refused('update_task', { id: 1, claim, title: 'x' })).code).toBe('conflict');
  });

  test('takes along the claims of sub-tasks', async () => {
    const { two, one, claim } = await claimed();
    await one.ok('add_task', { title: 'House' });
    await one.ok('update_task', { id: 1, parent: 2 });
    expect((await two.ok('delete_task', { id: 2 })).note).toContain('Ended the claim on #1, held by one');
    expect((await one.refused('complete_task', { id: 1, claim })).message).toContain('is over');
  });

  test('by the holder is not told to the holder, and can be repeated', async () => {
    const { one, claim } = await claimed();
    const done = await one.ok('complete_task', { id: 1, claim });
    expect(done.note).toBeUndefined();
    expect((await one.call('complete_task', { id: 1, claim })).text).toMatch(/^Unchanged/);
    expect((await one.refused('claim_task', { id: 1, claim })).message).toBe('#1 is completed.');
  });

  test('a claim is of one task: with several ids it is refused', async () => {
    const { one, claim } = await claimed();
    await one.ok('add_task', { title: 'B' });
    for (const tool of ['complete_task', 'delete_task'])
      expect(await one.refused(tool, { ids: [1, 2], claim })).toMatchObject({
        code: 'invalid',
        message: 'expected_version, expect_title and claim apply to one task, but several ids are given.',
      });
  });

  test('the next of a series is nobody’s', async () => {
    const one = await newAgent(world);
    await one.ok('add_task', { title: 'Water', due: '2026-11-22', repeats: 'every day' });
    const { claim } = await one.ok('claim_task', { id: 1 });
    await one.ok('release_task', { id: 1, claim, note: 'can leaks' });
    const again = await one.ok('claim_task', { id: 1 });
    await one.ok('complete_task', { id: 1, claim: again.claim });
    const next = await get(one, 2);
    expect([next.status, next.claimed_by, next.note]).toEqual(['pending', undefined, undefined]);
    expect((await one.ok('claim_task')).task.id).toBe(2);
  });
});

describe('undo', () => {
  test('passes over claims: they have no handle, and the last write is the one before', async () => {
    const one = await newAgent(world);
    await one.ok('add_task', { title: 'A' });
    const claim = await one.ok('claim_task', { id: 1 });
    expect(claim.undo).toBeUndefined();
    expect((await one.ok('claim_task', { id: 1, claim: claim.claim, minutes: 60 })).undo).toBeUndefined();
    expect((await one.ok('release_task', { id: 1, claim: claim.claim, note: 'n' })).undo).toBeUndefined();
    expect(await one.refused('undo', { undo: `u${claim.claim}` })).toMatchObject({
      code: 'conflict',
      message: `u${claim.claim} is a claim or a release, which cannot be undone.`,
    });
    await one.ok('undo', { last: 1 });
    expect((await get(one)).status).toBe('deleted');
  });

  test('reopens a task without its claim, and is not kept from it by one', async () => {
    const { one, two, claim } = await claimed();
    const done = await one.ok('complete_task', { id: 1, claim });
    await one.ok('undo', { undo: done.undo });
    expect((await get(one)).claimed_by).toBeUndefined();
    expect((await two.ok('claim_task')).task.id).toBe(1);
    // Adding the task is not taken back under the hands of who works on it.
    expect((await one.refused('undo', { last: 1 })).message).toMatch(/^#1 is claimed by two until /);
  });

  test('takes a follower away that somebody has only claimed, and its claim with it', async () => {
    const one = await newAgent(world);
    await one.ok('add_task', { title: 'Water', due: '2026-11-22', repeats: 'every day' });
    const done = await one.ok('complete_task', { id: 1 });
    const { claim } = await one.ok('claim_task', { id: 2 });
    await one.ok('undo', { undo: done.undo });
    expect((await get(one, 1)).status).toBe('pending');
    expect((await one.refused('complete_task', { id: 2, claim })).code).toBe('conflict');
  });
});

describe('a claim whose holder is gone', () => {
  test('is ended by who says that the task is still to be begun, and the refusal of others says how', async () => {
    const { one, two, claim } = await claimed();
    expect(await two.refused('release_task', { id: 1 })).toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('update_task {"ids":[1],"status":"pending"}'),
    });
    const freed = await two.ok('update_task', { ids: [1], status: 'pending' });
    expect(freed.note).toMatch(/^Ended the claim on #1, held by one until .*\.$/);
    expect(freed.task).toEqual({ id: 1, title: expect.any(String), status: 'pending', version: 1 });
    expect(freed.undo).toBeUndefined();
    // What its holder still sends is late, and the task is there for others.
    expect((await one.refused('complete_task', { id: 1, claim })).code).toBe('conflict');
    expect((await two.ok('claim_task')).task.id).toBe(1);
  });
});

describe('history', () => {
  test('shows who claimed and gave back, not each time a claim went on', async () => {
    const { one, claim } = await claimed();
    for (const minutes of [40, 50, 60]) await one.ok('claim_task', { id: 1, claim, minutes });
    await one.ok('release_task', { id: 1, claim, note: 'hm' });
    const { history } = await get(one);
    expect(history).toEqual([
      { what: 'released', by: 'one', at: '2026-11-22T14:02+01:00' },
      { what: 'claimed', by: 'one', at: '2026-11-22T14:02+01:00' },
    ]);
  });

  test('of a completed task does not speak of its claim', async () => {
    const { two } = await claimed();
    await two.ok('update_task', { id: 1, status: 'cancelled' });
    expect((await get(two)).history[0]).toEqual({
      what: 'updated',
      fields: ['status (pending → cancelled)'],
      by: 'two',
      at: '2026-11-22T14:02+01:00',
      undo: 'u3',
    });
  });
});

describe('agents of one client', () => {
  test('write under the names that they claimed with, whoever gives the number, and the client can take it back', async () => {
    const host = await newAgent(world);
    await host.ok('add_tasks', { tasks: [{ title: 'A' }, { title: 'B' }, { title: 'C' }] });
    const { cursor } = await host.ok('what_changed');
    const [ann, ben] = [await host.ok('claim_task', { agent: 'ann' }), await host.ok('claim_task', { agent: 'ben' })];
    await host.ok('update_task', { id: 1, claim: ann.claim, priority: 'high' });
    await host.ok('complete_task', { id: 1, claim: ann.claim });
    await host.ok('add_comment', { id: 2, text: 'Half done', claim: ben.claim });
    expect((await host.refused('add_comment', { id: 2, text: 'Mine', claim: ann.claim })).code).toBe('conflict');
    await host.ok('release_task', { id: 2, claim: ben.claim });
    expect((await get(host, 2)).comments).toMatchObject([{ text: 'Half done', by: 'ben' }]);
    await host.ok('update_task', { id: 3, priority: 'low' });
    const seenBy = async (not_by: string) => {
      const { changes } = await host.ok('what_changed', { cursor, not_by });
      return changes.map(({ by, did }: { by: string; did: unknown[] }) => `${by} ${did.length}`);
    };
    expect(await seenBy('ann')).toEqual(['ben 3', 'test 1']);
    expect(await seenBy('ben')).toEqual(['ann 3', 'test 1']);
    await host.ok('undo', { last: 3 });
    expect((await host.ok('get_task', { id: 1 })).task).toMatchObject({ status: 'pending', priority: 'high' });
    expect((await get(host, 2)).comments).toBeUndefined();
  });
});

describe('at once', () => {
  test('many ask for the next task: each gets another, and the rest are told that nothing is left', async () => {
    const one = await newAgent(world);
    await one.ok('add_tasks', { tasks: Array.from({ length: 12 }, (_, i) => ({ title: `Task ${i}` })) });
    const agents = await Promise.all(
      Array.from({ length: 20 }, (_, i) => agentOf(world, one.principal, `worker ${i}`)),
    );
    const replies = await Promise.all(agents.map((agent) => agent.call('claim_task')));
    const got = replies.filter(({ isError }) => !isError).map(({ json }) => json.task.id);
    expect(got.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const { json } of replies.filter(({ isError }) => isError)) expect(json.error.code).toBe('not_found');
  });

  test('many want the same task: one gets it', async () => {
    const one = await newAgent(world);
    await one.ok('add_task', { title: 'A' });
    const replies = await Promise.all(Array.from({ length: 10 }, () => one.call('claim_task', { id: 1 })));
    expect(replies.filter(({ isError }) => !isError)).toHaveLength(1);
  });

  test('a task is claimed and blocked: it is never claimed after it was blocked', async () => {
    const one = await newAgent(world);
    for (let i = 0; i < 10; i++) {
      const { tasks } = await one.ok('add_tasks', { tasks: [{ title: `A ${i}` }, { title: `B ${i}` }] });
      const [a, b] = ids(tasks) as [number, number];
      await Promise.all([one.call('claim_task', { id: a }), one.ok('update_task', { id: a, add_blocked_by: [b] })]);
      const rows = await rowsOf(
        world,
        `select op from taskloom.changes where user_id = $1 and entity_id = $2 and op in ('claim', 'update') order by seq`,
        [one.principal.userId, a],
      );
      expect(['claim,update', 'update']).toContain(rows.flat().join());
    }
  });
});

test('what is ready, and what is claimed, is found by an index that knows of claims', async () => {
  const one = await newAgent(world);
  const { userId } = one.principal;
  await rowsOf(
    world,
    `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by,
       updated_at, updated_by, claimed_by, claimed_until, claim)
     select $1, n, 'T', 't', 'pending', 5, 'infinity', 'a', 1, now(), 'x', now(), 'x',
       case when n % 2 = 0 then 'w' end, case when n % 2 = 0 then timestamptz '2026-11-22T14:00Z' else '-infinity' end,
       case when n % 2 = 0 then n end from generate_series(1, 4000) n`,
    [userId],
  );
  await rowsOf(world, 'analyze taskloom.tasks');
  expect((await one.ok('list_tasks', { ready: true, limit: 1 })).total).toBe('1000+');
  expect((await one.ok('list_tasks', { claimed_by: 'any', limit: 1 })).total).toMatch(/^\d+\+$/);
  const statements: string[] = [];
  const { connect } = world.database;
  const explained = through({ ...world.database }, (connection) => ({
    query(text, params) {
      if (text.includes('taskloom.tasks') || text.includes('"taskloom"."tasks"'))
        connection.query(`explain ${text}`, params).then((rows) => statements.push(rows.flat().join('\n')));
      return connection.query(text, params);
    },
  }));
  world.database.connect = explained.connect;
  onTestFinished(() => {
    world.database.connect = connect;
  });
  await one.ok('list_tasks', { ready: true, limit: 5 });
  await one.ok('list_tasks', { claimed_by: 'any', limit: 5 });
  const [ready, claims] = statements;
  expect(ready).toMatch(/using tasks_ready .*\n *Index Cond: .*claimed_until <= /);
  expect(claims).toMatch(/tasks_claimed .*\n *Index Cond: .*claimed_until > /);
});

test('a claim stays in sight where its project is archived, and the task is counted once', async () => {
  const ana = await newAgent(world);
  await ana.ok('add_task', { title: 'Write', project: 'Book' });
  await ana.ok('claim_task', { id: 1 });
  await ana.ok('update_project', { project: 'Book', archived: true });
  for (const claimed_by of ['me', 'any']) expect((await ana.ok('list_tasks', { claimed_by })).total).toBe(1);
  const { counts, claimed } = await ana.ok('get_overview');
  expect(counts).toMatchObject({ open: 0, in_progress: 0, claimed: 1 });
  expect(claimed).toMatchObject([{ id: 1 }]);
  for (const filter of [{ status: 'in_progress' }, { claimed_by: 'none' }])
    expect((await ana.ok('list_tasks', filter)).total).toBe(0);
});
