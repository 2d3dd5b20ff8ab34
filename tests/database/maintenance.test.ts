import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import type { Connection } from '../../src/db/database.js';
import { openFiles } from '../../src/db/pglite.js';
import { EmbeddedStatements } from '../../src/db/pglite-statements.js';
import { asService, asTableOwner, queryAsTableOwner } from '../../src/db/service.js';
import { environment, succeed } from '../support/process.js';

test('the embedded database keeps its log and its tables short, gathers statistics', async () => {
  const env = environment();
  await succeed(['user', 'add', 'ana'], env);
  const data = join(String(env.TASKLOOM_HOME), 'pg18');
  const logSize = () =>
    readdirSync(join(data, 'pg_wal')).reduce((sum, name) => sum + statSync(join(data, 'pg_wal', name)).size, 0);
  const database = await openFiles(data, { maintenance: { idle: 50 } });
  try {
    await asTableOwner(database, (connection) => connection.script('create table taskloom.filler (id int, text text)'));
    const fill = (connection: Connection) =>
      connection.script(
        `insert into taskloom.filler select i, repeat(md5(i::text), 30) from generate_series(1, 10000) i`,
      );
    const size = () => queryAsTableOwner(database, `select pg_relation_size('taskloom.filler')`, []);
    let longest = 0;
    for (let i = 0; i < 16; i++)
      await asTableOwner(database, async (connection) => {
        await fill(connection);
        await connection.script('delete from taskloom.filler');
        if (i === 15) await fill(connection); // before anybody can have looked after what is gone
        longest = Math.max(longest, logSize());
      });
    expect(longest).toBeLessThan(100 * 2 ** 20); // of 160 MB that were written
    const statistics = () =>
      queryAsTableOwner(database, `select count(*)::int from pg_stats where tablename = 'filler'`, []);
    await expect.poll(statistics, { timeout: 30_000, interval: 500 }).toEqual([[2]]);
    await expect.poll(logSize, { timeout: 30_000, interval: 500 }).toBeLessThan(70 * 2 ** 20);
    const before = await size();
    await asTableOwner(database, fill);
    expect(await size(), 'the room of rows that are gone').toEqual(before);
  } finally {
    await database.close();
  }
}, 120_000);

test('the log of the embedded database is given back once, however many wait meanwhile', async () => {
  const env = environment();
  await succeed(['user', 'add', 'ana'], env);
  const sent = vi.spyOn(EmbeddedStatements.prototype, 'script');
  const database = await openFiles(join(String(env.TASKLOOM_HOME), 'pg18'), { maintenance: { idle: 3_600_000 } });
  try {
    const fill = asTableOwner(database, (connection) =>
      connection.script(
        'create table taskloom.filler as select repeat(md5(i::text), 30) from generate_series(1, 40000) i',
      ),
    );
    const waiting = Array.from({ length: 50 }, () => asService(database, 'select 1', []));
    await Promise.all([fill, ...waiting]);
    await asService(database, 'select 1', []); // behind what was put into the line meanwhile
    expect(sent.mock.calls.filter(([text]) => text === 'checkpoint')).toHaveLength(1);
  } finally {
    await database.close();
  }
}, 60_000);

test('the embedded database gathers statistics while it is never idle', async () => {
  const env = environment();
  await succeed(['user', 'add', 'ana'], env);
  const data = join(String(env.TASKLOOM_HOME), 'pg18');
  const database = await openFiles(data, { maintenance: { idle: 3_600_000, busy: 20 } });
  try {
    await asTableOwner(database, (connection) =>
      connection.script('create table taskloom.filler as select i from generate_series(1, 10000) i'),
    );
    const statistics = () =>
      queryAsTableOwner(database, `select count(*)::int from pg_stats where tablename = 'filler'`, []);
    await expect.poll(statistics, { timeout: 30_000, interval: 5 }).toEqual([[1]]);
  } finally {
    await database.close();
  }
}, 60_000);
