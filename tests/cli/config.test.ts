import { existsSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { isTimezone, readConfig, VARIABLES } from '../../src/config.js';
import { UsageError } from '../../src/errors.js';
import { bearer, hello, send, withHeaders } from '../support/http.js';
import {
  complaintOf,
  connect,
  type Environment,
  environment,
  run,
  scratch,
  seeded,
  start,
  succeed,
} from '../support/process.js';
import { CERTIFICATE, startTlsListener } from '../support/tls.js';

const LIST = ['user', 'list'];
const MEMORY = { TASKLOOM_DATABASE_URL: 'memory://' };

describe('an environment variable that is wrong', () => {
  const cases: [keyof typeof VARIABLES, string, RegExp][] = [
    ['TASKLOOM_HOME', 'relative/path', /^TASKLOOM_HOME must be an absolute path$/],
    [
      'TASKLOOM_DATABASE_URL',
      'mysql://ana:sesame@host/db',
      /must be postgres:\/\/user:password@host\/database or memory/,
    ],
    ['TASKLOOM_DATABASE_URL', 'postgres://ana:sesame@ho st/db', /must be postgres/],
    ['TASKLOOM_DATABASE_URL', 'postgres:///sesame', /must be postgres/],
    ['TASKLOOM_DATABASE_URL', 'sesame', /must be postgres/],
    ['TASKLOOM_DATABASE_URL', 'postgres://ana:sesame@host/db?sslmode=verify', /sslmode .* one of disable, no-verify, /],
    ['TASKLOOM_DATABASE_URL', 'postgres://ana:sesame@host/db?port=99999', /port .* 1 to 65535/],
    ['TASKLOOM_USER', 'Ana Sesame', /TASKLOOM_USER must be 1 to 63 of/],
    ['TASKLOOM_TZ', 'Mars/Olympus', /TASKLOOM_TZ is not a time zone; use a name such as/],
    ['TASKLOOM_PUBLIC_URL', 'ftp://tasks.example', /TASKLOOM_PUBLIC_URL must be an http or https URL/],
    ['TASKLOOM_SECRET', 'sesame', /TASKLOOM_SECRET must have at least 32 characters/],
    ['TASKLOOM_ALLOWED_HOSTS', '*', /TASKLOOM_ALLOWED_HOSTS must name each host, .*without scheme, port or \*/],
    ['TASKLOOM_ALLOWED_HOSTS', 'one.example:80', /TASKLOOM_ALLOWED_HOSTS must name each host/],
    ['TASKLOOM_TRUST_PROXY', 'sesame', /TASKLOOM_TRUST_PROXY must be a number of proxies/],
    ['TASKLOOM_TRUST_PROXY', '-1', /TASKLOOM_TRUST_PROXY must be at least 0/],
    ['TASKLOOM_RATE_LIMIT', '1.5', /TASKLOOM_RATE_LIMIT must be a whole number of requests/],
    ['TASKLOOM_NEON_PROXY', 'sesame', /TASKLOOM_NEON_PROXY must look like/],
    ['TASKLOOM_LOG_LEVEL', 'loud', /TASKLOOM_LOG_LEVEL must be one of fatal, error/],
  ];
  const complaint = (mode: 'stdio' | 'command', given: Environment) => {
    try {
      readConfig(given, mode);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      return (error as UsageError).message;
    }
    return undefined;
  };

  test('a time zone is what dates can be reckoned in', () => {
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
    const short = letters.flatMap((a) => letters.flatMap((b) => ['C', 'K', 'T'].map((c) => `${a}${b}${c}`)));
    const odd = ['', 'utc', 'europe/paris', 'GB', 'Zulu', 'GMT0', 'EST5EDT', 'Etc/GMT+5', '+01:00', 'UTC+5', 'Factory'];
    for (const name of [...short, ...odd, ...Intl.supportedValuesOf('timeZone')]) {
      const known = (() => {
        try {
          return Boolean(Temporal.Now.zonedDateTimeISO(name)) && /^[a-z]/i.test(name);
        } catch {
          return false;
        }
      })();
      expect(isTimezone(name), name).toBe(known);
    }
  });

  test.each(cases)('%s=%s is refused on stdio and by commands', (name, value, words) => {
    for (const mode of ['stdio', 'command'] as const) {
      expect(complaint(mode, { [name]: value })).toMatch(words);
      expect(complaint(mode, { [name]: value })).not.toContain('sesame');
    }
  });

  test.each([
    ['PORT', '80a', /PORT must be a number/],
    ['PORT', '70000', /PORT must be at most 65535/],
    ['PORT', '-1', /PORT must be a number/],
    ['DATABASE_URL', 'mysql://ana:sesame@host/db', /DATABASE_URL\) must be postgres/],
  ] as const)('%s=%s is refused by commands, and not on stdio, which has no use for it', (name, value, words) => {
    expect(complaint('command', { [name]: value })).toMatch(words);
    expect(complaint('command', { [name]: value })).not.toContain('sesame');
    expect(complaint('stdio', { [name]: value })).toBeUndefined();
  });

  test('stops a server on stdio and a command, in one line', async () => {
    const given = { TASKLOOM_DATABASE_URL: 'mysql://ana:sesame@host/db' };
    for (const args of [[], LIST]) expect(await complaintOf(args, environment(given))).toMatch(/must be postgres/);
    expect(await complaintOf(['serve'], environment({ PORT: '80a' }))).toMatch(/PORT must be a number/);
    expect(await run([], environment({ PORT: '80a' }))).toMatchObject({ code: 0, stdout: '' });
  });

  test('that is empty counts as not set', async () => {
    const empty = Object.fromEntries(Object.keys(VARIABLES).map((name) => [name, name === 'TASKLOOM_HOME' ? '' : ' ']));
    expect(await run([], environment(empty))).toMatchObject({ code: 0, stderr: '' });
  });
});

test('commands and serve refuse to run where TASKLOOM_URL names another server', async () => {
  const env = environment({ ...MEMORY, TASKLOOM_URL: 'https://u:sesame@tasks.example/mcp', TASKLOOM_TOKEN: 'tlm_x' });
  for (const args of [LIST, ['serve', '--port', '0']])
    expect(await complaintOf(args, env)).toBe(
      'taskloom: TASKLOOM_URL names another server (https://tasks.example): unset it, or run the command where that server runs',
    );
  expect(await succeed(['--help'], env)).toContain('Usage: taskloom');
});

describe('a command line that is wrong', () => {
  const cases: [string[], RegExp][] = [
    [['usr'], /unknown command 'usr'/],
    [['user', 'ad', 'x'], /unknown command 'ad'/],
    [['user'], /user needs a command: add, edit, list, disable, enable$/],
    [['token'], /token needs a command: create, list, revoke$/],
    [['help', 'usr'], /unknown command 'usr'/],
    [['help', 'user', 'ad'], /unknown command 'ad'/],
    [['backup', ''], /'file'.*It must not be empty/],
    [['restore', ' '], /'file'.*It must not be empty/],
    [['move', ''], /'url'.*It must not be empty/],
    [['move', 'sesame'], /the argument of move\) must be postgres/],
    [['user', 'list', '--jsn'], /unknown option '--jsn'/],
    [['--bogus'], /unknown option '--bogus'/],
    [['serve', 'extra'], /too many arguments/],
    [['serve', '--port', '99999'], /--port.*It must be at most 65535/],
    [['serve', '--port', 'http'], /--port.*It must be a number/],
    [['user', 'add'], /missing required argument 'handle'/],
    [['user', 'add', 'Ana!'], /It must be 1 to 63 of a-z/],
    [['user', 'add', 'ana', '--timezone', 'Mars/Olympus'], /It is not a time zone/],
    [['user', 'add', 'ana', '--name', 'A\u001b[2Jna'], /--name.*without control characters/],
    [['user', 'add', 'ana', '--name', 'A\u202ena'], /--name.*without control characters/],
    [['user', 'add', 'ana', '--name', 'x'.repeat(101)], /--name.*1 to 100 characters/],
    [['user', 'edit', 'ana'], /give --timezone or --name/],
    [['user', 'edit', 'ana', '--name', ' '], /--name.*1 to 100 characters/],
    [['user', 'edit', 'ana', '--name', 'two\nlines'], /--name.*on one line/],
    [['token', 'create'], /required option '--user <handle>' not specified/],
    [['token', 'create', '--user', 'ana', '--name', 'a\u0007'], /--name.*without control characters/],
    [['token', 'create', '--user', 'ana', '--scope', 'tasks:own'], /It must be a list of tasks:read and tasks:write/],
    [['token', 'create', '--user', 'ana', '--scope', ''], /It must be a list of/],
    [['token', 'create', '--user', 'ana', '--expires', 'soon'], /It must be a number and h, d or w, such as 90d/],
    [['token', 'create', '--user', 'ana', '--expires', '0d'], /It must be a number and h, d or w/],
  ];
  test.each(cases)('%j gets one line and exit code 2, and no database is opened', async (args, words) => {
    const line = await complaintOf(args, environment({ TASKLOOM_HOME: '/dev/null/nowhere' }));
    expect(line).toMatch(words);
    expect(line, 'what a terminal would obey is not repeated').not.toMatch(/\p{Cc}|\u202e/u);
  });
});

test('what Node compiles is kept where caches are, if this release of Node can and the place is one to write to', async () => {
  const HOME = scratch();
  const kept = join(HOME, 'cache');
  await succeed(['--version'], environment({ HOME, XDG_CACHE_HOME: kept }));
  expect(existsSync(kept)).toBe(process.platform === 'linux' && 'enableCompileCache' in module);
  await succeed(['--version'], environment({ HOME, XDG_CACHE_HOME: '/dev/null/nowhere' }));
});

describe('serve', () => {
  test('refuses to listen to the world without being told by which names', async () => {
    for (const host of ['0.0.0.0', '::', '0', '[::0]'])
      expect(await complaintOf(['serve', '--host', host], environment(MEMORY))).toMatch(
        /set TASKLOOM_PUBLIC_URL or TASKLOOM_ALLOWED_HOSTS$/,
      );
    expect(await complaintOf(['serve'], environment({ ...MEMORY, HOST: '0.0.0.0' }))).toContain('to listen on 0.0.0.0');
  });

  test('refuses a port that is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    expect(await complaintOf(['serve', '--port', String(port)], seeded())).toBe(
      `taskloom: cannot listen on 127.0.0.1 port ${port} (EADDRINUSE)`,
    );
    await new Promise((resolve) => server.close(resolve));
  });

  test('takes HOST and PORT from the environment, and an option before them', async () => {
    const urlOf = async (args: string[], env: Environment) => {
      const process = start(['serve', ...args], seeded(env));
      await process.says(/Taskloom listens on \S+\n/);
      process.child.kill('SIGTERM');
      const { code, stdout, stderr } = await process.ended;
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      return new URL(/listens on (\S+)/.exec(stderr)?.[1] ?? '');
    };
    const first = await urlOf([], { HOST: 'localhost', PORT: '0' });
    expect(first.hostname).toBe('localhost');
    expect(first.pathname).toBe('/mcp');
    const second = await urlOf(['--host', '127.0.0.1', '--port', '0'], { HOST: '192.0.2.1', PORT: '1' });
    expect(second.hostname).toBe('127.0.0.1');
    expect(second.port).not.toBe('1');
    const third = await urlOf(['--host', '', '--port', '0'], { HOST: 'localhost' });
    expect(third.hostname).toBe('localhost');
  });

  test('takes from the environment its names, its proxies and what a user may ask', async () => {
    const env = seeded({
      PORT: '0',
      TASKLOOM_PUBLIC_URL: 'https://tasks.example/mcp',
      TASKLOOM_ALLOWED_HOSTS: 'one.example, two.example, [2001:db8:0::1]',
      TASKLOOM_TRUST_PROXY: '1',
      TASKLOOM_RATE_LIMIT: '2',
    });
    await succeed(['user', 'add', 'ana'], env);
    const token = await succeed(['token', 'create', '--user', 'ana', '--name', 'test'], env);
    const server = start(['serve'], env);
    await server.says(/Taskloom listens on \S+\n/);
    const url = new URL(/listens on (\S+)/.exec(server.stderr())?.[1] ?? '');
    const ask = async (headers: Record<string, string>) =>
      (await send(url, withHeaders(hello('2026-07-28'), headers))).status;

    for (const host of ['tasks.example', 'one.example', 'two.example:8080', '[2001:db8::1]:80'])
      expect(await ask({ host }), host).toBe(401);
    for (let i = 0; i < 2; i++) {
      const foreign = await send(url, withHeaders(hello('2026-07-28'), { host: 'three.example' }));
      expect(foreign).toMatchObject({
        status: 403,
        message: { message: expect.stringContaining('TASKLOOM_ALLOWED_HOSTS') },
      });
    }
    expect(server.stderr().match(/refused a host name/g)).toHaveLength(1);

    const from = (hops: string) => ask({ host: 'tasks.example', 'x-forwarded-for': hops });
    const flood = await Promise.all(Array.from({ length: 320 }, (_, i) => from(`198.51.100.${i % 200}, 203.0.113.7`)));
    expect(flood).toContain(429);
    expect(await from('203.0.113.7, 203.0.113.8')).toBe(401);

    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push(await ask({ host: 'tasks.example', ...bearer(token) }));
    expect(statuses).toEqual([200, 200, 429]);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });
});

describe('a database', () => {
  const unreachable = 'postgres://ana:sesame@127.0.0.1:1/tasks';

  test.each(['DATABASE_URL', 'TASKLOOM_DATABASE_URL'])('that is away is said by a command, from %s', async (name) => {
    for (const args of [LIST, ['migrate'], ['migrate', '--print-sql'], ['token', 'create', '--user', 'ana']])
      expect(await complaintOf(args, environment({ [name]: unreachable }))).toBe(
        `taskloom: the database${name === 'DATABASE_URL' ? ' of DATABASE_URL' : ''} cannot be reached; check its address and that it runs`,
      );
  });

  test('that does not offer TLS is refused at once, with the cause', async () => {
    const { address, connections } = await startTlsListener(false);
    const env = environment({ TASKLOOM_DATABASE_URL: `postgres://ana:sesame@${address}/tasks?sslmode=require` });
    expect(await complaintOf(['serve', '--port', '0'], env)).toMatch(
      /its server does not offer TLS, .*sslmode=disable/,
    );
    expect(connections()).toBe(1);
  });

  test('whose certificate is not trusted, or is for another host, is refused with the cause', async () => {
    const { address } = await startTlsListener(true);
    const complaint = (query: string) =>
      complaintOf(LIST, environment({ DATABASE_URL: `postgres://ana:sesame@${address}/tasks?${query}` }));
    expect(await complaint('sslmode=prefer')).toMatch(/not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)\. Add sslrootcert=/);
    expect(await complaint(`sslmode=verify-ca&sslrootcert=${CERTIFICATE}`)).toMatch(/is for another host name/);
  });

  test('whose address names a file that is not there is refused by commands, and by tools on stdio', async () => {
    const url = 'postgres://ana:sesame@127.0.0.1:1/tasks?sslrootcert=/nowhere/ca.pem';
    const env = environment({ TASKLOOM_DATABASE_URL: url });
    const refusal = 'cannot read the file that sslrootcert in the database address names (ENOENT)';
    expect(await complaintOf(LIST, env)).toBe(`taskloom: ${refusal}: /nowhere/ca.pem`);
    const peer = await connect(env);
    expect((await peer.call('list_tasks')).error.message).toBe(`The task database cannot be used: ${refusal}.`);
    await peer.close();
  });

  test('that has no owner is named by the variable that chose it', async () => {
    expect(await complaintOf(['owner'], environment({ DATABASE_URL: unreachable }))).toMatch(
      /has an owner, and DATABASE_URL names/,
    );
  });

  test('is TASKLOOM_DATABASE_URL’s where both are set, and no command acts on one in memory', async () => {
    expect(await complaintOf(LIST, environment({ ...MEMORY, DATABASE_URL: unreachable }))).toBe(
      'taskloom: a database in memory exists only in its own process, so no other command can use it: name another database',
    );
  });

  test('directory that cannot be written to is named', async () => {
    const home = scratch();
    writeFileSync(join(home, 'file'), '');
    const TASKLOOM_HOME = join(home, 'file/data');
    expect(await complaintOf(LIST, environment({ TASKLOOM_HOME }))).toBe(
      `taskloom: cannot write to the data directory (ENOTDIR). Make it writable for this account, or set TASKLOOM_HOME to another directory: ${TASKLOOM_HOME}`,
    );
  });
});

describe('the time zone of a new account', () => {
  test('is UTC where the system’s is none', async () => {
    expect(await succeed(['user', 'add', 'ana'], seeded({ TZ: 'Mars/Olympus' }))).toBe('added ana (UTC)');
  });

  test('is TASKLOOM_TZ’s before the system’s', async () => {
    const env = seeded({ TASKLOOM_TZ: 'Asia/Tokyo', TZ: 'Europe/Paris' });
    expect(await succeed(['user', 'add', 'ana'], env)).toBe('added ana (Asia/Tokyo)');
  });
});
