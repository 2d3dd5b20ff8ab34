import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { asService, asTableOwner, queryAsTableOwner } from '../../src/db/service.js';
import { newAgent, openTestDatabase, useWorld, withDatabase } from '../support/harness.js';

const world = useWorld();
let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const secret = (name: string) => `insert into taskloom.secrets (name, value) values ('${name}', '')`;
const kept = async () => {
  const rows = await queryAsTableOwner(database, `select name from taskloom.secrets order by name`, []);
  return rows.flat();
};

describe('the one connection of the embedded database', () => {
  test('is given to one caller after another, in the order they came', async () => {
    const heard: string[] = [];
    const talk = (name: string) =>
      database.connect(async (connection) => {
        heard.push(`${name} begins`);
        await connection.query('select 1', []);
        await connection.query('select 2', []);
        heard.push(`${name} ends`);
      });
    await Promise.all(['a', 'b', 'c'].map(talk));
    expect(heard).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  test('comes back out of a transaction that its last caller left open or broken', async () => {
    await database.connect((connection) => connection.script(`begin; ${secret('left-open')}`));
    await database
      .connect((connection) => connection.script(`begin; ${secret('broken')}; select 1 / 0`))
      .catch(() => {});
    await database
      .connect(async (connection) => {
        await connection.script(`begin; ${secret('thrown')}`);
        throw new Error('of ours');
      })
      .catch(() => {});
    await asTableOwner(database, (connection) => connection.script(secret('committed')));
    expect(await kept()).toContain('committed');
    for (const name of ['left-open', 'broken', 'thrown']) expect(await kept()).not.toContain(name);
  });

  test('is never sent the limits that would hang it', async () => {
    const plain = await newAgent(withDatabase(world, database));
    const sent: string[] = [];
    database.onStatement = (text) => sent.push(text);
    await plain.ok('add_task', { title: 'One' });
    await plain.ok('list_tasks');
    database.onStatement = undefined;
    expect(sent.filter((text) => text.startsWith('begin')).length).toBeGreaterThan(1);
    expect(sent.filter((text) => /(transaction|statement|lock|session)_timeout/.test(text))).toEqual([]);
  });
});

test('times come as text and counters as numbers, as from a server', async () => {
  const row = await asService(
    database,
    `select '2026-11-22'::date, '2026-11-22 13:02:00+00'::timestamptz, 9007199254740991::bigint`,
    [],
  );
  expect(row).toEqual([['2026-11-22', '2026-11-22 13:02:00+00', 9007199254740991]]);
});

describe('statements that were parsed before', () => {
  test('are kept, but not without end', async () => {
    for (let i = 0; i < 600; i++)
      expect(await asService(database, `select ${i}, $1::int + ${i}`, [1])).toEqual([[i, i + 1]]);
    expect(await asService(database, 'select 0, $1::int + 0', [2])).toEqual([[0, 2]]); // long dropped, and parsed again
    const [row] = await asService(database, 'select count(*)::int from pg_prepared_statements', []);
    expect(row?.[0]).toBeLessThanOrEqual(257);
  });

  test('do not suffer from one that fails, to be parsed or to be run', async () => {
    await expect(asService(database, 'select nonsense', [])).rejects.toMatchObject({ code: '42703' });
    await expect(asService(database, 'select 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' });
    await expect(asService(database, 'select $1::int', ['x'])).rejects.toMatchObject({ code: '22P02' });
    expect(await asService(database, 'select 1 / $1::int', [1])).toEqual([[1]]);
  });
});
