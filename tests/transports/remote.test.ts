import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Feed } from '../../src/feed.js';
import { once } from '../../src/once.js';
import { remoteLink } from '../../src/transports/remote.js';
import { useWorld } from '../support/harness.js';
import { anyToken, eventually, rpc, serveHttp } from '../support/http.js';
import {
  complaintOf,
  connect,
  type Environment,
  environment,
  MAIN,
  type Running,
  seeded,
  start,
  succeed,
} from '../support/process.js';

const world = useWorld();

/** A Taskloom that others reach over HTTP, with two users of it. */
interface Remote {
  env: Environment;
  server: Running;
  url: string;
  tokens: Record<'ana' | 'bob', string>;
}

async function listening(env: Environment, port = '0'): Promise<{ server: Running; url: string }> {
  const server = start(['serve', '--port', port], env);
  await server.says(/listens on/);
  return { server, url: /http:\S+/.exec(server.stderr())?.[0] as string };
}

async function newRemote(given: Environment = {}): Promise<Remote> {
  const env = seeded(given);
  for (const user of ['ana', 'bob']) await succeed(['user', 'add', user], env);
  const token = (user: string) => succeed(['token', 'create', '--user', user], env);
  const tokens = { ana: await token('ana'), bob: await token('bob') };
  return { env, tokens, ...(await listening(env)) };
}

const towards = ({ url }: { url: string }, token: string) => environment({ TASKLOOM_URL: url, TASKLOOM_TOKEN: token });

describe('a stdio server that carries requests to another Taskloom', () => {
  let remote: Remote;
  beforeAll(async () => {
    remote = await newRemote();
  });

  test('does so for clients of 2025, each as its token’s user and under its own name', async () => {
    const [ana, bob] = [
      await connect(towards(remote, remote.tokens.ana)),
      await connect(towards(remote, remote.tokens.bob)),
    ];
    expect(await ana.call('add_task', { title: 'Of Ana' })).toHaveProperty('task.title', 'Of Ana');
    expect(await bob.call('list_tasks')).toMatchObject({ total: 0 });
    const { task } = await ana.call('get_task', { ids: ['Of Ana'] });
    expect(task.created_by).toBe('test');
    for (const peer of [ana, bob]) expect(await peer.close()).toMatchObject({ code: 0, stderr: '' });
  });

  test('does so for clients of 2026', async () => {
    const client = new Client({ name: 'modern', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    const env = towards(remote, remote.tokens.bob);
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN], env, stderr: 'ignore' }));
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    await client.callTool({ name: 'add_task', arguments: { title: 'Modern' } });
    const { structuredContent } = await client.callTool({ name: 'list_tasks', arguments: {} });
    expect(structuredContent).toMatchObject({ tasks: [{ title: 'Modern' }] });
    const { contents } = await client.readResource({ uri: 'taskloom://overview' });
    expect(JSON.stringify(contents)).toContain('bob');
    await client.close();
  });

  test('says that the token is refused, and not what it is', async () => {
    const unknown = `tlm_${'x'.repeat(43)}`;
    const peer = await connect(towards(remote, unknown));
    expect((await peer.request('tools/list')).result.tools.length).toBeGreaterThan(0);
    const { error } = await peer.call('list_tasks');
    expect(error.code).toBe('forbidden');
    const { stdout, stderr } = await peer.close();
    expect(stdout + stderr).not.toContain(unknown);
  });

  test('loses and doubles nothing while that one is restarted', async () => {
    const peer = await connect(towards(remote, remote.tokens.ana));
    await peer.call('list_tasks');
    const titles = Array.from({ length: 20 }, (_, n) => `Through ${n}`);
    const adding = titles.map((title) => peer.call('add_task', { title }));
    remote.server.child.kill('SIGTERM');
    await remote.server.ended;
    const { server } = await listening(remote.env, new URL(remote.url).port);
    remote.server = server;
    const answers = await Promise.all(adding);
    const added = answers.filter(({ task }) => task).map(({ task }) => task.title);
    const { tasks } = await peer.call('list_tasks', { text: 'Through', limit: 100, max_tokens: 10_000 });
    const there = tasks.map(({ title }: { title: string }) => title);
    expect(there.sort()).toEqual([...new Set(there)]);
    for (const title of added) expect(there).toContain(title);
    await peer.close();
  }, 60_000);

  test('says that there were too many requests, and sends none of them again', async () => {
    const limited = await newRemote({ TASKLOOM_RATE_LIMIT: '2' });
    const peer = await connect(towards(limited, limited.tokens.ana));
    for (const title of ['One', 'Two']) expect(await peer.call('add_task', { title })).toHaveProperty('task');
    expect((await peer.call('add_task', { title: 'Three' })).error).toEqual({
      code: 'rate_limited',
      message: 'Too many requests to the Taskloom server.',
      hint: 'Wait a few seconds, then repeat it.',
    });
    await peer.close();
  });

  test('says that nobody answers there', async () => {
    const peer = await connect(environment({ TASKLOOM_URL: 'http://127.0.0.1:9/mcp', TASKLOOM_TOKEN: 'tlm_none' }));
    expect((await peer.call('list_tasks')).error.code).toBe('unavailable');
    expect(await peer.close()).toMatchObject({ code: 0 });
  });
});

test('a stream that is asked for again is not ended by the end of the first, and can be cancelled', async () => {
  const token = await anyToken(world);
  const [first, second] = [await listeningServer(), await listeningServer()];
  let current = first;
  /** In front of them, as a load balancer. */
  const balancer = createServer((near) => {
    const far = createConnection(Number(current.url.port), '127.0.0.1');
    const { open } = current;
    open.add(far);
    far.once('close', () => open.delete(far));
    for (const socket of [near, far]) socket.on('error', () => {});
    near
      .once('close', () => far.destroy())
      .pipe(far)
      .pipe(near);
  });
  await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void balancer.close());
  const url = new URL(`http://127.0.0.1:${(balancer.address() as AddressInfo).port}/mcp`);

  const link = remoteLink({ url, token }, world.log);
  const [heard, failures] = [[] as unknown[], [] as unknown[]];
  link.onfailure = (id) => failures.push(id);
  link.transport.onmessage = (message) => heard.push(message);
  await link.transport.start();
  const { body } = rpc('2026-07-28', 'subscriptions/listen', {
    notifications: { resourceSubscriptions: ['taskloom://overview'] },
  });
  const listen = async () => {
    const before = heard.length;
    void link.transport.send(JSON.parse(String(body)));
    await eventually(
      async () => heard.length,
      (count) => count > before,
    );
  };
  await listen();
  current = second;
  await listen();
  await first.close();
  expect(
    await eventually(
      async () => first.open.size,
      (open) => open === 0,
    ),
  ).toBe(0);
  expect(second.open.size).toBe(1);
  expect(failures).toEqual([]);
  await link.transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  expect(
    await eventually(
      async () => second.open.size,
      (open) => open === 0,
    ),
  ).toBe(0);
  await link.transport.close();
});

async function listeningServer() {
  const feed = new Feed({ store: () => world.store(), log: world.log });
  const { server, url } = await serveHttp({ ...world, feed });
  const close = once(async () => {
    await server.close();
    await feed.close();
  });
  onTestFinished(close.get);
  return { url, open: new Set<Socket>(), close: close.get };
}

test('an address without a token, or beside a database, is refused at once', async () => {
  const TASKLOOM_URL = 'https://tasks.example.org/mcp';
  expect(await complaintOf([], environment({ TASKLOOM_URL }))).toContain('TASKLOOM_TOKEN must be set');
  const both = environment({ TASKLOOM_URL, TASKLOOM_TOKEN: 'x', TASKLOOM_DATABASE_URL: 'memory://' });
  expect(await complaintOf([], both)).toContain('set only one');
});

test('a redirect to another origin is not followed, with or without the token', async () => {
  const serve = async (listener: RequestListener) => {
    const server = createHttpServer(listener).listen(0, '127.0.0.1');
    await new Promise<void>((resolve) => server.once('listening', () => resolve()));
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  };
  let reached = 0;
  const elsewhere = await serve((_request, response) => {
    reached++;
    response.end();
  });
  const url = await serve((_request, response) => void response.writeHead(307, { location: elsewhere }).end());
  const link = remoteLink({ url: new URL(url), token: 'tlm_secret' }, world.log);
  const failed = new Promise((resolve) => {
    link.onfailure = resolve;
  });
  await link.transport.start();
  await link.transport.send({ jsonrpc: '2.0', id: 7, method: 'tools/list', params: {} });
  expect(await failed).toBe(7);
  expect(reached).toBe(0);
  await link.transport.close();
});
