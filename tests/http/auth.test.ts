import { describe, expect, test } from 'vitest';
import { hashToken, makeToken } from '../../src/auth/tokens.js';
import { listTokens, revokeToken, setDisabled } from '../../src/cli/accounts.js';
import { newUser, rowsOf, useWorld } from '../support/harness.js';
import {
  callOf,
  connectClient,
  ERAS,
  type HttpAnswer,
  type HttpRequest,
  hello,
  newToken,
  openSocket,
  rpc,
  send,
  sendAs,
  untilClosed,
  useHttp,
  withHeaders,
} from '../support/http.js';

const world = useWorld();
const http = useHttp(world);

const CHALLENGE = 'Bearer realm="taskloom"';
const INVALID = `${CHALLENGE}, error="invalid_token"`;

const as = sendAs(http);

function expectTurnedAway(answer: HttpAnswer, challenge: string) {
  expect({ status: answer.status, challenge: answer.headers['www-authenticate'] }).toEqual({ status: 401, challenge });
  expect(answer.message?.jsonrpc, 'no MCP answer').toBeUndefined();
}

describe('without a token of ours, nobody gets past the door', () => {
  const someone = makeToken();
  const headers: [string, string | undefined][] = [
    ['no Authorization header', undefined],
    ['an empty header', ''],
    ['the scheme alone', 'Bearer'],
    ['the scheme and a blank', 'Bearer '],
    ['another scheme', `Basic ${Buffer.from('ana:secret').toString('base64')}`],
    ['a token without a scheme', someone],
  ];
  const malformed: [string, string][] = [
    ['a token of 8 KB', `Bearer tlm_${'a'.repeat(8192)}`],
    ['a token of another make', 'Bearer ghp_0123456789abcdefghijklmnopqrstuvwxyz'],
    ['a token cut short', `Bearer ${someone.slice(0, -1)}`],
    ['two tokens in one header', `Bearer ${someone} ${someone}`],
    ['two tokens and a comma', `Bearer ${someone}, Bearer ${someone}`],
    ['quotes around the token', `Bearer "${someone}"`],
    ['a NUL, percent-encoded', `Bearer ${someone}%00`],
  ];

  for (const era of ERAS) {
    test.each(headers)(`%s is answered 401 with the challenge (${era})`, async (_what, authorization) => {
      const answer = await send(http.url, withHeaders(hello(era), { authorization }));
      expectTurnedAway(answer, CHALLENGE);
      expect(answer.message.message).toContain('Send the header Authorization');
    });

    test.each(malformed)(`%s is answered 401, and that it is not a token (${era})`, async (_what, authorization) => {
      const answer = await send(http.url, withHeaders(hello(era), { authorization }));
      expectTurnedAway(answer, INVALID);
      expect(answer.message.message).toContain('is not a Taskloom token');
    });
  }

  test('two Authorization headers are answered 401, though either alone would open', async () => {
    const { token } = await newToken(world, await newUser(world));
    expect((await as(token, hello('2026-07-28'))).status).toBe(200);
    const { body, headers } = hello('2026-07-28');
    const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    for (const second of [token, makeToken()]) {
      const socket = await openSocket(http.url);
      socket.write(
        `POST /mcp HTTP/1.1\r\nHost: ${http.url.host}\r\nConnection: close\r\n${lines.join('')}` +
          `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${second}\r\n` +
          `Content-Length: ${Buffer.byteLength(String(body))}\r\n\r\n${body}`,
      );
      const answer = await untilClosed(socket);
      expect(answer).toMatch(/^HTTP\/1\.1 401 /);
      expect(answer.match(/^www-authenticate: .*$/gim)).toEqual([`www-authenticate: ${INVALID}`]);
    }
  });

  test('a good token in the address or in the body opens nothing', async () => {
    const { token } = await newToken(world, await newUser(world));
    const inAddress = { ...hello('2025-11-25'), path: `/mcp?access_token=${token}` };
    expectTurnedAway(await send(http.url, inAddress), CHALLENGE);
    const inBody = { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `access_token=${token}` };
    expectTurnedAway(await send(http.url, inBody), CHALLENGE);
    expect(world.logged.join('')).not.toContain(token);
  });

  const bodies: [string, HttpRequest][] = [
    ['no body', {}],
    ['a body that is not JSON', { headers: { 'content-type': 'application/json' }, body: '{' }],
    [
      'a batch',
      { headers: { 'content-type': 'application/json' }, body: '[{"jsonrpc":"2.0","id":1,"method":"ping"}]' },
    ],
    ['a body of another type', { headers: { 'content-type': 'text/plain' }, body: 'hello' }],
    ['a body over the limit', { headers: { 'content-type': 'application/json' }, body: 'x'.repeat(5 * 1024 * 1024) }],
    ['an unknown method', rpc('2025-11-25', 'no/such')],
    ['headers that contradict the body', withHeaders(hello('2026-07-28'), { 'mcp-method': 'tools/list' })],
    ['a protocol version nobody speaks', withHeaders(hello('2025-11-25'), { 'mcp-protocol-version': '1999-01-01' })],
    ...['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map((method): [string, HttpRequest] => [
      method,
      { method, headers: { accept: 'text/event-stream' } },
    ]),
  ];
  test.each(bodies)('who asks is settled before what is asked: %s', async (_what, given) => {
    expectTurnedAway(await send(http.url, given), CHALLENGE);
    expectTurnedAway(await as(makeToken(), given), INVALID);
  });
});

describe('a personal access token', () => {
  test('opens its own user’s tasks, in both eras', async () => {
    const ana = await newUser(world);
    const { token } = await newToken(world, ana);
    for (const era of ERAS) {
      const { message } = await as(token, callOf(era, 'get_overview'));
      expect(message.result.structuredContent.user).toBe(ana.handle);
    }
  });

  test('is taken whatever the case of the scheme', async () => {
    const { token } = await newToken(world, await newUser(world));
    const answer = await send(http.url, withHeaders(hello('2026-07-28'), { authorization: `bEARER ${token}` }));
    expect(answer.status).toBe(200);
  });

  test('that nobody was given is refused', async () => {
    for (const era of ERAS) expectTurnedAway(await as(makeToken(), hello(era)), INVALID);
  });

  test('that has expired is refused, one that has not is not', async () => {
    const ana = await newUser(world);
    const past = await newToken(world, ana, { expires: new Date(Date.now() - 1_000) });
    const future = await newToken(world, ana, { expires: new Date(Date.now() + 3_600_000) });
    for (const era of ERAS) {
      expectTurnedAway(await as(past.token, hello(era)), INVALID);
      expect((await as(future.token, hello(era))).status).toBe(200);
    }
  });

  test('that differs in one character, or in case, is refused', async () => {
    const { token } = await newToken(world, await newUser(world));
    const swapped = token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const otherCase = token.replace(/[a-z](?=[^a-z]*$)/, (letter) => letter.toUpperCase());
    for (const wrong of [swapped, otherCase]) {
      expect(wrong).not.toBe(token);
      expectTurnedAway(await as(wrong, hello('2026-07-28')), INVALID);
    }
  });

  test('is 256 random bits, shown once: no table holds it, only its hash, and no list or log shows it', async () => {
    const ana = await newUser(world);
    const { token } = await newToken(world, ana);
    await as(token, callOf('2026-07-28', 'add_task', { title: 'Leave traces', request_id: 'r-1' }));
    expect(Buffer.from(token.slice('tlm_'.length), 'base64url')).toHaveLength(32);

    const everything = await everyRow();
    expect(everything.length).toBeGreaterThan(5);
    const secret = token.slice('tlm_'.length);
    const traces = [secret, Buffer.from(secret, 'base64url').toString('hex'), Buffer.from(token).toString('hex')];
    for (const trace of traces) expect(everything.filter((row) => row.includes(trace))).toEqual([]);
    expect(everything.filter((row) => row.includes(hashToken(token)))).toHaveLength(1);

    expect(JSON.stringify(await listTokens(world.database, ana.handle))).not.toContain(secret);
    expect(world.logged.join('')).not.toContain(secret);
  });
});

/** Every row of every table of the database, as text with all its columns. */
async function everyRow(): Promise<string[]> {
  const found = await rowsOf(
    world,
    `select table_schema, table_name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const rows: string[] = [];
  for (const [schema, table] of found)
    for (const [row] of await rowsOf(world, `select t::text from "${schema}"."${table}" t`)) rows.push(String(row));
  return rows;
}

describe('shutting out takes effect on the next request', () => {
  test('revoking one token stops it, on a connection that is open, and no other', async () => {
    const ana = await newUser(world);
    const [lost, kept] = [await newToken(world, ana), await newToken(world, ana)];
    const clients = await Promise.all(ERAS.map((era) => connectClient(http.url, lost.token, era)));
    for (const client of clients) expect((await client.callTool({ name: 'get_overview' })).isError).not.toBe(true);

    await revokeToken(world.database, lost.id);
    for (const client of clients) await expect(client.callTool({ name: 'get_overview' })).rejects.toThrow();
    for (const era of ERAS) expectTurnedAway(await as(lost.token, callOf(era, 'get_overview')), INVALID);
    for (const era of ERAS) expect((await as(kept.token, callOf(era, 'get_overview'))).status).toBe(200);
  });

  test('one that was good a moment ago reads, writes and lists nothing', async () => {
    const ana = await newUser(world);
    const [lost, kept] = [await newToken(world, ana), await newToken(world, ana)];
    const era = '2026-07-28';
    const asked = [
      callOf(era, 'list_tasks'),
      callOf(era, 'add_task', { title: 'Once' }),
      callOf(era, 'add_task', { title: 'Not', dry_run: true }),
      callOf(era, 'add_task', { title: '' }),
      callOf(era, 'no_such_tool'),
      rpc(era, 'tools/list'),
      rpc(era, 'resources/read', { uri: 'taskloom://overview' }),
    ];
    for (const each of asked) expect((await as(lost.token, each)).status).toBe(200);
    await revokeToken(world.database, lost.id);
    for (const each of asked) {
      expect((await as(kept.token, each)).status).toBe(200); // what was found of one token says nothing of another
      expectTurnedAway(await as(lost.token, each), INVALID);
    }
    expect(await rowsOf(world, 'select title from taskloom.tasks where user_id = $1', [ana.userId])).toEqual([
      ['Once'],
      ['Once'],
    ]);
  });

  test('one that has been given other scopes or another user does nothing by what it was', async () => {
    const [ana, bob] = [await newUser(world), await newUser(world)];
    const { token, id } = await newToken(world, ana);
    const era = '2026-07-28';
    const add = callOf(era, 'add_task', { title: 'Not' });
    const list = callOf(era, 'list_tasks');
    expect((await as(token, list)).status).toBe(200);
    await rowsOf(world, `update taskloom.api_tokens set scopes = 'tasks:read' where id = $1`, [id]);
    expectTurnedAway(await as(token, add), INVALID);
    expect((await as(token, list)).status).toBe(200);
    await rowsOf(world, 'update taskloom.api_tokens set user_id = $2 where id = $1', [id, bob.userId]);
    expectTurnedAway(await as(token, list), INVALID);
    for (const { userId } of [ana, bob])
      expect(await rowsOf(world, 'select 1 from taskloom.tasks where user_id = $1', [userId])).toEqual([]);
  });

  test('disabling a user stops all their tokens and nobody else’s; enabling starts them again', async () => {
    const [ana, bob] = [await newUser(world), await newUser(world)];
    const hers = [await newToken(world, ana), await newToken(world, ana, { scopes: ['tasks:read'] })];
    const his = await newToken(world, bob);
    const statuses = () =>
      Promise.all(
        [...hers, his].flatMap(({ token }) =>
          ERAS.map(async (era) => (await as(token, callOf(era, 'list_tasks'))).status),
        ),
      );

    expect(await statuses()).toEqual([200, 200, 200, 200, 200, 200]);
    await setDisabled(world.database, ana.handle, true);
    expect(await statuses()).toEqual([401, 401, 401, 401, 200, 200]);
    await setDisabled(world.database, ana.handle, false);
    expect(await statuses()).toEqual([200, 200, 200, 200, 200, 200]);
  });

  test('a token revoked stays so when its user is enabled again', async () => {
    const ana = await newUser(world);
    const { token, id } = await newToken(world, ana);
    await revokeToken(world.database, id);
    await setDisabled(world.database, ana.handle, true);
    await setDisabled(world.database, ana.handle, false);
    expectTurnedAway(await as(token, hello('2026-07-28')), INVALID);
  });
});
