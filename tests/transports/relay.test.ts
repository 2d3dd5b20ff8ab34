import { InMemoryTransport, type JSONRPCMessage, type RequestId } from '@modelcontextprotocol/server';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { unavailable } from '../../src/errors.js';
import { HEARTBEAT, type Message, SHUTDOWN_NOTICE } from '../../src/transports/conversation.js';
import { Relay, type RelayOptions } from '../../src/transports/relay.js';

const message = (given: Message): JSONRPCMessage => ({ jsonrpc: '2.0', ...given }) as JSONRPCMessage;

/** A relay, and the servers that it finds one after the other. */
function relaying(options: Partial<RelayOptions>) {
  const servers: { end: InMemoryTransport; answers: boolean; unanswered: JSONRPCMessage[] }[] = [];
  const asked: ((method: string) => void)[] = [];
  const answers = new Map<RequestId, (answer: Message) => void>();
  const relay = new Relay({
    async open() {
      const [near, far] = InMemoryTransport.createLinkedPair();
      const server = { end: far, answers: true, unanswered: [] as JSONRPCMessage[] };
      const heard = asked.shift();
      far.onmessage = (each) => {
        const { id, method } = each as Message;
        if (method) heard?.(method);
        if (id === undefined) return;
        const answer = message({ id, result: {} });
        if (server.answers) void far.send(answer);
        else server.unanswered.push(answer);
      };
      servers.push(server);
      await far.start();
      return { transport: near, pid: 4711 };
    },
    refusal: () => unavailable('There is none.'),
    ...options,
  });
  relay.start((each) => {
    const { id } = each as Message;
    if (id !== undefined) answers.get(id)?.(each as Message);
  });
  return {
    relay,
    servers,
    asked,
    /** Resolves with the answer. */
    request: (id: RequestId, method: string, params: object) =>
      new Promise<Message>((resolve) => {
        answers.set(id, resolve);
        relay.take(message({ id, method, params } as Message));
      }),
  };
}

/** A client of 2025 that has subscribed. */
async function subscribed() {
  const { relay, servers, asked, request } = relaying({ timing: { heartbeat: 20, silence: 60, reconnect: 20 } });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  relay.take(message({ id: 0, method: 'initialize', params } as Message));
  relay.take(message({ method: 'notifications/initialized' }));
  await request(1, 'resources/subscribe', { uri: 'taskloom://overview' });
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
    await first.end.send(message({ method: SHUTDOWN_NOTICE, params: { reason: 'the disk is full' } } as Message));
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

const LOOK = ['tools/call', { name: 'get_overview' }] as const;

describe('after a server that ended, the next is looked for', () => {
  test('at once, where nothing waited for an answer', async () => {
    const { servers, request } = relaying({});
    await request(1, ...LOOK);
    await servers[0]?.end.close();
    const answer = request(2, ...LOOK);
    expect(servers).toHaveLength(2);
    expect(await answer).toMatchObject({ result: {} });
  });

  test('a moment later, where something did: it may be what ends them', async () => {
    const { servers, request } = relaying({});
    await request(1, ...LOOK);
    const [first] = servers as [(typeof servers)[0]];
    first.answers = false;
    const answer = request(2, ...LOOK);
    await first.end.close();
    expect(servers).toHaveLength(1);
    expect(await answer).toMatchObject({ result: {} });
  });
});

test('a request that each server ends at is refused, and no server is started for it any more', async () => {
  const { servers, asked, request } = relaying({});
  for (let i = 0; i < 9; i++)
    asked.push((method) => {
      const server = servers.at(-1);
      if (method !== 'tools/call' || !server) return;
      server.answers = false;
      void server.end.close();
    });
  const { result } = await request(1, ...LOOK);
  expect(result).toMatchObject({
    isError: true,
    structuredContent: {
      error: {
        code: 'unavailable',
        message: 'The process that has the task database exited each time it ran this request.',
      },
    },
  });
  expect(servers).toHaveLength(6);
});

describe('a server that is alive', () => {
  test('has fifteen seconds to say so, also after nobody asked for longer than that', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { servers, request } = relaying({});
    await request(1, ...LOOK);
    vi.advanceTimersByTime(20_000);
    const [server] = servers as [(typeof servers)[0]];
    server.answers = false;
    const answer = request(2, ...LOOK);
    vi.advanceTimersByTime(14_000);
    for (const each of server.unanswered) await server.end.send(each);
    expect(await answer).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
  });

  test('is asked before it is given up where the relay itself had been stopped', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { servers, asked, request } = relaying({ timing: { heartbeat: 5 } });
    let alive = () => {};
    asked.push((method) => method === HEARTBEAT && alive());
    await request(1, ...LOOK);
    const [server] = servers as [(typeof servers)[0]];
    server.answers = false;
    const waits = request(2, ...LOOK);
    server.answers = true;
    await request(3, ...LOOK);
    vi.advanceTimersByTime(3_600_000);
    const asks = new Promise<void>((resolve) => {
      alive = resolve;
    });
    expect(await Promise.race([asks, waits])).toBeUndefined();
  });
});
