import { cpSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { isAbsolute, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { McpServer } from '@modelcontextprotocol/server';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { serveStreams } from '../../src/transports/stdio.js';
import { gate } from '../support/gate.js';
import {
  connect,
  environment,
  INITIALIZE,
  MAIN,
  Peer,
  ROOT,
  run,
  scratch,
  seeded,
  start,
  startCommand,
  succeed,
} from '../support/process.js';

const line = (message: object) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
const initialize = line({ id: 1, method: 'initialize', params: INITIALIZE });
const initialized = line({ method: 'notifications/initialized' });
const call = (id: number, name: string, args: object = {}) =>
  line({ id, method: 'tools/call', params: { name, arguments: args } });

const messagesIn = (stdout: string) =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((text) => JSON.parse(text));
/** What a person reads on stderr: log lines, never the dump of a crash. */
const expectNoDump = (stderr: string) => expect(stderr).not.toMatch(/^\s+at |node:internal|Node\.js v/m);

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('the pipe', () => {
  test('carries nothing but JSON-RPC, and the log no task text, at any log level', async () => {
    const env = seeded({ TASKLOOM_LOG_LEVEL: 'trace' });
    const peer = await connect(env);
    await peer.request('tools/list');
    await peer.call('add_task', { title: 'sesame title', description: 'sesame text', project: 'sesame project' });
    await peer.call('list_tasks', { text: 'sesame' });
    await peer.call('update_task', { id: 1, title: 'sesame again', due: 'sesame day' });
    await peer.call('get_task', { ids: ['sesame'] });
    await peer.call('complete_task', { id: 99, sesame: true });
    await peer.request('sesame/method');
    await peer.request('tools/call', { name: 'sesame', arguments: {} });
    peer.write('sesame, which is not JSON\n');
    peer.write('{"sesame": "which is no message"}\n');
    await peer.call('get_overview');
    const { code, stdout, stderr } = await peer.close();

    expect(code).toBe(0);
    const messages = messagesIn(stdout);
    expect(messages.length).toBeGreaterThan(8);
    for (const message of messages) expect(message.jsonrpc).toBe('2.0');
    const log = stderr + readFileSync(join(String(env.TASKLOOM_HOME), 'run/owner.log'), 'utf8');
    expect(log, 'at trace, there is a log').toContain('"tool":"add_task"');
    expect(log).not.toContain('sesame');
    expectNoDump(stderr);
  });

  test('ends, with a word in the log and exit code 1, at a line too long to be a message', async () => {
    const peer = await connect(environment());
    peer.write(`{"jsonrpc":"2.0","id":7,"method":"${'x'.repeat(11_000_000)}"}\n${call(8, 'list_tasks')}`);
    const { code, stdout, stderr } = await peer.process.ended;
    expect(code, 'the answers to both are missing').toBe(1);
    expect(messagesIn(stdout)).toHaveLength(1);
    expect(stderr).toMatch(/^[^\n]*too large[^\n]*\n$/);
  });

  test('outlives bytes that are no UTF-8', async () => {
    const peer = await connect(seeded());
    peer.write(
      Buffer.concat([
        Buffer.from(
          '{"jsonrpc":"2.0","id":"odd","method":"tools/call","params":{"name":"add_task","arguments":{"title":"a',
        ),
        Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]),
        Buffer.from('z"}}}\n'),
      ]),
    );
    peer.write(Buffer.from([0xfe, 0xff, 0x0a]));
    expect(await peer.call('add_task', { title: 'After it' })).toHaveProperty('task.title', 'After it');
    const { code, stderr } = await peer.close();
    expect(code).toBe(0);
    expectNoDump(stderr);
  });

  test('answers what is nested too deeply to be carried on', async () => {
    const peer = await connect(seeded());
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    peer.write(
      `{"jsonrpc":"2.0","id":"deep","method":"tools/call","params":{"name":"add_task","arguments":{"title":${deep}}}}\n`,
    );
    expect(await peer.call('add_task', { title: 'After it' })).toHaveProperty('task.title', 'After it');
    const { code, stdout } = await peer.close();
    expect(code).toBe(0);
    const answer = messagesIn(stdout).find(({ id }) => id === 'deep');
    expect(answer?.result.structuredContent.error).toMatchObject({ code: 'invalid' });
  });

  test('closes when nobody reads the answers any more', async () => {
    const peer = await connect(environment());
    peer.process.child.stdout.destroy();
    peer.ask('tools/list');
    const { code, stderr } = await peer.process.ended;
    expect(code).toBe(0);
    expectNoDump(stderr);
  });
});

describe('the process', () => {
  test('answers all it was sent before the input ended, and then exits', async () => {
    const script = [
      initialize,
      initialized,
      call(2, 'add_task', { title: 'One' }),
      call(3, 'add_task', { title: 'Two' }),
      call(4, 'list_tasks', { status: 'all' }),
    ];
    const { code, stdout } = await run([], seeded(), script.join(''));
    expect(code).toBe(0);
    const messages = messagesIn(stdout);
    expect(messages.map(({ id }) => id).sort()).toEqual([1, 2, 3, 4]);
    expect(messages.filter(({ id }) => id > 1).every(({ result }) => result.isError !== true)).toBe(true);
  });

  test('refuses a request under the id of one that is not answered yet, and answers that one', async () => {
    const env = seeded();
    const script = [
      initialize,
      initialized,
      call(2, 'add_task', { title: 'First' }),
      call(2, 'add_task', { title: 'Second' }),
    ];
    const { code, stdout } = await run([], env, script.join(''));
    expect(code).toBe(0);
    const [refused, answered, ...others] = messagesIn(stdout).filter(({ id }) => id === 2);
    expect(refused?.error).toEqual({ code: -32600, message: expect.stringContaining('Use a new id') });
    expect(answered?.result.structuredContent.task.title).toBe('First');
    expect(others).toEqual([]);
    const peer = await connect(env);
    expect(await peer.call('list_tasks')).toMatchObject({ total: 1 });
    await peer.close();
  });

  test('exits when the input is closed before anything was said', async () => {
    expect(await run([], environment())).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  test('exits when the input is closed while it is idle, with the database open', async () => {
    const peer = await connect(seeded());
    await peer.call('add_task', { title: 'One' });
    expect(await peer.close()).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'exits on %s, and what it acknowledged is there',
    async (signal) => {
      const env = seeded();
      const peer = await connect(env);
      const asked = Array.from({ length: 5 }, (_, n) =>
        peer.ask('tools/call', { name: 'add_task', arguments: { title: `Task ${n}` } }),
      );
      await peer.answer(Number(asked[0]));
      peer.process.child.kill(signal);
      const { code, stdout, stderr } = await peer.process.ended;
      expect(code, stderr).toBe(0);
      expectNoDump(stderr);
      const acknowledged = messagesIn(stdout).filter(({ result }) => result?.structuredContent?.task).length;
      expect(acknowledged).toBeGreaterThan(0);

      const again = await connect(env);
      const { total } = await again.call('list_tasks', { status: 'all' });
      expect(total).toBeGreaterThanOrEqual(acknowledged);
      await again.close();
    },
  );

  test('exits on SIGTERM before the handshake', async () => {
    const process = start([], { ...environment(), DATABASE_URL: 'said' });
    await process.says(/DATABASE_URL is ignored/);
    process.child.kill('SIGTERM');
    expect(await process.ended).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('a probe', () => {
  test('by the 2025 handshake leaves no data directory behind', async () => {
    const env = environment();
    const peer = await connect(env);
    const { result } = await peer.request('tools/list');
    expect(result.tools.length).toBeGreaterThan(0);
    await peer.close();
    expect(existsSync(String(env.TASKLOOM_HOME))).toBe(false);
  });

  test('by server/discover leaves no data directory behind', async () => {
    const env = environment();
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN], env, stderr: 'ignore' }));
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);
    await client.close();
    expect(existsSync(String(env.TASKLOOM_HOME))).toBe(false);
  });

  test('loads no code that only a server with data needs', async () => {
    const loaded = scratch();
    const peer = await connect(environment({ NODE_V8_COVERAGE: loaded }));
    await peer.request('tools/list');
    await peer.close();
    const sources = readdirSync(loaded)
      .flatMap((file) => JSON.parse(readFileSync(join(loaded, file), 'utf8')).result as { url: string }[])
      .filter(({ url }) => url.startsWith('file:'))
      // Of each piece of a bundle, the bundler notes in a line of its own which file it is from.
      .flatMap(({ url }) => readFileSync(new URL(url), 'utf8').match(/^\/\/ (?:src|node_modules)\/.*$/gm) ?? []);
    expect(sources).toContain('// src/front.ts');
    const theirs =
      /src\/(domain|db|tools|resources|prompts)\/|node_modules\/(drizzle-orm|temporal-polyfill|rrule|chrono)/;
    expect(sources.filter((source) => theirs.test(source))).toEqual([]);
  });

  test('succeeds where the database has no such host', async () => {
    const peer = await connect(environment({ TASKLOOM_DATABASE_URL: 'postgres://ana:sesame@nowhere.invalid/tasks' }));
    const { result } = await peer.request('tools/list');
    expect(result.tools.length).toBeGreaterThan(0);
    expect(await peer.close()).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('code that few calls need is there', () => {
  /** A client of a process that has done nothing yet, with a task that repeats. */
  async function restarted(): Promise<Peer> {
    const env = seeded();
    const peer = await connect(env);
    await peer.call('add_task', {
      title: 'Water',
      due: '2030-01-07',
      repeats: 'RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO',
    });
    await peer.close();
    await succeed(['owner', '--stop'], env);
    return connect(env);
  }

  test.each([
    ['a date in words', 'add_task', { title: 'Sweep', due: '24 nov' }, { task: { due: expect.any(String) } }],
    ['a list by a date in words', 'list_tasks', { due: 'in 3 weeks' }, { total: expect.any(Number) }],
    ['the days of what repeats', 'get_task', { ids: ['1'] }, { task: { repeats: expect.any(String) } }],
    ['what follows on what repeats', 'complete_task', { ids: ['1'] }, { next: [{ title: 'Water' }] }],
  ])('for %s', async (_, name, args, answer) => {
    const peer = await restarted();
    expect(await peer.call(name, args)).toMatchObject(answer);
    await peer.close();
  });

  test('for a resource that shows what repeats', async () => {
    const peer = await restarted();
    const { result } = await peer.request('resources/read', { uri: 'taskloom://task/1' });
    expect(result.contents[0].text).toContain('21 Jan 2030');
    await peer.close();
  });
});

describe('the program itself', () => {
  test.each(['18.20.8', '20.18.3'])(
    'is not run by Node %s, and says which it needs before it is asked anything',
    async (old) => {
      const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${old}' } })`;
      const options = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`];
      for (const args of [[], ['user', 'list']]) {
        const { code, stdout, stderr } = await start(args, environment(), options).ended;
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^taskloom: needs Node 20\.19 or later, and this is v[^\n]+\n$/);
      }
    },
  );

  test.each([
    ['its owner', /^(chunk|reach)-/, {}],
    ['its own database', /^in-process-/, { TASKLOOM_DATABASE_URL: 'memory://' }],
  ])('that was updated before it loaded %s says so, and that a restart helps', async (_, parts, settings) => {
    const folder = scratch();
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    for (const name of ['package.json', 'migrations', 'node_modules'])
      symlinkSync(join(ROOT, name), join(folder, name));
    const env = seeded(settings);
    const peer = new Peer(startCommand(process.execPath, [join(folder, 'dist/main.js')], env));
    await peer.initialize();
    for (const file of readdirSync(join(folder, 'dist'))) if (parts.test(file)) rmSync(join(folder, 'dist', file));
    expect(await peer.call('list_tasks')).toMatchObject({
      error: {
        code: 'unavailable',
        message: 'Taskloom was updated while it ran.',
        hint: expect.stringContaining('Restart'),
      },
    });
    const { code, stderr } = await peer.close();
    expect(code).toBe(0);
    expect(stderr).toContain('ERR_MODULE_NOT_FOUND');
  });
});

test('a database that is away is said in an answer with a hint, and its address nowhere', async () => {
  const port = await closedPort();
  const peer = await connect(
    environment({
      TASKLOOM_DATABASE_URL: `postgres://ana:sesame@127.0.0.1:${port}/tasks`,
      TASKLOOM_LOG_LEVEL: 'trace',
    }),
  );
  const { error } = await peer.call('list_tasks');
  expect(error).toEqual({
    code: 'unavailable',
    message: 'The task database cannot be reached.',
    hint: expect.stringContaining('Try again'),
  });
  const { code, stdout, stderr } = await peer.close();
  expect(code).toBe(0);
  expect(stderr).toContain('unreachable');
  for (const secret of ['sesame', 'postgres://', String(port), '127.0.0.1'])
    expect(stdout + stderr).not.toContain(secret);
});

test('a bare DATABASE_URL, which is somebody else’s, is not used, and that is said', async () => {
  const peer = await connect(seeded({ DATABASE_URL: 'postgres://ana:sesame@127.0.0.1:1/theirs' }));
  expect(await peer.call('add_task', { title: 'Mine' })).toHaveProperty('task.id', 1);
  const { stderr } = await peer.close();
  expect(stderr).toBe('taskloom: DATABASE_URL is ignored on stdio; set TASKLOOM_DATABASE_URL to use that database\n');
});

describe('requests that nobody waits for', () => {
  test('do not keep a server whose input has ended', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const called = gate();
    const factory = () => {
      const server = new McpServer({ name: 'test', version: '1' });
      server.registerTool('wait', {}, () => {
        called.open();
        return new Promise<never>(() => {});
      });
      return server;
    };
    const served = serveStreams(factory, input, output, pino({ level: 'silent' }));
    input.write(initialize + initialized + call(2, 'wait'));
    await called.opened;
    input.end(line({ method: 'notifications/cancelled', params: { requestId: 2 } }));
    const started = performance.now();
    await served.ended;
    expect(performance.now() - started, 'ms; it would be kept for 75 s').toBeLessThan(30_000);
  });
});

describe('started by hand', () => {
  // util-linux's `script` gives a process a terminal of its own; other systems' take other arguments.
  test.runIf(process.platform === 'linux' && existsSync('/usr/bin/script'))(
    'it says where tasks are kept and what to paste into a client',
    async () => {
      const env = environment();
      const terminal = startCommand(
        '/usr/bin/script',
        ['-qec', `exec '${process.execPath}' '${MAIN}'`, '/dev/null'],
        env,
      );
      const text = await new Promise<string>((resolve, reject) => {
        terminal.child.stdout.on('data', () => /Ctrl-C/.test(terminal.stdout()) && resolve(terminal.stdout()));
        terminal.ended.then(({ stdout }) => reject(new Error(stdout)), reject);
      });
      expect(text).toContain(String(env.TASKLOOM_HOME));
      const { taskloom } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)).mcpServers;
      for (const path of [taskloom.command, ...taskloom.args]) {
        expect(isAbsolute(path)).toBe(true);
        expect(existsSync(path)).toBe(true);
      }
      const pasted = startCommand(taskloom.command, taskloom.args, environment());
      const peer = new Peer(pasted);
      await peer.initialize();
      await peer.close();

      terminal.child.stdin.write('\u0003');
      expect((await terminal.ended).code).toBe(0);
    },
  );
});
