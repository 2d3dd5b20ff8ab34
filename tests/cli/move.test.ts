import { beforeAll, expect, inject, test } from 'vitest';
import { queryAsTableOwner } from '../../src/db/service.js';
import { openServerDatabase, urlOf } from '../setup/server.js';
import { complaintOf, connect, type Environment, environment, run, start, succeed } from '../support/process.js';

/** An embedded installation with some tasks. */
let env: Environment;
const proxy = inject('backend') === 'neon' ? { TASKLOOM_NEON_PROXY: inject('proxy') } : {};
beforeAll(async () => {
  env = { ...environment(), ...proxy };
  const peer = await connect(env);
  for (let i = 0; i < 10; i++)
    await peer.call('add_tasks', {
      tasks: Array.from({ length: 100 }, (_, n) => ({ title: `Task ${i} ${n}`, labels: ['x'] })),
    });
  await peer.close();
});

test('everything is carried to a server, found there when it is done twice, and used from there', async () => {
  const database = await openServerDatabase('template0');
  const url = urlOf(database);
  try {
    expect(await succeed(['move', url], env)).toMatch(
      /^moved and verified: 1 user, 1000 tasks, 1000 changes\nSet TASKLOOM_DATABASE_URL [\s\S]*local/,
    );
    // The address has a password, which other accounts can read in a command line.
    expect((await run(['move', '-'], env, `${url}\n`)).stdout).toMatch(
      /^nothing to move: the target already has the same contents\n/,
    );
    const peer = await connect({ ...env, TASKLOOM_DATABASE_URL: url });
    expect(await peer.call('add_task', { title: 'Next' })).toMatchObject({ task: { id: 1001 } });
    await peer.close();
    expect(await complaintOf(['move', url], env)).toMatch(/^taskloom: the target database is not empty/);
  } finally {
    await database.close();
  }
});

test('what was killed on the way has done nothing, and is done again', async () => {
  const database = await openServerDatabase();
  const url = urlOf(database);
  const there = async () => (await queryAsTableOwner(database, 'select count(*)::int from taskloom.tasks', []))[0]?.[0];
  try {
    const moving = start(['move', url], env);
    const active = () =>
      queryAsTableOwner(
        database,
        `select count(*)::int from pg_locks where relation = 'taskloom.tasks'::regclass and mode = 'AccessExclusiveLock'`,
        [],
      );
    await expect.poll(active, { timeout: 60_000, interval: 5 }).toEqual([[1]]);
    moving.child.kill('SIGKILL');
    await moving.ended;
    await expect.poll(there, { timeout: 20_000 }).toBe(0);
    expect(await succeed(['move', url], env)).toMatch(/^moved and verified/);
    expect(await there()).toBe(1000);
  } finally {
    await database.close();
  }
});

test('where the server fails on the way it says so, and the tasks can be used and moved again', async () => {
  const database = await openServerDatabase();
  const failing = (how: string) =>
    database.connect((connection) =>
      connection.script(`create function public.fail() returns trigger language plpgsql as $$ begin
        if new.seq = 600 then ${how}; end if; return new; end $$;
        create trigger fail before insert on taskloom.changes for each row execute function public.fail()`),
    );
  const mended = () => database.connect((connection) => connection.script('drop function public.fail cascade'));
  try {
    await failing(`raise exception 'could not extend file' using errcode = '53100'`);
    expect((await run(['move', urlOf(database)], env)).code).toBeGreaterThan(0);
    await mended();
    await failing('perform pg_terminate_backend(pg_backend_pid())');
    expect(await complaintOf(['move', urlOf(database)], env)).toMatch(/^taskloom: the database cannot be reached/);
    await mended();
    const peer = await connect(env);
    expect(await peer.call('list_tasks', { limit: 1 })).toMatchObject({ total: 1000 });
    await peer.close();
    expect(await succeed(['move', urlOf(database)], env)).toMatch(/^moved and verified/);
  } finally {
    await database.close();
  }
});

test('a database is not moved to itself', async () => {
  const database = await openServerDatabase();
  try {
    const here = { ...environment(), ...proxy, TASKLOOM_DATABASE_URL: urlOf(database) };
    expect(await complaintOf(['move', urlOf(database)], here)).toBe(
      'taskloom: the source and target databases are the same',
    );
  } finally {
    await database.close();
  }
});
