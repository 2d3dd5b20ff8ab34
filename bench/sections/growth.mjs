import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { stdioClient1 } from '../lib/clients.mjs';
import { interleave, median, ms, onCleanup, quantile } from '../lib/harness.mjs';
import { embedded, MAIN, postgres, SETTLE_TIME, sourceModules } from '../lib/taskloom.mjs';

export const title = 'Growth of tasks and users';
export const about =
  'Three comparisons: users with increasing numbers of tasks in one PostgreSQL; a user with a hundred tasks, alone in a PostgreSQL and among a hundred thousand other users; and users of the embedded database with increasing numbers of tasks. Each user is called over stdio through a server of their own, in interleaved rounds. Three fifths of the tasks are completed, almost all others are open, and one in six waits for another. Every list asks for as many tasks as it returns to the user with a hundred, at most 25.';

/** Six words, most of them rare. */
const WORDS = `(select string_agg('w' || ((n * p * 2654435761 % 1000003) * (n * p % 20011) % 20011), ' ') from generate_series(3, 8) p)`;

const SEED = `insert into taskloom.tasks (user_id, id, title, title_key, status, completed_at, priority, due_at, due_sort, rank,
    project_id, open_blockers, version, created_at, created_by, updated_at, updated_by)
  select $1, n, words, words, status, case when status = 'completed' then at end, 1 + (n * 7919 % 10007) % 5, due,
    coalesce(due, 'infinity'), 'z' || lpad((n * 7919 % 10000019)::text, 8, '0'), case when n % 3 > 0 then 1 + n % 7 end,
    case when n % 6 = 0 then 1 else 0 end, 1, at, 'seed', at, 'seed'
  from (
    select n, now() - ($2 - n) * interval '5 minutes' as at,
      ${WORDS} || case when n % 10 = 3 then ' report' else '' end || case when n % ($2 / 20) = 0 then ' zeppelin' else '' end as words,
      case when n % 10 < 6 then 'completed' when n % 100 = 88 then 'cancelled' when n % 2500 = 9 then 'in_progress' else 'pending' end as status,
      case when n * 104729 % 9973 % 5 < 2 then date_trunc('second', now() + (n * 31 % 700 - 300) * interval '1 day') end as due
    from generate_series(1::bigint, $2::bigint) n
  ) given`;

/** A store on PostgreSQL, for `fill` and `fillUsers`. */
async function onPostgres() {
  const server = await postgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  onCleanup(() => admin.end());
  await admin.query('set synchronous_commit = off');
  return {
    query: async (text, values) => (await admin.query({ text, values, rowMode: 'array' })).rows,
    user: server.user,
    ready: async () => {},
    client: (handle) => stdioClient1([MAIN], server.env(handle)),
  };
}

/** A store in a data directory, which must be filled before its owner starts. */
async function onDirectory() {
  const { ensureUser, openFiles } = await sourceModules();
  const home = embedded();
  const first = await stdioClient1([MAIN], home.env);
  await first.call('list_tasks');
  await first.close();
  home.stopOwner();
  const database = await openFiles(home.data);
  return {
    query: (text, params = []) => database.connect((connection) => connection.query(text, params)),
    user: (handle) => ensureUser(database, { handle, timezone: 'Europe/Paris' }),
    ready: database.close,
    client: (handle) => stdioClient1([MAIN], { ...home.env, TASKLOOM_USER: handle }),
  };
}

/** Creates a user with `total` tasks. */
async function fill({ query, user }, handle, total) {
  await user(handle);
  const [[id]] = await query('select id from taskloom.users where handle = $1', [handle]);
  await query(
    `insert into taskloom.projects (user_id, id, name, name_key, created_at, updated_at)
     select $1, n, 'Project ' || n, 'project ' || n, now(), now() from generate_series(1, 7) n`,
    [id],
  );
  await query(SEED, [id, total]);
  await query(
    `insert into taskloom.task_labels (user_id, task_id, label_key, label)
     select $1, n, label, label from generate_series(1, $2::int) n
     cross join lateral (values ('common', 3), ('rare', greatest($2::int / 40, 2))) l (label, every) where n % every = 0`,
    [id, total],
  );
  await query(
    `insert into taskloom.changes (user_id, seq, batch, call, at, actor, entity, entity_id, version, op, before, after)
     select $1, n, n, gen_random_uuid(), now() - ($2 - n) * interval '5 minutes', '{"via": "stdio"}', 'task', n, 1, 'create', '{}', '{}'
     from generate_series(1, $2::int) n`,
    [id, total],
  );
  await query('update taskloom.counters set next_task = $2, next_project = 8, change_seq = $2 - 1 where user_id = $1', [
    id,
    total + 1,
  ]);
}

/** Creates `count` users with three tasks each. */
async function addCrowd({ query }, count) {
  await query(
    `insert into taskloom.users (id, handle, timezone) select gen_random_uuid(), 'crowd-' || n, 'UTC' from generate_series(1, $1::int) n`,
    [count],
  );
  await query(
    `insert into taskloom.counters (user_id, next_task) select id, 4 from taskloom.users where handle like 'crowd-%'`,
  );
  await query(
    `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_sort, rank, version, created_at, created_by, updated_at, updated_by)
     select id, n, 'Buy milk ' || n, 'buy milk ' || n, 'pending', 5, 'infinity', 'a' || n, 1, now(), 'seed', now(), 'seed'
     from taskloom.users, generate_series(1, 3) n where handle like 'crowd-%'`,
  );
}

/**
 * Creates users with these numbers of tasks, and returns a client for each. Drops the indexes and disables foreign keys
 * meanwhile, because rebuilding is faster.
 */
async function fillUsers(store, sizes) {
  const indexes = await store.query(
    `select indexdef, schemaname || '.' || indexname from pg_indexes
     where tablename in ('tasks', 'task_labels', 'changes') and indexname !~ '_pk$'`,
  );
  for (const [, name] of indexes) await store.query(`drop index ${name}`);
  await store.query('set session_replication_role = replica');
  for (const [handle, size] of Object.entries(sizes)) await fill(store, handle, size);
  await store.query('reset session_replication_role');
  for (const [indexdef] of indexes) await store.query(indexdef);
  await store.query('vacuum analyze');
  await store.query('checkpoint'); // so that none occurs during the measurements
  await store.ready();
  const clients = {};
  for (const handle of Object.keys(sizes)) {
    clients[handle] = await store.client(handle);
    onCleanup(clients[handle].close);
    await clients[handle].call('get_overview');
  }
  await setTimeout(SETTLE_TIME);
  return clients;
}

const LISTS = {
  'list, newest': {},
  'list, by due date': { sort: 'due' },
  'list, by priority': { sort: 'priority' },
  'list, manual order': { sort: 'manual' },
  'list, one project': { project: 'Project 2' },
  'list, one project by due date': { project: 'Project 2', sort: 'due' },
  'list, a frequent label': { labels: ['common'] },
  'list, a rare label': { labels: ['rare'], status: 'all' },
  'list, completed': { status: 'completed' },
  'list, cancelled': { status: 'cancelled' },
  'list, ready': { ready: true },
  'list, due this week': { due: 'week' },
  'list, overdue': { due: 'overdue' },
  'text, 20 matches': { text: 'zeppelin', status: 'all' },
  'text, a common word': { text: 'report', status: 'all' },
};

/** Returns the list calls, limited to as many tasks as `smallest` gets, so that all answers have the same size. */
async function listCalls(smallest) {
  const calls = {};
  for (const [name, asked] of Object.entries(LISTS)) {
    const { structuredContent } = await smallest.call('list_tasks', asked);
    const limit = Math.max(structuredContent.tasks.length, 1);
    calls[name] = (call) => call('list_tasks', { ...asked, limit });
  }
  return calls;
}

/** The calls that are compared between a user alone and one among many others. */
const CROWD_CALLS = ['get_task', 'list, newest', 'list, by due date', 'get_overview', 'add_task', 'update_task'];

const usersOf = (sizes) => Object.fromEntries(sizes.map((size) => [`has-${size}`, size]));

export async function run({ quick, log }) {
  const sizes = quick ? [100, 10_000, 100_000] : [100, 10_000, 1_000_000];
  const own = quick ? [100, 10_000] : [100, 100_000];
  const crowd = quick ? 10_000 : 100_000;
  const rounds = quick ? 30 : 100;
  log('seeding');
  const store = await onPostgres();
  const clients = await fillUsers(store, usersOf(sizes));

  let numbers = 0;
  const next = () => {
    numbers += 1;
    return numbers;
  };
  const CALLS = {
    get_task: (call, size) => call('get_task', { ids: [1 + Math.floor(size / 2)] }),
    ...(await listCalls(clients[`has-${sizes[0]}`])),
    get_overview: (call) => call('get_overview'),
    what_changed: (call) => call('what_changed'),
    list_projects: (call) => call('list_projects'),
    add_task: (call) => call('add_task', { title: `Renew w${next()} and w${next() * 7}`, due: '2027-11-24' }),
    update_task: (call, size) =>
      call('update_task', { ids: [1 + (next() % (size / 2))], title: `Renamed to w${next()}` }),
    'complete_task and undo': async (call, size) => {
      // A task that is open and blocks no other.
      const { structuredContent } = await call('complete_task', { ids: [10 * Math.floor(size / 40) + 7] });
      await call('undo', { handle: structuredContent.undo });
    },
    'claim and release': async (call) => {
      const { structuredContent } = await call('claim_task');
      await call('release_task', { id: structuredContent.task.id, claim: structuredContent.claim });
    },
  };
  /** Times each call with all clients, interleaved. */
  async function timed(clients, sizes, rounds, names = Object.keys(CALLS)) {
    const measured = {};
    for (const name of names) {
      log(name);
      const work = CALLS[name];
      const runs = Object.entries(sizes).map(([handle, size]) => [handle, () => work(clients[handle].call, size)]);
      measured[name] = await interleave(Object.fromEntries(runs), { rounds, warmup: 12 });
    }
    return measured;
  }
  const measured = await timed(clients, usersOf(sizes), rounds);

  log('other users');
  const alone = await onPostgres();
  const among = await onPostgres();
  await addCrowd(among, crowd);
  const lonely = {
    alone: (await fillUsers(alone, { lonely: 100 })).lonely,
    among: (await fillUsers(among, { lonely: 100 })).lonely,
  };
  const byUsers = await timed(lonely, { alone: 100, among: 100 }, rounds, CROWD_CALLS);

  log('the embedded database');
  const directory = await fillUsers(await onDirectory(), usersOf(own));
  const embeddedTimes = await timed(directory, usersOf(own), Math.ceil(rounds / 3));

  const ratio = (times) => median(Object.values(times).at(-1)) / median(Object.values(times)[0]);
  const table = (title, sizes, measured) => ({
    title,
    columns: ['call', ...sizes.map(label), 'last ÷ first'],
    rows: Object.entries(measured).map(([name, times]) => [
      name,
      ...Object.values(times).map((each) => `${ms(median(each))} (${ms(quantile(each, 0.95))})`),
      ratio(times).toFixed(2),
    ]),
  });
  const label = (size) => size.toLocaleString('en');
  const common = 'text, a common word';
  return {
    tables: [
      table('Users by number of tasks, PostgreSQL: p50 (p95) in ms', sizes, measured),
      table('Users by number of tasks, PGlite: p50 (p95) in ms', own, embeddedTimes),
      table(
        `A user with 100 tasks, alone and among ${label(crowd)} others: p50 (p95) in ms`,
        ['alone', 'among others'],
        byUsers,
      ),
    ],
    charts: [
      {
        name: 'growth',
        title: 'Calls by number of tasks, p50',
        unit: 'ms',
        kind: 'lines',
        x: sizes.map(label),
        series: [
          'get_task',
          'list, by due date',
          'list, one project',
          'text, 20 matches',
          'get_overview',
          'add_task',
        ].map((name) => ({ name, values: Object.values(measured[name]).map(median) })),
      },
    ],
    checks: [
      ...[
        ['', sizes, measured],
        [', PGlite', own, embeddedTimes],
      ].flatMap(([where, sizes, measured]) =>
        Object.entries(measured)
          .filter(([name]) => name !== common)
          .map(([name, times]) => ({
            what: `${name}${where}: ${label(sizes.at(-1))} tasks ÷ ${label(sizes[0])} tasks`,
            value: ratio(times),
            limit: 1.5,
          })),
      ),
      ...CROWD_CALLS.map((name) => ({
        what: `${name}: among ${label(crowd)} users ÷ alone`,
        value: ratio(byUsers[name]),
        limit: 1.5,
      })),
    ],
  };
}
