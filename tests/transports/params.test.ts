import { describe, expect, test } from 'vitest';
import { useWorld } from '../support/harness.js';
import { anyToken, ERAS, rpc, sendAs, useHttp } from '../support/http.js';
import { connect, seeded } from '../support/process.js';

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

describe.each(ways)('params over %s', (_, through) => {
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
});
