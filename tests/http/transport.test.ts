import { once } from 'node:events';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/db/connect.js';
import { type Connection, type Database, Unreachable } from '../../src/db/database.js';
import { newUser, rowsOf, useWorld, type World } from '../harness.js';
import {
  bearer,
  callOf,
  connectClient,
  ERAS,
  eventually,
  type HttpAnswer,
  type HttpRequest,
  hello,
  newToken,
  openSocket,
  type Running,
  rpc,
  send,
  serveHttp,
  untilClosed,
  useHttp,
  withHeaders,
} from '../http.js';

const world = useWorld();
const http = useHttp(world, {
  allowedHosts: ['tasks.example'],
  patience: { headers: 400, request: 800, idle: 400, stopping: 5_000 },
});

const MEGABYTE = 1024 * 1024;

async function anyToken(): Promise<string> {
  return (await newToken(world, await newUser(world))).token;
}

const as = (token: string, given: HttpRequest) => send(http.url, withHeaders(given, bearer(token)));

/** The head of a request over a raw socket, up to the lines that say how long its body is. */
const head = (token: string, given: HttpRequest, url = http.url) =>
  `POST /mcp HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n${Object.entries(given.headers ?? {})
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}`;

/** Whatever was done to it, the server still answers others. */
async function expectAlive(url = http.url) {
  const token = await anyToken();
  expect((await send(url, { method: 'GET', path: '/livez' })).status).toBe(200);
  const answer = await send(url, withHeaders(callOf('2026-07-28', 'get_overview'), bearer(token)));
  expect(answer.status, answer.body).toBe(200);
}

describe('a page in a browser that points its own name at this machine', () => {
  const foreign: [string, Record<string, string>][] = [
    ['names a foreign host', { host: 'evil.test' }],
    ['names a foreign host and our port', { host: 'evil.test:8080' }],
    ['names a host that begins like ours', { host: 'localhost.evil.test' }],
    ['comes from a foreign origin', { origin: 'https://evil.test' }],
    ['comes from an origin that begins like ours', { origin: 'http://localhost.evil.test' }],
    ['comes from an opaque origin', { origin: 'null' }],
    ['comes from a file', { origin: 'file://' }],
    ['names our host but a foreign origin', { host: 'localhost', origin: 'http://evil.test' }],
  ];
  for (const era of ERAS)
    test.each(foreign)(`that %s is refused before anything is asked of it (${era})`, async (_what, headers) => {
      const token = await anyToken();
      for (const given of [
        withHeaders(hello(era), headers),
        withHeaders(hello(era), { ...headers, ...bearer(token) }),
      ]) {
        const answer = await send(http.url, given);
        expect(answer.status).toBe(403);
        expect(answer.headers['www-authenticate']).toBeUndefined();
        expect(answer.message?.result).toBeUndefined();
      }
    });

  test('two Host headers, none, or one that is no host are refused', async () => {
    const given = hello('2026-07-28');
    const rest = `Connection: close\r\nContent-Length: ${Buffer.byteLength(String(given.body))}\r\n\r\n${given.body}`;
    const line = `Host: ${http.url.host}\r\n`;
    for (const lines of [`${line}Host: evil.test\r\n`, '', 'Host: localhost@evil.test\r\n', 'Host: \r\n']) {
      const socket = await openSocket(http.url);
      socket.write(head(await anyToken(), given).replace(line, lines) + rest);
      expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 40[03] /);
    }
  });

  const ours: [string, Record<string, string | undefined>][] = [
    ['no origin', { origin: undefined }],
    ['localhost on another port', { host: 'localhost:1', origin: 'http://localhost:6274' }],
    ['127.0.0.1', { host: '127.0.0.1', origin: 'http://127.0.0.1:6274' }],
    ['[::1]', { host: '[::1]:8080', origin: 'http://[::1]:6274' }],
    ['a host that was allowed', { host: 'tasks.example', origin: 'https://tasks.example' }],
    ['a host that was allowed, in capitals and with a port', { host: 'TASKS.example:443' }],
  ];
  test.each(ours)('is not what a client with %s is taken for', async (_what, headers) => {
    const token = await anyToken();
    for (const era of ERAS) {
      expect((await send(http.url, withHeaders(hello(era), headers))).status).toBe(401);
      expect((await as(token, withHeaders(hello(era), headers))).status).toBe(200);
    }
  });

  test('may ask whether the server lives: probes come by address', async () => {
    for (const path of ['/livez', '/readyz'])
      for (const headers of [{ host: 'evil.test' }, { host: '10.0.0.7:8080' }, { origin: 'https://evil.test' }]) {
        const answer = await send(http.url, { method: 'GET', path, headers });
        expect([answer.status, answer.body]).toEqual([200, 'ok']);
      }
  });
});

describe('a request that is too much', () => {
  afterEach(() => expectAlive());

  test('a body over the limit is answered 413, without being read, when it says so', async () => {
    const given = hello('2026-07-28');
    const socket = await openSocket(http.url);
    socket.write(`${head(await anyToken(), given)}Content-Length: ${5 * MEGABYTE}\r\n\r\n{`);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a body of exactly the limit is read', async () => {
    const { headers } = hello('2026-07-28');
    const body = Buffer.from(`${String(hello('2025-11-25').body).slice(0, -1)}${' '.repeat(4 * MEGABYTE)}}`);
    const exact = Buffer.concat([body.subarray(0, 100), Buffer.alloc(0)]);
    expect(exact.length).toBe(100);
    const padded = padTo(4 * MEGABYTE);
    expect(
      (await as(await anyToken(), { headers: { ...headers, 'mcp-protocol-version': '2025-11-25' }, body: padded }))
        .status,
    ).toBe(200);
  });

  test.each(ERAS)('a body without a length is answered 413 once it passes the limit (%s)', async (era) => {
    const { headers } = hello(era);
    const answer = await send(http.url, {
      headers: { ...headers, ...bearer(await anyToken()), 'transfer-encoding': 'chunked' },
      body: padTo(4 * MEGABYTE + 1),
    });
    expect(answer.status).toBe(413);
  });

  test('a body that never ends is cut off', async () => {
    const socket = await openSocket(http.url);
    socket.write(`${head(await anyToken(), hello('2026-07-28'))}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const framed = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
    const pump = () => {
      while (!socket.destroyed && socket.write(framed));
    };
    socket.on('drain', pump);
    const heard = untilClosed(socket);
    pump();
    expect(await heard).toMatch(/^(HTTP\/1\.1 413 |$)/);
  });

  test('headers over 16 KB are answered 431', async () => {
    const given = withHeaders(hello('2026-07-28'), { 'x-padding': 'x'.repeat(20_000) });
    expect((await send(http.url, given)).status).toBe(431);
    const many = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`x-padding-${i}`, 'xxxxxxxx']));
    expect((await send(http.url, withHeaders(hello('2026-07-28'), many))).status).toBe(431);
  });

  test('a compressed body is never unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MEGABYTE, ' '));
    const plain = gzipSync(String(hello('2025-11-25').body));
    for (const body of [bomb, plain]) {
      const answer = await as(await anyToken(), {
        ...withHeaders(hello('2025-11-25'), { 'content-encoding': 'gzip' }),
        body,
      });
      expect([400, 415]).toContain(answer.status);
    }
  });

  test('JSON nested 100,000 deep is answered like any other mistake', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const era of ERAS) {
      const given = callOf(era, 'add_task', { title: 'T' });
      const body = String(given.body).replace('"T"', deep);
      const answer = await as(await anyToken(), { ...given, body });
      expect(answer.status).toBeLessThan(500);
      expect(answer.message.result?.isError ?? answer.message.error !== undefined).toBe(true);
    }
  });
});

/** A handshake padded with blanks to a number of bytes. */
function padTo(bytes: number): string {
  const message = String(hello('2025-11-25').body);
  return message + ' '.repeat(bytes - message.length);
}

describe('a client that is slow', () => {
  afterEach(() => expectAlive());

  /** Sends one byte after the other, until it is cut off. */
  async function drip(socket: Socket, bytes: string): Promise<string> {
    const heard = untilClosed(socket);
    let sent = 0;
    const dripping = setInterval(() => socket.writable && socket.write(bytes[sent++ % bytes.length] ?? ' '), 20);
    try {
      return await heard;
    } finally {
      clearInterval(dripping);
    }
  }

  test('with its body is cut off', async () => {
    const socket = await openSocket(http.url);
    socket.write(`${head(await anyToken(), hello('2026-07-28'))}Content-Length: 100000\r\n\r\n`);
    expect(await drip(socket, ' ')).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  });

  test('with its headers is cut off', async () => {
    const socket = await openSocket(http.url);
    socket.write('POST /mcp HTTP/1.1\r\n');
    expect(await drip(socket, 'x')).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  test('hundreds that say nothing are let go, and hold up nobody meanwhile', async () => {
    const idle = await Promise.all(Array.from({ length: 400 }, () => openSocket(http.url)));
    const closed = Promise.all(idle.map(untilClosed));
    await expectAlive();
    await closed;
  });

  test('hundreds that stay after an answer are let go', async () => {
    const idle = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = await openSocket(http.url);
        socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\n\r\n`);
        return untilClosed(socket);
      }),
    );
    for (const heard of idle) expect(heard).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a client that hangs up in mid-body leaves nothing but a quiet log', async () => {
    const before = world.logged.length;
    const socket = await openSocket(http.url);
    socket.write(`${head(await anyToken(), hello('2026-07-28'))}Content-Length: 1000\r\n\r\n{"json`);
    socket.end();
    socket.destroySoon();
    await once(socket, 'close');
    await expectAlive();
    expect(loud(world.logged.slice(before))).toEqual([]);
  });
});

const loud = (lines: string[]) => lines.filter((line) => JSON.parse(line).level >= 40);

/** What only a look into the machine room could tell: stack frames, paths, SQL, parameters. */
const INSIDES =
  /\bat \S+ \(|\bat (async )?\S+:\d+|node_modules|\/(home|usr|work|tmp|src|dist)\/|\.(ts|js|mjs):\d|\b(select|insert|update|delete)\b[\s\S]{0,80}\b(from|into|set|where)\b|taskloom_app|taskloom\.\w+|PGlite|Drizzle|ECONN|hunter2/i;

/** A store whose database fails from its nth use on, with words that must not get out. */
function failingStore(base: World, from: number, error: () => Error): () => Promise<Store> {
  let used = 0;
  const database = {
    ...base.database,
    async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
      if (++used >= from) throw error();
      return base.database.connect(work);
    },
  } as Database;
  return async () => ({ ...(await base.store()), database });
}

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
      const answer = await as(await anyToken(), make(era));
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

  test('what is not HTTP is answered 400 and no more', async () => {
    for (const noise of ['hunter2\r\n\r\n', 'GET /mcp HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02\x00\x01\x00']) {
      const socket = await openSocket(http.url);
      socket.write(noise);
      const heard = await untilClosed(socket);
      expect(heard).toMatch(/^HTTP\/1\.1 (400|505) /);
      expect(heard).not.toMatch(INSIDES);
    }
  });

  test.each(ERAS)('a failure inside a tool is an answer with a reference and nothing else (%s)', async (era) => {
    const token = await anyToken();
    const before = world.logged.length;
    // Who is calling and that the token was used: the third use is the tool's own.
    for (const tool of ['list_tasks', 'add_task', 'get_overview']) {
      const running = await serveHttp({ ...world, store: failingStore(world, 3, secretive) });
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
    const token = await anyToken();
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
    expect(body).not.toMatch(INSIDES);
    expect(JSON.stringify(headers)).not.toMatch(INSIDES);
    expect(headers['x-powered-by'] ?? headers.server).toBeUndefined();
  }
});

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

/** A server whose database can be held up, cut off and given back. */
async function serveGated(): Promise<Running & { gate: Gate; token: string }> {
  const gate = new Gate(world.database);
  const store: Store = { ...(await world.store()), database: gate.database };
  const running = await serveHttp({ ...world, store: async () => store }, { patience: { stopping: 5_000 } });
  return { ...running, gate, token: await anyToken() };
}

class Gate {
  /** How many have come to the gate while it was shut. */
  waiting = 0;
  cut = false;
  #open = () => {};
  #opened = Promise.resolve();
  readonly database: Database;

  constructor(inner: Database) {
    const gate = this;
    this.database = {
      ...inner,
      async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
        if (gate.cut) throw new Unreachable(new Error('connect ECONNREFUSED 10.0.0.7:5432 hunter2'));
        gate.waiting++;
        await gate.#opened;
        return inner.connect(work);
      },
    } as Database;
  }

  shut() {
    this.waiting = 0;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open() {
    this.#open();
  }
}

describe('stopping', () => {
  test('what is under way is answered; nothing new is taken', async () => {
    const { server, url, gate, token } = await serveGated();
    gate.shut();
    const underWay = ERAS.map((era) =>
      send(url, withHeaders(callOf(era, 'add_task', { title: `Last words ${era}` }), bearer(token))),
    );
    await eventually(
      async () => gate.waiting,
      (count) => count === underWay.length,
    );
    let ended = false;
    const closing = server.close().then(() => {
      ended = true;
    });
    await expect(openSocket(url)).rejects.toThrow(/ECONNREFUSED/);
    expect(ended).toBe(false);
    gate.open();
    for (const answer of await Promise.all(underWay)) {
      expect(answer.status).toBe(200);
      expect(answer.message.result.structuredContent.task.title).toMatch(/^Last words/);
    }
    await closing;
  });

  test('a connection kept open is told to close with its last answer, and holds nothing up', async () => {
    const { server, url, gate, token } = await serveGated();
    gate.shut();
    const given = callOf('2026-07-28', 'get_overview');
    const socket = await openSocket(url);
    socket.write(
      `${head(token, given, url)}Content-Length: ${Buffer.byteLength(String(given.body))}\r\n\r\n${given.body}`,
    );
    const heard = untilClosed(socket);
    await eventually(
      async () => gate.waiting,
      (count) => count === 1,
    );
    const started = performance.now();
    const closing = server.close();
    gate.open();
    const answer = await heard;
    await closing;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(answer).toContain('"counts"');
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('a request that never ends does not keep the server from stopping', async () => {
    const running = await serveHttp(world, { patience: { stopping: 200 } });
    const socket = await openSocket(running.url);
    socket.write(`${head(await anyToken(), hello('2026-07-28'), running.url)}Content-Length: 1000\r\n\r\n{`);
    const heard = untilClosed(socket);
    await running.server.close();
    await heard;
  });

  test('stopping twice is stopping', async () => {
    const { server } = await serveHttp(world);
    await Promise.all([server.close(), server.close()]);
    await server.close();
  });
});

describe('while the database is away', () => {
  test('a signed-in client is told 503, anyone else 401 as ever; all is well when it is back', async () => {
    const { server, url, gate, token } = await serveGated();
    try {
      const probe = async (path: string) => (await send(url, { method: 'GET', path })).status;
      const states = async () => ({
        live: await probe('/livez'),
        ready: await probe('/readyz'),
        anyone: await Promise.all(ERAS.map(async (era) => (await send(url, hello(era))).status)),
        foreign: (await send(url, withHeaders(hello('2026-07-28'), { host: 'evil.test' }))).status,
        signedIn: await Promise.all(
          ERAS.map(async (era) => (await send(url, withHeaders(callOf(era, 'list_tasks'), bearer(token)))).status),
        ),
      });
      const well = { live: 200, ready: 200, anyone: [401, 401], foreign: 403, signedIn: [200, 200] };
      expect(await states()).toEqual(well);
      gate.cut = true;
      expect(await states()).toEqual({ ...well, ready: 503, signedIn: [503, 503] });
      for (const given of [withHeaders(hello('2026-07-28'), bearer(token)), { method: 'GET', path: '/readyz' }])
        expect((await send(url, given)).body).not.toMatch(INSIDES);
      gate.cut = false;
      expect(await states()).toEqual(well);
    } finally {
      await server.close();
    }
  });

  test('a database lost between the door and the tool is a refusal that says to try again', async () => {
    const token = await anyToken();
    for (const era of ERAS) {
      const away = () => new Unreachable(new Error('connect ECONNREFUSED 10.0.0.7:5432'));
      const running = await serveHttp({ ...world, store: failingStore(world, 3, away) });
      try {
        const answer = await send(running.url, withHeaders(callOf(era, 'list_tasks'), bearer(token)));
        expect(answer.message.result.structuredContent.error.code).toBe('unavailable');
        expect(answer.body).not.toMatch(INSIDES);
      } finally {
        await running.server.close();
      }
    }
  });
});
