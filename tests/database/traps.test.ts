import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ensureUser } from '../../src/auth/local.js';
import type { Connection } from '../../src/db/database.js';
import { Unreachable } from '../../src/db/database-errors.js';
import { openPostgres } from '../../src/db/postgres.js';
import { asService, asTableOwner } from '../../src/db/service.js';
import { urlOf } from '../setup/server.js';
import { gate } from '../support/gate.js';
import { newAgent, rowsOf, useWorld } from '../support/harness.js';
import { send, serveHttp } from '../support/http.js';
import { connect, environment } from '../support/process.js';

const world = useWorld();
/** What the pools are opened with. */
const SLOTS = 10;

/** Another way into the same database, to see and end the connections of the first. */
let other: pg.Client;
beforeAll(async () => {
  other = new pg.Client(urlOf(world.database));
  await other.connect();
});
afterAll(() => other?.end());

const OTHERS = 'datname = current_database() and pid <> pg_backend_pid()';
const count = async (text: string, params: unknown[] = []) => Number((await other.query(text, params)).rows[0].count);
const connections = (state = 'true') => count(`select count(*) from pg_stat_activity where ${OTHERS} and ${state}`);
const endAll = (state = 'true') =>
  count(
    `select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity where ${OTHERS} and ${state}) ended`,
  );

describe('connections that die', () => {
  test('idle, more of them than the pool has slots, leave it as good as new', async () => {
    const agents = await Promise.all(Array.from({ length: 5 }, () => newAgent(world)));
    let ended = 0;
    for (let round = 0; round < 12; round++) {
      ended += await endAll();
      // At once: some are handed out before the pool has heard that they are dead.
      const replies = await Promise.all(agents.map((agent) => agent.call('list_tasks')));
      for (const { isError, json } of replies) if (isError) expect(json.error.code).toBe('unavailable');
    }
    expect(ended).toBeGreaterThan(SLOTS);
    await expect.poll(() => agents[0]?.call('list_tasks').then(({ isError }) => isError)).toBe(false);
    const crowd = Array.from({ length: 3 * SLOTS }, (_, i) => agents[i % agents.length]?.ok('list_tasks'));
    expect(await Promise.all(crowd)).toHaveLength(3 * SLOTS);
    expect(await connections()).toBeLessThanOrEqual(SLOTS);
    await expect.poll(() => connections(`state <> 'idle'`)).toBe(0); // an answer does not wait for its COMMIT
  });

  test('between two statements end neither the process nor more than the call', async () => {
    for (let round = 0; round < SLOTS + 2; round++) {
      const broken = world.database.connect(async (connection) => {
        await connection.script('begin; select 1');
        const [row] = await connection.query('select pg_backend_pid()', []);
        await other.query('select pg_terminate_backend($1)', row);
        await expect
          .poll(() => count('select count(*) from pg_stat_activity where pid = $1', row), { interval: 5 })
          .toBe(0);
        return connection.query('select 1', []);
      });
      await expect(broken).rejects.toBeInstanceOf(Unreachable);
    }
    expect(await rowsOf(world, 'select 1')).toEqual([[1]]);
  });

  test('under a call that waits make it a refusal that says to try again, and the next one works', async () => {
    const ana = await newAgent(world);
    await asTableOwner(world.database, async (connection) => {
      await connection.query('select 1 from taskloom.counters where user_id = $1 for update', [ana.principal.userId]);
      const waiting = ana.refused('add_task', { title: 'Waits', request_id: 'r' });
      await expect.poll(() => endAll(`wait_event_type = 'Lock'`)).toBe(1);
      expect(await waiting).toMatchObject({
        code: 'unavailable',
        message: 'The task database cannot be reached.',
        hint: expect.stringContaining('keep its request_id'),
      });
    });
    expect((await ana.ok('add_task', { title: 'Waits', request_id: 'r' })).task.id).toBe(1);
    expect((await ana.ok('list_tasks')).total).toBe(1);
  });
});

test('the built program keeps each transaction on one connection, however many run at once', async () => {
  const handle = `u-${randomUUID()}`;
  await ensureUser(world.database, { handle, timezone: 'UTC' });
  const peer = await connect(
    environment({
      TASKLOOM_DATABASE_URL: urlOf(world.database),
      TASKLOOM_USER: handle,
      ...(inject('backend') === 'neon' && { TASKLOOM_NEON_PROXY: inject('proxy') }),
    }),
  );
  const asked = Array.from({ length: 24 }, (_, i) =>
    peer.ask('tools/call', { name: 'add_task', arguments: { title: `Task ${i}`, project: `P${i % 3}` } }),
  );
  const ids: number[] = [];
  for (const id of asked) ids.push((await peer.answer(id)).result.structuredContent.task?.id);
  expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  // One transaction per call, of which none is left open; a lock taken on another connection would not have held.
  const [row] = await rowsOf(
    world,
    `select count(distinct c.xmin::text)::int, count(distinct c.batch)::int, count(distinct c.call)::int, max(c.seq)::int
     from taskloom.changes c join taskloom.users u on u.id = c.user_id where u.handle = $1`,
    [handle],
  );
  expect(row).toEqual([24, 24, 24, 27]);
  await expect.poll(() => connections(`state like 'idle in transaction%'`)).toBe(0);
  expect((await peer.close()).code).toBe(0);
});

test('a server that became read-only is given up, by whoever asks whether it is ready too', async () => {
  const ana = await newAgent(world);
  const { server, url } = await serveHttp(world);
  const readiness = async () => (await send(url, { method: 'GET', path: '/readyz' })).status;
  const [database] = (await rowsOf(world, 'select quote_ident(current_database())'))[0] ?? [];
  try {
    await other.query(`alter database ${database} set default_transaction_read_only = on`);
    await endAll();
    await expect.poll(async () => (await ana.call('list_tasks')).isError).toBe(false);
    expect(await ana.refused('add_task', { title: 'Meanwhile' })).toMatchObject({ code: 'unavailable' });
    expect(await readiness()).toBe(503);
    await ana.ok('list_tasks');
    await other.query(`alter database ${database} reset default_transaction_read_only`);
    await expect.poll(readiness).toBe(200);
    await expect.poll(async () => (await ana.call('add_task', { title: 'After' })).isError).toBe(false);
  } finally {
    await server.close();
  }
});

test('a command may take longer than a transaction of the login', async () => {
  const url = new URL(urlOf(world.database));
  url.searchParams.set('options', '-c transaction_timeout=1s');
  const database = openPostgres(url.href);
  const sleep = (connection: Connection) => connection.query('select pg_sleep(1.5)', []);
  try {
    await expect(database.connect(sleep)).rejects.toBeInstanceOf(Unreachable);
    await expect(asTableOwner(database, sleep)).resolves.toHaveLength(1);
  } finally {
    await database.close();
  }
});

test('statements whose columns a migration changes are prepared anew, and stay kept', async () => {
  await other.query('create table public.changing (a integer); grant select on public.changing to public');
  await other.query('insert into public.changing values (1)');
  const read = () => asService(world.database, 'select * from public.changing', []);
  expect(await read()).toEqual([[1]]);
  await other.query(`alter table public.changing add column b text default 'new'`);
  expect(await read()).toEqual([[1, 'new']]);
  await read();
  const [row] = await asService(
    world.database,
    `select count(*)::int from pg_prepared_statements where statement like '%public.changing'`,
    [],
  );
  expect(row?.[0]).toBeGreaterThan(1);
});

test('statements are kept parsed, until a pooler that mixes connections up has lost one', async () => {
  const ana = await newAgent(world);
  /** Runs a script on every connection of the pool at once. */
  const everywhere = (script: string) => {
    let arrived = 0;
    const all = gate();
    return Promise.all(
      Array.from({ length: SLOTS }, () =>
        world.database.connect(async (connection) => {
          arrived += 1;
          if (arrived === SLOTS) all.open();
          await all.opened;
          return (await connection.script(script))[0]?.[0]?.[0];
        }),
      ),
    );
  };
  await ana.ok('add_task', { title: 'Before' });
  await ana.ok('list_tasks');
  const kept = async () => (await everywhere('select count(*)::int from pg_prepared_statements')).map(Number);
  expect(Math.max(...(await kept()))).toBeGreaterThan(1);

  await everywhere('deallocate all');
  expect((await ana.ok('add_task', { title: 'After' })).task.id).toBe(2);
  expect((await ana.ok('list_tasks')).total).toBe(2);
  expect(
    await rowsOf(world, 'select count(*)::int from taskloom.changes where user_id = $1', [ana.principal.userId]),
  ).toEqual([[2]]);
  // From the first loss on: not every connection had something to lose.
  const lose = () =>
    everywhere('deallocate all')
      .then(() => ana.ok('list_tasks'))
      .then(kept);
  await expect.poll(lose).toEqual(Array.from({ length: SLOTS }, () => 0));
});
