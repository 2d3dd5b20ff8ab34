import { once } from 'node:events';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { serveGated } from '../support/faults.js';
import { useWorld } from '../support/harness.js';
import {
  anyToken,
  bearer,
  callOf,
  ERAS,
  headOf,
  hello,
  openSocket,
  send,
  sendAs,
  untilClosed,
  useHttp,
  withHeaders,
} from '../support/http.js';

const world = useWorld();
const http = useHttp(world, { allowedHosts: ['tasks.example', 'Bücher.Example'] });
/** One that waits for nobody long. */
const impatient = useHttp(world, { timeouts: { headers: 1_000, request: 2_000, idle: 1_000 } });

const MEGABYTE = 1024 * 1024;

const as = sendAs(http);

/** Whatever was done to it, the server still answers others. */
async function expectAlive(url = http.url) {
  const token = await anyToken(world);
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
      const token = await anyToken(world);
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
      socket.write(headOf(http.url, await anyToken(world), given).replace(line, lines) + rest);
      expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 40[03] /);
    }
  });

  const ours: [string, Record<string, string | undefined>][] = [
    ['no origin', { origin: undefined }],
    ['localhost on another port', { host: 'localhost:1', origin: 'http://localhost:6274' }],
    ['127.0.0.1', { host: '127.0.0.1', origin: 'http://127.0.0.1:6274' }],
    ['[::1]', { host: '[::1]:8080', origin: 'http://[::1]:6274' }],
    ['a host with a port of very many zeros', { host: `localhost:${'0'.repeat(5000)}80` }],
    ['a host that was allowed as people write it', { host: 'xn--bcher-kva.example' }],
    ['a host that was allowed', { host: 'tasks.example', origin: 'https://tasks.example' }],
    ['a host that was allowed, in capitals and with a port', { host: 'TASKS.example:443' }],
  ];
  test.each(ours)('is not what a client with %s is taken for', async (_what, headers) => {
    const token = await anyToken(world);
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

describe('a request', () => {
  test.each([
    ['GET', '/livez', 200],
    ['HEAD', '/readyz', 200],
    ['GET', '/livez?probe=1', 200],
    ['POST', '/livez', 404],
    ['GET', '/livez/', 404],
    ['GET', '/', 404],
    ['GET', '/mcp/', 404],
  ])('%s %s is answered %i', async (method, path, status) => {
    expect((await send(http.url, { method, path })).status).toBe(status);
  });

  test('to a path that is not ours, such as one of OAuth, is told that there are tokens only', async () => {
    for (const path of ['/.well-known/oauth-protected-resource/mcp', '/register', '/']) {
      const { status, message } = await send(http.url, { method: 'GET', path });
      expect([status, message]).toEqual([
        404,
        { error: 'not_found', error_description: expect.stringContaining('Authorization: Bearer tlm_') },
      ]);
    }
  });

  test('of HTTP/1.0 without a host is answered by the health endpoints alone', async () => {
    const ask = async (lines: string) => {
      const socket = await openSocket(http.url);
      socket.write(`${lines}\r\n\r\n`);
      return untilClosed(socket);
    };
    for (const path of ['/livez', '/readyz'])
      expect(await ask(`GET ${path} HTTP/1.0`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok$/);
    const { headers, body } = callOf('2026-07-28', 'get_overview');
    const lines = Object.entries({
      ...headers,
      ...bearer(await anyToken(world)),
      'content-length': String(body).length,
    });
    const post = ['POST /mcp HTTP/1.0', ...lines.map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n');
    expect(await ask(post)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('finds the endpoint with a query too', async () => {
    const answer = await as(await anyToken(world), {
      ...callOf('2026-07-28', 'get_overview'),
      path: '/mcp?from=there',
    });
    expect(answer.status, answer.body).toBe(200);
  });

  test.each([
    ['another tool', { 'mcp-name': 'get_overview' }],
    ['another method', { 'mcp-method': 'tools/list' }],
    ['another kind of content', { 'content-type': 'text/plain' }],
  ])('whose headers speak of %s is refused: nothing is told or written', async (_what, headers) => {
    const token = await anyToken(world);
    for (const call of [callOf('2026-07-28', 'add_task', { title: 'No' }), callOf('2026-07-28', 'list_tasks')]) {
      const answer = await as(token, withHeaders(call, headers));
      expect([400, 415], answer.body).toContain(answer.status);
      expect(answer.body).not.toContain('structuredContent');
    }
    const { body } = await as(token, callOf('2026-07-28', 'list_tasks', { status: 'all' }));
    expect(JSON.parse(body).result.structuredContent).toMatchObject({ tasks: [], total: 0 });
  });
});

test.each(ERAS)('a connection that is to be closed after the answer is closed (%s)', async (era) => {
  const token = await anyToken(world);
  for (const [sent, answered] of [
    ['close', 'close'],
    ['keep-alive', 'keep-alive'],
  ]) {
    const given = withHeaders(hello(era), { ...bearer(token), connection: sent });
    expect((await send(http.url, given)).headers.connection).toBe(answered);
  }
});

describe('a request that is too much', () => {
  afterEach(() => expectAlive());

  test('a body over the limit is answered 413, without being read, when it says so', async () => {
    const given = hello('2026-07-28');
    const socket = await openSocket(http.url);
    socket.write(`${headOf(http.url, await anyToken(world), given)}Content-Length: ${5 * MEGABYTE}\r\n\r\n{`);
    expect(await untilClosed(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a body of exactly the limit is read', async () => {
    const { headers } = hello('2026-07-28');
    const body = Buffer.from(`${String(hello('2025-11-25').body).slice(0, -1)}${' '.repeat(4 * MEGABYTE)}}`);
    const exact = Buffer.concat([body.subarray(0, 100), Buffer.alloc(0)]);
    expect(exact.length).toBe(100);
    const padded = padTo(4 * MEGABYTE);
    expect(
      (await as(await anyToken(world), { headers: { ...headers, 'mcp-protocol-version': '2025-11-25' }, body: padded }))
        .status,
    ).toBe(200);
  });

  test.each(ERAS)('a body without a length is answered 413 once it passes the limit (%s)', async (era) => {
    const { headers } = hello(era);
    const answer = await send(http.url, {
      headers: { ...headers, ...bearer(await anyToken(world)), 'transfer-encoding': 'chunked' },
      body: padTo(4 * MEGABYTE + 1),
    });
    expect(answer.status).toBe(413);
  });

  test('a body that never ends is cut off', async () => {
    const socket = await openSocket(http.url);
    socket.write(`${headOf(http.url, await anyToken(world), hello('2026-07-28'))}Transfer-Encoding: chunked\r\n\r\n`);
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
      const answer = await as(await anyToken(world), {
        ...withHeaders(hello('2025-11-25'), { 'content-encoding': 'gzip' }),
        body,
      });
      expect([answer.status, answer.headers['accept-encoding']]).toEqual([415, 'identity']);
      expect(answer.message).toEqual({
        error: 'unsupported',
        message: expect.stringContaining('Send the body as it is'),
      });
    }
  });

  test('JSON nested 100,000 deep is answered like any other mistake', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const era of ERAS) {
      const given = callOf(era, 'add_task', { title: 'T' });
      const body = String(given.body).replace('"T"', deep);
      const answer = await as(await anyToken(world), { ...given, body });
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
  afterEach(() => expectAlive(impatient.url));

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
    const socket = await openSocket(impatient.url);
    socket.write(`${headOf(impatient.url, await anyToken(world), hello('2026-07-28'))}Content-Length: 100000\r\n\r\n`);
    expect(await drip(socket, ' ')).toMatch(/^(HTTP\/1\.1 4\d\d |$)/);
  });

  test('with its headers is cut off', async () => {
    const socket = await openSocket(impatient.url);
    socket.write('POST /mcp HTTP/1.1\r\n');
    expect(await drip(socket, 'x')).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  test('to take its answers is cut off, and not one that waits for its answer', async () => {
    const { server, url, gated, token } = await serveGated(world, { reading: 500 });
    gated.shut();
    const waiting = send(url, withHeaders(callOf('2026-07-28', 'get_overview'), bearer(token)));
    await expect.poll(() => gated.waiting).toBe(1);
    const socket = await openSocket(url);
    socket.pause();
    const requests = 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000);
    const ask = () => {
      while (socket.writable && socket.write(requests));
    };
    socket.on('drain', ask);
    ask();
    await new Promise((resolve) => socket.once('close', resolve));
    gated.open();
    expect((await waiting).status).toBe(200);
    await server.close();
  });

  test('hundreds that say nothing are let go, and hold up nobody meanwhile', async () => {
    const idle = await Promise.all(Array.from({ length: 400 }, () => openSocket(impatient.url)));
    const closed = Promise.all(idle.map(untilClosed));
    await expectAlive(impatient.url);
    await closed;
  });

  test('hundreds that stay after an answer are let go', async () => {
    const idle = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = await openSocket(impatient.url);
        socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\n\r\n`);
        return untilClosed(socket);
      }),
    );
    for (const heard of idle) expect(heard).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a client that hangs up in mid-body leaves nothing but a quiet log', async () => {
    const before = world.logged.length;
    const socket = await openSocket(impatient.url);
    socket.write(
      `${headOf(impatient.url, await anyToken(world), hello('2026-07-28'))}Content-Length: 1000\r\n\r\n{"json`,
    );
    socket.end();
    socket.destroySoon();
    await once(socket, 'close');
    await expectAlive(impatient.url);
    expect(loud(world.logged.slice(before))).toEqual([]);
  });
});

const loud = (lines: string[]) => lines.filter((line) => JSON.parse(line).level >= 40);
