import { sql } from 'drizzle-orm';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { type Database, MAX_WAITING } from '../../src/db/database.js';
import { sqlState, Unreachable } from '../../src/db/database-errors.js';
import { readAsUser } from '../../src/db/read-as-user.js';
import type { LockedState, UserTx } from '../../src/db/scope.js';
import { asService, asTableOwner, queryAsTableOwner } from '../../src/db/service.js';
import { writeAsUser } from '../../src/db/write-as-user.js';
import { addTask } from '../../src/domain/add.js';
import { defineTool } from '../../src/tool.js';
import { runTool } from '../../src/tool-calls.js';
import { gate } from '../support/gate.js';
import { agentOf, newAgent, newUser, rowsOf, setClock, through, useWorld, withDatabase } from '../support/harness.js';
import { anyToken, bearer, callOf, send, serveHttp, withHeaders } from '../support/http.js';

const world = useWorld();
/** PGlite has one connection: nothing waits for a lock there, because nothing runs beside it. */
const embedded = inject('backend') === 'pglite';

/** Keeps a user's writes waiting: by their lock, or where there is one connection, by that. */
async function holdWrites(userId: string): Promise<{ release(): Promise<void> }> {
  const [held, done] = [gate(), gate()];
  const holding = embedded
    ? world.database.connect(async () => {
        held.open();
        await done.opened;
      })
    : asTableOwner(world.database, async (connection) => {
        await connection.query('select 1 from taskloom.counters where user_id = $1 for update', [userId]);
        held.open();
        await done.opened;
      });
  const release = async () => {
    done.open();
    await holding;
  };
  onTestFinished(release);
  await Promise.race([held.opened, holding]);
  return { release };
}

/** Has the database meet a condition of ours before it shows a user's tasks, and no others'. */
async function slowFor(userId: string, condition: string): Promise<void> {
  const name = `slow_${userId.replaceAll('-', '')}`;
  const alter = (text: string) => asTableOwner(world.database, (connection) => connection.script(text));
  await alter(
    `create policy ${name} on taskloom.tasks as restrictive using (user_id <> '${userId}'::uuid or ${condition})`,
  );
  onTestFinished(async () => void (await alter(`drop policy ${name} on taskloom.tasks`)));
}

/** Takes every connection there is. */
async function holdAll(): Promise<{ release(): Promise<void> }> {
  const [held, done] = [gate(), gate()];
  let left = embedded ? 1 : 10;
  const holding = Array.from({ length: left }, () =>
    world.database.connect(async () => {
      left -= 1;
      if (left === 0) held.open();
      await done.opened;
    }),
  );
  const release = async () => {
    done.open();
    await Promise.all(holding);
  };
  onTestFinished(release);
  await held.opened;
  return { release };
}

/** How many statements of this database wait for a lock at this moment. */
async function waitingForLocks(): Promise<unknown> {
  const [row] = await rowsOf(
    world,
    `select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return row?.[0];
}

/** What every connection of the pool carries from one call to the next. */
function leftovers(): Promise<unknown[]> {
  const all = gate();
  const count = embedded ? 1 : 10;
  let arrived = 0;
  const look = () =>
    world.database.connect(async (connection) => {
      arrived += 1;
      if (arrived === count) all.open();
      await all.opened; // or one connection would answer for all
      const [row] = await connection.query(
        `select current_user = session_user, coalesce(current_setting('app.user_id', true), ''),
           coalesce(current_setting('app.now', true), ''), current_setting('statement_timeout'),
           current_setting('lock_timeout'), current_setting('transaction_read_only')`,
        [],
      );
      return row;
    });
  return Promise.all(Array.from({ length: count }, look));
}

const CLEAN = [true, '', '', '0', '0', 'off'];
const projectOf = (userId: string, id: number, name: string) => ({
  text: `insert into taskloom.projects (user_id, id, name, name_key, created_at, updated_at) select $1::uuid, $2::int, $3::text, $3::text, now(), now()`,
  params: [userId, id, name],
});
const projectsOf = (userId: string) =>
  rowsOf(world, 'select name from taskloom.projects where user_id = $1 order by id', [userId]);

describe('writes of one user', () => {
  test('number tasks and changes without a gap, however many come at once', async () => {
    const ana = await newAgent(world);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ana.ok('add_task', { title: `Task ${i}`, labels: ['all'] })),
    );
    const numbers = Array.from({ length: 50 }, (_, i) => i + 1);
    expect(answers.map(({ task }) => task.id).sort((a, b) => a - b)).toEqual(numbers);
    const rows = await rowsOf(world, 'select seq::int from taskloom.changes where user_id = $1 order by seq', [
      ana.principal.userId,
    ]);
    expect(rows.flat()).toEqual(numbers);
    const [counters] = await rowsOf(
      world,
      'select next_task, change_seq::int from taskloom.counters where user_id = $1',
      [ana.principal.userId],
    );
    expect(counters).toEqual([51, 50]);
  });

  test('become visible in the order of their sequence numbers', async () => {
    const ana = await newAgent(world);
    let writing = true;
    const writes = Promise.all(
      Array.from({ length: 30 }, (_, i) => ana.ok('add_task', { title: `Task ${i}` })),
    ).finally(() => {
      writing = false;
    });
    while (writing) {
      const [seen] = await rowsOf(
        world,
        'select count(*)::int, coalesce(max(seq), 0)::int from taskloom.changes where user_id = $1',
        [ana.principal.userId],
      );
      expect(seen?.[0]).toBe(seen?.[1]);
    }
    await writes;
  });

  test.skipIf(embedded)('decide by what they find once they hold the lock, not by what was there before', async () => {
    const ana = await newAgent(world);
    const { userId } = ana.principal;
    const add = await asTableOwner(world.database, async (connection) => {
      await connection.query('select 1 from taskloom.counters where user_id = $1 for update', [userId]);
      const waiting = ana.ok('add_task', { title: 'Sweep', project: 'Home' });
      await expect.poll(() => waitingForLocks(), { timeout: 5_000 }).toBe(1);
      const { text, params } = projectOf(userId, 1, 'home');
      await connection.query(text, params);
      await connection.query('update taskloom.counters set next_project = 2 where user_id = $1', [userId]);
      return { waiting };
    });
    expect((await add.waiting).task).toMatchObject({ id: 1, project: 'home' });
    expect(await projectsOf(userId)).toEqual([['home']]);
  });

  test.skipIf(embedded)(
    'reckon in the zone that their user has by then, not in the one they had before the wait',
    async () => {
      const ana = await newAgent(world);
      const { userId } = ana.principal;
      const [locked, done] = [gate(), gate()];
      const moving = asTableOwner(world.database, async (connection) => {
        await connection.query('select 1 from taskloom.counters where user_id = $1 for update', [userId]);
        await connection.query(`update taskloom.users set timezone = 'Asia/Tokyo' where id = $1`, [userId]);
        locked.open();
        await done.opened;
      });
      await locked.opened;
      const added = ana.ok('add_task', { title: 'Dated', due: '2026-11-24' });
      await expect.poll(waitingForLocks, { timeout: 5_000 }).toBe(1);
      done.open();
      await Promise.all([moving, added]);
      const [row] = await rowsOf(world, 'select due_sort from taskloom.tasks where user_id = $1', [userId]);
      expect(new Date(String(row?.[0])).toISOString()).toBe('2026-11-24T14:59:59.999Z');
    },
  );

  test.skipIf(embedded)('do not keep other users waiting', async () => {
    const [ana, bob] = [await newAgent(world), await newAgent(world)];
    const hold = await holdWrites(ana.principal.userId);
    let answered = false;
    const late = ana.ok('add_task', { title: 'Later' }).then((answer) => {
      answered = true;
      return answer;
    });
    await expect.poll(() => waitingForLocks(), { timeout: 5_000 }).toBe(1);
    expect((await bob.ok('add_task', { title: 'Now' })).task.id).toBe(1);
    expect(answered).toBe(false);
    await hold.release();
    expect((await late).task.id).toBe(1);
  });

  test('are refused as too many where 64 wait already, and those that wait all happen', async () => {
    const ana = await newAgent(world);
    const hold = await holdWrites(ana.principal.userId);
    const refusals: { code: string; hint?: string }[] = [];
    const calls = Array.from({ length: 70 }, async (_, i) => {
      const reply = await ana.call('add_task', { title: `Task ${i}` });
      if (reply.isError) refusals.push(reply.json.error);
      return reply.isError;
    });
    // Two hold a connection each, 64 wait for their turn.
    await expect.poll(() => refusals.length, { timeout: 10_000 }).toBe(4);
    await hold.release();
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(4);
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'rate_limited', hint: expect.stringContaining('repeat') });
    expect((await ana.ok('list_tasks')).total).toBe(66);
  });
});

describe('reads of one user', () => {
  test('are refused as too many where 256 wait already, and those that wait are answered', async () => {
    const ana = await newAgent(world);
    const hold = await holdAll();
    const refusals: { code: string; hint?: string }[] = [];
    const calls = Array.from({ length: 263 }, async () => {
      const reply = await ana.call('list_tasks');
      if (reply.isError) refusals.push(reply.json.error);
    });
    // Four wait for a connection each, 256 for their turn.
    await expect.poll(() => refusals.length, { timeout: 4_000, interval: 5 }).toBe(3);
    await hold.release();
    await Promise.all(calls);
    expect(refusals).toHaveLength(3);
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ code: 'rate_limited', hint: expect.stringContaining('repeat') });
  });

  test.skipIf(embedded)('take four connections at most, so that others are answered meanwhile', async () => {
    const [ana, bob] = [await newAgent(world), await newAgent(world)];
    await ana.ok('add_task', { title: 'Slow' });
    await slowFor(ana.principal.userId, 'pg_advisory_xact_lock_shared(7) is not null');
    const [held, done] = [gate(), gate()];
    const holding = asTableOwner(world.database, async (connection) => {
      await connection.script('select pg_advisory_xact_lock(7)');
      held.open();
      await done.opened;
    });
    await held.opened;
    const [reading, writing] = ['list_tasks', 'update_task'].map((tool) =>
      Array.from({ length: 30 }, () => ana.call(tool, tool === 'list_tasks' ? {} : { id: 1, priority: 'high' })),
    );
    await expect.poll(waitingForLocks).toBe(6); // four read, of two writes one has the other's lock to wait for
    expect((await bob.ok('add_task', { title: 'Quick' })).task.id).toBe(1);
    expect((await bob.ok('list_tasks')).total).toBe(1);
    expect(await waitingForLocks()).toBe(6);
    done.open();
    await holding;
    for (const reply of await Promise.all([...(reading ?? []), ...(writing ?? [])]))
      expect(reply.isError, reply.text).toBe(false);
  });

  test.runIf(embedded)('let those of another user in between, where there is one connection', async () => {
    const [ana, bob] = [await newAgent(world), await newAgent(world)];
    const hold = await holdAll();
    const order: string[] = [];
    const call = (agent: typeof ana, name: string, tool: string, args = {}) =>
      agent.ok(tool, args).then(() => order.push(name));
    const crowd = Array.from({ length: 32 }, (_, i) => [
      call(ana, 'ana', 'list_tasks'),
      call(ana, 'ana', 'add_task', { title: `Task ${i}` }),
    ]).flat();
    const calls = [...crowd, call(bob, 'bob', 'list_tasks'), call(bob, 'bob', 'add_task', { title: 'Mine' })];
    await new Promise(setImmediate); // all of them are at the database by then, or soon after
    await hold.release();
    await Promise.all(calls);
    expect(order.lastIndexOf('bob')).toBeLessThan(8); // two turns of ana's, of which one may be four reads
  });

  test.skipIf(embedded)('that take too long are ended, and said to have found the database busy', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'Slow' });
    await slowFor(ana.principal.userId, 'pg_sleep(60) is not null');
    const started = performance.now();
    expect(await ana.refused('list_tasks')).toEqual({
      code: 'unavailable',
      message: 'The task database is busy.',
      hint: expect.stringContaining('Try again in a moment.'),
    });
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

test('where too many wait for a connection, others are told at once, and served when there is room again', async () => {
  const ana = await newAgent(world);
  const { server, url } = await serveHttp(world);
  onTestFinished(() => server.close());
  const given = withHeaders(callOf('2026-07-28', 'list_tasks'), bearer(await anyToken(world)));
  const hold = await holdAll();
  // Those that wait for more than five seconds are told that, too; the embedded database keeps them.
  const waiting = Array.from({ length: MAX_WAITING }, () =>
    asService(world.database, 'select 1', []).catch((error: unknown) => expect(error).toBeInstanceOf(Unreachable)),
  );
  expect(await ana.refused('list_tasks')).toMatchObject({ code: 'unavailable', message: 'The task database is busy.' });
  const answer = await send(url, given);
  expect({ status: answer.status, after: answer.headers['retry-after'] }).toEqual({ status: 503, after: '1' });
  expect(answer.message).toEqual({
    error: 'unavailable',
    message: 'The task database is busy. Try again in a moment.',
  });
  expect((await send(url, { method: 'GET', path: '/readyz' })).status).toBe(503);
  expect((await send(url, { method: 'GET', path: '/livez' })).status).toBe(200);
  await hold.release();
  await Promise.all(waiting);
  expect((await send(url, given)).status).toBe(200);
  expect((await ana.ok('list_tasks')).total).toBe(0);
});

describe('a write that fails', () => {
  const broken = { text: 'select 1 / $1::int', params: [0] };

  test('leaves nothing behind, and the next one goes on from there', async () => {
    const ana = await newAgent(world);
    await ana.ok('add_task', { title: 'One' });
    await expect(
      writeAsUser(world.database, ana.principal, {
        read: async () => {},
        decide: (_, opened) => ({
          value: opened,
          statements: [
            {
              text: `with w as (update taskloom.counters c set next_task = 100 where c.user_id = $1)
                insert into taskloom.task_labels (user_id, task_id, label_key, label) select $1::uuid, 99, 'x', 'x'`,
              params: [ana.principal.userId],
            },
          ],
        }),
      }),
    ).rejects.toSatisfy((error) => sqlState(error) === '23503');
    expect((await ana.ok('add_task', { title: 'Two' })).task.id).toBe(2);
  });

  test('is not taken for a success where the error of a read beside its lock was swallowed', async () => {
    const ana = await newUser(world);
    await expect(
      writeAsUser(world.database, ana, {
        read: (tx) => tx.db.execute(sql`select 1 / 0`).catch(() => {}),
        decide: () => ({ value: 'written', statements: [projectOf(ana.userId, 1, 'Lost')] }),
      }),
    ).rejects.toSatisfy((error) => sqlState(error) === '22012');
    expect(await projectsOf(ana.userId)).toEqual([]);
  });

  test('is not taken for a success where its error was swallowed between two statements', async () => {
    const ana = await newUser(world);
    await expect(
      asTableOwner(world.database, async (connection) => {
        const { text, params } = projectOf(ana.userId, 1, 'Lost');
        await connection.query(text, params);
        await connection.query(broken.text, broken.params).catch(() => {});
        return 'written';
      }),
    ).rejects.toSatisfy((error) => sqlState(error) === '25P02');
    expect(await projectsOf(ana.userId)).toEqual([]);
  });

  test('is undone where the decision throws, and where it was a dry run', async () => {
    const ana = await newUser(world);
    const read = async () => {};
    await expect(
      writeAsUser(world.database, ana, {
        read,
        decide: () => {
          throw new Error('no');
        },
      }),
    ).rejects.toThrow('no');
    await writeAsUser(world.database, ana, {
      read,
      dryRun: true,
      decide: () => ({ value: 0, statements: [projectOf(ana.userId, 1, 'Dry')] }),
    });
    expect(await projectsOf(ana.userId)).toEqual([]);
  });

  test('whose answer to COMMIT was lost is looked for under the user’s lock, and not made twice', async () => {
    const ana = await newUser(world);
    const transactions: string[][] = [];
    let lost = false;
    const losing = through(world.database, (connection) => {
      const texts: string[] = [];
      transactions.push(texts);
      return {
        query: async (text, params) => {
          texts.push(text);
          const rows = await connection.query(text, params);
          if (text !== 'commit' || lost) return rows;
          lost = true;
          throw new Unreachable();
        },
      };
    });
    const agent = await agentOf(withDatabase(world, losing), ana);
    await agent.ok('add_task', { title: 'Once' });
    const [, looked = []] = transactions.filter((texts) => texts.some((text) => text.includes('taskloom.c')));
    const [locks, asks] = [/from taskloom\.counters .* for update$/, /from taskloom\.changes/].map((pattern) =>
      looked.findIndex((text) => pattern.test(text)),
    );
    expect(locks).toBeGreaterThan(0);
    expect(asks).toBeGreaterThan(Number(locks));
    expect((await agent.ok('list_tasks')).total).toBe(1);
  });

  test('whose COMMIT is lost before it takes effect is made again, and refused as not made where that goes on', async () => {
    const ana = await newUser(world);
    const write = async (lost: number) => {
      let left = lost;
      const losing = through(world.database, (connection) => ({
        async query(text, params) {
          if (text !== 'commit' || left-- <= 0) return connection.query(text, params);
          await connection.query('rollback');
          throw new Unreachable();
        },
      }));
      const store = { ...(await world.store()), database: losing };
      return agentOf({ ...world, store: async () => store }, ana);
    };
    await (await write(2)).ok('add_task', { title: 'Late' });
    const refusal = await (await write(3)).refused('add_task', { title: 'Never' });
    expect(refusal).toMatchObject({ code: 'unavailable', message: expect.not.stringContaining('may have') });
    expect((await (await agentOf(world, ana)).ok('list_tasks')).tasks).toMatchObject([{ title: 'Late' }]);
  });

  test('whose COMMIT may have taken effect is said to, whatever broke the connection', async () => {
    let broken = false;
    const losing = through(world.database, (connection) => ({
      async query(text, params) {
        if (broken) throw new Error('no look is possible');
        if (text !== 'commit') return connection.query(text, params);
        broken = true;
        throw new Unreachable(Object.assign(new Error('bad record'), { code: 'EPROTO' }));
      },
    }));
    const agent = await agentOf(withDatabase(world, losing), await newUser(world));
    expect(await agent.refused('add_task', { title: 'Perhaps' })).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('may have succeeded'),
    });
  });

  test('whose answer has a field that no answer may have is not committed', async () => {
    const ana = await newAgent(world);
    const faulty = defineTool({
      name: 'add_faulty',
      title: 'Add faulty',
      effect: 'create',
      description: 'Answers with a field that is not in the schema.',
      input: {},
      output: ['task'],
      run: () => addTask({ title: 'Faulty' }),
      answer: () => ({ json: { password: 'x' }, text: 'Added' }),
    });
    await expect(runTool({ ...world, validateAnswers: false }, faulty, {}, ana.principal, {})).rejects.toThrow(
      'password',
    );
    expect((await ana.ok('list_tasks')).total).toBe(0);
  });

  test('is not taken for a success where only its COMMIT failed', async () => {
    const failing = through(world.database, (connection) => ({
      query: (text, params) =>
        text === 'commit'
          ? connection.query('rollback').then(() => Promise.reject(new Error('the line broke')))
          : connection.query(text, params),
    }));
    await expect(queryAsTableOwner(failing, 'select 1', [])).rejects.toThrow('the line broke');
  });
});

describe('a connection', () => {
  test('sees what was committed meanwhile in every write, whatever the database has as its default', async () => {
    const set = (text: string) => world.database.connect((connection) => connection.script(text));
    await set(`set default_transaction_isolation = 'repeatable read'`);
    onTestFinished(async () => void (await set('reset default_transaction_isolation')));
    const ana = await newUser(world);
    const read = async (tx: UserTx) => tx.db.execute(sql`select current_setting('transaction_isolation')`);
    const isolation = await writeAsUser(world.database, ana, {
      read,
      decide: (rows) => ({ value: rows, statements: [] }),
    });
    expect(isolation).toEqual([['read committed']]);
  });

  test('reads as the runtime role and the user, and can write nothing meanwhile', async () => {
    const ana = await newUser(world);
    const rows = await readAsUser(world.database, ana, (tx) =>
      tx.db.execute(
        sql`select current_user, current_setting('app.user_id'), current_setting('transaction_read_only'), current_setting('transaction_isolation')`,
      ),
    );
    expect(rows).toEqual([['taskloom_app', ana.userId, 'on', 'repeatable read']]);
    await expect(
      readAsUser(world.database, ana, (tx) => tx.db.execute(sql`create temporary table t ()`)),
    ).rejects.toSatisfy((error) => ['25006', '42501'].includes(sqlState(error) ?? ''));
    await expect(
      readAsUser(world.database, ana, (tx) =>
        tx.db.execute(sql`update taskloom.counters set next_task = 7 where taskloom.counters.user_id = ${ana.userId}`),
      ),
    ).rejects.toSatisfy((error) => sqlState(error) === '25006');
  });

  test('is shared by reads of one user that wait for their turn, of which one that fails takes none along', async () => {
    const [ana, ben] = [await newUser(world), await newUser(world)];
    let begun = 0;
    const counting = through(world.database, (connection) => ({
      query(text, params) {
        if (text.startsWith('begin')) begun++;
        return connection.query(text, params);
      },
    }));
    const read = (user: typeof ana, n: number) =>
      readAsUser(counting, user, (tx) =>
        tx.db.execute(sql`select current_setting('app.user_id'), ${n}::int / ${n === 7 ? 0 : 1}::int`),
      );
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    const [anas, bens] = await Promise.all(
      [ana, ben].map((user) => Promise.allSettled(numbers.map((n) => read(user, n)))),
    );
    for (const [user, answers] of [
      [ana, anas],
      [ben, bens],
    ] as const)
      for (const [n, answer] of (answers ?? []).entries())
        if (n === 7) expect(answer).toMatchObject({ status: 'rejected' });
        else expect(answer).toEqual({ status: 'fulfilled', value: [[user.userId, n]] });
    expect(begun).toBeLessThan(40);
  });

  test('that cannot be had is not asked for again by each of the reads that share it', async () => {
    const ana = await newUser(world);
    let asked = 0;
    const away: Database = {
      ...world.database,
      connect() {
        asked++;
        return Promise.reject(new Unreachable());
      },
    };
    const reads = Array.from({ length: 20 }, () => readAsUser(away, ana, (tx) => tx.db.execute(sql`select 1`)));
    for (const read of await Promise.allSettled(reads)) expect(read.status).toBe('rejected');
    expect(asked).toBeLessThan(20);
  });

  test('carries neither role nor user nor limits to the next call, whatever became of the last', async () => {
    const ana = await newAgent(world);
    await Promise.all([
      ana.ok('add_task', { title: 'One' }),
      ana.ok('list_tasks'),
      ana.refused('update_task', { id: 99, title: 'None' }),
      ana.ok('add_task', { title: 'Two', dry_run: true }),
      asService(world.database, 'select 1 / $1::int', [0]).catch(() => {}),
      readAsUser(world.database, ana.principal, (tx) => tx.db.execute(sql`select 1 / 0`)).catch(() => {}),
    ]);
    for (const row of await leftovers()) expect(row).toEqual(CLEAN);
  });

  test.skipIf(inject('backend') === 'pglite')('has the same time limits for what belongs to no user', async () => {
    const limits = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
    const text = `select ${limits.map((limit) => `current_setting('${limit}')`).join()}`;
    expect(await asService(world.database, text, [])).toEqual([['10s', '5s', '10s']]);
  });

  test('that was left inside a transaction is not given to the next caller as it is', async () => {
    await world.database.connect((connection) =>
      connection.script(`begin; set local role taskloom_app; set local app.user_id = 'nobody'; select 1`),
    );
    await world.database
      .connect((connection) => connection.script('begin; set local role taskloom_app; select 1 / 0'))
      .catch(() => {});
    for (const row of await leftovers()) expect(row).toEqual(CLEAN);
  });

  test('takes a user id and a request key for values, whatever is in them', async () => {
    const ana = await newUser(world);
    const evil = { ...ana, userId: `${ana.userId}'; drop schema taskloom cascade; --` };
    const invalid = (error: unknown) => sqlState(error) === '22P02';
    await expect(readAsUser(world.database, evil, async (tx) => tx.db.execute(sql`select 1`))).rejects.toSatisfy(
      invalid,
    );
    const change = {
      read: async () => {},
      decide: (_: unknown, opened: LockedState) => ({ value: opened.request, statements: [] }),
    };
    await expect(writeAsUser(world.database, evil, change)).rejects.toSatisfy(invalid);
    expect(await writeAsUser(world.database, ana, { ...change, key: "' or true --" })).toBeUndefined();
    expect(await projectsOf(ana.userId)).toEqual([]);
  });
});

test('a request id is remembered for a day, and then free again', async () => {
  const ana = await newAgent(world);
  const start = world.now.getTime();
  const repeat = async (hours: number) => {
    setClock(world, start + hours * 3_600_000);
    return ana.ok('add_task', { title: 'Once a day', request_id: 'daily' });
  };
  expect(await repeat(0)).toMatchObject({ task: { id: 1 } });
  expect(await repeat(23.99)).toMatchObject({ task: { id: 1 }, replayed: true });
  const next = await repeat(24);
  expect(next.task.id).toBe(2);
  expect(next.replayed).toBeUndefined();
  expect(await repeat(47.99)).toMatchObject({ task: { id: 2 }, replayed: true });
});

describe('a COMMIT whose answer is lost', () => {
  /** The database, but for one COMMIT: the connection breaks just before or just after it takes place. */
  function breaking(when: 'before' | 'after'): Database {
    let left = 1;
    return through(world.database, (connection) => {
      let writes = false;
      return {
        query(text, params) {
          writes ||= text.endsWith('for update');
          if (text !== 'commit' || !writes || left-- < 1) return connection.query(text, params);
          return connection.query(when === 'after' ? text : 'rollback').then(() => {
            throw new Unreachable(new Error('the connection broke'));
          });
        },
      };
    });
  }

  test.each(['before', 'after'] as const)('%s it took place leaves the write done once, and answered', async (when) => {
    const user = await newUser(world);
    const ana = await agentOf(withDatabase(world, breaking(when)), user);
    expect(await ana.ok('add_task', { title: 'Once', project: 'Home' })).toMatchObject({ task: { id: 1 }, undo: 'u1' });
    expect(await ana.ok('add_task', { title: 'Twice' })).toMatchObject({ task: { id: 2 }, undo: 'u3' });
    expect((await ana.ok('list_tasks')).tasks.map((task: { title: string }) => task.title)).toEqual(['Twice', 'Once']);
  });
});
