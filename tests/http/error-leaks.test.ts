import { describe, expect, test } from 'vitest';
import { failingStore, INTERNALS } from '../support/faults.js';
import { newUser, rowsOf, useWorld } from '../support/harness.js';
import {
  anyToken,
  bearer,
  callOf,
  ERAS,
  type HttpAnswer,
  type HttpRequest,
  hello,
  newToken,
  openSocket,
  rpc,
  send,
  sendAs,
  serveHttp,
  untilClosed,
  useHttp,
  withHeaders,
} from '../support/http.js';

const world = useWorld();
const http = useHttp(world);

const as = sendAs(http);

const secretive = () =>
  Object.assign(
    new Error('Failed query: select title from taskloom.tasks where user_id = $1\nparams: hunter2 /home/ana/data'),
    { code: '42P01' },
  );

describe('what goes wrong inside stays inside', () => {
  const mistakes: [string, (era: (typeof ERAS)[number]) => HttpRequest, number[]][] = [
    ['bad JSON', (era) => ({ ...hello(era), body: '{"jsonrpc": "2.0", "id": 1, hunter2' }), [400]],
    ['no body', (era) => ({ ...hello(era), body: '' }), [400]],
    ['a body that is no message', (era) => ({ ...hello(era), body: '"hunter2"' }), [400]],
    ['a batch', (era) => ({ ...hello(era), body: `[${hello(era).body},${hello(era).body}]` }), [400]],
    ['an unknown method', (era) => rpc(era, 'tasks/hunter2'), [200, 404]],
    ['an unknown tool', (era) => callOf(era, 'drop_tables'), [200, 400]],
    ['arguments of no shape', (era) => rpc(era, 'tools/call', { name: 'add_task', arguments: [1] }), [200, 400]],
    ['wrong arguments', (era) => callOf(era, 'add_task', { title: ['x'], nope: '/home' }), [200]],
    ['another content type', (era) => withHeaders(hello(era), { 'content-type': 'text/plain' }), [415]],
    ['an unknown path', (era) => ({ ...hello(era), path: '/mcp/../../etc/hunter2' }), [404]],
    ['an unknown path, twice encoded', (era) => ({ ...hello(era), path: '/%252e%252e/%00' }), [404]],
    ['another method', () => ({ method: 'GET', headers: { accept: 'text/event-stream' } }), [405]],
    ['a body of bytes that are no text', (era) => ({ ...hello(era), body: Buffer.from([0xff, 0xfe, 0, 1]) }), [400]],
  ];
  for (const era of ERAS)
    test.each(mistakes)(`%s (${era})`, async (_what, make, statuses) => {
      const answer = await as(await anyToken(world), make(era));
      expect(statuses, answer.body).toContain(answer.status);
      expectNothingInside(answer);
    });

  test('a batch, which the first clients of 2025 may send, opens nothing that its calls alone would not', async () => {
    const ana = await newUser(world);
    const { token } = await newToken(world, ana, { scopes: ['tasks:read'] });
    const [read, write] = [callOf('2025-11-25', 'list_tasks'), callOf('2025-11-25', 'add_task', { title: 'No' }, 2)];
    expect((await as(token, { ...read, body: `[${read.body}]` })).status).toBe(200);
    expect((await as(token, { ...read, body: `[${read.body},${write.body}]` })).status).toBe(403);
    expect(await rowsOf(world, 'select 1 from taskloom.tasks where user_id = $1', [ana.userId])).toEqual([]);
  });

  test('a batch with two requests of one id is refused before either is run', async () => {
    const ana = await newUser(world);
    const { token } = await newToken(world, ana);
    const [one, two] = ['One', 'Two'].map((title) => callOf('2025-11-25', 'add_task', { title }));
    const { status, message } = await as(token, { ...one, body: `[${one?.body},${two?.body}]` });
    expect({ status, code: message.error.code }).toEqual({ status: 400, code: -32600 });
    expect(message.error.message).toContain('The request id 1 is that of another request');
    expect(await rowsOf(world, 'select 1 from taskloom.tasks where user_id = $1', [ana.userId])).toEqual([]);
  });

  test('a batch that cancels its own call ends', async () => {
    const token = await anyToken(world);
    const one = callOf('2025-11-25', 'list_tasks');
    const cancelled = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    const answer = await as(token, { ...one, body: `[${one.body},${cancelled}]` });
    expect(answer.status).toBe(200);
    expect(answer.message.result.structuredContent.total).toBe(0);
  });

  test('what is not HTTP is answered 400 and no more', async () => {
    for (const noise of ['hunter2\r\n\r\n', 'GET /mcp HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00']) {
      const socket = await openSocket(http.url);
      socket.write(noise);
      const heard = await untilClosed(socket);
      expect(heard).toMatch(/^HTTP\/1\.1 (400|505) /);
      expect(heard).not.toMatch(INTERNALS);
    }
  });

  test.each(ERAS)('a failure inside a tool is an answer with a reference and nothing else (%s)', async (era) => {
    const token = await anyToken(world);
    const before = world.logged.length;
    // Who is calling and that the token was used: the third use is the tool's own.
    for (const tool of ['list_tasks', 'add_task', 'get_overview']) {
      const running = await serveHttp({ ...world, store: failingStore(world, 2, secretive) });
      try {
        const answer = await send(
          running.url,
          withHeaders(callOf(era, tool, tool === 'add_task' ? { title: 'T' } : {}), bearer(token)),
        );
        expect(answer.status).toBe(200);
        expect(answer.message.result.isError).toBe(true);
        expect(answer.message.result.structuredContent.error.code).toBe('internal');
        expect(answer.message.result.structuredContent.error.message).toMatch(/reference [0-9a-f]{8}/);
        expectNothingInside(answer);
      } finally {
        await running.server.close();
      }
    }
    expect(world.logged.slice(before).join('')).not.toMatch(/hunter2|select title/);
  });

  test.each(ERAS)('a failure before a tool is a plain 500 (%s)', async (era) => {
    const token = await anyToken(world);
    const stores = [failingStore(world, 1, secretive), () => Promise.reject(secretive())];
    for (const store of stores) {
      const running = await serveHttp({ ...world, store });
      try {
        const answer = await send(running.url, withHeaders(hello(era), bearer(token)));
        expect([answer.status, answer.body]).toEqual([500, '{"error":"internal"}']);
        expect((await send(running.url, { method: 'GET', path: '/readyz' })).status).toBe(503);
      } finally {
        await running.server.close();
      }
    }
    expect(world.logged.join('')).not.toMatch(/hunter2|select title/);
  });

  function expectNothingInside({ body, headers }: HttpAnswer) {
    expect(body).not.toMatch(INTERNALS);
    expect(JSON.stringify(headers)).not.toMatch(INTERNALS);
    expect(headers['x-powered-by'] ?? headers.server).toBeUndefined();
  }
});
