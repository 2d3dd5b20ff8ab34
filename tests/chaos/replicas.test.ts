import { expect, inject, test } from 'vitest';
import { connect as openDatabase, type Target } from '../../src/db/connect.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { startPostgres } from '../setup/postgres.js';
import { startProxy } from '../setup/proxy.js';
import { AGENTS, drainPlan, PLAN } from '../support/draining.js';
import { connect, type Environment, environment, type Running, start, succeed } from '../support/process.js';
import { newRandom, rounds } from './random.js';
import { type Caller, expectNothingLost, startStorm } from './storm.js';

/** One of several servers on one database. Keeps its port across restarts. */
class Replica {
  url = '';
  #server: Running | undefined;
  constructor(readonly env: Environment) {}

  async start(): Promise<void> {
    const server = start(['serve', '--migrate', '--port', this.url ? new URL(this.url).port : '0'], this.env);
    this.#server = server;
    await server.says(/listens on/);
    this.url = /http:\S+/.exec(server.stderr())?.[0] as string;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.#server?.child.kill(signal);
    return (await this.#server?.ended)?.code ?? null;
  }
}

/** Calls a tool on the next replica, like a load balancer without health checks. */
const callVia =
  (token: string, next: () => Replica): Caller =>
  async (tool, args) => {
    try {
      const response = await fetch(next().url, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          'MCP-Protocol-Version': '2025-06-18',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: args } }),
        signal: AbortSignal.timeout(30_000),
      });
      if (response.status === 503) return undefined;
      const text = await response.text();
      const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
      return JSON.parse(data).result.structuredContent;
    } catch {
      return undefined;
    }
  };

test('agents of several replicas share a plan', { timeout: 300_000 }, async () => {
  const server = await startPostgres(inject('release'));
  const proxy = inject('backend') === 'neon' ? await startProxy(server.address) : undefined;
  const url = server.url('postgres');
  const env = environment({ TASKLOOM_DATABASE_URL: url, ...(proxy && { TASKLOOM_NEON_PROXY: proxy.at }) });
  const replicas = Array.from({ length: 3 }, () => new Replica(env));
  await Promise.all(replicas.map((replica) => replica.start()));
  await succeed(['user', 'add', 'ana'], env);
  const token = await succeed(['token', 'create', '--user', 'ana'], env);
  const calls = Array.from({ length: AGENTS }, (_, i) => callVia(token, () => replicas[i % 3] as Replica));
  const database = await openDatabase({ kind: 'postgres', url });
  await drainPlan(PLAN, calls, {
    handle: 'ana',
    database: async () => database,
  }).finally(() => database.close());
  for (const replica of replicas) expect(await replica.end('SIGTERM')).toBe(0);
  await proxy?.close();
  await server.close();
});

test(
  'replicas that are killed, and a database that is restarted, lose and double nothing',
  async () => {
    const random = newRandom();
    const server = await startPostgres(inject('release'));
    const proxy = inject('backend') === 'neon' ? await startProxy(server.address) : undefined;
    const url = server.url('postgres');
    const env = environment({
      TASKLOOM_DATABASE_URL: url,
      ...(proxy && { TASKLOOM_NEON_PROXY: proxy.at }),
    });
    const target: Target = { kind: 'postgres', url };
    const replicas = Array.from({ length: 3 }, () => new Replica(env));
    await Promise.all(replicas.map((replica) => replica.start())); // each of them migrates the empty database
    await succeed(['user', 'add', 'ana', '--timezone', 'Europe/Paris'], env);
    const token = await succeed(['token', 'create', '--user', 'ana'], env);

    let turn = 0;
    const balanced = callVia(token, () => replicas[turn++ % replicas.length] as Replica);
    const first = replicas[0] as Replica;
    const local = await connect({ ...env, TASKLOOM_USER: 'ana' });
    const { TASKLOOM_DATABASE_URL, ...elsewhere } = env;
    const remote = await connect({ ...elsewhere, TASKLOOM_URL: first.url, TASKLOOM_TOKEN: token });
    const peers = [local, remote];
    const storm = startStorm(
      [
        balanced,
        balanced,
        callVia(token, () => first),
        ...peers.map(
          (peer): Caller =>
            (tool, args) =>
              peer.call(tool, args),
        ),
      ],
      random,
    );
    const faults: Record<string, () => Promise<unknown>> = {
      'a replica is killed': async () => {
        const replica = random.pick(replicas);
        await replica.end('SIGKILL');
        await replica.start();
      },
      'a replica is stopped': async () => {
        const replica = random.pick(replicas);
        expect(await replica.end('SIGTERM')).toBe(0);
        await replica.start();
      },
      'the database is restarted': async () => {
        await server.stop();
        await server.start();
      },
      'every connection is cut': async () => {
        const database = await openDatabase(target);
        const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'taskloom' and pid <> pg_backend_pid()`;
        await queryAsTableOwner(database, cut, []).finally(() => database.close());
      },
    };
    for (let round = 0; round < rounds(4); round++) {
      const goal = storm.answered() + random.upTo(40);
      while (storm.answered() < goal) await balanced('list_tasks', { limit: 1 });
      await faults[random.pick(Object.keys(faults))]?.();
    }
    await storm.stop();
    const database = await openDatabase(target);
    await expectNothingLost(database, 'ana', storm).finally(() => database.close());
    for (const peer of peers) expect(await peer.close()).toMatchObject({ code: 0 });
    for (const replica of replicas) expect(await replica.end('SIGTERM')).toBe(0);
    await proxy?.close();
    await server.close();
  },
  600_000 + rounds(4) * 30_000,
);
