import { setTimeout as deadline } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Connection, Database } from '../../src/db/database.js';
import { gate } from '../support/gate.js';
import { newUser, rowsOf, useWorld, withDatabase } from '../support/harness.js';
import {
  bearer,
  callOf,
  ERAS,
  eventually,
  hello,
  newToken,
  send,
  sendAs,
  serveHttp,
  useHttp,
  withHeaders,
} from '../support/http.js';

const world = useWorld();
const http = useHttp(world);

const as = sendAs(http);

test('undo of the last writes does not reach those made with another token', async () => {
  const ana = await newUser(world);
  const [one, other] = [(await newToken(world, ana)).token, (await newToken(world, ana)).token];
  const call = async (token: string, name: string, args: Record<string, unknown>) =>
    (await as(token, callOf('2026-07-28', name, args))).message.result;
  const { undo } = (await call(one, 'add_task', { title: 'Mine' })).structuredContent;
  expect((await call(other, 'undo', { last: 1 })).structuredContent.error).toMatchObject({
    code: 'not_found',
    message: 'You have no write to undo.',
  });
  expect((await call(other, 'undo', { undo })).isError).toBeUndefined();
});

describe('the last use of a token', () => {
  const lastUsed = async (id: string) => {
    const [row] = await rowsOf(world, 'select last_used_at from taskloom.api_tokens where id::text = $1', [id]);
    return row?.[0] === null ? null : new Date(String(row?.[0])).getTime();
  };
  const usedAgo = (id: string, ago: string) =>
    rowsOf(
      world,
      `update taskloom.api_tokens set last_used_at = clock_timestamp() - $2::interval where id::text = $1 returning id`,
      [id, ago],
    );

  test('is noted', async () => {
    const { token, id } = await newToken(world, await newUser(world));
    expect(await lastUsed(id)).toBeNull();
    await as(token, hello('2026-07-28'));
    const noted = await eventually(
      () => lastUsed(id),
      (at) => at !== null,
    );
    expect(Math.abs(Number(noted) - Date.now())).toBeLessThan(10_000);
  });

  test('is written at most once a minute', async () => {
    const { token, id } = await newToken(world, await newUser(world));
    await usedAgo(id, '50 seconds');
    const before = await lastUsed(id);
    for (const era of ERAS) await as(token, hello(era));
    expect(await lastUsed(id)).toBe(before); // the embedded database answers in the order it was asked

    await usedAgo(id, '61 seconds');
    await as(token, hello('2026-07-28'));
    await eventually(
      () => lastUsed(id),
      (at) => Number(at) > Number(before) + 5_000,
    );
  });

  test('is not written for a token that is refused', async () => {
    const { token, id } = await newToken(world, await newUser(world), { expires: new Date(Date.now() - 1_000) });
    await as(token, hello('2026-07-28'));
    expect(await lastUsed(id)).toBeNull();
  });

  test.each(['waits', 'fails'])('keeps nobody waiting: an answer comes although noting it %s', async (how) => {
    const { token, id } = await newToken(world, await newUser(world));
    const { opened: released, open: release } = gate();
    // The second thing a request asks of the database is to note the use of its token.
    let asked = 0;
    const { database } = world;
    const hampered = {
      ...database,
      async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
        if (++asked !== 2) return database.connect(work);
        if (how === 'fails') throw new Error('no connection');
        await released;
        return database.connect(work);
      },
    } as Database;
    const running = await serveHttp(withDatabase(world, hampered));
    try {
      const answer = await send(running.url, withHeaders(callOf('2026-07-28', 'get_overview'), bearer(token)));
      expect(answer.status).toBe(200);
      expect(answer.message.result.isError).not.toBe(true);
      expect(await lastUsed(id)).toBeNull();
      release();
      if (how === 'waits')
        await eventually(
          () => lastUsed(id),
          (at) => at !== null,
        );
    } finally {
      release();
      await Promise.race([running.server.close(), deadline(5_000, undefined, { ref: false })]);
    }
  });
});
