import { describe, expect, test } from 'vitest';
import type { Scope } from '../../src/auth/scopes.js';
import { prompts } from '../../src/prompts/index.js';
import { resources } from '../../src/resources/index.js';
import { tools } from '../../src/tools/index.js';
import { newUser, rowsOf, useWorld } from '../support/harness.js';
import { callOf, ERAS, hello, newToken, rpc, sendAs, useHttp } from '../support/http.js';
import { promptReach, resourceReach } from '../support/reach.js';

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
            expect(JSON.parse(answer.body)).toEqual({
              error: 'insufficient_scope',
              message: `This token lacks the scope ${needed}. Whoever runs this server can create one that has it: taskloom token create --user <handle>.`,
            });
          }
        });

        /** Requests of a person's, all of which read. What they ask for need not exist. */
        const nothing = { id: 1, title: 'nothing', project: 'nothing', label: 'nothing' };
        const reads: [string, string, Record<string, unknown>][] = [
          ...prompts.map(({ name }): (typeof reads)[number] => [
            `prompt ${name}`,
            'prompts/get',
            { name, arguments: promptReach[name]?.(nothing)[0] },
          ]),
          ...resources.map(({ name }): (typeof reads)[number] => [
            `resource ${name}`,
            'resources/read',
            { uri: resourceReach[name]?.(nothing)[0] },
          ]),
        ];
        test.each(reads)('%s', async (_name, method, params) => {
          const { token } = await newToken(world, await newUser(world), { scopes });
          const answer = await as(token, rpc(era, method, params));
          if (implied.includes('tasks:read')) {
            expect(answer.status, answer.body).toBe(200);
            expect(answer.headers['www-authenticate']).toBeUndefined();
            expect(answer.message.error?.data?.code).not.toBe('forbidden');
          } else {
            expect(answer.status, answer.body).toBe(403);
            expect(answer.headers['www-authenticate']).toBe(
              `${CHALLENGE}, error="insufficient_scope", scope="tasks:read"`,
            );
          }
        });

        const completions = [...prompts, ...resources].flatMap((offered) =>
          Object.keys(offered.complete).map((argument) => ({
            ref:
              'uri' in offered
                ? { type: 'ref/resource', uri: offered.uri }
                : { type: 'ref/prompt', name: offered.name },
            argument: { name: argument, value: '' },
          })),
        );
        test.each(completions)('completion of $ref $argument.name', async (params) => {
          const { token } = await newToken(world, await newUser(world), { scopes });
          const { message } = await as(token, rpc(era, 'completion/complete', params));
          if (implied.includes('tasks:read')) expect(message.result.completion).toMatchObject({ values: [] });
          else
            expect(message.error).toEqual({
              code: -32600,
              message: 'This token lacks the scope tasks:read. Use a token with that scope.',
              data: { code: 'forbidden' },
            });
        });

        test('may greet and list what there is', async () => {
          const { token } = await newToken(world, await newUser(world), { scopes });
          expect((await as(token, hello(era))).message.result.capabilities.tools).toBeDefined();
          const listed = (await as(token, rpc(era, 'tools/list'))).message.result.tools;
          expect(listed.map((each: { name: string }) => each.name).sort()).toEqual(
            tools.map(({ name }) => name).sort(),
          );
          const ask = async (method: string) => (await as(token, rpc(era, method))).message.result;
          expect((await ask('prompts/list')).prompts).toHaveLength(prompts.length);
          const single = (await ask('resources/list')).resources;
          expect([...single, ...(await ask('resources/templates/list')).resourceTemplates]).toHaveLength(
            resources.length,
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
