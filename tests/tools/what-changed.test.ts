import { describe, expect, test } from 'vitest';
import { type Agent, agentOf, newAgent, rowsOf, useWorld } from '../support/harness.js';

const world = useWorld();
const AT = '2026-11-22T14:02+01:00';

/** What was done, by whomever. */
const done = ({ changes }: { changes?: { did: Record<string, unknown>[] }[] }) =>
  (changes ?? []).flatMap(({ did }) => did);

/** Polls until nothing is left, and answers all that was shown, page by page. */
async function drain(agent: Agent, from: number, args: Record<string, unknown> = {}) {
  const pages: Record<string, unknown>[][] = [];
  for (let cursor = from; ; ) {
    const page = await agent.ok('what_changed', { ...args, cursor });
    pages.push(done(page));
    cursor = page.cursor;
    if (!page.more) return { pages, changes: pages.flat(), cursor };
  }
}

describe('what_changed', () => {
  test('says who did what to which task after a cursor, oldest first, and where to go on', async () => {
    const ana = await newAgent(world);
    const claude = await agentOf(world, ana.principal, 'claude');
    await ana.ok('add_task', { title: 'Buy milk', project: 'Home' });
    const { cursor } = await ana.ok('what_changed');
    await claude.ok('update_task', { id: 1, title: 'Buy oat milk', priority: 'high' });
    await ana.ok('add_comment', { id: 1, text: 'two litres' });
    await ana.ok('complete_task', { id: 1 });
    const reply = await ana.call('what_changed', { cursor });
    expect(reply.json).toEqual({
      changes: [
        {
          by: 'claude',
          at: AT,
          did: [{ id: 1, title: 'Buy oat milk', what: 'updated priority (high), title (was Buy milk)' }],
        },
        {
          by: 'test',
          at: AT,
          did: [
            { id: 1, title: 'Buy oat milk', what: 'commented "two litres"' },
            { id: 1, title: 'Buy oat milk', what: 'completed' },
          ],
        },
      ],
      cursor: cursor + 3,
    });
    expect(reply.text).toBe(
      [
        '3 changes; today is Sun 22 Nov 2026 (Europe/Paris)',
        'Sun 22 Nov 14:02, claude:',
        '#1 Buy oat milk · updated priority (high), title (was Buy milk)',
        'Sun 22 Nov 14:02, test:',
        '#1 Buy oat milk · commented "two litres"',
        '#1 Buy oat milk · completed',
        `cursor: ${cursor + 3}`,
      ].join('\n'),
    );
    const after = await ana.call('what_changed', { cursor: cursor + 3 });
    expect(after.json).toEqual({ changes: [], cursor: cursor + 3 });
    expect(after.text).toBe(`Nothing changed.\ncursor: ${cursor + 3}`);
  });

  test('without a cursor shows the newest twenty, and a cursor behind them', async () => {
    const ana = await newAgent(world);
    expect((await ana.call('what_changed')).text).toBe('Nothing changed yet.\ncursor: 0');
    for (let i = 1; i <= 22; i++) await ana.ok('add_task', { title: `t${i}` });
    const { cursor, more, ...page } = await ana.ok('what_changed');
    expect(done(page).map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => i + 3));
    expect([cursor, more]).toEqual([22, undefined]);
    expect(done(await ana.ok('what_changed', { cursor: 0 }))).toHaveLength(22);
  });

  test('names projects, undos, deletions and what is gone from the database', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', project: 'Home' });
    const { undo } = await ana.ok('update_project', { project: 'Home', name: 'House' });
    await ana.ok('undo', { undo });
    await ana.ok('update_project', { project: 'Home', archived: true });
    await ana.ok('update_project', { project: 'Home', archived: false });
    await ana.ok('delete_task', { id: 1 });
    await rowsOf(world, 'delete from taskloom.tasks where user_id = $1', [ana.principal.userId]);
    expect(done(await ana.ok('what_changed', { cursor: 0 }))).toEqual([
      { project: 'Home', what: 'created' },
      { id: 1, title: 'Roof', what: 'created' },
      { project: 'Home', what: 'updated name (was Home)' },
      { project: 'Home', what: 'undone name (was House)' },
      { project: 'Home', what: 'archived' },
      { project: 'Home', what: 'updated archived (no)' },
      { id: 1, what: 'deleted' },
    ]);
    expect((await ana.call('what_changed')).text).toContain('\n#1 · deleted\n');
  });

  test('says what dates and priorities became, in the zone and the words of lists', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof', due: '2026-11-23', start: '2026-11-23', priority: 'low' });
    await ana.ok('update_task', { id: 1, due: '2027-01-08T17:00', start: 'tomorrow', priority: 'urgent' });
    const { undo } = await ana.ok('update_task', { id: 1, clear: ['due', 'start', 'priority'] });
    await ana.ok('undo', { undo });
    const said = [
      'updated due (Mon 23 Nov → 8 Jan 2027 17:00), priority (low → urgent)',
      'updated due (8 Jan 2027 17:00 → none), priority (urgent → none), start (Mon 23 Nov → none)',
      'undone due (8 Jan 2027 17:00), priority (urgent), start (Mon 23 Nov)',
    ];
    expect(done(await ana.ok('what_changed', { cursor: 1 })).map(({ what }) => what)).toEqual(said);
    const { json, text } = await ana.call('get_task', { ids: ['1'] });
    expect(json.task.history.map(({ fields }: { fields: string[] }) => fields.join(', '))).toEqual(
      said.map((words) => words.replace(/^\w+ /, '')).reverse(),
    );
    for (const words of said) expect(text).toContain(`: ${words}`);
  });

  test('says what a status became, and what an undo made or threw away', async () => {
    const ana = await newAgent(world);
    const { undo } = await ana.ok('add_task', { title: 'Roof' });
    await ana.ok('update_task', { id: 1, status: 'cancelled' });
    await ana.ok('update_task', { id: 1, status: 'pending', priority: 'high' });
    const again = await ana.ok('undo', { undo });
    await ana.ok('undo', { undo: again.undo });
    expect(done(await ana.ok('what_changed', { cursor: 0 })).map(({ what }) => what)).toEqual([
      'created',
      'updated status (pending → cancelled)',
      'updated priority (high), status (cancelled → pending)',
      'deleted by undo',
      'restored by undo',
    ]);
  });

  test('tells several steps of one write about one task as one', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Water plants', labels: ['green'] });
    await ana.ok('update_task', { id: 1, priority: 'high' });
    await ana.ok('complete_task', { id: 1 });
    const { cursor } = await ana.ok('what_changed');
    await ana.ok('undo', { last: 2 });
    const next = await ana.ok('what_changed', { cursor });
    expect(done(next)).toMatchObject([{ id: 1, what: 'undone priority (none), status (pending)' }]);
    expect(next.cursor).toBe(cursor + 2);
  });

  test('tells from what to what several edits changed a field, and what is left of those of a list', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Launch', due: '2026-12-01', labels: ['a'] });
    for (const due of ['2026-12-02', '2026-12-01', '2026-12-03']) await ana.ok('update_task', { id: 1, due });
    await ana.ok('update_task', { id: 1, remove_labels: ['a'], add_labels: ['b'] });
    await ana.ok('update_task', { id: 1, remove_labels: ['b'], add_labels: ['c'] });
    const undone = await ana.call('undo', { last: 5 });
    const what = 'undone due (1 Dec), labels (@a, no @c)';
    expect(undone.text).toContain(`#1 Launch · ${what}\n`);
    expect(done(await ana.ok('what_changed'))).toMatchObject([{}, {}, {}, {}, {}, {}, { id: 1, what }]);
    expect(await ana.ok('get_task', { ids: [1] })).toMatchObject({ task: { due: '2026-12-01', labels: ['a'] } });
  });

  test('what one actor did can be left out, and the cursor goes past it', async () => {
    const ana = await newAgent(world);
    const claude = await agentOf(world, ana.principal, 'claude');
    await ana.ok('add_task', { title: 'mine' });
    await claude.ok('add_task', { title: 'its' });
    await ana.ok('add_task', { title: 'mine too' });
    expect((await ana.call('what_changed', { not_by: 'me', cursor: 2 })).text).toBe('Nothing else changed.\ncursor: 3');
    const others = await claude.ok('what_changed', { cursor: 0, not_by: 'claude' });
    expect(done(others)).toMatchObject([{ title: 'mine' }, { title: 'mine too' }]);
    expect(others.cursor).toBe(3);
    for (const not_by of ['me', 'Claude'])
      expect(await claude.ok('what_changed', { cursor: 0, not_by })).toEqual(others);
    expect(await ana.ok('what_changed', { cursor: 0, not_by: 'test' })).toEqual({
      changes: [{ by: 'claude', at: AT, did: [{ id: 2, title: 'its', what: 'created' }] }],
      cursor: 3,
    });
    expect(await ana.ok('what_changed', { cursor: 2, not_by: 'test' })).toEqual({ changes: [], cursor: 3 });
    expect(done(await ana.ok('what_changed', { not_by: 'test' }))).toHaveLength(1);
  });

  test('examines a bounded number of changes, and says where to go on', async () => {
    const ana = await newAgent(world);
    const claude = await agentOf(world, ana.principal, 'claude');
    await claude.ok('add_task', { title: 'Buy milk' });
    const added = 4_500;
    await rowsOf(
      world,
      `insert into taskloom.changes
         (user_id, seq, batch, call, at, actor, entity, entity_id, version, op, before, after)
       select user_id, seq + n, batch + n, call, at, actor, entity, entity_id, version, op, before, after
       from taskloom.changes, generate_series(1, ${added}) n where user_id = $1`,
      [ana.principal.userId],
    );
    await rowsOf(world, `update taskloom.counters set change_seq = change_seq + ${added} where user_id = $1`, [
      ana.principal.userId,
    ]);
    const latest = await ana.call('what_changed', { not_by: 'claude' });
    expect(latest.json).toEqual({ changes: [], cursor: 1 + added });
    expect(latest.text).toContain('Nothing else changed in the newest 2000 changes.');
    await ana.ok('add_task', { title: 'Call Bo' });

    const first = await ana.call('what_changed', { cursor: 1, not_by: 'claude' });
    expect(first.json).toEqual({ changes: [], cursor: 2_001, more: true });
    expect(first.text).toBe('Nothing else changed up to 2001.\ncursor: 2001, and there is more after it');
    const { pages, changes } = await drain(ana, 1, { not_by: 'claude' });
    expect(pages.map(({ length }) => length)).toEqual([0, 0, 1]);
    expect(changes).toEqual([{ id: 2, title: 'Call Bo', what: 'created' }]);
  });

  test('does not tell of a claim that is only extended, and the cursor goes past it', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Roof' });
    const { claim } = await ana.ok('claim_task', { id: 1 });
    const { cursor } = await ana.ok('what_changed');
    await ana.ok('claim_task', { id: 1, claim, minutes: 60 });
    expect(await ana.ok('what_changed', { cursor })).toEqual({ changes: [], cursor: cursor + 1 });
  });

  test('says what short fields became, what was remarked, and what came into lists and went', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_tasks', { tasks: [{ title: 'A', labels: ['home'] }, { title: 'B' }, { title: 'C' }] });
    const { cursor } = await ana.ok('what_changed');
    const did = async (tool: string, args: Record<string, unknown>) => {
      await ana.ok(tool, args);
      const { changes } = await ana.ok('what_changed', { cursor });
      return changes.at(-1).did.at(-1).what;
    };
    const labels = { add_labels: ['phone'], remove_labels: ['home'], add_blocked_by: [2] };
    expect(await did('update_task', { id: 1, ...labels, project: 'Work' })).toBe(
      'updated blocked_by (#2), labels (@phone, no @home), project (+Work)',
    );
    expect(await did('update_task', { id: 1, parent: 3, estimate_minutes: 30, clear: ['project'] })).toBe(
      'updated estimate_minutes (30 min), parent (#3), project (+Work → none)',
    );
    expect(await did('update_task', { id: 2, due: '2026-11-24', repeats: 'every day' })).toBe(
      'updated due (Tue 24 Nov), repeats (every day)',
    );
    expect(await did('add_comment', { id: 1, text: `One\ntwo ${'very '.repeat(60)}` })).toBe(
      `commented "One two ${'very '.repeat(18)}ve"`,
    );
    const { claim } = await ana.ok('claim_task', { id: 2 });
    expect(await did('release_task', { id: 2, claim, note: 'Needs a ladder.' })).toBe('released "Needs a ladder."');
    const { history } = (await ana.ok('get_task', { id: 2 })).task;
    expect(history.slice(0, 2).map(({ what }: { what: string }) => what)).toEqual(['released', 'claimed']); // its note stands beside it
  });

  test('is left out by the name that it is shown with', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    await ana.ok('claim_task', { id: 1, agent: 'writer' });
    const by = async (not_by: string) => {
      const { changes } = await ana.ok('what_changed', { cursor: 0, not_by });
      return changes.map((each: { by: string }) => each.by);
    };
    expect(await by('writer')).toEqual(['test']);
    expect(await by('me')).toEqual([]); // a client's agents are the client, whatever they call themselves
    expect(await by('test')).toEqual(['writer']);
  });

  test('what does not fit is left for the cursor, and nothing is lost or told twice', async () => {
    const ana = await newAgent(world);
    const tasks = Array.from({ length: 90 }, (_, i) => ({ title: `A task with a title of some length, number ${i}` }));
    for (let i = 0; i < 3; i++) await ana.ok('add_tasks', { tasks });
    const first = await ana.call('what_changed', { cursor: 0, max_tokens: 300 });
    expect(first.json.more).toBe(true);
    expect(first.text).toContain(`cursor: ${first.json.cursor}, and there is more after it`);
    expect(first.json.omitted).toMatch(
      /^Left out to stay within 300 tokens: \d+\+ later changes\. To get it, use the cursor/,
    );
    for (const max_tokens of [300, 20_000]) {
      const { pages, changes, cursor } = await drain(ana, 0, { max_tokens });
      expect(pages.length).toBeGreaterThan(1); // not more than 200 at once, whatever fits
      expect(changes.map(({ id }) => id)).toEqual(Array.from({ length: 270 }, (_, i) => i + 1));
      expect(cursor).toBe(270);
    }
    expect(await ana.ok('what_changed', { cursor: 7, max_tokens: 50 })).toMatchObject({
      changes: [{ did: [{ id: 8 }] }],
      cursor: 8,
    });
    const latest = await ana.ok('what_changed', { max_tokens: 100 });
    expect(latest).toMatchObject({ cursor: 270, omitted: expect.stringContaining('earlier changes') });
    expect(done(latest).at(-1)?.id).toBe(270);
  });

  test('a cursor that history no longer reaches back to is refused, with one to go on from', async () => {
    const ana = await newAgent(world);
    for (const title of ['a', 'b', 'c']) await ana.ok('add_task', { title });
    await rowsOf(world, 'delete from taskloom.changes where user_id = $1 and seq <= 2', [ana.principal.userId]);
    await rowsOf(world, 'update taskloom.counters set changes_from = 3 where user_id = $1', [ana.principal.userId]);
    expect(await ana.refused('what_changed', { cursor: 1 })).toEqual({
      code: 'invalid',
      message: 'The changes right after 1 are no longer kept.',
      hint: 'List again with list_tasks, then continue from cursor 3.',
    });
    expect((await ana.ok('what_changed', { cursor: 2 })).changes).toHaveLength(1);
    expect((await ana.ok('what_changed')).changes).toHaveLength(1);
  });

  test('a cursor ahead of the newest change, and one that is no number, are refused', async () => {
    const ana = await newAgent(world);
    expect(await ana.refused('what_changed', { cursor: 1 })).toEqual({
      code: 'invalid',
      message: 'There is no change 1: the newest is 0.',
      hint: 'Use the cursor of the last answer, or omit it.',
    });
    for (const cursor of ['soon', -1, 1.5])
      expect((await ana.refused('what_changed', { cursor })).code).toBe('invalid');
    expect(await ana.ok('what_changed', { cursor: '0' })).toEqual({ changes: [], cursor: 0 });
  });

  test('whoever polls while several clients write sees each change once, in order, without a gap', async () => {
    const ana = await newAgent(world);
    const writers = await Promise.all([1, 2, 3, 4].map((n) => agentOf(world, ana.principal, `writer-${n}`)));
    const each = 12;
    let writing = writers.length;
    const written = writers.map(async (writer, n) => {
      try {
        for (let i = 0; i < each; i++) {
          const { task } = await writer.ok('add_task', { title: `${n}.${i}`, project: `P${n}` });
          await writer.ok('update_task', { ids: [task.id], title: 'never', dry_run: true });
          await writer.ok(i % 2 ? 'complete_task' : 'delete_task', { ids: [task.id] });
        }
      } finally {
        writing -= 1;
      }
    });
    const seen: Record<string, unknown>[] = [];
    for (let cursor = 0, over = false; ; ) {
      const page = await ana.ok('what_changed', { cursor, max_tokens: 500 });
      for (const { by, did } of page.changes) seen.push(...did.map((one: object) => ({ ...one, by })));
      if (over && page.cursor === cursor) break;
      cursor = page.cursor;
      over = writing === 0;
    }
    await Promise.all(written);
    const rows = await rowsOf(
      world,
      `select entity_id, actor ->> 'client', op, entity from taskloom.changes where user_id = $1 order by seq`,
      [ana.principal.userId],
    );
    const said: Record<string, string> = { create: 'created', complete: 'completed', delete: 'deleted' };
    const names = await rowsOf(world, 'select id, name from taskloom.projects where user_id = $1', [
      ana.principal.userId,
    ]);
    expect(seen.map(({ id, project, by, what }) => [id ?? project, by, what])).toEqual(
      rows.map(([id, by, op, entity]) => [
        entity === 'task' ? id : names.find(([each]) => each === id)?.[1],
        by,
        said[String(op)],
      ]),
    );
    expect(seen).toHaveLength(writers.length * (2 * each + 1));
  });

  test('costs a model little', async () => {
    const ana = await newAgent(world);
    const { encode } = await import('gpt-tokenizer/encoding/o200k_base');
    const listed = (await ana.client.listTools()).tools.find(({ name }) => name === 'what_changed');
    const { name, description, inputSchema } = listed ?? {};
    expect(encode(JSON.stringify({ name, description, inputSchema })).length).toBeLessThanOrEqual(110);
  });

  test('tells of a project that is renamed as it is archived', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'A', project: 'Alpha' });
    await ana.ok('update_project', { project: 'Alpha', name: 'Beta', archived: true });
    expect((await ana.call('what_changed')).text).toContain('+Beta · archived, name (was Alpha)');
  });

  test('tells what else became of a task in the write that completed or restored it, and so does its history', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Pay rent' });
    const also = { title: 'Pay the rent', due: '2026-12-24', project: 'Home', add_labels: ['money'] };
    await ana.ok('update_task', { id: 1, status: 'completed', ...also });
    await ana.ok('delete_task', { id: 1 });
    const { undo } = await ana.ok('update_task', { id: 1, status: 'pending', priority: 'low', title: 'Rent' });
    await ana.ok('undo', { undo });
    const [completed, , restored, back] = [
      'completed, due (24 Dec), labels (@money), project (+Home), title (was Pay rent)',
      'deleted',
      'restored, priority (low), status (completed → pending), title (was Pay the rent)',
      'deleted by undo, priority (none), status (completed), title (was Rent)',
    ];
    const { text } = await ana.call('what_changed');
    for (const what of [completed, restored, back]) expect(text).toContain(` · ${what}\n`);
    const { history } = (await ana.ok('get_task', { id: 1 })).task;
    expect(history.map(({ what, fields }: { what: string; fields: string[] }) => [what, fields?.length])).toEqual([
      ['deleted by undo', 3],
      ['restored', 3],
      ['deleted', undefined],
      ['completed', 4],
    ]);
  });
});
