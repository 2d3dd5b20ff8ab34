import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { and, desc, eq, inArray, isNull } from 'drizzle-orm';
import { drizzle as onPg } from 'drizzle-orm/node-postgres';
import { drizzle as onPglite } from 'drizzle-orm/pglite';
import pg from 'pg';
import { httpClient1, httpClient2, stdioClient1, stdioClient2 } from '../lib/clients.mjs';
import { interleave, median, ms, onCleanup, SUMMARY_COLUMNS, summaryCells } from '../lib/harness.mjs';
import {
  embedded,
  environment,
  floorArgs,
  floorHttp,
  MAIN,
  newFolder,
  postgres,
  SETTLE_TIME,
  seed,
  serve,
  sourceModules,
} from '../lib/taskloom.mjs';

export const title = 'Single calls';
export const about =
  'One client makes one call at a time. Taskloom runs on the embedded database (a directory, through its owner), on PostgreSQL, and over Neon’s driver through a WebSocket proxy on the same machine. Baselines: servers on both SDKs that publish the same tools, do nothing, and answer every call with one of Taskloom’s get_task answers; and plain SQL and Drizzle on the same rows, in the measuring process. PostgreSQL runs with its default settings, so that every commit is synced, as it is in the embedded database. Both databases have statistics of the tasks, which they would gather by themselves within a minute (PostgreSQL) or a second (embedded). Unless a row says otherwise, stdio uses the 1.x client and HTTP the 2.x client (2026-07-28).';

export async function run({ quick, log }) {
  const rounds = quick ? 25 : 300;
  const warmup = quick ? 10 : 100;
  const total = quick ? 300 : 1000;
  const database = await postgres();
  const home = embedded();

  // The same tasks everywhere, with an extra one for each round to complete.
  const all = total + rounds + warmup;
  const users = { pg: 'pg', neon: 'neon', http: 'http', neonhttp: 'neonhttp' };
  for (const user of [users.pg, users.neon, 'raw']) await database.user(user);
  const httpToken = await database.token(users.http);
  const neonToken = await database.token(users.neonhttp);
  const homeToken = home.token('http');
  const open = async (client, seeding = true) => {
    const opened = await client;
    onCleanup(opened.close);
    if (seeding) await seed(opened, all);
    return opened;
  };
  const onPostgres = database.env(users.pg);
  const onNeon = await database.neonEnv(users.neon);
  log('seeding');
  let onDirectory = await open(stdioClient1([MAIN], home.env));
  const answer = join(newFolder(), 'answer.json');
  writeFileSync(answer, JSON.stringify(await onDirectory.call('get_task', { ids: ['50'] })));
  await setTimeout(SETTLE_TIME);
  const raw = await databaseBaselines(database, home, all);
  await onDirectory.close();
  onDirectory = await open(stdioClient1([MAIN], home.env), false);
  const servers = {
    'stdio, PGlite': onDirectory,
    'stdio, PostgreSQL': await open(stdioClient1([MAIN], onPostgres)),
    'stdio, Neon’s driver': await open(stdioClient1([MAIN], onNeon)),
    'HTTP, PostgreSQL': await open(httpClient2((await serve(database.env())).url, httpToken)),
    'HTTP, Neon’s driver': await open(httpClient2((await serve({ ...onNeon })).url, neonToken)),
  };
  const floors = {
    'stdio, SDK 1': await open(stdioClient1(floorArgs('1', 'stdio', answer), environment()), false),
    'stdio, SDK 2': await open(stdioClient1(floorArgs('2', 'stdio', answer), environment()), false),
    'HTTP, SDK 1': await open(httpClient1((await floorHttp('1', answer)).url), false),
    'HTTP, SDK 2': await open(httpClient2((await floorHttp('2', answer)).url), false),
  };

  await database.gatherStatistics();

  const any = (round) => String(1 + ((round * 37) % total));
  const CALLS = {
    get: (client, round) => client.call('get_task', { ids: [any(round)] }),
    list: (client) => client.call('list_tasks'),
    search: (client) => client.call('list_tasks', { text: 'passport' }),
    add: (client, round) => client.call('add_task', { title: `Another ${round}`, due: '2027-11-24', priority: 'high' }),
    update: (client, round) => client.call('update_task', { ids: [any(round)], title: `Changed ${round}` }),
    complete: (client, round) => client.call('complete_task', { ids: [String(total + 1 + round)] }),
    'claim and release': async (client, round) => {
      const { structuredContent } = await client.call('claim_task', { id: any(round) });
      await client.call('release_task', { id: any(round), claim: structuredContent.claim });
    },
    overview: (client) => client.call('get_overview'),
  };
  // Each kind of call is interleaved with its baselines, since the state of the machine changes within minutes.
  const times = {};
  for (const [call, work] of Object.entries(CALLS)) {
    log(call);
    const runs = {};
    for (const [server, client] of Object.entries(servers)) runs[`${call}|${server}`] = (round) => work(client, round);
    for (const [server, client] of Object.entries(raw[call] ? floors : {}))
      runs[`do-nothing, beside ${call}|${server}`] = (round) => client.call('get_task', { ids: [any(round)] });
    Object.assign(runs, raw[call]);
    Object.assign(times, await interleave(runs, { rounds, warmup }));
  }
  const p50 = (name) => median(times[name]);

  log('both protocol generations');
  // `serve` on the embedded database comes last, because it becomes the owner and ends with the section.
  const served = await serve(home.env);
  const generations = {
    'stdio, PostgreSQL, client 1.x (2025)': servers['stdio, PostgreSQL'],
    'stdio, PostgreSQL, client 2.x (2025)': await open(stdioClient2([MAIN], onPostgres, '2025'), false),
    'stdio, PostgreSQL, client 2.x (2026)': await open(stdioClient2([MAIN], onPostgres), false),
    'HTTP, PGlite, client 1.x (2025)': await open(httpClient1(served.url, homeToken)),
    'HTTP, PGlite, client 2.x (2025)': await open(httpClient2(served.url, homeToken, '2025'), false),
    'HTTP, PGlite, client 2.x (2026)': await open(httpClient2(served.url, homeToken), false),
  };
  const eras = await interleave(
    Object.fromEntries(
      Object.entries(generations).flatMap(([name, client]) =>
        ['get', 'add'].map((call) => [`${call}|${name}`, (round) => CALLS[call](client, round)]),
      ),
    ),
    { rounds: Math.ceil(rounds / 2), warmup },
  );

  const ratio = (call, server, plain) =>
    p50(`${call}|stdio, ${server}`) / (p50(`do-nothing, beside ${call}|stdio, SDK 2`) + p50(`${plain}|${server}`));
  const named = (prefix) => Object.keys(times).filter((name) => name.startsWith(prefix));
  const rowsOf = (taken, names) => names.map((name) => [...name.split('|'), ...summaryCells(taken[name])]);
  return {
    tables: [
      {
        title: 'Typical times (p50, ms)',
        columns: ['call', ...Object.keys(servers)],
        rows: Object.keys(CALLS).map((call) => [
          call,
          ...Object.keys(servers).map((server) => ms(p50(`${call}|${server}`))),
        ]),
        note: `${total.toLocaleString('en')} tasks of one user, plus the tasks to complete. A list is a page of 25.`,
      },
      {
        title: 'Baselines: do-nothing servers, and the database alone',
        columns: ['what', 'where', ...SUMMARY_COLUMNS],
        rows: rowsOf(times, [...named('do-nothing'), ...Object.values(raw).flatMap((runs) => Object.keys(runs))]),
        note: 'An insert writes one row of tasks, with all its indexes but no history.',
      },
      {
        title: 'All calls',
        columns: ['call', 'where', ...SUMMARY_COLUMNS],
        rows: rowsOf(
          times,
          Object.keys(CALLS).flatMap((call) => named(`${call}|`).filter((name) => servers[name.split('|')[1]])),
        ),
      },
      {
        title: 'Both protocol generations',
        columns: ['call', 'server and client', ...SUMMARY_COLUMNS],
        rows: rowsOf(eras, Object.keys(eras)),
      },
    ],
    charts: [
      {
        name: 'calls',
        title: 'Calls over stdio and HTTP, p50',
        unit: 'ms',
        kind: 'bars',
        x: [...Object.keys(CALLS)],
        series: Object.keys(servers).map((server) => ({
          name: server,
          values: Object.keys(CALLS).map((call) => p50(`${call}|${server}`)),
        })),
      },
    ],
    checks: [
      ...[
        ['get', 'PGlite', 'get, plain', 2.5],
        ['get', 'PostgreSQL', 'get, plain', 2.5],
        ['add', 'PGlite', 'insert, plain', 4],
        ['add', 'PostgreSQL', 'insert, plain', 3],
      ].map(([call, where, plain, limit]) => ({
        what: `${call}_task over stdio on ${where} ÷ (do-nothing server + ${plain} SQL)`,
        value: ratio(call, where, plain),
        limit,
      })),
      {
        what: 'get_task over HTTP on PostgreSQL ÷ do-nothing HTTP server with the same tools',
        value: p50('get|HTTP, PostgreSQL') / p50('do-nothing, beside get|HTTP, SDK 2'),
        limit: 1.3,
      },
    ],
  };
}

/**
 * Returns the database baselines of each call: plain SQL and Drizzle, which read the rows that Taskloom reads and insert for
 * a separate user.
 */
async function databaseBaselines(server, home, total) {
  const { tasks, extensions, makeDisk, newDirectory, ensureUser, wrapPglite } = await sourceModules();
  const client = new pg.Client(server.url);
  await client.connect();
  onCleanup(() => client.end());

  // A copy of Taskloom’s data directory, with the same durability: PGlite by itself does not sync.
  home.stopOwner();
  const copy = join(newFolder(), 'data');
  cpSync(home.data, copy, { recursive: true });
  const disk = makeDisk((reason) => {
    throw new Error(reason);
  }, false);
  const durable = [
    'shared_buffers=16MB',
    'fsync=on',
    'wal_sync_method=fsync',
    'min_wal_size=32MB',
    'max_wal_size=64MB',
  ];
  const pglite = await PGlite.create({
    fs: new NodeFS(copy),
    startParams: [
      ...PGlite.defaultStartParams.filter((each) => each !== '-F'),
      ...durable.flatMap((each) => ['-c', each]),
    ],
    extensions: { ...extensions, disk: disk.extension },
    ...newDirectory,
  });
  onCleanup(() => pglite.close());
  await ensureUser(wrapPglite(pglite), { handle: 'raw', timezone: 'Europe/Paris' });

  const sides = {
    PostgreSQL: { query: (text, values) => client.query(text, values), db: onPg({ client }), reader: 'pg' },
    PGlite: { query: (text, values) => pglite.query(text, values), db: onPglite({ client: pglite }), reader: 'local' },
  };
  const runs = { get: {}, list: {}, add: {} };
  for (const [where, { query, db, reader }] of Object.entries(sides)) {
    const idOf = async (handle) =>
      (await query('select id from taskloom.users where handle = $1', [handle])).rows[0].id;
    const [user, writer] = [await idOf(reader), await idOf('raw')];
    let next = 1;
    const any = (round) => 1 + ((round * 37) % total);
    const row = () => {
      const now = new Date();
      const [id, name] = [next++, `Another ${next}`];
      const stamp = now.toISOString();
      return { id, title: name, key: name.toLowerCase(), rank: `a${String(id).padStart(6, '0')}V`, now, stamp };
    };
    runs.get[`get, plain|${where}`] = (round) =>
      query('select * from taskloom.tasks where user_id = $1 and id = $2', [user, any(round)]);
    runs.get[`get, Drizzle|${where}`] = (round) =>
      db
        .select()
        .from(tasks)
        .where(and(eq(tasks.userId, user), eq(tasks.id, any(round))));
    runs.list[`list of 25, plain|${where}`] = () =>
      query(
        `select * from taskloom.tasks where user_id = $1 and status in ('pending', 'in_progress') and deleted_at is null
         order by id desc limit 25`,
        [user],
      );
    runs.list[`list of 25, Drizzle|${where}`] = () =>
      db
        .select()
        .from(tasks)
        .where(and(eq(tasks.userId, user), inArray(tasks.status, ['pending', 'in_progress']), isNull(tasks.deletedAt)))
        .orderBy(desc(tasks.id))
        .limit(25);
    runs.add[`insert, plain|${where}`] = () => {
      const { id, title, key, rank, stamp } = row();
      return query(
        `insert into taskloom.tasks (user_id, id, title, title_key, status, priority, due_date, due_sort, rank, version,
           created_at, created_by, updated_at, updated_by)
         values ($1, $2, $3, $4, 'pending', 2, '2027-11-24', '2027-11-24T22:59:59.999Z', $5, 1, $6, 'bench', $6, 'bench')`,
        [writer, id, title, key, rank, stamp],
      );
    };
    runs.add[`insert, Drizzle|${where}`] = () => {
      const { id, title, key, rank, now } = row();
      return db.insert(tasks).values({
        userId: writer,
        id,
        title,
        titleKey: key,
        status: 'pending',
        priority: 2,
        dueDate: '2027-11-24',
        dueSort: '2027-11-24T22:59:59.999Z',
        rank,
        version: 1,
        createdAt: now,
        createdBy: 'bench',
        updatedAt: now,
        updatedBy: 'bench',
      });
    };
  }
  return runs;
}
