import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { migrate, readMigrations } from '../../src/db/migrate.js';
import { openNeon } from '../../src/db/neon.js';
import { openPostgres } from '../../src/db/postgres.js';
import { newAgent, useWorld, type World } from '../harness.js';
import { type PostgresServer, startPostgres } from '../setup/postgres.js';
import { type NeonProxy, startProxy } from '../setup/proxy.js';

const shared = useWorld();

/** A server that may go away without others missing it. */
let server: PostgresServer;
let proxy: NeonProxy | undefined;
let database: Database;
beforeAll(async () => {
  server = await startPostgres(inject('release'));
  if (inject('backend') === 'neon') proxy = await startProxy(server.address);
  const url = server.url('postgres');
  database = proxy ? openNeon(url, proxy.at) : openPostgres(url);
  await migrate(database, readMigrations(new URL('../../migrations/', import.meta.url)));
});
afterAll(async () => {
  await database?.close();
  await proxy?.close();
  await server?.close();
});

const world = (): World => ({
  ...shared,
  database,
  store: async () => ({ database, secret: Buffer.alloc(32, 7), close: async () => {} }),
});

test('a database that goes away is told as such, and used again when it is back', async () => {
  const ana = await newAgent(world());
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
        hint: 'Try again in a moment. If you repeat a write, keep its request_id: it will not happen twice.',
      });
    await server.start();
    expect((await ana.ok('add_task', { title: 'Meanwhile', request_id: `r-${round}` })).task.id).toBe(round + 1);
    expect((await ana.ok('list_tasks')).total).toBe(round + 1);
  }
  expect(shared.logged.join('')).not.toMatch(/Meanwhile|password|postgres:/);
});
