import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioClientTransport1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, environment, MAIN, Peer, ROOT, seeded, start } from '../support/process.js';

const OVERVIEW = 'taskloom://overview';
const INFO = { name: 'subscriber', version: '1.0.0' };
const spawned = () => ({
  command: process.execPath,
  args: [MAIN],
  cwd: ROOT,
  env: seeded(),
  stderr: 'ignore' as const,
});

/** A connected client of any make that subscribes in its own way. */
interface Subscriber {
  call(name: string, args: Record<string, unknown>): Promise<unknown>;
  offered(): unknown;
  subscribe(...uris: string[]): Promise<() => Promise<unknown>>;
}

type Make = (told: (uri: string) => void) => Promise<Subscriber>;

const version1: Make = async (told) => {
  const client = new Client1(INFO);
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params: { uri } }) => told(uri));
  await client.connect(new StdioClientTransport1(spawned()));
  onTestFinished(() => client.close());
  return {
    call: (name, args) => client.callTool({ name, arguments: args }),
    offered: () => client.getServerCapabilities()?.resources,
    subscribe: async (...uris) => {
      for (const uri of uris) await client.subscribeResource({ uri });
      return () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri })));
    },
  };
};

const version2 =
  (mode: 'legacy' | 'auto'): Make =>
  async (told) => {
    const client = new Client(INFO, { versionNegotiation: { mode } });
    client.setNotificationHandler('notifications/resources/updated', ({ params: { uri } }) => told(uri));
    await client.connect(new StdioClientTransport(spawned()));
    onTestFinished(() => client.close());
    return {
      call: (name, args) => client.callTool({ name, arguments: args }),
      offered: () => client.getServerCapabilities()?.resources,
      subscribe: async (...uris) => {
        if (mode === 'auto') {
          const { close, honoredFilter } = await client.listen({
            resourceSubscriptions: [...uris, 'taskloom://other'],
          });
          expect(honoredFilter).toEqual({ resourceSubscriptions: uris });
          return close;
        }
        for (const uri of uris) await client.subscribeResource({ uri });
        await expect(client.subscribeResource({ uri: 'taskloom://other' })).rejects.toMatchObject({ code: -32602 });
        return () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri })));
      },
    };
  };

describe.each([
  ['the 1.x client', version1],
  ['the 2.x client of 2025', version2('legacy')],
  ['the 2.x client of 2026-07-28', version2('auto')],
])('%s on stdio', (_what, make) => {
  test('is told of what it subscribed to, until it does so no more', async () => {
    const told: string[] = [];
    let look = () => {};
    const client = await make((uri) => {
      told.push(uri);
      look();
    });
    const hears = (uri: string) =>
      new Promise<void>((resolve) => {
        look = () => told.includes(uri) && resolve();
        look();
      });
    expect(client.offered()).toEqual({ listChanged: false, subscribe: true });
    await client.call('add_task', { title: 'Roof' });
    const stop = await client.subscribe('taskloom://task/1');
    const stopAlso = await client.subscribe('taskloom://task/2');
    await client.call('complete_task', { id: 1 });
    await hears('taskloom://task/1');
    expect(told.splice(0)).toEqual(['taskloom://task/1']);
    await stop();
    await client.call('update_task', { id: 1, title: 'Slates' });
    await client.call('add_task', { title: 'Cellar' });
    await hears('taskloom://task/2');
    expect(told).toEqual(['taskloom://task/2']);
    await stopAlso();
  });
});

describe('who subscribes again, having missed something', () => {
  test('is told once of each address, after the acknowledgement (2026-07-28)', async () => {
    const peer = new Peer(start([], seeded()));
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': INFO,
      'io.modelcontextprotocol/clientCapabilities': {},
      'taskloom/again': true,
    };
    const id = peer.ask('subscriptions/listen', {
      _meta,
      notifications: { resourceSubscriptions: [OVERVIEW, 'taskloom://task/7'] },
    });
    const messages = await peer.until((all) => all.length >= 3);
    expect(messages.map(({ method, params }) => [method, params.uri, params._meta])).toEqual([
      ['notifications/subscriptions/acknowledged', undefined, { 'io.modelcontextprotocol/subscriptionId': id }],
      ['notifications/resources/updated', OVERVIEW, { 'io.modelcontextprotocol/subscriptionId': id }],
      ['notifications/resources/updated', 'taskloom://task/7', { 'io.modelcontextprotocol/subscriptionId': id }],
    ]);
    const none = peer.ask('subscriptions/listen', { _meta, notifications: { toolsListChanged: true } });
    expect((await peer.answer(none)).result).toEqual({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/subscriptionId': none },
    });
    expect((await peer.close()).code).toBe(0);
  });

  test('is told once of its address, after the answer (2025)', async () => {
    const peer = await connect(seeded());
    const before = peer.messages().length;
    await peer.request('resources/subscribe', { uri: OVERVIEW, _meta: { 'taskloom/again': true } });
    const messages = await peer.until((all) => all.length >= before + 2);
    expect(messages.slice(before).map(({ method, params }) => [method, params?.uri])).toEqual([
      [undefined, undefined],
      ['notifications/resources/updated', OVERVIEW],
    ]);
    expect((await peer.close()).code).toBe(0);
  });

  test('is refused where there is no such user, on either era', async () => {
    const env = environment({ TASKLOOM_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    const peer = await connect(env);
    expect((await peer.request('resources/subscribe', { uri: OVERVIEW })).error).toMatchObject({
      code: -32603,
      message: expect.stringContaining('cannot be reached'),
    });
    const modern = new Peer(start([], env));
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': INFO,
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const refused = await modern.request('subscriptions/listen', {
      _meta,
      notifications: { resourceSubscriptions: [OVERVIEW] },
    });
    expect(refused.error).toMatchObject({ code: -32603, message: expect.stringContaining('cannot be reached') });
    await Promise.all([peer.close(), modern.close()]);
  });
});
