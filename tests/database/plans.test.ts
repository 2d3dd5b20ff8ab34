import { beforeAll, describe, expect, test } from 'vitest';
import { SORTS } from '../../src/domain/lists/sort.js';
import { type Agent, newAgent, rowsOf, useWorld } from '../support/harness.js';

/** Of one user, who has been at it for years: most is done, some of what is open is due, and little is under way. */
const TASKS = 100_000;
/** A page, and how many rows may be looked at for each that it shows. */
const PAGE = 100;
const PER_ROW = 40;

const world = useWorld();
/** All dates of what is there hang on the test's own clock. */
const NOW = `timestamptz '${world.now.toISOString()}'`;
let ana: Agent;

beforeAll(async () => {
  ana = await newAgent(world);
  const user = [ana.principal.userId];
  await ana.ok('add_task', { title: 'The first', project: 'P1' });
  const seed = (text: string) => rowsOf(world, text, user);
  // What looks for words is not looked at here, and would take most of the time.
  await rowsOf(world, 'drop index taskloom.tasks_words, taskloom.tasks_near', []).catch(() => {});
  await seed(`insert into taskloom.projects (user_id, id, name, name_key, created_at, updated_at, archived_at)
    select $1, n, 'P' || n, 'p' || n, ${NOW}, ${NOW}, case when n = 40 then ${NOW} end from generate_series(2, 40) n`);
  await seed(`insert into taskloom.tasks (user_id, id, title, title_key, status, completed_at, deleted_at, priority, due_at, due_sort,
      rank, project_id, parent_id, open_blockers, claimed_by, claimed_until, claim, version, created_at, created_by, updated_at, updated_by)
    select $1, n, 'Task ' || n, 'task ' || n, status, case when status = 'completed' then at end, case when n % 50 = 7 then at end,
      1 + (n * 7919 % 10007) % 5, due, coalesce(due, 'infinity'), 'z' || lpad((n * 7919 % 1000003)::text, 8, '0'),
      -- One project has a third of everything, the others share the rest.
      case when n % 3 = 0 then 1 when n % 3 = 1 then 2 + n % 39 end,
      case when n > 1000 and n % 100 < 20 then n - n % 100 - 500 end,
      case when n % 6 = 0 then 1 else 0 end,
      case when n % 20011 = 0 then 'bot' end, case when n % 20011 = 0 then ${NOW} + interval '1 hour' else '-infinity' end,
      case when n % 20011 = 0 then 1 end, 1, at, 'seed', at, 'seed'
    from (
      select n, ${NOW} - (${TASKS} - n) * interval '5 minutes' as at,
        case when n % 10 < 6 then 'completed' when n % 100 = 88 then 'cancelled' when n % 2500 = 9 then 'in_progress' else 'pending' end as status,
        case when n::bigint * 104729 % 9973 % 5 < 2 then date_trunc('second', ${NOW} + (n * 31 % 700 - 300) * interval '1 day' + n % 86400 * interval '1 second') end as due
      from generate_series(2, ${TASKS}) n
    ) given`);
  await seed(`insert into taskloom.task_labels (user_id, task_id, label_key, label)
    select $1, n, label, label from generate_series(2, ${TASKS}) n
    cross join lateral (values ('common', 3), ('some', 37), ('rare', 1009)) l (label, every) where n % every = 0`);
  await seed(`insert into taskloom.changes (user_id, seq, batch, call, at, actor, entity, entity_id, version, op, before, after)
    select $1, n, n, gen_random_uuid(), ${NOW} - (${TASKS} - n) * interval '5 minutes', '{"via": "stdio"}', 'task', n, 1, 'create', '{}', '{}'
    from generate_series(3, ${TASKS}) n`);
  await seed(
    `update taskloom.counters set next_task = ${TASKS + 1}, next_project = 41, change_seq = ${TASKS} where user_id = $1`,
  );
  // A hundred others, so that what holds for all users is not what holds for this one.
  await rowsOf(
    world,
    `insert into taskloom.users (id, handle, timezone) select gen_random_uuid(), 'o' || n, 'UTC' from generate_series(1, 100) n`,
  );
  await rowsOf(
    world,
    `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
    select id, n, 'x', 'x', 'pending', 5, 'infinity', 'a' || n, 1, ${NOW}, 'seed', ${NOW}, 'seed' from taskloom.users, generate_series(1, 20) n where handle like 'o%'`,
  );
  for (const table of ['tasks', 'task_labels', 'changes', 'projects']) await rowsOf(world, `analyze taskloom.${table}`);
}, 300_000);

interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Index Name'?: string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

/** How many rows of owned tables a plan looked at. */
function examined(node: Node): number {
  const own = node['Relation Name']
    ? (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
      node['Actual Loops']
    : 0;
  return (node.Plans ?? []).reduce((sum, each) => sum + examined(each), own);
}

const literal = (value: unknown) => (value === null ? 'null' : `'${String(value).replaceAll("'", "''")}'`);

/** Calls a tool, and then has the database explain what it did for it: with the same settings, and the plan that it keeps. */
async function looked(tool: string, args: Record<string, unknown>): Promise<{ rows: number; pages: number }> {
  const sent: { text: string; params: readonly unknown[] }[] = [];
  world.database.onStatement = (text, params) => void sent.push({ text, params });
  await ana.ok(tool, args);
  world.database.onStatement = undefined;
  let [rows, pages] = [0, 0];
  const settings = sent.find(({ text }) => text.includes('plan_cache_mode')) as (typeof sent)[number];
  const reads = sent.filter(
    (each) =>
      each.text !== settings.text && /^(select|with)\b/.test(each.text) && !/\b(update|insert)\b/.test(each.text),
  );
  for (const { text, params } of reads)
    await world.database.connect(async (connection) => {
      await connection.script('begin read only');
      await connection.query(settings.text, [...settings.params]);
      await connection.script(`prepare explained as ${text}`);
      const given = params.length > 0 ? `(${params.map(literal)})` : '';
      const [row] = await connection.query(
        `explain (analyze, buffers, timing off, format json) execute explained${given}`,
        [],
      );
      await connection.script('rollback; deallocate explained');
      const plans = row?.[0] as [{ Plan: Node }];
      rows += examined(plans[0].Plan);
      pages += plans[0].Plan['Shared Hit Blocks'] + plans[0].Plan['Shared Read Blocks'];
    });
  return { rows, pages };
}

const rowsExamined = async (tool: string, args: Record<string, unknown>) => (await looked(tool, args)).rows;

const SINGLE: Record<string, unknown>[] = [
  {},
  ...['pending', 'not_started', 'in_progress', 'completed', 'cancelled', 'deleted', 'all'].map((status) => ({
    status,
  })),
  { project: 'P1' },
  { project: 'P5' },
  { project: 'none' },
  { labels: ['common'] },
  { labels: ['some'] },
  { labels: ['rare'] },
  ...['urgent', 'low', 'none'].map((priority) => ({ priority })),
  ...['overdue', 'today', 'week', 'none', '2027-01-01..2027-12-31'].map((due) => ({ due })),
  { labels: ['none'] },
  { parent: 1500 },
  { parent: 'none' },
  { ready: true },
  { ready: false },
  { claimed_by: 'any' },
  { claimed_by: 'bot' },
  { claimed_by: 'none' },
  { changed_since: '2026-11-21' },
  { changed_since: '2026-11-16' },
  { changed_since: '2026-01-01' },
  { completed_since: '2026-11-21' },
  { completed_since: '2026-01-01' },
];

describe.each(SORTS)('of 100,000 tasks, sorted by %s, one page looks at no more rows than it must', (sort) => {
  test.each(SINGLE.map((filter) => [JSON.stringify(filter), filter] as const))('with %s', async (_, filter) => {
    expect(await rowsExamined('list_tasks', { ...filter, sort, limit: PAGE })).toBeLessThanOrEqual(PER_ROW * PAGE);
  });
});

describe('of 60,000 completed tasks, the latest first, one page looks at no more rows than it must', () => {
  test.each([
    {},
    { completed_since: '2026-11-21' },
    { completed_since: '2026-01-01' },
    { project: 'P1' },
    { project: 'P5' },
    { project: 'none', completed_since: '2026-01-01' },
    { labels: ['common'] },
    { labels: ['some'], project: 'P1' },
    { labels: ['none'] },
    { priority: 'urgent' },
    { due: 'none' },
    { parent: 1500 },
    { parent: 'none' },
    { changed_since: '2026-01-01' },
  ])('with %j', async (filter) => {
    const rows = await rowsExamined('list_tasks', { status: 'completed', ...filter, limit: PAGE });
    expect(rows).toBeLessThanOrEqual(PER_ROW * PAGE);
  });
});

describe('of 100,000 tasks, where an index has what is asked for in its order', () => {
  test.each([
    [{ project: 'P1', sort: 'due' }, `project_id = 1 and status in ('pending', 'in_progress') order by due_sort, id`],
    [{ project: 'P1' }, `project_id = 1 and status in ('pending', 'in_progress') order by id desc`],
    [{ status: 'cancelled' }, `status = 'cancelled' order by id desc`],
    [{ status: 'completed' }, `status = 'completed' order by completed_at desc, id desc`],
    [
      { completed_since: '2026-11-21' },
      `status = 'completed' and completed_at >= '2026-11-21T00:00+01:00' order by completed_at desc, id desc`,
    ],
  ])('a page of %j is read from it, and the next goes on there', async (filter, where) => {
    const found = await rowsOf(
      world,
      `select id from taskloom.tasks where user_id = $1 and deleted_at is null and ${where}`,
      [ana.principal.userId],
    );
    const first = await ana.ok('list_tasks', { ...filter, limit: PAGE, max_tokens: 20_000 });
    const second = await ana.ok('list_tasks', {
      ...filter,
      limit: PAGE,
      max_tokens: 20_000,
      cursor: first.next_cursor,
    });
    const ids = [...first.tasks, ...second.tasks].map(({ id }: { id: number }) => id);
    expect(ids).toEqual(found.slice(0, 2 * PAGE).map(([id]) => id));
    expect([first.total, second.total]).toEqual(
      found.length > 1000 ? ['1000+', '1000+'] : [found.length, found.length],
    );
    expect(first.note).toBeUndefined();
  });

  test('what is ready next is claimed without a look at the rest', async () => {
    expect(await rowsExamined('claim_task', {})).toBeLessThanOrEqual(100); // of which 80 are projects, looked at twice
  });
});

describe('of 100,000 tasks, what is not a list looks at few', () => {
  test.each([
    ['get_task', { ids: [50_004] }],
    ['get_overview', {}],
    ['what_changed', {}],
    ['update_task', { ids: [50_026], title: 'Otherwise' }],
    ['add_task', { title: 'New', project: 'P1', labels: ['common', 'some', 'rare'] }],
    ['add_task', { title: 'Newer', project: 'P one', labels: ['commn'] }],
    ['add_tasks', { tasks: [{ title: 'Newest', labels: ['common', 'some', 'rare', 'new'] }] }],
    ['complete_task', { ids: [50_027] }],
    ['update_task', { ids: [50_029], add_blocked_by: [50_046] }],
    ['update_task', { ids: [50_048], parent: 50_049 }],
    ['add_task', { title: 'Part', parent: 50_036, blocked_by: [50_039] }],
    ['add_comment', { id: 50_004, text: 'Noted' }],
  ])('%s %j', async (tool, args) => {
    const { rows, pages } = await looked(tool, args);
    expect(rows).toBeLessThanOrEqual(2_000);
    expect(pages).toBeLessThanOrEqual(1_000);
  });

  test('undo by its handle', async () => {
    const { undo } = await ana.ok('complete_task', { ids: [50_028] });
    expect((await looked('undo', { undo })).pages).toBeLessThanOrEqual(400);
  });
});

describe('of 100,000 tasks, where no index has all that is asked for', () => {
  test('the cursor goes on until all are shown, each once, although no page looks at all of them', async () => {
    const seen: number[] = [];
    let [cursor, shortPages] = [undefined as string | undefined, 0];
    do {
      const page = await ana.call('list_tasks', {
        labels: ['some'],
        sort: 'due',
        limit: PAGE,
        max_tokens: 20_000,
        cursor,
      });
      expect(page.isError, page.text).toBe(false);
      cursor = page.json.next_cursor;
      seen.push(...page.json.tasks.map(({ id }: { id: number }) => id));
      if (cursor && page.json.tasks.length < PAGE) {
        shortPages += 1;
        expect(page.json.total).toMatch(/^\d+\+$/);
        expect(page.text).toContain('The scan limit was reached; there may be more. Continue with the cursor.');
      }
    } while (cursor);
    const all = await rowsOf(
      world,
      `select t.id from taskloom.tasks t join taskloom.task_labels l on l.user_id = t.user_id and l.task_id = t.id
       left join taskloom.projects p on p.user_id = t.user_id and p.id = t.project_id
       where t.user_id = $1 and l.label_key = 'some' and t.status in ('pending', 'in_progress') and t.deleted_at is null
         and p.archived_at is null order by t.due_sort, t.id`,
      [ana.principal.userId],
    );
    expect(seen).toEqual(all.map(([id]) => id));
    expect(shortPages).toBeGreaterThan(0);
  });

  test('a part of the filter that has few is found whole, in the order asked for', async () => {
    const page = await ana.ok('list_tasks', {
      labels: ['common', 'rare'],
      project: 'P1',
      status: 'all',
      sort: 'manual',
    });
    const all = await rowsOf(
      world,
      `select t.id from taskloom.tasks t where t.user_id = $1 and t.project_id = 1 and t.deleted_at is null
         and 2 = (select count(*) from taskloom.task_labels l where l.user_id = t.user_id and l.task_id = t.id and l.label_key in ('common', 'rare'))
       order by t.rank`,
      [ana.principal.userId],
    );
    expect(page.total).toBe(all.length);
    expect(page.tasks.map(({ id }: { id: number }) => id)).toEqual(all.slice(0, 25).map(([id]) => id));
  });

  test('the newest alone are sorted, and that is said', async () => {
    const { text, json } = await ana.call('list_tasks', { status: 'completed', sort: 'priority' });
    expect(json.total).toBe('1000+');
    expect(text).toContain('only the newest 1000 were sorted: use more filters');
  });

  test('a claim is found that no look of this length comes to', async () => {
    await rowsOf(
      world,
      `update taskloom.tasks set due_sort = 'infinity', due_at = null, priority = 5 where user_id = $1 and id in (select task_id from taskloom.task_labels where user_id = $1 and label_key = 'some')`,
      [ana.principal.userId],
    );
    const { task } = await ana.ok('claim_task', { labels: ['some'] });
    expect(task.labels).toContain('some');
  });
});
