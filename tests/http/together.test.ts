import { describe, expect, test } from 'vitest';
import { newUser, rowsOf, useWorld } from '../support/harness.js';
import { anyToken, callOf, connectClient, ERAS, newToken, sendAs, useHttp } from '../support/http.js';

const world = useWorld();
const http = useHttp(world);

const as = sendAs(http);

describe('many at once', () => {
  test('200 requests of two users with the same ids: each gets only its own, in both eras', async () => {
    const users = await Promise.all(
      ['ana', 'bob'].map(async (name) => {
        const principal = await newUser(world);
        return { name, principal, ...(await newToken(world, principal)) };
      }),
    );
    for (const { token, name } of users)
      for (const n of [1, 2, 3]) await as(token, callOf('2026-07-28', 'add_task', { title: `${name} keeps ${n}` }));

    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        users.map(async (user) => {
          const era = ERAS[i % 2] ?? ERAS[0];
          const id = i >> 3; // eight requests of each user share an id
          const tool = ['list_tasks', 'get_overview', 'get_task', 'add_task'][(i >> 1) % 4] as string;
          const args = { get_task: { ids: [1, 2] }, add_task: { title: `${user.name} adds ${i}` } }[tool] ?? {};
          return { user, id, tool, answer: await as(user.token, callOf(era, tool, args, id)) };
        }),
      ).flat(),
    );
    expect(answers).toHaveLength(200);
    for (const { user, id, tool, answer } of answers) {
      expect(answer.status, answer.body).toBe(200);
      expect(answer.message.id).toBe(id);
      expect(answer.message.result.isError, answer.body).not.toBe(true);
      const other = users.find((each) => each !== user);
      expect(answer.body).not.toContain(`${other?.name} `);
      expect(answer.body).not.toContain(other?.principal.handle);
      expect(answer.body).toContain(tool === 'get_overview' ? user.principal.handle : `${user.name} `);
    }
    for (const { name, principal } of users) {
      const rows = await rowsOf(world, 'select title from taskloom.tasks where user_id = $1', [principal.userId]);
      expect(rows).toHaveLength(3 + 24);
      expect(rows.filter(([title]) => !String(title).startsWith(`${name} `))).toEqual([]);
    }
  });

  test('a user with 64 requests under way leaves room for another, who comes later', async () => {
    const [ana, bob] = await Promise.all([anyToken(world), anyToken(world)]);
    for (const token of [ana, bob]) await as(token, callOf('2026-07-28', 'add_task', { title: 'One' }));
    const order: string[] = [];
    const ask = async (who: string, token: string, tool: string) => {
      const { body } = await as(token, callOf('2026-07-28', tool, tool === 'add_task' ? { title: 'More' } : {}));
      expect(body).not.toContain('"isError":true');
      order.push(who);
    };
    const crowd = Array.from({ length: 64 }, (_, i) => ask('ana', ana, i % 2 ? 'list_tasks' : 'add_task'));
    await Promise.race(crowd);
    await ask('bob', bob, 'list_tasks');
    await Promise.all(crowd);
    expect(order.indexOf('bob')).toBeLessThan(48);
  });

  test('clients of both users and eras that share a server hear only their own', async () => {
    const users = await Promise.all(
      ['ana', 'bob'].map(async (name) => {
        const { token } = await newToken(world, await newUser(world));
        return { name, clients: await Promise.all(ERAS.map((era) => connectClient(http.url, token, era))) };
      }),
    );
    const work = users.flatMap(({ name, clients }) =>
      clients.flatMap((client, c) =>
        Array.from({ length: 10 }, async (_, i) => {
          const title = `${name} ${c} ${i}`;
          const added = await client.callTool({ name: 'add_task', arguments: { title } });
          expect((added.structuredContent as { task: { title: string } }).task.title).toBe(title);
        }),
      ),
    );
    await Promise.all(work);
    for (const { name, clients } of users)
      for (const client of clients) {
        const { structuredContent } = await client.callTool({ name: 'list_tasks', arguments: { limit: 100 } });
        const { tasks, total } = structuredContent as { tasks: { title: string }[]; total: number };
        expect(total).toBe(20);
        expect(tasks.filter((task) => !task.title.startsWith(`${name} `))).toEqual([]);
      }
  });
});
