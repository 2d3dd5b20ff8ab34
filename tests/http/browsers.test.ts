import { describe, expect, test } from 'vitest';
import { serveGated } from '../support/faults.js';
import { useWorld } from '../support/harness.js';
import {
  anyToken,
  bearer,
  callOf,
  ERAS,
  type HttpAnswer,
  type HttpRequest,
  hello,
  send,
  useHttp,
  withHeaders,
} from '../support/http.js';

const world = useWorld();
const http = useHttp(world, { allowedHosts: ['tasks.example'], perMinute: 3 });

const INSPECTOR = 'http://localhost:6274';

/** The names in a header that lists some. */
const names = (answer: HttpAnswer, header: string) =>
  String(answer.headers[header] ?? '')
    .toLowerCase()
    .split(', ');

/** The question that a browser asks before a page's request. */
const preflight = (given: HttpRequest, headers: Record<string, string>): HttpRequest => ({
  method: 'OPTIONS',
  ...(given.path !== undefined && { path: given.path }),
  headers: {
    'access-control-request-method': 'POST',
    'access-control-request-headers': ['authorization', ...Object.keys(given.headers ?? {})].join(','),
    ...headers,
  },
});

const theirs = (answer: HttpAnswer) =>
  Object.keys(answer.headers).filter((name) => name.startsWith('access-control-') || name === 'vary');

describe('a page of an origin that is ours', () => {
  test.each(ERAS)('may send what a client of %s sends, before it has a token', async (era) => {
    for (const origin of [INSPECTOR, 'https://tasks.example', 'http://[::1]:6274']) {
      const given = callOf(era, 'get_overview');
      const answer = await send(http.url, preflight(given, { origin }));
      expect([answer.status, answer.body]).toEqual([204, '']);
      expect(answer.headers['access-control-allow-origin']).toBe(origin);
      expect(names(answer, 'access-control-allow-methods')).toEqual(['post', 'get', 'delete']);
      expect(names(answer, 'access-control-allow-headers')).toEqual(
        expect.arrayContaining([
          'authorization',
          'mcp-session-id',
          'last-event-id',
          ...Object.keys(given.headers ?? {}),
        ]),
      );
      expect(Number(answer.headers['access-control-max-age'])).toBeGreaterThan(0);
      expect(answer.headers.vary).toBe('Origin');
      expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  const readable = (answer: HttpAnswer, status: number) => {
    expect(answer.status, answer.body).toBe(status);
    expect(answer.headers['access-control-allow-origin']).toBe(INSPECTOR);
    expect(names(answer, 'access-control-expose-headers')).toEqual(
      expect.arrayContaining(['www-authenticate', 'retry-after', 'mcp-session-id']),
    );
    expect(answer.headers.vary).toBe('Origin');
  };

  test('may read every response', async () => {
    const as = (token: string, given: HttpRequest) =>
      send(http.url, withHeaders(given, { origin: INSPECTOR, ...bearer(token) }));
    for (const era of ERAS) {
      const token = await anyToken(world);
      readable(await as(token, hello(era)), 200);
      readable(await as(token, { ...hello(era), method: 'DELETE', body: '' }), 405);
      readable(await as(token, { ...hello(era), body: ' '.repeat(4 * 1024 * 1024 + 1) }), 413);
      readable(await as(token, hello(era)), 429);
      readable(await send(http.url, withHeaders(hello(era), { origin: INSPECTOR })), 401);
    }
    for (const path of ['/livez', '/.well-known/oauth-protected-resource/mcp'])
      readable(
        await send(http.url, { method: 'GET', path, headers: { origin: INSPECTOR } }),
        path === '/livez' ? 200 : 404,
      );
  });

  test('may read that the database is away', async () => {
    const { url, server, gated, token } = await serveGated(world);
    gated.cut = true;
    readable(
      await send(url, withHeaders(callOf(ERAS[0], 'get_overview'), { origin: INSPECTOR, ...bearer(token) })),
      503,
    );
    await server.close();
  });
});

describe('a request', () => {
  test.each([
    ['of a foreign origin', { origin: 'https://evil.test' }, 403],
    ['of an opaque origin', { origin: 'null' }, 403],
    ['to a foreign host', { origin: INSPECTOR, host: 'evil.test' }, 403],
    ['of no page', {}, 401],
  ])('%s is told nothing about pages', async (_, headers, status) => {
    for (const given of [withHeaders(hello('2026-07-28'), headers), preflight(hello('2026-07-28'), headers)]) {
      const answer = await send(http.url, given);
      expect(answer.status).toBe(status);
      expect(theirs(answer)).toEqual([]);
    }
  });

  test('by OPTIONS that is no preflight is refused as any other without a token', async () => {
    expect((await send(http.url, { method: 'OPTIONS', headers: { origin: INSPECTOR } })).status).toBe(401);
  });
});
