import { InMemoryTransport, type JSONRPCMessage } from '@modelcontextprotocol/server';
import { describe, expect, test } from 'vitest';
import { FAREWELL, type Message } from '../../src/transports/conversation.js';
import { Relay } from '../../src/transports/relay.js';

const message = (given: Message): JSONRPCMessage => ({ jsonrpc: '2.0', ...given }) as JSONRPCMessage;

/** A client of 2025 that has subscribed, and the servers that its relay finds one after the other. */
async function subscribed() {
  const servers: { end: InMemoryTransport; answers: boolean }[] = [];
  const asked: ((method: string) => void)[] = [];
  const relay = new Relay({
    async open() {
      const [near, far] = InMemoryTransport.createLinkedPair();
      const server = { end: far, answers: true };
      const heard = asked.shift();
      far.onmessage = (each) => {
        const { id, method } = each as Message;
        if (method) heard?.(method);
        if (id !== undefined && server.answers) void far.send(message({ id, result: {} }));
      };
      await far.start();
      servers.push(server);
      return { transport: near, pid: 4711 };
    },
    refusal: () => ({ code: 'unavailable', message: 'There is none.' }),
    beat: 20,
    silence: 60,
    again: 20,
  });
  const answered = new Promise<void>((resolve) => {
    relay.start((each) => {
      if ((each as Message).id === 1) resolve();
    });
  });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  relay.take(message({ id: 0, method: 'initialize', params } as Message));
  relay.take(message({ method: 'notifications/initialized' }));
  relay.take(message({ id: 1, method: 'resources/subscribe', params: { uri: 'taskloom://overview' } } as Message));
  await answered;
  const again = new Promise<void>((resolve) => asked.push((method) => method === 'resources/subscribe' && resolve()));
  return { relay, first: servers[0] as (typeof servers)[0], again };
}

describe('a client of 2025 that only listens is subscribed again', () => {
  test('where its server was lost', async () => {
    const { first, again } = await subscribed();
    await first.end.close();
    await again;
  });

  test('where its server said farewell', async () => {
    const { first, again } = await subscribed();
    await first.end.send(message({ method: FAREWELL, params: { reason: 'the disk is full' } } as Message));
    await first.end.close();
    await again;
  });

  test('where its server said nothing any more', async () => {
    const { relay, first, again } = await subscribed();
    first.answers = false;
    relay.take(message({ id: 2, method: 'tools/call', params: { name: 'get_overview' } } as Message));
    await again;
    expect(first.answers).toBe(false);
  });
});
