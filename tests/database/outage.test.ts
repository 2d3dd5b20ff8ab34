import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { isUnreachable } from '../../src/db/database-errors.js';
import { migrate, readMigrations } from '../../src/db/migrate.js';
import { openNeon } from '../../src/db/neon.js';
import { openPostgres } from '../../src/db/postgres.js';
import { asService } from '../../src/db/service.js';
import { type PostgresServer, startPostgres } from '../setup/postgres.js';
import { type NeonProxy, startProxy } from '../setup/proxy.js';
import { newAgent, newUser, rowsOf, useWorld, type World, withDatabase } from '../support/harness.js';
import { addedBy, crowd, eventually, newToken, send, serveHttp } from '../support/http.js';

const shared = useWorld();

/** A server that may go away without others missing it. */
let server: PostgresServer;
let proxy: NeonProxy | undefined;
let database: Database;
const open = () => (proxy ? openNeon(server.url('postgres'), proxy.at) : openPostgres(server.url('postgres')));
beforeAll(async () => {
  server = await startPostgres(inject('release'));
  if (inject('backend') === 'neon') proxy = await startProxy(server.address);
  database = open();
  await migrate(database, readMigrations(new URL('../../migrations/', import.meta.url)));
});
afterAll(async () => {
  await database?.close();
  await proxy?.close();
  await server?.close();
});

const worldOf = (database: Database): World => withDatabase(shared, database);
const world = () => worldOf(database);

test('a database that goes away is told as such, and used again when it is back', async () => {
  const ana = await newAgent(world());
  const from = shared.logged.length;
  await ana.ok('add_task', { title: 'Before' });
  for (const round of [1, 2]) {
    await server.stop();
    for (const [tool, args] of [
      ['list_tasks', {}],
      ['add_task', { title: 'Meanwhile', request_id: `r-${round}` }],
    ] as const)
      expect(await ana.refused(tool, args)).toEqual({
        code: 'unavailable',
        message: 'The task database cannot be reached.',
        hint: 'Try again in a moment. If you repeat a write, keep its request_id; it will not be applied twice.',
      });
    await server.start();
    expect((await ana.ok('add_task', { title: 'Meanwhile', request_id: `r-${round}` })).task.id).toBe(round + 1);
    expect((await ana.ok('list_tasks')).total).toBe(round + 1);
  }
  const logged = shared.logged.slice(from);
  expect(logged.join('')).not.toMatch(/Meanwhile|password|postgres:/);
  const loud = logged.map((line) => JSON.parse(line)).filter(({ level }) => level >= 40);
  expect(loud.map(({ msg }) => msg)).toEqual([
    'database unreachable: calls are refused',
    'database reachable again',
    'database unreachable: calls are refused',
    'database reachable again',
  ]);
});

test('a database that falls silent is given up in time, with its connections', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    // AuthenticationOk and ReadyForQuery; what comes then is taken, and never answered.
    socket.once('data', () => socket.write(Buffer.from('520000000800000000' + '5a0000000549', 'hex')));
    socket.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const database = openPostgres(`postgres://u:p@127.0.0.1:${port}/x`, 300);
  try {
    // More than there are connections: none is held for good.
    const asked = await Promise.allSettled(Array.from({ length: 25 }, () => asService(database, 'select 1', [])));
    expect(asked.map((each) => each.status === 'rejected' && isUnreachable(each.reason))).toEqual(
      asked.map(() => true),
    );
    expect(sockets.size).toBe(25);
  } finally {
    await database.close();
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

test('a database that restarts under load is waited for: replicas say when to come back, and lose nothing', async () => {
  const ana = await newUser(world());
  const { token } = await newToken(world(), ana);
  const pools = [open(), open()];
  const replicas = await Promise.all(pools.map((pool) => serveHttp(worldOf(pool))));
  const { outcomes, stop } = crowd(
    replicas.map(({ url }) => url),
    token,
    16,
  );
  /** Waits until each replica has answered some of what it was asked from now on like this. */
  const eachAnswers = async (status: number) => {
    const from = outcomes.length;
    await eventually(
      async () => outcomes.slice(from).filter(({ answer }) => answer?.status === status),
      (like) => replicas.every(({ url }) => like.filter((each) => each.url === url).length > 10),
    );
  };
  const states = (path: string) =>
    Promise.all(replicas.map(async ({ url }) => (await send(url, { method: 'GET', path })).status));

  await eachAnswers(200);
  await server.stop();
  await eachAnswers(503);
  expect([await states('/livez'), await states('/readyz')]).toEqual([
    [200, 200],
    [503, 503],
  ]);
  await server.start();
  await eachAnswers(200);
  expect(await states('/readyz')).toEqual([200, 200]);
  await stop();
  await Promise.all(replicas.map((replica) => replica.server.close()));
  const said = (words: string) => shared.logged.filter((line) => line.includes(`"${words}`)).length;
  const outages = said('database unreachable: ');
  expect(outages).toBeGreaterThanOrEqual(2);
  expect(outages, 'not once per request').toBeLessThan(10);
  expect(said('database reachable again')).toBe(outages);
  await Promise.all(pools.map((pool) => pool.close()));

  for (const { answer } of outcomes) {
    expect([200, 503]).toContain(answer?.status);
    if (answer?.status !== 503) continue;
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.message).toEqual({
      error: 'unavailable',
      message: 'The task database cannot be reached. Try again in a moment.',
    });
  }
  const rows = await rowsOf(world(), 'select title from taskloom.tasks where user_id = $1', [ana.userId]);
  const there = rows.map(([title]) => title);
  expect(new Set(there).size).toBe(there.length);
  expect(there).toEqual(expect.arrayContaining(addedBy(outcomes)));
});
