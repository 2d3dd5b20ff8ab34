import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { connect as openDatabase } from '../../src/db/connect.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import {
  complaintOf,
  connect,
  type Environment,
  environment,
  MAIN,
  run,
  scratch,
  seeded,
  start,
  startCommand,
  succeed,
} from '../support/process.js';

/** One directory for the file, whose database stays open between commands. Every test has its own users. */
let env: Environment;
beforeAll(async () => {
  env = seeded({ TASKLOOM_IDLE_SECONDS: '600' });
  const peer = await connect(env);
  await peer.call('list_tasks');
  await peer.close();
});

let users = 0;
/** Adds a user of this test alone. */
async function newUser(...options: string[]): Promise<string> {
  return newUserOf(env, ...options);
}

async function newUserOf(env: Environment, ...options: string[]): Promise<string> {
  users += 1;
  await succeed(['user', 'add', `user-${users}`, ...options], env);
  return `user-${users}`;
}

const json = async (args: string[]) => JSON.parse(await succeed([...args, '--json'], env));
const listed = async (handle: string) =>
  (await json(['user', 'list'])).find((user: { handle: string }) => user.handle === handle);

describe('user', () => {
  test('add makes an account, in the zone and by the name it is given', async () => {
    const handle = await newUser('--timezone', 'America/New_York', '--name', 'Ana María 🌱');
    expect(await listed(handle)).toEqual({
      handle,
      name: 'Ana María 🌱',
      timezone: 'America/New_York',
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      disabled: false,
    });
  });

  test('add takes the system’s zone where none is given, and says which', async () => {
    expect(await succeed(['user', 'add', 'here'], { ...env, TZ: 'Asia/Tokyo' })).toBe('added here (Asia/Tokyo)');
    expect(await json(['user', 'add', 'there', '--timezone', 'UTC'])).toEqual({ handle: 'there', timezone: 'UTC' });
  });

  test('add refuses a handle that is taken', async () => {
    const handle = await newUser();
    expect(await complaintOf(['user', 'add', handle], env)).toBe(`taskloom: user "${handle}" already exists`);
  });

  test('list shows everyone in columns', async () => {
    const handle = await newUser('--timezone', 'Europe/Paris');
    const [head, ...rows] = (await succeed(['user', 'list'], env)).split('\n');
    expect(head).toMatch(/^handle +timezone +name +state$/);
    expect(rows.find((row) => row.startsWith(`${handle} `))).toMatch(/^\S+ +Europe\/Paris +- +active$/);
  });

  test('edit changes what it is given and nothing else', async () => {
    const handle = await newUser('--timezone', 'Europe/Paris', '--name', 'Before');
    expect(await succeed(['user', 'edit', handle, '--name', 'After'], env)).toBe(`changed ${handle}`);
    expect(await listed(handle)).toMatchObject({ name: 'After', timezone: 'Europe/Paris' });
    expect(await json(['user', 'edit', handle, '--timezone', 'Asia/Tokyo'])).toEqual({
      handle,
      timezone: 'Asia/Tokyo',
    });
    expect(await listed(handle)).toMatchObject({ name: 'After', timezone: 'Asia/Tokyo' });
  });

  test('edit to another zone moves the ends of the days that tasks are due on, of that user alone', async () => {
    const env = seeded();
    const zone = ['--timezone', 'Europe/Paris'];
    const [moved, stays] = [await newUserOf(env, ...zone), await newUserOf(env, ...zone)];
    for (const TASKLOOM_USER of [moved, stays]) {
      const peer = await connect({ ...env, TASKLOOM_USER });
      await peer.call('add_task', { title: 'A day', due: '2026-11-24' });
      await peer.call('add_task', { title: 'A time', due: '2026-11-24T17:00' });
      await peer.call('add_task', { title: 'No date' });
      await peer.close();
    }
    await succeed(['user', 'edit', moved, '--timezone', 'America/Los_Angeles'], env);

    await succeed(['owner', '--stop'], env);
    const database = await openDatabase({ kind: 'directory', path: String(env.TASKLOOM_HOME) });
    const rows = await queryAsTableOwner(
      database,
      `select u.handle, t.title, extract(epoch from t.due_sort) * 1000 from taskloom.tasks t
       join taskloom.users u on u.id = t.user_id where u.handle in ($1, $2) and t.due_sort < 'infinity'`,
      [moved, stays],
    ).finally(() => database.close());
    const ends = new Map(
      rows.map(([handle, title, end]) => [`${handle} ${title}`, new Date(Number(end)).toISOString()]),
    );
    expect(Object.fromEntries(ends)).toEqual({
      [`${moved} A day`]: '2026-11-25T07:59:59.999Z',
      [`${moved} A time`]: '2026-11-24T16:00:00.000Z',
      [`${stays} A day`]: '2026-11-24T22:59:59.999Z',
      [`${stays} A time`]: '2026-11-24T16:00:00.000Z',
    });
  });

  test('disable shuts a user out, and enable lets them in again', async () => {
    const handle = await newUser();
    const open = async () => {
      const peer = await connect({ ...env, TASKLOOM_USER: handle });
      const answer = await peer.call('list_tasks');
      await peer.close();
      return answer;
    };
    expect(await succeed(['user', 'disable', handle], env)).toBe(`disabled ${handle}`);
    expect(await listed(handle)).toMatchObject({ disabled: true });
    expect((await open()).error.code).toBe('forbidden');
    expect(await json(['user', 'enable', handle])).toEqual({ handle, disabled: false });
    expect(await open()).toMatchObject({ total: 0 });
  });

  test.each([['edit', '--name', 'x'], ['disable'], ['enable']])(
    '%s refuses a user that is not there',
    async (verb, ...rest) => {
      expect(await complaintOf(['user', verb, 'nobody', ...rest], env)).toBe(
        'taskloom: there is no user "nobody"; see: taskloom user list',
      );
    },
  );
});

describe('token', () => {
  test('create prints the token, alone', async () => {
    const handle = await newUser();
    const { code, stdout, stderr } = await run(['token', 'create', '--user', handle], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^tlm_[\w-]{43}\n$/);
  });

  test('create takes a name, scopes and an end, and list shows them without the token', async () => {
    const user = await newUser();
    const made = await json([
      'token',
      'create',
      '--user',
      user,
      '--name',
      'CI',
      '--scope',
      'tasks:read,tasks:read',
      '--expires',
      '90d',
    ]);
    expect(made).toEqual({
      token: expect.stringMatching(/^tlm_/),
      id: expect.any(String),
      user,
      name: 'CI',
      scopes: ['tasks:read'],
      expires: expect.any(String),
    });
    const days = (Date.parse(made.expires) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89);
    expect(days).toBeLessThanOrEqual(90);

    const { token, ...rest } = made;
    expect(await json(['token', 'list', '--user', user])).toEqual([{ ...rest, created: expect.any(String) }]);
    const text = await succeed(['token', 'list'], env);
    expect(text).toMatch(new RegExp(`${made.id} +${user} +CI +tasks:read +active +\\S+Z +never`));
    expect(text).not.toContain(token);
  });

  test('revoke stops a token, and says so each time it is asked', async () => {
    const user = await newUser();
    const { id } = await json(['token', 'create', '--user', user]);
    expect(await succeed(['token', 'revoke', id], env)).toBe(`revoked ${id}`);
    expect(await json(['token', 'revoke', id])).toEqual({ id, revoked: true });
    expect(await succeed(['token', 'list', '--user', user], env)).toMatch(/ revoked /);
  });

  test('list says whose user is disabled', async () => {
    const user = await newUser();
    await json(['token', 'create', '--user', user]);
    await succeed(['user', 'disable', user], env);
    expect(await succeed(['token', 'list', '--user', user], env)).toMatch(/ user disabled /);
    expect(await json(['token', 'list', '--user', user])).toMatchObject([{ user_disabled: true }]);
  });

  test('revoke refuses an id that is not there', async () => {
    expect(await complaintOf(['token', 'revoke', 'no-such-id'], env)).toBe(
      'taskloom: there is no token with that id; see: taskloom token list',
    );
  });

  test('create and list refuse a user that is not there, and create one that is disabled', async () => {
    for (const verb of ['create', 'list'])
      expect(await complaintOf(['token', verb, '--user', 'nobody'], env)).toContain('there is no user "nobody"');
    const user = await newUser();
    expect(await json(['token', 'list', '--user', user])).toEqual([]);
    await succeed(['user', 'disable', user], env);
    expect(await complaintOf(['token', 'create', '--user', user], env)).toBe(
      `taskloom: user "${user}" is disabled; enable the user first: taskloom user enable ${user}`,
    );
  });
});

describe('migrate', () => {
  test('makes an embedded database where there is none, which has its schema from the beginning', async () => {
    const fresh = environment();
    expect(await succeed(['migrate'], fresh)).toBe('already up to date');
    expect(await succeed(['user', 'list', '--json'], fresh)).toBe('[]');
    expect(JSON.parse(await succeed(['migrate', '--json'], fresh))).toEqual({ applied: [] });
  });

  test('--print-sql prints one script of plain SQL, and opens no database', async () => {
    const { code, stdout, stderr } = await run(
      ['migrate', '--print-sql'],
      environment({ TASKLOOM_HOME: '/dev/null/x' }),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^(--[^\n]*\n)*begin;\n[\s\S]*create schema if not exists taskloom[\s\S]*\ncommit;\s*$/);
    expect(stdout).not.toContain('statement-breakpoint');
    const database = await openDatabase({ kind: 'memory' });
    try {
      await database.connect((connection) => connection.script(stdout));
      const [row] = await queryAsTableOwner(database, 'select count(*)::int from taskloom.users', []);
      expect(row).toEqual([0]);
    } finally {
      await database.close();
    }
  });
});

test.each([
  ['EPIPE', { code: 0, stderr: '' }],
  ['ENOSPC', { code: 2, stderr: expect.stringMatching(/^taskloom: cannot write the output \(ENOSPC\)\. Check .*\n$/) }],
])('a command whose output fails with %s ends without a stack trace', async (code, outcome) => {
  const failing = `process.stdout._write = (chunk, encoding, done) => done(Object.assign(new Error(), { code: '${code}' }))`;
  const { ended } = start(['--help'], env, ['--import', `data:text/javascript,${encodeURIComponent(failing)}`]);
  expect(await ended).toMatchObject(outcome);
});

test.runIf(process.platform !== 'win32')('only a command that names a file needs its working directory', async () => {
  const deleted = (...args: string[]) => {
    const script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"';
    return startCommand('sh', ['-c', script, 'sh', join(scratch(), 'gone'), process.execPath, MAIN, ...args], env)
      .ended;
  };
  expect(await deleted('user', 'list', '--json')).toMatchObject({ code: 0, stderr: '' });
  const { code, stderr } = await deleted('backup', 'tasks.backup');
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr:
      'taskloom: the working directory was deleted: change to another one, or name the file by an absolute path\n',
  });
});

describe('help', () => {
  test.each([
    [['--help'], ['serve', 'migrate', 'user', 'token']],
    [
      ['user', '--help'],
      ['add', 'edit', 'list', 'disable', 'enable'],
    ],
    [
      ['help', 'user', 'edit'],
      ['--timezone', '--name'],
    ],
    [
      ['token', 'create', '--help'],
      ['--user', '--scope', '--expires', '--json'],
    ],
    [
      ['serve', '--help'],
      ['--host', '--port', '--migrate', '--json'],
    ],
  ])('%j names what there is, on stdout', async (args, words) => {
    const text = await succeed(args, env);
    for (const word of words) expect(text).toContain(word);
  });

  test('--version is the package’s', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(await succeed(['--version'], env)).toBe(version);
  });
});
