import { describe, expect, test } from 'vitest';
import { Unreachable } from '../../src/db/database-errors.js';
import { Feed } from '../../src/feed.js';
import { failingStore, INTERNALS, serveGated } from '../support/faults.js';
import { gate } from '../support/gate.js';
import { useWorld } from '../support/harness.js';
import {
  addedBy,
  anyToken,
  bearer,
  callOf,
  crowd,
  ERAS,
  eventually,
  headOf,
  hello,
  openSocket,
  rpc,
  send,
  serveHttp,
  untilClosed,
  withHeaders,
} from '../support/http.js';
import { connect, seeded, start, succeed } from '../support/process.js';

const world = useWorld();
const OVERVIEW = 'taskloom://overview';

describe('stopping', () => {
  test('what is under way is answered; nothing new is taken', async () => {
    const { server, url, gated } = await serveGated(world);
    // Of two users that have been here: what is one user's, or any stranger's, would wait for its turn.
    const tokens = await Promise.all(ERAS.map(() => anyToken(world)));
    for (const token of tokens) await send(url, withHeaders(hello('2026-07-28'), bearer(token)));
    gated.shut();
    const underWay = ERAS.map((era, i) =>
      send(url, withHeaders(callOf(era, 'add_task', { title: `Last words ${era}` }), bearer(tokens[i] as string))),
    );
    await eventually(
      async () => gated.waiting,
      (count) => count === underWay.length,
    );
    let ended = false;
    const closing = server.close().then(() => {
      ended = true;
    });
    await expect(openSocket(url)).rejects.toThrow(/ECONNREFUSED/);
    expect(ended).toBe(false);
    gated.open();
    for (const answer of await Promise.all(underWay)) {
      expect(answer.status).toBe(200);
      expect(answer.message.result.structuredContent.task.title).toMatch(/^Last words/);
    }
    await closing;
  });

  test('a connection kept open is told to close with its last answer, and holds nothing up', async () => {
    const { server, url, gated, token } = await serveGated(world);
    gated.shut();
    const given = callOf('2026-07-28', 'get_overview');
    const socket = await openSocket(url);
    socket.write(
      `${headOf(url, token, given)}Content-Length: ${Buffer.byteLength(String(given.body))}\r\n\r\n${given.body}`,
    );
    const heard = untilClosed(socket);
    await eventually(
      async () => gated.waiting,
      (count) => count === 1,
    );
    const started = performance.now();
    const closing = server.close();
    gated.open();
    const answer = await heard;
    await closing;
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/^connection: close\r$/im);
    expect(answer).toContain('"counts"');
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test('a request that never ends does not keep the server from stopping', async () => {
    const running = await serveHttp(world, { timeouts: { stopping: 200 } });
    const socket = await openSocket(running.url);
    socket.write(`${headOf(running.url, await anyToken(world), hello('2026-07-28'))}Content-Length: 1000\r\n\r\n{`);
    const heard = untilClosed(socket);
    await running.server.close();
    expect(await heard).not.toContain(' 200 ');
  });

  test('a stream that is just being opened holds nothing up, and is refused', async () => {
    const [asked, answered] = [gate(), gate()];
    const store = async () => {
      asked.open();
      await answered.opened;
      return world.store();
    };
    const feed = new Feed({ store, log: world.log });
    const { url, server } = await serveHttp({ ...world, feed }, { timeouts: { stopping: 3_600_000 } });
    const token = await anyToken(world);
    const opening = send(
      url,
      withHeaders(
        rpc('2026-07-28', 'subscriptions/listen', { notifications: { resourceSubscriptions: [OVERVIEW] } }),
        bearer(token),
      ),
    );
    await asked.opened;
    const closing = server.close();
    answered.open();
    expect((await opening).status).toBe(503);
    await closing;
    await feed.close();
  });

  test('stopping twice is stopping', async () => {
    const { server, url } = await serveHttp(world);
    await Promise.all([server.close(), server.close()]);
    await server.close();
    await expect(send(url, hello('2026-07-28'))).rejects.toThrow('ECONNREFUSED');
  });
});

test('the built server, told to stop under load, ends well in 10 seconds, and what it answered is there', async () => {
  const env = seeded();
  await succeed(['user', 'add', 'ana'], env);
  const token = await succeed(['token', 'create', '--user', 'ana'], env);
  const { child, ended, stderr, says } = start(['serve', '--port', '0'], env);
  await says(/listens on/);
  const url = new URL(/http:\S+/.exec(stderr())?.[0] as string);
  const { outcomes, stop } = crowd([url], token, 16);
  await eventually(
    async () => outcomes.length,
    (count) => count > 50,
  );
  const started = performance.now();
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000);
  await stop();
  for (const { answer } of outcomes) expect(answer?.status ?? 200, answer?.body).toBe(200); // or nobody was there any more

  const peer = await connect({ ...env, TASKLOOM_USER: 'ana' });
  const added = addedBy(outcomes);
  const { total } = await peer.call('list_tasks', { limit: 1 });
  expect(total).toBeGreaterThanOrEqual(added.length);
  expect(total).toBeLessThanOrEqual(added.length + 16); // one of each client may have been cut off
  await peer.close();
});

describe('while the database is away', () => {
  test('a signed-in client is told 503, anyone else 401 as ever; all is well when it is back', async () => {
    const { server, url, gated, token } = await serveGated(world);
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
      gated.cut = true;
      expect(await states()).toEqual({ ...well, ready: 503, signedIn: [503, 503] });
      expect((await send(url, withHeaders(hello('2026-07-28'), bearer(token)))).headers['retry-after']).toBe('1');
      for (const given of [withHeaders(hello('2026-07-28'), bearer(token)), { method: 'GET', path: '/readyz' }])
        expect((await send(url, given)).body).not.toMatch(INTERNALS);
      gated.cut = false;
      expect(await states()).toEqual(well);
    } finally {
      await server.close();
    }
  });

  test('a database lost between the door and the tool is a refusal that says to try again', async () => {
    const token = await anyToken(world);
    for (const era of ERAS) {
      const away = () => new Unreachable(new Error('connect ECONNREFUSED 10.0.0.7:5432'));
      const running = await serveHttp({ ...world, store: failingStore(world, 2, away) });
      try {
        const answer = await send(running.url, withHeaders(callOf(era, 'list_tasks'), bearer(token)));
        expect(answer.message.result.structuredContent.error.code).toBe('unavailable');
        expect(answer.body).not.toMatch(INTERNALS);
      } finally {
        await running.server.close();
      }
    }
  });
});
