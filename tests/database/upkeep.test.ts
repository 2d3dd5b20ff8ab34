import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openFiles } from '../../src/db/pglite.js';
import { asOwner, asService } from '../../src/db/scope.js';
import { environment, succeed } from '../process.js';

test('the embedded database keeps its log and its tables short, gathers statistics', async () => {
  const env = environment();
  await succeed(['user', 'add', 'ana'], env);
  const data = join(String(env.TASKLOOM_HOME), 'pg18');
  const logSize = () =>
    readdirSync(join(data, 'pg_wal')).reduce((sum, name) => sum + statSync(join(data, 'pg_wal', name)).size, 0);
  const database = await openFiles(data, { idle: 50 });
  try {
    await asOwner(database, (connection) => connection.script('create table taskloom.filler (id int, text text)'));
    let longest = 0;
    for (let i = 0; i < 16; i++)
      await asOwner(database, async (connection) => {
        await connection.script(
          `insert into taskloom.filler select i, repeat(md5(i::text), 30) from generate_series(1, 10000) i`,
        );
        if (i < 15) await connection.script(`delete from taskloom.filler`);
        longest = Math.max(longest, logSize());
      });
    expect(longest).toBeLessThan(100 * 2 ** 20); // of 160 MB that were written
    const kept = async () => {
      const [row] = await asService(
        database,
        `select c.reltuples > 0, pg_relation_size(c.oid) < 40000000, exists (select from pg_stats where tablename = 'filler')
         from pg_class c where c.relname = 'filler'`,
        [],
        'owner',
      );
      return row;
    };
    await expect.poll(kept, { timeout: 30_000, interval: 500 }).toEqual([true, true, true]);
    await expect.poll(logSize, { timeout: 30_000, interval: 500 }).toBeLessThan(70 * 2 ** 20);
  } finally {
    await database.close();
  }
});
