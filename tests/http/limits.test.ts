import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { localPrincipal } from '../../src/auth/local.js';
import { authenticate, hashToken, makeToken } from '../../src/auth/tokens.js';
import { revokeToken } from '../../src/cli/accounts.js';
import type { Connection, Database } from '../../src/db/database.js';
import { Unreachable } from '../../src/db/database-errors.js';
import { connectionLimits } from '../../src/transports/http-server.js';
import { RateLimit } from '../../src/transports/limits.js';
import { serveGated } from '../support/faults.js';
import { gate } from '../support/gate.js';
import { newUser, useWorld, withDatabase } from '../support/harness.js';
import {
  anyToken,
  bearer,
  callOf,
  connectClient,
  ERAS,
  eventually,
  type HttpAnswer,
  type HttpRequest,
  headOf,
  hello,
  newToken,
  openSocket,
  rpc,
  send,
  serveHttp,
  untilClosed,
  withHeaders,
} from '../support/http.js';

const world = useWorld();

/** How many an address may send in a minute without a good token. */
const STRANGERS = 300;

/** A server whose clock only we move, and whose looks into the database are counted. */
async function serve(options: Parameters<typeof serveHttp>[1] = {}) {
  const state = { now: 0, looks: 0, gate: async () => {} };
  const database = {
    ...world.database,
    async connect<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
      state.looks += 1;
      await state.gate();
      return world.database.connect(work);
    },
  } as Database;
  const { server, url } = await serveHttp(withDatabase(world, database), { steady: () => state.now, ...options });
  onTestFinished(() => server.close());
  const ask = (headers: Record<string, string> = {}) => send(url, withHeaders(hello('2026-07-28'), headers));
  return { state, url, ask };
}

type Ask = (headers?: Record<string, string>) => Promise<HttpAnswer>;

/** Sends requests that nobody is signed in for, ten at once, and says how they were answered: a refusal may overtake a look into the database. */
async function flood(ask: Ask, times: number, headers: () => Record<string, string>): Promise<number[]> {
  const statuses: number[] = [];
  const one = async () => {
    while (times-- > 0) statuses.push((await ask(headers())).status);
  };
  await Promise.all(Array.from({ length: 10 }, one));
  return statuses.sort();
}

const all = (status: number, times: number) => Array<number>(times).fill(status);

function expectTooMany({ status, headers, message }: HttpAnswer, seconds: number) {
  expect({ status, after: headers['retry-after'] }).toEqual({ status: 429, after: String(seconds) });
  expect(message).toEqual({
    error: 'rate_limited',
    message: expect.stringContaining(`Wait ${seconds} s, then repeat`),
  });
}

describe('an address that sends wrong tokens', () => {
  test('is refused without a look into the database, but for tokens that were good before', async () => {
    const { state, ask, url } = await serve();
    const [ana, bob] = [await newUser(world), await newUser(world)];
    const [hers, lost, his] = [await newToken(world, ana), await newToken(world, ana), await newToken(world, bob)];
    for (const { token } of [hers, lost]) expect((await ask(bearer(token))).status).toBe(200);
    expect(await flood(ask, STRANGERS, () => bearer(makeToken()))).toEqual(all(401, STRANGERS));

    const before = state.looks;
    for (const headers of [bearer(makeToken()), {}, { authorization: 'Basic eA==' }])
      expectTooMany(await ask(headers), 1);
    expect(state.looks).toBe(before);
    expect((await ask(bearer(hers.token))).status).toBe(200);
    expectTooMany(await ask(bearer(his.token)), 1); // it could be any

    await revokeToken(world.database, lost.id);
    expect((await ask(bearer(lost.token))).status).toBe(401);
    expectTooMany(await ask(bearer(lost.token)), 1);
    expect((await send(url, { method: 'GET', path: '/livez' })).status).toBe(200);

    state.now += 1_000; // room for five more
    expect((await ask(bearer(his.token))).status).toBe(200);
    expect(await flood(ask, 6, () => bearer(makeToken()))).toEqual([...all(401, 5), 429]);
    state.now += 60_000;
    expect(await flood(ask, STRANGERS + 1, () => ({}))).toEqual([...all(401, STRANGERS), 429]);
  });

  test('has them looked up one after another, and who is known does not wait for them', async () => {
    const { state, ask } = await serve();
    const good = await anyToken(world);
    expect((await ask(bearer(good))).status).toBe(200);
    const { opened: held, open: release } = gate();
    state.gate = () => held;
    const before = state.looks;
    const looks = (count: number) =>
      eventually(
        async () => state.looks - before,
        (looked) => looked >= count,
      );
    const wrong = Array.from({ length: 20 }, () => ask(bearer(makeToken())));
    await looks(1);
    const known = ask(bearer(good));
    expect(await looks(2)).toBe(2);
    release();
    expect((await known).status).toBe(200);
    for (const { status } of await Promise.all(wrong)) expect(status).toBe(401);
  });

  test('has each of them looked up and counted once, however often it comes at once', async () => {
    const { state, ask } = await serve();
    const { opened: held, open: release } = gate();
    state.gate = () => held;
    const asking = [await anyToken(world), makeToken()].map((token) =>
      Promise.all(Array.from({ length: STRANGERS + 10 }, async () => (await ask(bearer(token))).status)),
    );
    await eventually(
      async () => state.looks,
      (looks) => looks > 0,
    );
    release();
    expect(await Promise.all(asking)).toEqual([all(200, STRANGERS + 10), all(401, STRANGERS + 10)]);
  });

  test('is not one that sends good ones, however many', async () => {
    const { ask } = await serve();
    expect(await flood(ask, STRANGERS - 1, () => ({}))).toEqual(all(401, STRANGERS - 1));
    for (let i = 0; i < 3; i++) expect((await ask(bearer(await anyToken(world)))).status).toBe(200);
    expect(await flood(ask, 2, () => ({}))).toEqual([401, 429]);
  });

  test('is not one that sends tokens while the database is away', async () => {
    const { state, ask } = await serve();
    const [atHome, away] = [state.gate, () => Promise.reject(new Unreachable(new Error('away')))];
    state.gate = away;
    expect(await flood(ask, STRANGERS + 1, () => bearer(makeToken()))).toEqual(all(503, STRANGERS + 1));
    state.gate = atHome;
    expect((await ask(bearer(await anyToken(world)))).status).toBe(200);
  });

  test('is the one that proxies of ours name, and nothing that stands before theirs', async () => {
    const { ask } = await serve({ proxies: 2 });
    const from = (...hops: string[]) => ask({ 'x-forwarded-for': hops.join(', ') });
    const flooded = async (...hops: string[]) => {
      const statuses = await flood(
        () => from(...hops),
        STRANGERS,
        () => ({}),
      );
      expect(statuses).toEqual(all(401, STRANGERS));
    };
    await flooded('203.0.113.7', '10.0.0.1');
    for (const hops of [
      ['203.0.113.7', '10.0.0.1'],
      ['203.0.113.7:4711', '10.0.0.2'],
      ['::ffff:203.0.113.7', '10.0.0.1'],
      ['198.51.100.1', '203.0.113.7', '10.0.0.1'], // invented by the client
      ['203.0.113.7'], // past one of them
    ])
      expectTooMany(await from(...hops), 1);
    for (const hops of [['203.0.113.8', '10.0.0.1'], ['no address', '10.0.0.1'], []])
      expect((await from(...hops)).status).toBe(401);

    await flooded('2001:db8:0:1::7', '10.0.0.1');
    for (const address of ['2001:db8:0:1:ffff::1', '[2001:0DB8::1:0:0:0:7]:443'])
      expectTooMany(await from(address, '10.0.0.1'), 1);
    for (const address of ['2001:db8:0:2::7', '2001:db8::1', '::1'])
      expect((await from(address, '10.0.0.1')).status).toBe(401);
  });

  test('is the one at the other end where no proxy is ours, whatever a header says', async () => {
    const { ask } = await serve();
    let n = 0;
    const invented = () => ({ 'x-forwarded-for': `203.0.113.${n++ % 250}` });
    expect(await flood(ask, STRANGERS + 1, invented)).toEqual([...all(401, STRANGERS), 429]);
  });

  test('is forgotten once 10,000 others came, so that a flood of addresses takes no more memory', () => {
    const rate = new RateLimit(1, () => 0);
    expect([rate.take('first'), rate.take('first')]).toEqual([0, 60]);
    for (let i = 0; i < 9_999; i++) rate.take(`${i}`);
    expect(rate.take('first')).toBe(60);
    for (let i = 0; i < 10_000; i++) rate.take(`${i} more`);
    expect(rate.take('first')).toBe(0);
  });
});

describe('the log', () => {
  const linesOf = (logged: string[], msg: string) =>
    logged.map((line) => JSON.parse(line)).filter((line) => line.msg === msg);

  test('names a refused address and why, once a minute for each', async () => {
    const { state, ask } = await serve({ proxies: 1, perMinute: 1 });
    const before = world.logged.length;
    const from = (address: string, headers = {}) => ask({ ...headers, 'x-forwarded-for': address });
    const good = bearer(await anyToken(world));
    for (let i = 0; i < 3; i++) {
      await from('203.0.113.7');
      await from('203.0.113.7', bearer(makeToken()));
      await from('203.0.113.8');
      await from('203.0.113.9', good);
    }
    const refusals = () =>
      linesOf(world.logged.slice(before), 'refused a request').map(({ level, address, status, reason }) => [
        level,
        address,
        status,
        reason,
      ]);
    const once = [
      [40, '203.0.113.7', 401, 'unauthorized'],
      [40, '203.0.113.7', 401, 'invalid_token'],
      [40, '203.0.113.8', 401, 'unauthorized'],
      [40, '203.0.113.9', 429, 'rate_limited'],
    ];
    expect(refusals()).toEqual(once);
    state.now += 60_000;
    await from('203.0.113.8');
    expect(refusals()).toEqual([...once, once[2]]);
  });

  test('tells of an outage once, however many calls it refuses', async () => {
    const { server, url, gated, token } = await serveGated(world);
    onTestFinished(() => server.close());
    const call = async () => (await send(url, withHeaders(callOf('2026-07-28', 'get_overview'), bearer(token)))).status;
    expect(await call()).toBe(200);
    const before = world.logged.length;
    gated.cut = true;
    for (let i = 0; i < 3; i++) expect(await call()).toBe(503);
    gated.cut = false;
    expect(await call()).toBe(200);
    const loud = world.logged.slice(before).flatMap((line) => {
      const { level, msg } = JSON.parse(line);
      return level >= 40 ? [msg] : [];
    });
    expect(loud).toEqual(['database unreachable: calls are refused', 'database reachable again']);
  });

  test('names the user and the token of a call', async () => {
    const { url } = await serve();
    const ana = await newUser(world);
    const { token, id } = await newToken(world, ana);
    const before = world.logged.length;
    await send(url, withHeaders(callOf('2026-07-28', 'get_overview'), bearer(token)));
    const [line, ...others] = linesOf(world.logged.slice(before), 'call');
    expect(line).toMatchObject({ tool: 'get_overview', user: ana.handle, token: id });
    expect(others).toEqual([]);
  });
});

describe('a user who sends more than so many requests a minute', () => {
  test('is told after how many seconds there is room, with whichever token, and nobody else is', async () => {
    const { state, ask } = await serve({ perMinute: 6 });
    const [ana, bob] = [await newUser(world), await newUser(world)];
    const [laptop, phone] = [(await newToken(world, ana)).token, (await newToken(world, ana)).token];
    for (const token of [laptop, phone, laptop, phone, laptop, phone])
      expect((await ask(bearer(token))).status).toBe(200);
    const before = state.looks;
    for (const token of [laptop, phone]) expectTooMany(await ask(bearer(token)), 10);
    expect(state.looks).toBe(before);
    expectTooMany(await ask(bearer((await newToken(world, ana)).token)), 10); // one that was never seen
    expect((await ask(bearer((await newToken(world, bob)).token))).status).toBe(200);

    state.now += 9_000;
    expectTooMany(await ask(bearer(laptop)), 1);
    state.now += 1_000;
    expect((await ask(bearer(phone))).status).toBe(200);
    expectTooMany(await ask(bearer(laptop)), 10);
  });

  test.each(ERAS)('is told in words that a client passes on (%s)', async (era) => {
    const { state, url } = await serve({ perMinute: 4 });
    const client = await connectClient(url, await anyToken(world), era);
    const call = () => client.callTool({ name: 'get_overview' });
    const refusal = await eventually(
      () =>
        call().then(
          () => undefined,
          (error: Error) => error.message,
        ),
      (message) => message !== undefined,
    );
    expect(refusal).toContain('Too many requests. Wait 15 s, then repeat this one.');
    state.now += 60_000;
    expect((await call()).isError).not.toBe(true);
  });

  test('may send them in batches, which count for as many, with a length or without', async () => {
    const { url } = await serve({ perMinute: 6 });
    const token = await anyToken(world);
    const one = callOf('2025-11-25', 'list_tasks');
    const calls = Array.from({ length: 7 }, (_, id) => callOf('2025-11-25', 'list_tasks', {}, id).body);
    const batch = (size: number, framing: Record<string, string> = {}) =>
      send(url, { ...withHeaders(one, { ...bearer(token), ...framing }), body: `[${calls.slice(0, size)}]` });
    const tooLarge = await batch(7);
    expect({ status: tooLarge.status, after: tooLarge.headers['retry-after'] }).toEqual({
      status: 413,
      after: undefined,
    });
    expect(tooLarge.message.message).toContain('at most 6 calls per batch');
    expect((await batch(4)).status).toBe(200);
    const listening = { 'mcp-method': 'subscriptions/listen' };
    for (const framing of [{}, { 'transfer-encoding': 'chunked' }, listening]) {
      const { status, headers, message } = await batch(2 + 1, framing);
      expect({ status, after: headers['retry-after'] }).toEqual({ status: 429, after: '10' });
      expect(message.message).toContain('A batch of 3 calls exceeds the rate limit: send fewer calls at once');
    }
    expect((await batch(2)).status).toBe(200);
  });

  test('may send a hundred in a batch, and one that has more is not counted', async () => {
    const { url } = await serve({ perMinute: 200 });
    const token = await anyToken(world);
    const ping = rpc('2025-11-25', 'ping');
    const batch = (size: number) => {
      const messages = Array.from({ length: size }, (_, id) => rpc('2025-11-25', 'ping', {}, id).body);
      return send(url, { ...withHeaders(ping, bearer(token)), body: `[${messages}]` });
    };
    const { status, message } = await batch(101);
    expect({ status, error: message.error }).toEqual({ status: 413, error: 'too_large' });
    expect(message.message).toContain('at most 100 calls per batch');
    for (let i = 0; i < 2; i++) expect((await batch(100)).status).toBe(200);
    expect((await batch(2)).status).toBe(429);
  });

  test('has only so many worked on at once, and so many wait', async () => {
    const { state, ask } = await serve({ atOnce: { concurrent: 2, waiting: 3 } });
    const headers = bearer(await anyToken(world));
    await ask(headers);
    const { opened, open } = gate();
    state.gate = () => opened;
    const statuses: number[] = [];
    const asking = Array.from({ length: 8 }, async () => {
      const answer = await ask(headers);
      if (answer.status === 429) expectTooMany(answer, 1);
      statuses.push(answer.status);
    });
    await eventually(
      async () => statuses.length,
      (answered) => answered === 3,
    );
    expect(statuses).toEqual(all(429, 3));
    open();
    await Promise.all(asking);
    expect(statuses.sort()).toEqual([...all(200, 5), ...all(429, 3)]);
  });

  test('is not stopped where no limit is set', async () => {
    const { ask } = await serve({ perMinute: 0 });
    const token = await anyToken(world);
    expect(await flood(ask, 500, () => bearer(token))).toEqual(all(200, 500));
  });
});

const MEGABYTE = 1024 * 1024;
const fields = (count: number, value: unknown = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`field_${i}`, value]));

/** The texts that are parsed from now on, but for short ones, which the test itself parses too. */
function largeParses(): () => number {
  const parse = vi.spyOn(JSON, 'parse');
  onTestFinished(() => parse.mockRestore());
  return () => parse.mock.calls.filter(([text]) => text.length > 10_000).length;
}

describe('a body that would take long to parse or to validate', () => {
  const call = (args: unknown) => callOf('2025-11-25', 'get_overview', args as Record<string, unknown>);
  const bodies: [string, HttpRequest][] = [
    ['brackets alone', { ...call({}), body: '['.repeat(2_000_000) }],
    ['arguments nested 70 deep', call({ text: JSON.parse('['.repeat(70) + ']'.repeat(70)), pad: 'x'.repeat(10_000) })],
    ['200,000 arguments', call(fields(200_000))],
    ['101 fields in `_meta`', rpc('2025-11-25', 'tools/list', { _meta: fields(101, 'x'.repeat(100)) })],
    ['a list of two million values', call({ ids: Array(2_000_000).fill(1) })],
  ];

  test.each(bodies)('is refused unparsed: %s', async (_what, given) => {
    const { url } = await serve();
    const token = await anyToken(world);
    const parses = largeParses();
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(url, withHeaders(given, bearer(token)))));
    for (const { status, message } of answers) {
      expect(status).toBe(413);
      expect(message.error.message).toMatch(/at most 20000 values, 100 fields .*; send it in smaller parts$/);
    }
    expect(parses()).toBe(0);
  });

  test('is not parsed as a list that is sent as a text', async () => {
    const { url } = await serve();
    const parses = largeParses();
    const given = callOf('2025-11-25', 'add_tasks', { tasks: '['.repeat(1_000_000) });
    const { message } = await send(url, withHeaders(given, bearer(await anyToken(world))));
    expect(message.result.structuredContent.error.code).toBe('invalid');
    expect(parses(), 'the body alone').toBe(1);
  });

  test('is none with brackets, commas and quotes in its texts', async () => {
    const { url } = await serve();
    const description = '[{"a\\": [,:{[\\\n'.repeat(500);
    const given = callOf('2025-11-25', 'add_task', { title: 'Odd', description });
    const { message } = await send(url, withHeaders(given, bearer(await anyToken(world))));
    expect(message.result.structuredContent.task.title).toBe('Odd');
  });

  test('is none with the largest plan', async () => {
    const { url } = await serve();
    const tasks = Array.from({ length: 100 }, (_, i) => ({
      title: `Task ${i}`,
      ref: `r${i}`,
      description: 'word '.repeat(2_000).trim(),
      priority: 'high',
      due: '2026-12-24',
      start: '2026-12-01',
      estimate_minutes: 30,
      project: 'Large',
      labels: Array.from({ length: 20 }, (_, n) => `label ${n}`),
      blocked_by: Array.from({ length: Math.min(i, 50) }, (_, n) => `r${i - n - 1}`),
    }));
    const given = callOf('2025-11-25', 'add_tasks', { tasks, dry_run: true });
    const { status, message } = await send(url, withHeaders(given, bearer(await anyToken(world))));
    expect(status).toBe(200);
    expect(message.result.structuredContent).toMatchObject({ dry_run: true });
  });

  test('is not parsed while it waits for its turn', async () => {
    const { url, state, ask } = await serve({ atOnce: { concurrent: 1, waiting: 2 } });
    const token = await anyToken(world);
    expect((await ask(bearer(token))).status).toBe(200);
    const { opened: held, open: release } = gate();
    state.gate = () => held;
    const parses = largeParses();
    const given = callOf('2026-07-28', 'list_tasks', { text: 'x'.repeat(20_000) });
    const statuses: number[] = [];
    const asking = Array.from({ length: 4 }, async () => {
      statuses.push((await send(url, withHeaders(given, bearer(token)))).status);
    });
    await eventually(
      async () => statuses.length,
      (answered) => answered === 1,
    );
    expect(parses()).toBe(1);
    release();
    await Promise.all(asking);
    expect({ statuses: statuses.sort(), parses: parses() }).toEqual({ statuses: [...all(200, 3), 429], parses: 3 });
  });
});

test('large requests count by their size too, against their user alone', async () => {
  const { url, state, ask } = await serve({ perMinute: 1_000 });
  const [hers, his] = [await anyToken(world), await anyToken(world)];
  const given = hello('2025-11-25');
  const large = { ...withHeaders(given, bearer(hers)), body: String(given.body).padEnd(4 * MEGABYTE) };
  for (let i = 0; i < 16; i++) expect((await send(url, large)).status).toBe(200);
  const chunked = withHeaders(large, { 'transfer-encoding': 'chunked' });
  for (const each of [large, chunked]) {
    const { status, headers, message } = await send(url, each);
    expect({ status, error: message.error }).toEqual({ status: 429, error: 'rate_limited' });
    expect(message.message).toContain('Too many large requests. Wait');
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  }
  expect((await ask(bearer(his))).status).toBe(200);
  state.now += 4_000;
  expect((await send(url, large)).status).toBe(200);
});

/** Sixteen requests of the largest size, which are all that a user has room for, but for their last byte; more are refused. */
async function beginMany(url: URL, token: string, given: HttpRequest) {
  const body = String(given.body).padEnd(4 * 1024 * 1024);
  const head = `${headOf(url, token, given)}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(url)));
  const begun = sockets.map((socket) => ({ socket, heard: untilClosed(socket) }));
  for (const socket of sockets) socket.write(`${head}${body.slice(0, -1)}`);
  const open = () => begun.filter(({ socket }) => !socket.closed);
  await eventually(
    async () => open().length,
    (left) => left === 16,
  );
  return open();
}

test('a user who sends the beginnings of many large requests has no room for more, and others have', async () => {
  const { url, ask } = await serve();
  const [hers, his] = [await anyToken(world), await anyToken(world)];
  const status = async () => (await ask(bearer(hers))).status;
  const begun = await beginMany(url, hers, hello('2026-07-28'));
  const { headers, message } = await ask(bearer(hers));
  expect(headers['retry-after']).toBe('1');
  expect(message).toMatchObject({ error: 'rate_limited', message: expect.stringContaining('large requests') });
  expect((await ask(bearer(his))).status).toBe(200);
  for (const { socket } of begun) socket.destroy();
  expect(await eventually(status, (answered) => answered === 200)).toBe(200);
});

test.each(ERAS)('a body has its room until its request is answered (%s)', async (era) => {
  const { url, state, ask } = await serve();
  const token = await anyToken(world);
  const status = async () => (await ask(bearer(token))).status;
  const begun = await beginMany(url, token, callOf(era, 'list_tasks'));
  const { opened: held, open: release } = gate();
  state.gate = () => held;
  const before = state.looks;
  for (const { socket } of begun) socket.write(' ');
  await eventually(
    async () => state.looks,
    (looks) => looks > before,
  );
  expect(await status()).toBe(429);
  release();
  for (const { heard } of begun) expect(await heard).toMatch(/^HTTP\/1\.1 200 /);
  expect(await eventually(status, (answered) => answered === 200)).toBe(200);
});

test.each(ERAS)('a body whose client hangs up before it is let in takes no room (%s)', async (era) => {
  const { url, state } = await serve();
  const token = await anyToken(world);
  const { opened: held, open: release } = gate();
  state.gate = () => held;
  const head = `${headOf(url, token, callOf(era, 'list_tasks'))}Content-Length: ${4 * 1024 * 1024}\r\n\r\n`;
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(url)));
  const closed = sockets.map(untilClosed);
  for (const socket of sockets) socket.write(head);
  await eventually(
    async () => state.looks,
    (looks) => looks > 0,
  );
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  for (let i = 0; i < 3; i++) await send(url, { method: 'GET', path: '/livez' }); // by now the server has seen it too
  release();
  await eventually(
    async () => state.looks,
    (looks) => looks > 16, // one for all, and then as many as there is room for
  );
  const large = { ...callOf(era, 'list_tasks'), body: String(callOf(era, 'list_tasks').body).padEnd(4 * 1024 * 1024) };
  const again = async () => (await send(url, withHeaders(large, bearer(token)))).status;
  expect(await eventually(again, (answered) => answered === 200)).toBe(200);
});

describe('connections', () => {
  test('of one address leave room for others', async () => {
    const { url } = await serve({ limits: { all: 20, perAddress: 10 } });
    const sockets = await Promise.all(Array.from({ length: 15 }, () => openSocket(url)));
    await eventually(
      async () => sockets.filter((socket) => socket.readableEnded || socket.destroyed).length,
      (ended) => ended === 5,
    );
    const given = withHeaders(callOf('2026-07-28', 'get_overview'), bearer(await anyToken(world)));
    await expect(send(url, given)).rejects.toThrow();
    expect((await send(url, { ...given, localAddress: '127.0.0.2' })).status).toBe(200);
    const closed = sockets.map(untilClosed);
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
    const status = () =>
      send(url, given).then(
        (answer) => answer.status,
        () => undefined,
      );
    expect(await eventually(status, (answered) => answered !== undefined)).toBe(200);
  });
});

test('connections of all together are no more than there is room for', async () => {
  const { url } = await serve({ limits: { all: 5, perAddress: 100 } });
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(url)));
  const ended = () => sockets.filter((socket) => socket.readableEnded || socket.destroyed).length;
  for (const socket of sockets) socket.resume();
  expect(
    await eventually(
      async () => ended(),
      (count) => count === 3,
    ),
  ).toBe(3);
  for (const socket of sockets) socket.destroy();
});

test.each([
  [Number.POSITIVE_INFINITY, { all: 2_000, perAddress: 1_000 }],
  [4_096, { all: 2_000, perAddress: 1_000 }],
  [1_024, { all: 624, perAddress: 312 }],
  [256, { all: 50, perAddress: 25 }],
])('where a process may have %d files open, connections leave room for the database', (files, room) => {
  expect(connectionLimits(files)).toEqual(room);
});

test('whoever asks whether it is ready, all at once, has one look taken into the database', async () => {
  const { state, url } = await serve();
  const { opened: held, open: release } = gate();
  const holding = world.database.connect(() => held);
  const ask = async () => (await send(url, { method: 'GET', path: '/readyz' })).status;
  const asking = Array.from({ length: 50 }, ask);
  await eventually(
    async () => state.looks,
    (looks) => looks > 0,
  );
  expect((await send(url, { method: 'GET', path: '/livez' })).status).toBe(200); // by then it has heard of the others
  expect(state.looks).toBe(1);
  release();
  expect(await Promise.all(asking)).toEqual(all(200, 50));
  await holding;
});

test('unknown tokens do not keep a local user waiting, whatever the user is called', async () => {
  for (const handle of ['stranger', 'unknown']) {
    const flood = Array.from({ length: 300 }, () =>
      authenticate(world.database, hashToken(makeToken())).catch(() => {}),
    );
    await expect(localPrincipal(world.database, handle, 'UTC')).resolves.toMatchObject({ handle });
    await Promise.all(flood);
  }
});
