import { describe, expect, test } from 'vitest';
import { useWorld } from '../support/harness.js';
import { anyToken, ERAS, rpc, sendAs, useHttp } from '../support/http.js';
import { connect, INITIALIZE, seeded } from '../support/process.js';

const world = useWorld();
const as = sendAs(useHttp(world));

type Ask = (method: string, params: Record<string, unknown>) => Promise<{ error?: unknown; result?: unknown }>;

/** Asks over each transport, in each version of the protocol, until the work is done. */
const ways: [string, (work: (ask: Ask) => Promise<void>) => Promise<void>][] = [
  [
    'stdio',
    async (work) => {
      const peer = await connect(seeded());
      await work((method, params) => peer.request(method, params));
      await peer.close();
    },
  ],
  ...ERAS.map((era): (typeof ways)[number] => [
    `HTTP, ${era}`,
    async (work) => {
      const token = await anyToken(world);
      await work(async (method, params) => (await as(token, rpc(era, method, params))).message);
    },
  ]),
];

describe.each(ways)('params over %s', (way, through) => {
  test('that are wrong are refused in one line', async () => {
    const wrong: [string, Record<string, unknown>, string][] = [
      ['tools/list', { cursor: 5 }, 'cursor: expected string, received number'],
      ['resources/read', { uri: 5 }, 'uri: expected string, received number'],
      [
        'prompts/get',
        { name: 'plan_my_day', arguments: { minutes: 60 } },
        'arguments.minutes: expected string, received number',
      ],
      ['tools/call', { name: 'get_overview', arguments: [] }, 'arguments: expected record, received array'],
      [
        'completion/complete',
        { argument: { name: 'a' } },
        'ref: Invalid input; argument.value: expected string, received undefined',
      ],
    ];
    await through(async (ask) => {
      for (const [method, params, what] of wrong)
        expect(await ask(method, params)).toMatchObject({
          error: { code: -32602, message: `Invalid params: ${what}` },
        });
    });
  });

  test('whose arguments are null have none', async () => {
    await through(async (ask) => {
      expect(await ask('tools/call', { name: 'get_overview', arguments: null })).toMatchObject({
        result: { structuredContent: { counts: expect.anything() } },
      });
      expect(await ask('tools/call', { name: 'add_task', arguments: null })).toMatchObject({
        result: { isError: true, structuredContent: { error: { message: expect.stringContaining('title') } } },
      });
      expect(await ask('prompts/get', { name: 'triage_inbox', arguments: null })).toHaveProperty('result.messages');
    });
  });

  test('of a handshake that are missing are refused in one line', async () => {
    if (way.endsWith('2026-07-28')) return; // it has none
    await through(async (ask) => {
      const { protocolVersion, ...others } = INITIALIZE;
      const { error } = await ask('initialize', others);
      expect(error).toEqual({
        code: -32602,
        message: 'Invalid params: protocolVersion: expected string, received undefined',
      });
    });
  });
});
