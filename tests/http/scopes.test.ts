import { describe, expect, test } from 'vitest';
import type { Scope } from '../../src/tool.js';
import { tools } from '../../src/tools/index.js';
import { newUser, rowsOf, useWorld } from '../harness.js';
import { callOf, ERAS, hello, newToken, rpc, sendAs, useHttp } from '../http.js';

const world = useWorld();
const http = useHttp(world);
const CHALLENGE = 'Bearer realm="taskloom"';

const as = sendAs(http);

describe('what a token may do is what its scopes say', () => {
  const grants: [string, Scope[], Scope[]][] = [
    ['no scopes', [], []],
    ['tasks:read', ['tasks:read'], ['tasks:read']],
    ['tasks:write', ['tasks:write'], ['tasks:read', 'tasks:write']],
  ];
  for (const era of ERAS)
    for (const [what, scopes, implied] of grants)
      describe(`${what} (${era})`, () => {
        test.each(tools.map((tool) => [tool.name, tool] as const))('%s', async (name, tool) => {
          const { token } = await newToken(world, await newUser(world), { scopes });
          const answer = await as(token, callOf(era, name));
          const needed: Scope = tool.effect === 'read' ? 'tasks:read' : 'tasks:write';
          if (implied.includes(needed)) {
            expect(answer.status, answer.body).toBe(200);
            expect(answer.message.result.structuredContent.error?.code).not.toBe('forbidden');
            expect(answer.headers['www-authenticate']).toBeUndefined();
          } else {
            expect(answer.status, answer.body).toBe(403);
            expect(answer.headers['www-authenticate']).toBe(
              `${CHALLENGE}, error="insufficient_scope", scope="${needed}"`,
            );
          }
        });

        test('may greet and list the tools', async () => {
          const { token } = await newToken(world, await newUser(world), { scopes });
          expect((await as(token, hello(era))).message.result.capabilities.tools).toBeDefined();
          const listed = (await as(token, rpc(era, 'tools/list'))).message.result.tools;
          expect(listed.map((each: { name: string }) => each.name).sort()).toEqual(
            tools.map(({ name }) => name).sort(),
          );
        });
      });

  test('a call that was refused has written nothing', async () => {
    const ana = await newUser(world);
    const { token } = await newToken(world, ana, { scopes: ['tasks:read'] });
    for (const era of ERAS) expect((await as(token, callOf(era, 'add_task', { title: 'No' }))).status).toBe(403);
    expect(await rowsOf(world, 'select 1 from taskloom.tasks where user_id = $1', [ana.userId])).toEqual([]);
  });
});
