import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { revokeToken, setDisabled } from '../../src/cli/accounts.js';
import { openNeon, pastPooler } from '../../src/db/neon.js';
import { openPostgres } from '../../src/db/postgres.js';
import { Feed, type FeedOptions } from '../../src/feed.js';
import { buildServer } from '../../src/server.js';
import type { Deps } from '../../src/tool-calls.js';
import { converse } from '../../src/transports/conversation.js';
import { stdioSubscriptions as overStreams } from '../../src/transports/stdio-subscriptions.js';
import { urlOf } from '../setup/server.js';
import { type Agent, agentOf, newUser, rowsOf, useWorld, type World, withDatabase } from '../support/harness.js';
import {
  bearer,
  connectClient,
  ERAS,
  eventually,
  hello,
  newToken,
  type Running,
  rpc,
  send,
  serveHttp,
  withHeaders,
} from '../support/http.js';
import { INITIALIZE } from '../support/process.js';

const world = useWorld();
const HOUR = 3_600_000;

/** Fast, and so that nothing is found by chance: what is heard was told. */
const SOON = { gather: 1, check: HOUR, quiet: HOUR, retry: { first: 1, most: 20 } };

const feedOf = (over: Partial<FeedOptions> = {}, of: World = world): Feed => {
  const feed = new Feed({ store: () => of.store(), log: of.log, timing: SOON, ...over });
  onTestFinished(() => feed.close());
  return feed;
};

/** A server with a feed of its own, for one test. */
async function serve(
  timing: Partial<typeof SOON> = {},
  of: World = world,
): Promise<Running & { deps: Deps; feed: Feed }> {
  const feed = feedOf({ timing: { ...SOON, ...timing } }, of);
  const deps = { ...of, feed };
  const running = await serveHttp(deps);
  onTestFinished(() => running.server.close());
  return { ...running, deps, feed };
}

/** A server of a user's over a pair of streams. */
const serveStreams = (input: PassThrough, output: PassThrough, feed: Feed, { principal }: Agent) =>
  converse(
    new StdioServerTransport(input, output),
    world.log,
    () => buildServer({ ...world, feed }, async () => principal),
    { subscriptions: overStreams },
  );

/** What a client is told, and how to wait for more of it. */
class Heard {
  readonly uris: string[] = [];
  #look = () => {};

  hear(uri: string): void {
    this.uris.push(uri);
    this.#look();
  }

  /** As a feed sees it. */
  get listener() {
    return {
      deliver: async (uris: string[]) => {
        for (const uri of uris) this.hear(uri);
      },
      end: () => {},
    };
  }

  /** Waits until all of these were told, and answers everything that was. */
  async all(...uris: string[]): Promise<string[]> {
    await new Promise<void>((resolve) => {
      this.#look = () => uris.every((uri) => this.uris.includes(uri)) && resolve();
      this.#look();
    });
    return this.uris.splice(0);
  }
}

const OVERVIEW = 'taskloom://overview';
/** How many may listen at once as one user. */
const MOST_OF_ONE = 200;
const task = (id: number) => `taskloom://task/${id}`;

/** A listener over HTTP, by a real client. */
async function listenAs(url: URL, token: string, uris: string[]) {
  const client = await connectClient(url, token, '2026-07-28');
  const heard = new Heard();
  client.setNotificationHandler('notifications/resources/updated', ({ params: { uri } }) => heard.hear(uri));
  const subscription = await client.listen({ resourceSubscriptions: uris });
  onTestFinished(() => client.close());
  return { client, heard, subscription };
}

/** Ana, who has a token and writes through a server. */
async function someone(deps: World | Deps): Promise<Agent & { token: string; id: string }> {
  const principal = await newUser(world);
  return Object.assign(await agentOf(deps as World, principal), await newToken(world, principal));
}

describe('a listener of 2026-07-28 over HTTP', () => {
  test('is told of what it asked for, and of nothing else', async () => {
    const { url, deps } = await serve();
    const ana = await someone(deps);
    await ana.ok('add_task', { title: 'Roof', project: 'Home' });
    await ana.ok('add_task', { title: 'Report', project: 'Work' });
    const asked = [task(1), 'taskloom://project/home', 'taskloom://project/Attic%20room', 'taskloom://task/%233'];
    const { heard, subscription } = await listenAs(url, ana.token, [
      ...asked,
      'taskloom://task/none',
      'taskloom://other',
      'file:///etc/passwd',
      'no address',
    ]);
    expect(subscription.honoredFilter).toEqual({ resourceSubscriptions: asked });
    await ana.ok('update_task', { id: 2, title: 'Reports' });
    await ana.ok('update_task', { id: 1, priority: 'high' });
    expect(new Set(await heard.all(...asked.slice(0, 2)))).toEqual(new Set(asked.slice(0, 2)));
    await ana.ok('add_task', { title: 'Rafters', project: 'attic room' });
    expect(await heard.all(...asked.slice(2))).toEqual(asked.slice(2));
    await subscription.close();
  });

  test('is told once of many changes that come together', async () => {
    const { url, deps } = await serve({ gather: 30 });
    const ana = await someone(deps);
    const { heard } = await listenAs(url, ana.token, [OVERVIEW, task(20)]);
    await ana.ok('add_tasks', { tasks: Array.from({ length: 20 }, (_, i) => ({ title: `t${i}` })) });
    expect((await heard.all(OVERVIEW, task(20))).sort()).toEqual([OVERVIEW, task(20)]);
  });

  test('is not told of dry runs, refusals, replays, or of what others have', async () => {
    const { url, deps } = await serve();
    const [ana, bob] = [await someone(deps), await someone(deps)];
    await ana.ok('add_task', { title: 'Roof', request_id: 'r1' });
    await bob.ok('add_task', { title: 'Bread' });
    const [anas, bobs] = [
      await listenAs(url, ana.token, [OVERVIEW, task(1)]),
      await listenAs(url, bob.token, [OVERVIEW, task(1)]),
    ];
    await ana.ok('update_task', { id: 1, title: 'Never', dry_run: true });
    await ana.ok('add_task', { title: 'Roof', request_id: 'r1' });
    await ana.refused('complete_task', { id: 99 });
    await bob.ok('complete_task', { id: 1 });
    expect((await bobs.heard.all(OVERVIEW, task(1))).sort()).toEqual([OVERVIEW, task(1)]);
    await ana.ok('add_task', { title: 'Last' });
    expect(await anas.heard.all(OVERVIEW)).toEqual([OVERVIEW]);
    expect(bobs.heard.uris).toEqual([]);
  });

  test('hears of everything once if it asks for that, having been away', async () => {
    const { url, deps } = await serve();
    const ana = await someone(deps);
    const { headers, body } = withHeaders(
      rpc('2026-07-28', 'subscriptions/listen', { notifications: { resourceSubscriptions: [task(1), OVERVIEW] } }),
      bearer(ana.token),
    );
    const message = JSON.parse(String(body));
    message.params._meta['taskloom/again'] = true;
    const answer = await fetch(url, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: JSON.stringify(message),
    });
    const told = eventsOf(answer);
    expect((await told.next()).value).toMatchObject({ method: 'notifications/subscriptions/acknowledged' });
    expect((await told.next()).value).toMatchObject({
      method: 'notifications/resources/updated',
      params: { uri: task(1) },
    });
    expect((await told.next()).value).toMatchObject({
      params: { uri: OVERVIEW, _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } },
    });
    await told.return(undefined);
  });

  test('is parted from with a last word when the server stops', async () => {
    const { url, deps, server } = await serve();
    const ana = await someone(deps);
    const { subscription } = await listenAs(url, ana.token, [OVERVIEW]);
    await server.close();
    expect(await subscription.closed).toBe('graceful');
  });

  test('needs a token that may read', async () => {
    const { url } = await serve();
    const { token } = await newToken(world, await newUser(world), { scopes: [] });
    const answer = await send(url, withHeaders(listening([OVERVIEW]), bearer(token)));
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([
      403,
      'Bearer realm="taskloom", error="insufficient_scope", scope="tasks:read"',
    ]);
  });

  test('is answered as before where what it asks is malformed, too much, or nothing that changes', async () => {
    const { url, deps } = await serve();
    const { token } = await someone(deps);
    const ask = (params: object, body?: string) => {
      const given = rpc('2026-07-28', 'subscriptions/listen', params as Record<string, unknown>);
      return send(url, withHeaders(body === undefined ? given : { ...given, body }, bearer(token)));
    };
    expect((await ask({})).message.error.code).toBe(-32602);
    expect((await ask({ notifications: { resourceSubscriptions: [1] } })).message.error.code).toBe(-32602);
    expect((await ask({}, '{')).message.error.code).toBe(-32700);
    expect((await ask({}, ' '.repeat(1024 * 1024 + 1))).status).toBe(413);
    for (const notifications of [{}, { toolsListChanged: true }, { resourceSubscriptions: ['taskloom://other'] }])
      expect((await ask({ notifications })).message.result.resultType).toBe('complete');
    const headerless = withHeaders(listening([OVERVIEW]), { ...bearer(token), 'mcp-method': undefined });
    expect((await send(url, headerless)).message.error).toBeDefined();
  });

  test('is announced to clients of 2026-07-28, and not to those of 2025, who could not be told', async () => {
    const { url, deps } = await serve();
    const { token } = await someone(deps);
    const offered = await Promise.all(
      ERAS.map(
        async (era) => (await send(url, withHeaders(hello(era), bearer(token)))).message.result.capabilities.resources,
      ),
    );
    expect(offered).toEqual([{ listChanged: false }, { listChanged: false, subscribe: true }]);
    expect(
      (await send(url, withHeaders(rpc('2025-11-25', 'resources/subscribe', { uri: OVERVIEW }), bearer(token)))).message
        .error.code,
    ).toBe(-32601);
  });

  test('that does not read costs no more than one that does', async () => {
    const { deps, url } = await serve();
    const ana = await someone(deps);
    const reads = await listenAs(url, ana.token, [OVERVIEW]);
    const { createApp } = await import('../../src/transports/http.js');
    const { fetch, streams } = createApp(deps, { allowedHosts: [] });
    const { headers, body } = withHeaders(listening([OVERVIEW]), { ...bearer(ana.token), host: 'localhost' });
    const answer = await fetch(
      new Request('http://localhost/mcp', {
        method: 'POST',
        headers: headers as Record<string, string>,
        body: String(body),
      }),
      { incoming: { socket: { remoteAddress: '127.0.0.1' } }, outgoing: { once() {} } },
    );
    const told = eventsOf(answer as Response);
    expect((await told.next()).value.method).toBe('notifications/subscriptions/acknowledged');
    for (let i = 0; i < 12; i++) {
      await ana.ok('add_task', { title: `t${i}` });
      await reads.heard.all(OVERVIEW);
    }
    const rest: string[] = [];
    const ended = (async () => {
      for await (const { method } of told) rest.push(method ?? 'the end');
    })();
    await ana.ok('add_task', { title: 'now it reads' });
    await reads.heard.all(OVERVIEW);
    streams.close();
    await ended;
    expect(rest.length).toBeLessThanOrEqual(4); // what it was being told, what was due since, the last, and the end
    expect(rest.length).toBeGreaterThan(0);
  });
});

const listening = (uris: string[]) =>
  rpc('2026-07-28', 'subscriptions/listen', { notifications: { resourceSubscriptions: uris } });

// biome-ignore lint/suspicious/noExplicitAny: messages are checked by what the tests expect of them
async function* eventsOf(answer: Response): AsyncGenerator<any, undefined> {
  let text = '';
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data) yield JSON.parse(data);
    }
  }
  return undefined;
}

describe('a listener ends with the right to listen', () => {
  test.each([
    [
      'a token is revoked',
      async (ana: Agent & { id: string }) => {
        await rowsOf(world, 'update taskloom.api_tokens set revoked_at = now() where id = $1', [ana.id]);
      },
    ],
    [
      'a token expires',
      async (ana: Agent & { id: string }) => {
        await rowsOf(world, `update taskloom.api_tokens set expires_at = now() - interval '1 second' where id = $1`, [
          ana.id,
        ]);
      },
    ],
    [
      'a user is disabled',
      async (ana: Agent & { id: string }) => {
        await rowsOf(world, 'update taskloom.users set disabled_at = now() where id = $1', [ana.principal.userId]);
      },
    ],
  ])('when %s: nothing more is told, and at the next look it is parted from', async (what, lose) => {
    const [lazy, keen] = [await serve(), await serve({ check: 5 })];
    const ana = await someone(lazy.deps);
    const other = await newToken(world, ana.principal);
    const [told, looked] = [
      await listenAs(lazy.url, ana.token, [OVERVIEW]),
      await listenAs(keen.url, ana.token, [OVERVIEW]),
    ];
    const stays = await listenAs(lazy.url, other.token, [OVERVIEW]);
    await ana.ok('add_task', { title: 'Before' });
    await told.heard.all(OVERVIEW);
    await stays.heard.all(OVERVIEW);
    await lose(ana);
    expect(await looked.subscription.closed).toBe('graceful'); // without a write

    const closed = what === 'a user is disabled';
    if (closed) lazy.feed.wrote(ana.principal.userId, 1_000_000);
    else await ana.ok('add_task', { title: 'After' });
    expect(await told.subscription.closed).toBe('graceful');
    expect(told.heard.uris).toEqual([]);
    if (closed) expect(await stays.subscription.closed).toBe('graceful');
    else expect(await stays.heard.all(OVERVIEW)).toEqual([OVERVIEW]);
  });

  test('exactly when a token expires, if that is known', async () => {
    const { url } = await serve();
    const principal = await newUser(world);
    const expires = new Date(Date.now() + 4000);
    const { token } = await newToken(world, principal, { expires });
    const { subscription } = await listenAs(url, token, [OVERVIEW]);
    expect(await subscription.closed).toBe('graceful');
    expect(Date.now()).toBeGreaterThanOrEqual(expires.getTime() - 20);
    expect(Date.now()).toBeLessThan(expires.getTime() + 10_000);
  });

  test.skipIf(inject('backend') === 'pglite')('at once, where a person takes it away', async () => {
    const { url, deps } = await serve();
    const ana = await someone(deps);
    const other = await newToken(world, ana.principal);
    const [first, second] = [await listenAs(url, ana.token, [OVERVIEW]), await listenAs(url, other.token, [OVERVIEW])];
    await lines(1);
    await revokeToken(world.database, ana.id);
    expect(await first.subscription.closed).toBe('graceful');
    await setDisabled(world.database, ana.principal.handle, true);
    expect(await second.subscription.closed).toBe('graceful');
  });
});

/** Waits until exactly so many connections listen on the database, and answers their process ids. */
async function lines(count: number): Promise<number[]> {
  const rows = await eventually(
    () =>
      rowsOf(
        world,
        `select pid from pg_stat_activity where datname = current_database() and query = 'listen taskloom'`,
      ),
    (found) => found.length === count,
  );
  return rows.map(([pid]) => Number(pid));
}

describe('a connection over streams', () => {
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'streams', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };

  /** A server of a user's, and a client that reads when the test says so. */
  async function connected(feed = feedOf(), who?: Agent) {
    const ana = who ?? (await someone({ ...world, feed }));
    const [input, output] = [new PassThrough(), new PassThrough({ highWaterMark: 64 })];
    const { ended } = serveStreams(input, output, feed, ana);
    let lines: AsyncIterator<string> | undefined; // nothing is read before the first is asked for
    const send = (message: object) => input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    return {
      ana,
      feed,
      send,
      listen: (id: string | number, ...uris: string[]) =>
        send({
          id,
          method: 'subscriptions/listen',
          params: { _meta: META, notifications: { resourceSubscriptions: uris } },
        }),
      written: () => once(output, 'readable'),
      next: async () => {
        lines ??= createInterface({ input: output })[Symbol.asyncIterator]();
        return JSON.parse(String((await lines.next()).value));
      },
      close: async () => {
        input.end();
        await ended;
      },
    };
  }
  test('takes its subscriptions along when it ends, however many come after it', async () => {
    const feed = feedOf();
    const ana = await someone({ ...world, feed });
    for (let i = 0; i < MOST_OF_ONE + 5; i++) {
      const { listen, next, close } = await connected(feed, ana);
      listen(1, OVERVIEW);
      expect((await next()).method).toBe('notifications/subscriptions/acknowledged');
      await close();
    }
  });

  const of = (id: string | number) => ({ _meta: { 'io.modelcontextprotocol/subscriptionId': id } });

  test('carries several subscriptions, each with what it asked for, until it is cancelled', async () => {
    const { ana, listen, send, next, close } = await connected();
    listen(1, OVERVIEW);
    listen('two', OVERVIEW, task(1));
    expect(await next()).toMatchObject({ params: of(1) });
    expect(await next()).toMatchObject({
      params: { notifications: { resourceSubscriptions: [OVERVIEW, task(1)] }, ...of('two') },
    });
    await ana.ok('add_task', { title: 'Roof' });
    const told = [await next(), await next(), await next()].map(({ params }) => [params.uri, params._meta]);
    expect(told).toEqual(
      expect.arrayContaining([
        [OVERVIEW, of(1)._meta],
        [OVERVIEW, of('two')._meta],
        [task(1), of('two')._meta],
      ]),
    );
    send({ method: 'notifications/cancelled', params: { requestId: 'two' } });
    listen(3, task(2)); // what comes after the cancellation was read after it
    expect(await next()).toMatchObject({ params: of(3) });
    await ana.ok('update_task', { id: 1, title: 'Slates' });
    expect(await next()).toMatchObject({ params: { uri: OVERVIEW, ...of(1) } });
    await close();
  });

  test('ends its subscriptions, each with an answer, when the account is disabled', async () => {
    const { ana, feed, listen, next, close } = await connected();
    listen(1, OVERVIEW);
    expect((await next()).method).toBe('notifications/subscriptions/acknowledged');
    await rowsOf(world, 'update taskloom.users set disabled_at = now() where id = $1', [ana.principal.userId]);
    feed.wrote(ana.principal.userId, 1_000_000);
    expect(await next()).toEqual({ jsonrpc: '2.0', id: 1, result: { resultType: 'complete', ...of(1) } });
    listen(2, OVERVIEW);
    expect(await next()).toMatchObject({ id: 2, error: { message: expect.stringContaining('disabled') } });
    await close();
  });

  test('that is not read keeps one notice of each address, however much changes', async () => {
    const { ana, listen, next, written, close, feed } = await connected();
    listen(1, OVERVIEW);
    await written();
    const also = new Heard();
    await feed.listen({ scope: ana.principal, ...also.listener }, [OVERVIEW]);
    for (let i = 0; i < 12; i++) {
      await ana.ok('add_task', { title: `t${i}` });
      await also.all(OVERVIEW);
    }
    listen(2, task(99));
    const told: unknown[] = [];
    for (
      let message = await next();
      message.params?._meta['io.modelcontextprotocol/subscriptionId'] !== 2;
      message = await next()
    )
      told.push(message.method);
    expect(told.length).toBeLessThanOrEqual(5);
    await close();
  });
});

describe('a client of 2025 over streams', () => {
  /** A client that sends by hand, in this order whatever is answered, and its server. */
  async function connected(feed = feedOf(), who?: Agent) {
    const ana = who ?? (await someone({ ...world, feed }));
    const [input, output] = [new PassThrough(), new PassThrough()];
    const conversation = serveStreams(input, output, feed, ana);
    onTestFinished(async () => {
      input.end();
      await conversation.ended;
    });
    const lines = createInterface({ input: output })[Symbol.asyncIterator]();
    const next = async () => JSON.parse(String((await lines.next()).value));
    const send = (message: object) => input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    send({ id: 0, method: 'initialize', params: INITIALIZE });
    expect(await next()).toMatchObject({ id: 0, result: {} });
    send({ method: 'notifications/initialized' });
    let id = 0;
    const about = (verb: string) => (uri: string) => send({ id: ++id, method: `resources/${verb}`, params: { uri } });
    const isIdle = () => {
      const now = performance.now();
      return conversation.lastUse() < now;
    };
    const close = async () => {
      input.end();
      await conversation.ended;
    };
    return { ana, isIdle, next, close, subscribe: about('subscribe'), unsubscribe: about('unsubscribe') };
  }

  test('takes its subscriptions along when it goes, however many come after it', async () => {
    const feed = feedOf();
    const ana = await someone({ ...world, feed });
    for (let i = 0; i < MOST_OF_ONE + 5; i++) {
      const { next, subscribe, close } = await connected(feed, ana);
      subscribe(OVERVIEW);
      expect(await next()).toMatchObject({ id: 1, result: {} });
      await close();
    }
  });

  test('keeps its server in use while it is subscribed, and not by what was refused', async () => {
    const { isIdle, next, subscribe, unsubscribe } = await connected();
    subscribe('nothing://here');
    expect(await next()).toMatchObject({ id: 1, error: { code: -32602 } });
    expect(isIdle()).toBe(true);
    subscribe(OVERVIEW);
    unsubscribe(task(1));
    for (const id of [2, 3]) expect(await next()).toMatchObject({ id, result: {} });
    expect(isIdle()).toBe(false);
    unsubscribe(OVERVIEW);
    subscribe(OVERVIEW);
    for (const id of [4, 5]) expect(await next()).toMatchObject({ id, result: {} });
    expect(isIdle()).toBe(false);
    subscribe(task(1));
    unsubscribe(task(1));
    unsubscribe(OVERVIEW);
    for (const id of [6, 7, 8]) expect(await next()).toMatchObject({ id, result: {} });
    expect(isIdle()).toBe(true);
  });

  test('is refused one address more than it can be told of, until it gives one up', async () => {
    const { ana, next, subscribe, unsubscribe } = await connected();
    for (let i = 1; i <= 500; i++) subscribe(task(i));
    for (let i = 1; i <= 500; i++) expect(await next()).toMatchObject({ id: i, result: {} });
    subscribe(OVERVIEW);
    expect(await next()).toMatchObject({
      id: 501,
      error: { code: -32603, message: expect.stringContaining('Unsubscribe'), data: { code: 'rate_limited' } },
    });
    subscribe(task(1));
    expect(await next()).toMatchObject({ id: 502, result: {} });
    unsubscribe(task(1));
    expect(await next()).toMatchObject({ id: 503, result: {} });
    subscribe(OVERVIEW);
    expect(await next()).toMatchObject({ id: 504, result: {} });
    await ana.ok('add_task', { title: 'Roof' });
    expect(await next()).toMatchObject({ params: { uri: OVERVIEW } });
  });

  test('is told as it asked last, also where it did not wait for answers', async () => {
    const { ana, next, subscribe, unsubscribe } = await connected();
    subscribe(OVERVIEW);
    unsubscribe(OVERVIEW);
    subscribe(OVERVIEW);
    for (let id = 1; id <= 3; id++) expect(await next()).toMatchObject({ id, result: {} });
    await ana.ok('add_task', { title: 'Roof' });
    expect(await next()).toMatchObject({ params: { uri: OVERVIEW } });
  });
});

describe.skipIf(inject('backend') === 'pglite')('replicas on one database', () => {
  let elsewhere: World;
  beforeAll(async () => {
    const url = urlOf(world.database);
    const database = inject('backend') === 'neon' ? openNeon(url, inject('proxy')) : openPostgres(url);
    elsewhere = withDatabase(world, database);
  });
  afterAll(() => elsewhere?.database.close());

  test('tell each other whose tasks changed, and only while somebody listens', async () => {
    const [here, there] = [await serve(), await serve({}, elsewhere)];
    const [ana, bob] = [await someone(there.deps), await someone(there.deps)];
    await lines(0);
    const heard = await listenAs(here.url, ana.token, [OVERVIEW, task(1)]);
    const bobs = await listenAs(here.url, bob.token, [OVERVIEW]);
    await lines(1);
    await ana.ok('add_task', { title: 'Roof' });
    expect((await heard.heard.all(OVERVIEW, task(1))).sort()).toEqual([OVERVIEW, task(1)]);
    await bob.ok('add_task', { title: 'Bread' });
    expect(await bobs.heard.all(OVERVIEW)).toEqual([OVERVIEW]);
    expect(heard.heard.uris).toEqual([]);
    await heard.subscription.close();
    await bobs.subscription.close();
    await lines(0);
  });

  test('say nothing to each other but users and numbers', async () => {
    const said: string[] = [];
    const stop = await world.database.listen?.(
      'taskloom',
      (message) => said.push(message),
      () => {},
    );
    const { deps, feed } = await serve();
    const ana = await someone(deps);
    await ana.ok('add_task', { title: 'Secret plan', project: 'Hidden' });
    for (let i = 0; i < 400; i++) feed.wrote(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`, i + 1);
    await feed.close();
    const entries = await eventually(
      async () => said.flatMap((message) => message.split(',')),
      (all) => all.length === 401,
    );
    expect(entries).toContain(`${ana.principal.userId}:2`);
    for (const entry of entries) expect(entry).toMatch(/^[0-9a-f-]{36}:\d+$/);
    for (const message of said) expect(message.length).toBeLessThan(8000);
    stop?.();
  });

  test('listen again when the line breaks, and catch up with what was written meanwhile', async () => {
    const [here, there] = [await serve(), await serve({}, elsewhere)];
    const ana = await someone(there.deps);
    const { heard } = await listenAs(here.url, ana.token, [OVERVIEW, task(1), task(2), task(3)]);
    const [pid] = await lines(1);
    await ana.ok('add_task', { title: 'Before' });
    await heard.all(OVERVIEW, task(1));
    const mute = await agentOf(world, ana.principal); // a process that tells nobody
    await mute.ok('add_task', { title: 'Unheard' });
    await rowsOf(world, 'select pg_terminate_backend($1)', [pid]);
    expect(await heard.all(OVERVIEW, task(2))).not.toContain(task(1));
    expect(await lines(1)).not.toEqual([pid]);
    await ana.ok('add_task', { title: 'After' });
    await heard.all(OVERVIEW, task(3));
  });

  test('lose only time when a message is lost', async () => {
    const { url } = await serve({ check: 5 });
    const ana = await someone(world); // writes, and tells nobody
    const { heard } = await listenAs(url, ana.token, [OVERVIEW, task(1)]);
    await ana.ok('add_task', { title: 'Unheard' });
    expect((await heard.all(OVERVIEW, task(1))).sort()).toEqual([OVERVIEW, task(1)]);
  });
});

test('Neon’s pooler, through which nothing is heard, is passed by', () => {
  const url = (host: string) => `postgres://ana:secret@${host}/tasks?sslmode=require`;
  expect(pastPooler(url('ep-cool-pooler.eu-central-1.aws.neon.tech'))).toBe(url('ep-cool.eu-central-1.aws.neon.tech'));
  for (const host of ['ep-cool.eu-central-1.aws.neon.tech', 'my-pooler-host.neon.tech'])
    expect(pastPooler(url(host))).toBe(url(host));
});

describe('what a change touches', () => {
  /** Tasks 1 to 5: a house with a roof and a cellar, paint that waits for the roof, and bread in another project. */
  const plan = [
    { title: 'House', ref: 'house', project: 'Home' },
    { title: 'Roof', ref: 'roof', parent: 'house', project: 'Home' },
    { title: 'Cellar', parent: 'house', project: 'Home' },
    { title: 'Paint', blocked_by: ['roof'], project: 'Art' },
    { title: 'Bread', project: 'Food' },
  ];
  const all = [1, 2, 3, 4, 5].map(task);
  const [home, art, food] = ['Home', 'Art', 'Food'].map((name) => `taskloom://project/${name}`);
  const cases: [string, string, Record<string, unknown>, (string | undefined)[]][] = [
    [
      'a task: its parent, what waits for it, and their projects',
      'update_task',
      { id: 2, title: 'Slates' },
      [task(1), task(2), task(4), home, art],
    ],
    ['a task by itself: nothing else', 'update_task', { id: 5, priority: 'low' }, [task(5), food]],
    ['a comment: as the task', 'add_comment', { id: 5, text: 'rye' }, [task(5), food]],
    ['a blocker that goes: both', 'update_task', { id: 4, remove_blocked_by: [2] }, [task(2), task(4), home, art]],
    [
      'a parent that changes: the old and the new',
      'update_task',
      { id: 3, parent: 5 },
      [task(1), task(3), task(5), home, food],
    ],
    ['a project that changes: the old and the new', 'update_task', { id: 5, project: 'Art' }, [task(5), food, art]],
    ['a deletion: with all that goes along', 'delete_task', { id: 1 }, [task(1), task(2), task(3), task(4), home, art]],
    [
      'a project that is renamed: everything',
      'update_project',
      { project: 'Food', name: 'Kitchen' },
      [...all, home, art, food],
    ],
    ['a new project: its task alone', 'add_task', { title: 'Sing', project: 'Music' }, []],
    [
      'a task that is blocked: its sub-tasks, which wait with it',
      'update_task',
      { id: 1, add_blocked_by: [5] },
      [task(1), task(2), task(3), task(5), home, food],
    ],
  ];
  test.each(cases)('%s', async (_what, tool, args, expected) => {
    const feed = feedOf();
    const ana = await someone({ ...world, feed });
    await ana.ok('add_tasks', { tasks: plan });
    const heard = new Heard();
    const uris = [OVERVIEW, ...all, home, art, food] as string[];
    await feed.listen({ scope: ana.principal, ...heard.listener }, uris);
    await ana.ok(tool, args);
    expect((await heard.all(OVERVIEW)).sort()).toEqual([OVERVIEW, ...expected].sort());
  });

  test('a blocker that is completed: the sub-tasks of what waited for it', async () => {
    const feed = feedOf();
    const ana = await someone({ ...world, feed });
    await ana.ok('add_tasks', { tasks: plan });
    await ana.ok('update_task', { id: 1, add_blocked_by: [5] });
    const heard = new Heard();
    await feed.listen({ scope: ana.principal, ...heard.listener }, [OVERVIEW, ...all]);
    await ana.ok('complete_task', { id: 5 });
    expect((await heard.all(OVERVIEW)).sort()).toEqual([OVERVIEW, task(1), task(2), task(3), task(5)]);
  });

  test('so many that nobody counts them: everything', async () => {
    const feed = feedOf();
    const ana = await someone({ ...world, feed });
    await ana.ok('add_task', { title: 'Bread' });
    const heard = new Heard();
    await feed.listen({ scope: ana.principal, ...heard.listener }, [task(1)]);
    // At once, as no tool does it: what is looked at in between is counted apart.
    await rowsOf(
      world,
      `with more as (
         insert into taskloom.changes
         select user_id, seq + n, batch, call, reverts, at, actor, entity, entity_id + n, version, op, before, after
         from taskloom.changes, generate_series(1, 600) n where user_id = $1
       ) update taskloom.counters set change_seq = 601 where user_id = $1`,
      [ana.principal.userId],
    );
    feed.wrote(ana.principal.userId, 601);
    expect(await heard.all(task(1))).toEqual([task(1)]);
  });
});

describe('many that listen', () => {
  /** Timers that a test runs by hand. */
  function timers() {
    const set = new Map<number, { ms: number; run: () => void }>();
    let next = 0;
    return {
      set,
      after: (ms: number, run: () => void) => {
        const id = next++;
        set.set(id, { ms, run });
        return () => void set.delete(id);
      },
      /** Runs what is set, as if its time had come. */
      fire: (which: (ms: number) => boolean) => {
        for (const [id, { ms, run }] of [...set]) if (which(ms) && set.delete(id)) run();
      },
    };
  }
  const silent = { deliver: async () => {}, end: () => {} };

  test('share a timer and a look at the database, and nothing is left when they go', async () => {
    const clock = timers();
    const feed = feedOf({ startTimer: clock.after, timing: {} });
    const people = await Promise.all(Array.from({ length: 20 }, () => someone(world)));
    const { onStatement } = world.database;
    const asked: string[] = [];
    world.database.onStatement = (text, params) => {
      onStatement?.(text, params);
      asked.push(text);
    };
    const looks = () => asked.filter((text) => text.includes('change_seqs'));
    const open = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const { principal } = people[i % 20] as Agent;
        return feed.listen({ scope: principal, ...silent }, [OVERVIEW]);
      }),
    );
    // Each looks as it joins, and so does the connection for notifications once it is open.
    await eventually(
      async () => looks().length,
      (count) => count === (world.database.listen ? 201 : 200),
    );
    asked.length = 0;
    expect([...clock.set.values()].map(({ ms }) => ms)).toEqual([30_000]);
    clock.fire((ms) => ms === 30_000);
    await eventually(
      async () => [...clock.set.values()].map(({ ms }) => ms),
      ([ms]) => ms !== undefined,
    );
    world.database.onStatement = onStatement;
    expect(looks()).toHaveLength(1);
    expect(asked.filter((text) => text.includes('"changes"'))).toEqual([]);
    for (const each of open) each.close();
    expect([...clock.set]).toEqual([]);
  });

  test('do not put off the look at what was missed by joining', async () => {
    const clock = timers();
    const feed = feedOf({ startTimer: clock.after, timing: {} });
    const [ana, bob] = await Promise.all([someone(world), someone(world)]);
    await feed.listen({ scope: ana.principal, ...silent }, [OVERVIEW]);
    const look = [...clock.set.keys()];
    for (let i = 0; i < 5; i++) (await feed.listen({ scope: bob.principal, ...silent }, [OVERVIEW])).close();
    expect([...clock.set.keys()]).toEqual(look);
  });

  test('are asked for ever more seldom on Neon while nothing happens, and as often as elsewhere when something does', async () => {
    const clock = timers();
    const feed = feedOf({ startTimer: clock.after, timing: {} });
    const ana = await someone({ ...world, feed });
    await feed.listen({ scope: ana.principal, ...silent }, [OVERVIEW]);
    const looks: number[] = [];
    const looked = async () => {
      const [ms = 0] = await eventually(
        async () => [...clock.set.values()].map((each) => each.ms).filter((each) => each >= 30_000),
        ([ms]) => ms !== undefined,
      );
      looks.push(ms);
    };
    for (let i = 0; i < 6; i++) {
      await looked();
      clock.fire((ms) => ms >= 30_000);
    }
    await looked();
    expect(looks).toEqual(
      world.database.kind === 'neon'
        ? [30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]
        : [30_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000],
    );
    await ana.ok('add_task', { title: 'Awake' });
    clock.fire((ms) => ms === 75);
    expect([...clock.set.values()].map(({ ms }) => ms)).toContain(30_000);
  });

  test('are refused when there are too many of one user, or of addresses', async () => {
    const { url, deps, feed } = await serve();
    const ana = await someone(deps);
    const open = await Promise.all(
      Array.from({ length: 200 }, () => feed.listen({ scope: ana.principal, ...silent }, [OVERVIEW])),
    );
    const answer = await send(url, withHeaders(listening([OVERVIEW]), bearer(ana.token)));
    expect(answer.message.error).toMatchObject({
      code: -32603,
      message: expect.stringContaining('Too many subscriptions'),
    });
    open[0]?.close();
    const uris = Array.from({ length: 600 }, (_, i) => task(i + 1));
    const { subscription } = await listenAs(url, ana.token, uris);
    expect(subscription.honoredFilter.resourceSubscriptions).toEqual(uris.slice(0, 500));
  });
});
