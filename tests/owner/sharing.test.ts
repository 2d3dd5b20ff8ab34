import { randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { connectClient } from '../support/http.js';
import {
  complaintOf,
  connect,
  type Environment,
  gone,
  isAlive,
  ownerIn,
  Peer,
  ROOT,
  scratch,
  seed,
  seeded,
  start,
  startCommand,
  succeed,
} from '../support/process.js';

const home = (env: Environment) => String(env.TASKLOOM_HOME);
const withoutSpawn = ['--import', pathToFileURL(join(ROOT, 'tests/owner/without-spawn.mjs')).href];

/** All titles there are, sorted. */
async function titlesSeenBy(peer: Peer): Promise<string[]> {
  const titles: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await peer.call('list_tasks', { limit: 100, max_tokens: 20_000, ...(cursor && { cursor }) });
    titles.push(...page.tasks.map((task: { title: string }) => task.title));
    cursor = page.next_cursor;
    if (!cursor) return titles.sort();
  }
}

describe('processes on one data directory', () => {
  test('started at once on an empty one, share one database', async () => {
    const env = seeded();
    const peers = await Promise.all(Array.from({ length: 4 }, () => connect(env)));
    const added = await Promise.all(peers.map((peer, n) => peer.call('add_task', { title: `Of ${n}` })));
    expect(added.map(({ task }) => task.id).sort()).toEqual([1, 2, 3, 4]);
    expect(await titlesSeenBy(peers[0] as Peer)).toEqual(['Of 0', 'Of 1', 'Of 2', 'Of 3']);
    for (const peer of peers) expect(await peer.close()).toMatchObject({ code: 0, stderr: '' });
  });

  test('keep each its own user and client name', async () => {
    const env = seeded();
    const [ana, bob] = [await connect(env), await connect({ ...env, TASKLOOM_USER: 'bob' })];
    const claude = new Peer(start([], env));
    await claude.request('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'claude', version: '1' },
    });
    claude.send({ method: 'notifications/initialized' });
    await ana.call('add_task', { title: 'Of Ana' });
    await claude.call('update_task', { id: 1, priority: 'high' });
    expect(await bob.call('list_tasks')).toMatchObject({ total: 0 });
    const { task } = await ana.call('get_task', { id: 1 });
    expect([task.created_by, ...task.history.map(({ by }: { by: string }) => by)]).toEqual(['test', 'claude']);
    await Promise.all([ana.close(), bob.close(), claude.close()]);
  });

  test('lose and double nothing when the one that has the database is killed, again and again', async () => {
    const env = seeded();
    const peers = await Promise.all(Array.from({ length: 3 }, () => connect(env)));
    await peers[0]?.call('list_tasks');
    const acknowledged: string[] = [];
    let writing = true;
    const writers = peers.map(async (peer, who) => {
      for (let n = 0; writing; n++) {
        const title = `${who}.${n}`;
        const given = n % 2 ? { request_id: randomUUID() } : {};
        const answer = await peer.call('add_task', { title, ...given });
        expect([answer.error, answer.replayed], title).toEqual([undefined, undefined]);
        acknowledged.push(title);
      }
    });
    for (let round = 0; round < 4; round++) {
      const goal = acknowledged.length + 15;
      while (acknowledged.length < goal) await peers[0]?.call('list_tasks', { limit: 1 });
      const owner = ownerIn(home(env));
      process.kill(owner, 'SIGKILL');
      await gone(owner);
    }
    writing = false;
    await Promise.all(writers);
    expect(await titlesSeenBy(peers[1] as Peer)).toEqual(acknowledged.sort());
    for (const peer of peers) expect(await peer.close()).toMatchObject({ code: 0 });
  }, 120_000);

  test('are served by one of them, where no other can be started', async () => {
    const env = seeded();
    const guest = await connect(env, withoutSpawn);
    await guest.call('add_task', { title: 'One' });
    expect(ownerIn(home(env))).toBe(guest.process.child.pid);
    const other = await connect(env, withoutSpawn);
    await other.call('add_task', { title: 'Two' });
    expect(await titlesSeenBy(guest)).toEqual(['One', 'Two']);
    await guest.close();
    expect(await titlesSeenBy(other)).toEqual(['One', 'Two']);
    expect(ownerIn(home(env))).toBe(other.process.child.pid);
    await other.close();
  });
});

// Each of these waits until it is certain that nobody answers.
describe.concurrent('a database whose process does not answer', () => {
  test('has it named where it is stopped, and is used again when that goes on', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Before' });
    const owner = ownerIn(home(env));
    process.kill(owner, 'SIGSTOP');
    const [known, unknown] = [peer.call('add_task', { title: 'Known' }), (await connect(env)).call('list_tasks')];
    const piped = await connect(env);
    const last = piped.answer(piped.ask('tools/call', { name: 'list_tasks', arguments: {} }));
    piped.process.child.stdin.end();
    const { result } = await last;
    for (const { error } of [...(await Promise.all([known, unknown])), result.structuredContent]) {
      expect(error.code).toBe('unavailable');
      expect(error.message).toContain(`pid ${owner}`);
    }
    process.kill(owner, 'SIGCONT');
    expect(await titlesSeenBy(peer)).toContain('Before');
    await peer.close();
  }, 60_000);

  test('does not keep a client that is told to end while it is looked for', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Before' });
    const owner = ownerIn(home(env));
    process.kill(owner, 'SIGSTOP');
    const other = await connect(env);
    other.ask('tools/call', { name: 'list_tasks', arguments: {} });
    const told = performance.now();
    other.process.child.kill('SIGTERM');
    expect((await other.process.ended).code).toBe(0);
    expect(performance.now() - told, 'ms; it would be kept for 20 s').toBeLessThan(15_000);
    process.kill(owner, 'SIGCONT');
    await peer.close();
  }, 60_000);

  test('makes a client whose input has ended say by its exit code that an answer is missing', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('list_tasks');
    const owner = ownerIn(home(env));
    process.kill(owner, 'SIGSTOP');
    const piped = await connect(env);
    piped.ask('tools/call', { name: 'list_tasks', arguments: {} });
    const seen = piped.answer(piped.ask('tools/list'));
    piped.process.child.stdin.end();
    await seen; // by then it has read to the end
    piped.process.child.kill('SIGTERM');
    expect(await piped.process.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('"unanswered":1') });
    process.kill(owner, 'SIGCONT');
    await peer.close();
  });

  test('has it named where it cannot be reached', async () => {
    const env = seeded();
    const guest = await connect(env, withoutSpawn);
    await guest.call('list_tasks');
    writeFileSync(join(home(env), 'run/owner.json'), '{}');
    const { error } = await (await connect(env)).call('list_tasks');
    expect(error.code).toBe('unavailable');
    expect(error.message).toContain(`pid ${guest.process.child.pid}`);
    await guest.close();
  }, 60_000);
});

describe('the process that has the database', () => {
  test('outlives the client that started it, and ends when nobody asks for anything', async () => {
    const env = seeded({ TASKLOOM_IDLE_SECONDS: '3' });
    const peer = await connect(env);
    await peer.call('add_task', { title: 'One' });
    const owner = ownerIn(home(env));
    expect(owner).not.toBe(peer.process.child.pid);
    await peer.close();
    expect(isAlive(owner)).toBe(true);
    await gone(owner);
    expect(readdirSync(join(home(env), 'run'))).toEqual(['owner.log']);
  });

  test('ends where its directory was moved away, and leaves alone what is in its place', async () => {
    const env = seeded();
    const old = await connect(env);
    await old.call('add_task', { title: 'Moved' });
    const owner = ownerIn(home(env));
    renameSync(home(env), `${home(env)}-moved`);
    const peer = await connect(env);
    expect(await peer.call('add_task', { title: 'Anew' })).toHaveProperty('task.id', 1);
    const { task, error } = await old.call('add_task', { title: 'Late' }); // to the old owner, or to the next
    if (!task) expect(error.message).toContain('the data directory was moved or removed');
    await gone(owner);
    const next = ownerIn(home(env));
    process.kill(next, 'SIGKILL');
    await gone(next);
    const titles = task ? ['Anew', 'Late'] : ['Anew'];
    for (const each of [peer, old]) expect(await titlesSeenBy(each)).toEqual(titles);
    await Promise.all([old.close(), peer.close()]);
    const moved = await connect({ ...env, TASKLOOM_HOME: `${home(env)}-moved` });
    expect(await titlesSeenBy(moved)).toEqual(['Moved']);
    await moved.close();
  }, 60_000);

  test.runIf(process.platform === 'linux')('knows no token of a client that started it', async () => {
    const env = seeded({ TASKLOOM_TOKEN: 'tlm_not_for_the_owner', OTHER: 'nor_this' });
    const peer = await connect(env);
    await peer.call('list_tasks');
    const environ = readFileSync(`/proc/${ownerIn(home(env))}/environ`, 'utf8');
    expect(environ).toContain('TASKLOOM_HOME=');
    expect(environ).not.toMatch(/tlm_not_for_the_owner|nor_this/);
    await peer.close();
  });

  test('that nobody could connect to gives way to the client’s own process', async () => {
    const env = seeded();
    const preload = pathToFileURL(join(ROOT, 'tests/owner/without-sockets.mjs')).href;
    const peer = await connect(env, ['--import', preload]);
    expect(await peer.call('add_task', { title: 'One' })).toHaveProperty('task.id', 1);
    await peer.close();
  });

  test('that ended while a client was idle is followed by another', async () => {
    const env = seeded({ TASKLOOM_IDLE_SECONDS: '2' });
    const peer = await connect(env);
    await peer.call('add_task', { title: 'One' });
    await gone(ownerIn(home(env)));
    expect(await peer.call('add_task', { title: 'Two' })).toHaveProperty('task.id', 2);
    await peer.close();
  });

  test('finishes what it was asked when it is told to stop', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('list_tasks');
    const owner = ownerIn(home(env));
    const asked = Array.from({ length: 30 }, (_, n) => peer.call('add_task', { title: `Task ${n}` }));
    process.kill(owner, 'SIGTERM');
    const answers = await Promise.all(asked);
    expect(answers.map(({ task }) => task?.id).sort((a, b) => a - b)).toEqual(answers.map((_, n) => n + 1));
    await gone(owner);
    await peer.close();
  });

  test('tells a stranger nothing', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Private' });
    const { address } = JSON.parse(readFileSync(join(home(env), 'run/owner.json'), 'utf8'));
    const stranger = createConnection(address);
    let heard = '';
    stranger.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    stranger.write(`${JSON.stringify({ nonce: '00' })}\n`);
    stranger.write(
      `${JSON.stringify({ proof: '00', want: 'command', argv: ['token', 'create', '--user', 'local'] })}\n`,
    );
    await new Promise((resolve) => stranger.once('close', resolve));
    expect(heard).not.toContain('tlm_');
    expect(heard.trim().split('\n')).toHaveLength(1);
    expect(await peer.call('list_tasks')).toMatchObject({ total: 1 });
    await peer.close();
  });

  test('is found where the path of the directory is too long for a socket', async () => {
    const long = join(scratch(), 'd'.repeat(60), 'e'.repeat(60));
    seed(long);
    const env = seeded({ TASKLOOM_HOME: long });
    const peers = [await connect(env), await connect(env)];
    for (const peer of peers) await peer.call('add_task', { title: 'One' });
    expect(await peers[0]?.call('list_tasks')).toMatchObject({ total: 2 });
    for (const peer of peers) await peer.close();
  });

  test('of a directory is not that of its copy', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Original' });
    await succeed(['owner', '--stop'], env);
    const copied = join(scratch(), 'copy');
    cpSync(home(env), copied, { recursive: true }); // at rest: files of a running database come and go
    await peer.call('list_tasks');
    cpSync(join(home(env), 'run/owner.json'), join(copied, 'run/owner.json'));
    const other = await connect({ ...env, TASKLOOM_HOME: copied });
    await other.call('add_task', { title: 'In the copy' });
    expect(await titlesSeenBy(peer)).toEqual(['Original']);
    expect(await titlesSeenBy(other)).toEqual(['In the copy', 'Original']);
    await Promise.all([peer.close(), other.close()]);
  });

  test('killed while it made the database is followed by one that makes it', async () => {
    const env = { ...seeded(), TASKLOOM_HOME: join(scratch(), 'new') };
    const peer = await connect(env);
    const adding = peer.call('add_task', { title: 'First of all' });
    while (!existsSync(join(home(env), 'run/owner.json'))) await peer.request('tools/list');
    process.kill(ownerIn(home(env)), 'SIGKILL');
    expect(await adding).toHaveProperty('task.id', 1);
    await peer.close();
  }, 60_000);
});

test.each([
  ['', false],
  [' with the log on it', process.platform === 'linux'],
])('a disk that is full%s is said, and what was not acknowledged is done once there is room', async (_log, onIt) => {
  const env = seeded();
  mkdirSync(join(home(env), 'run'));
  if (onIt) symlinkSync('/dev/full', join(home(env), 'run/owner.log'));
  const preload = pathToFileURL(join(ROOT, 'tests/owner/full-disk.mjs')).href;
  const peer = await connect(env, ['--import', preload]);
  await peer.call('add_task', { title: 'Before' });
  const owner = ownerIn(home(env));
  writeFileSync(join(home(env), 'full'), '');
  const again = { title: 'Once there is room', request_id: randomUUID() };
  const { error } = await peer.call('add_task', again);
  expect(error.code).toBe('unavailable');
  expect(error.message).toContain('the disk is full');
  await gone(owner);
  rmSync(join(home(env), 'full'));
  expect(await peer.call('add_task', again)).toHaveProperty('task.title', again.title);
  expect(await titlesSeenBy(peer)).toEqual(['Before', again.title]);
  await peer.close();
});

describe('subscriptions', () => {
  /** Resolves once a client was told that this may read differently. */
  async function told(peer: Peer, uri: string, times = 1): Promise<void> {
    const count = () =>
      peer.messages().filter(({ method, params }) => method === 'notifications/resources/updated' && params.uri === uri)
        .length;
    while (count() < times) await new Promise((resolve) => peer.process.child.stdout.once('data', resolve));
  }

  test('of 2025 hear of other processes’ writes, also after the one that has the database was killed', async () => {
    const env = seeded();
    const [listener, writer] = [await connect(env), await connect(env)];
    const bob = await connect({ ...env, TASKLOOM_USER: 'bob' });
    await writer.call('add_task', { title: 'One' });
    const uri = 'taskloom://task/1';
    await listener.request('resources/subscribe', { uri });
    await bob.call('add_task', { title: 'Of another user, with the same number' });
    await writer.call('update_task', { id: 1, priority: 'high' });
    await told(listener, uri);
    process.kill(ownerIn(home(env)), 'SIGKILL');
    await told(listener, uri, 2); // for it may have missed something
    await writer.call('update_task', { id: 1, priority: 'low' });
    await told(listener, uri, 3);
    await Promise.all([listener.close(), writer.close(), bob.close()]);
  });

  test('of 2026 go on over the end of the one that has the database, acknowledged once', async () => {
    const env = seeded();
    const [listener, writer] = [new Peer(start([], env)), await connect(env)];
    await writer.call('add_task', { title: 'One' });
    const envelope = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const uri = 'taskloom://overview';
    const id = listener.ask('subscriptions/listen', {
      notifications: { resourceSubscriptions: [uri] },
      _meta: envelope,
    });
    const acknowledged = () =>
      listener.messages().filter(({ method }) => method === 'notifications/subscriptions/acknowledged');
    while (acknowledged().length === 0)
      await new Promise((resolve) => listener.process.child.stdout.once('data', resolve));
    await writer.call('complete_task', { id: 1 });
    await told(listener, uri);
    await succeed(['owner', '--stop'], env);
    await told(listener, uri, 2);
    await writer.call('add_task', { title: 'Two' });
    await told(listener, uri, 3);
    expect(acknowledged()).toHaveLength(1);
    expect(listener.messages().filter((message) => message.id === id && 'result' in message)).toEqual([]);
    await Promise.all([listener.close(), writer.close()]);
  });
});

describe('commands', () => {
  test('are run by the process that has the database', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'One' });
    const status = JSON.parse(await succeed(['owner', '--json'], env));
    expect(status).toMatchObject({ home: home(env), pid: ownerIn(home(env)), connections: 1 });
    expect(await succeed(['user', 'add', 'bob', '--timezone', 'Asia/Tokyo'], env)).toBe('added bob (Asia/Tokyo)');
    expect(await succeed(['token', 'create', '--user', 'bob'], env)).toMatch(/^tlm_[A-Za-z0-9_-]{43}$/);
    expect(
      JSON.parse(await succeed(['user', 'list', '--json'], env)).map((user: { handle: string }) => user.handle),
    ).toEqual(['bob', 'local']);
    expect(ownerIn(home(env)), 'the same one all along').toBe(status.pid);
    await peer.close();
  });

  test('refuse there as they do anywhere', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('list_tasks');
    const { child, ended } = start(['token', 'create', '--user', 'nobody'], env);
    child.stdin.end();
    expect(await ended).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^taskloom: there is no user "nobody"[^\n]*\n$/),
    });
    await peer.close();
  });

  test('owner --stop gives the directory back, and says when nobody has it', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'One' });
    const owner = ownerIn(home(env));
    expect(await succeed(['owner', '--stop'], env)).toContain(`stopped process ${owner}`);
    await gone(owner);
    expect(await succeed(['owner'], env)).toBe(`${home(env)}: no process has it open`);
    expect(await peer.call('list_tasks')).toMatchObject({ total: 1 });
    await peer.close();
  });
});

describe('serve on the embedded database', () => {
  test('takes it over from the background, and shares it with the clients on stdio', async () => {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Over stdio' });
    const before = ownerIn(home(env));
    const server = start(['serve', '--port', '0'], env);
    await server.says(/listens on/);
    await gone(before); // it lets go of the directory a moment before it ends
    expect(await titlesSeenBy(peer)).toEqual(['Over stdio']);
    expect(ownerIn(home(env))).toBe(server.child.pid);
    expect(await complaintOf(['owner', '--stop'], env)).toBe(
      `taskloom: process ${server.child.pid} serves over HTTP and stays: end that process itself`,
    );
    const token = await succeed(['token', 'create', '--user', 'local'], env);
    const url = /http:\S+/.exec(server.stderr())?.[0] as string;
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'add_task', arguments: { title: 'Over HTTP' } },
      }),
    });
    expect(await response.text()).toContain('Over HTTP');
    expect(await titlesSeenBy(peer)).toEqual(['Over HTTP', 'Over stdio']);

    const second = start(['serve', '--port', '0'], env);
    expect(await second.ended).toMatchObject({ code: 2, stderr: expect.stringContaining(`pid ${server.child.pid}`) });
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
    expect(await titlesSeenBy(peer)).toEqual(['Over HTTP', 'Over stdio']);
    await peer.close();
  }, 60_000);
});

test('who listens to serve over HTTP is told of what a client on stdio writes, at once', async () => {
  const env = seeded();
  const server = start(['serve', '--port', '0'], env);
  await server.says(/listens on/);
  const peer = await connect(env);
  await peer.call('add_task', { title: 'Before' });
  const token = await succeed(['token', 'create', '--user', 'local'], env);
  const url = new URL(/http:\S+/.exec(server.stderr())?.[0] as string);
  const client = await connectClient(url, token, '2026-07-28');
  const told = new Promise<void>((resolve) =>
    client.setNotificationHandler('notifications/resources/updated', () => resolve()),
  );
  await client.listen({ resourceSubscriptions: ['taskloom://overview'] });
  await peer.call('add_task', { title: 'Over stdio' });
  const added = performance.now();
  await told;
  expect(performance.now() - added, 'ms; a look at what was missed comes every 30 s').toBeLessThan(25_000);
  await client.close();
  await peer.close();
  server.child.kill('SIGTERM');
  expect((await server.ended).code).toBe(0);
}, 60_000);

describe('two versions of the program on one directory', () => {
  /** A copy of the program that says it is of another version. */
  function programOf(version: string): string {
    const folder = scratch();
    for (const part of ['dist', 'migrations']) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    mkdirSync(folder, { recursive: true });
    const description = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...description, version }));
    return join(folder, 'dist/main.js');
  }
  async function connectTo(main: string, env: Environment): Promise<Peer> {
    const peer = new Peer(startCommand(process.execPath, [main], env));
    await peer.initialize();
    return peer;
  }

  test('are served by the later one, which takes over from the earlier', async () => {
    const env = seeded();
    const earlier = await connectTo(programOf('0.0.1'), env);
    await earlier.call('add_task', { title: 'One' });
    const first = ownerIn(home(env));
    expect(await succeed(['owner'], env)).toContain('(0.0.1)');

    const later = await connect(env);
    await later.call('add_task', { title: 'Two' });
    await gone(first);
    const second = ownerIn(home(env));
    await earlier.call('add_task', { title: 'Three' });
    expect(ownerIn(home(env)), 'an earlier one does not take it back').toBe(second);
    expect(await titlesSeenBy(earlier)).toEqual(['One', 'Three', 'Two']);
    await Promise.all([earlier.close(), later.close()]);
  });
});
