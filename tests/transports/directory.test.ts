import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  complaintOf,
  connect,
  type Environment,
  environment,
  ownerIn,
  ROOT,
  scratch,
  seed,
  seeded,
  start,
  succeed,
} from '../support/process.js';

const preload = ['--import', pathToFileURL(join(ROOT, 'tests/transports/without-native-lock.mjs')).href];
const locks: [string, string[]][] = [['with the native lock', []]];
// Elsewhere every build has it.
if (process.platform === 'linux') locks.push(['where there is no native lock', preload]);

/** A home without `TASKLOOM_HOME`, as a person's is. */
function plainHome(): Environment {
  const { TASKLOOM_HOME, ...env } = environment({ HOME: scratch() });
  return env;
}

/** Starts the program as from a terminal. */
function greetingOf(env: Environment) {
  const { child, ended } = start([], env, ['--import', 'data:text/javascript,process.stdin.isTTY=true']);
  child.stdin.end();
  return ended;
}

describe.each(locks)('a data directory, %s', (_, node) => {
  test('is one process’s at a time, which all others ask', async () => {
    const env = seeded();
    const [first, second] = [await connect(env, node), await connect(env, node)];
    const titles = Array.from({ length: 10 }, (_, n) => `Task ${n}`);
    await Promise.all(titles.map((title, n) => (n % 2 ? first : second).call('add_task', { title })));
    for (const peer of [first, second])
      expect(
        (await peer.call('list_tasks', { limit: 50 })).tasks.map((task: { title: string }) => task.title).sort(),
      ).toEqual(titles);
    await first.close();
    expect(await second.call('list_tasks')).toMatchObject({ total: 10 });
    expect(await second.close()).toMatchObject({ code: 0 });
  });

  test('is free again when its process was killed, with all that was acknowledged', async () => {
    const env = seeded();
    const first = await connect(env, node);
    await first.call('add_task', { title: 'Survives' });
    first.process.child.kill('SIGKILL');
    process.kill(ownerIn(String(env.TASKLOOM_HOME)), 'SIGKILL');
    await first.process.ended;

    const second = await connect(env, node);
    expect(await second.call('list_tasks')).toMatchObject({ tasks: [{ id: 1, title: 'Survives' }], total: 1 });
    await second.close();
  });
});

describe.runIf(process.platform === 'linux').each([
  ['with the native lock', [], preload],
  ['without the native lock', preload, []],
  ['without the native lock', preload, preload],
])('a data directory held %s', (_, held, asked) => {
  test(`is refused to a process ${asked.length ? 'without' : 'with'} it`, async () => {
    const env = seeded();
    const peer = await connect(env, held);
    await peer.call('list_tasks');
    const { stdout } = await start(['own'], env, asked).ended;
    expect(JSON.parse(stdout)).toEqual({ busy: ownerIn(String(env.TASKLOOM_HOME)) });
    await peer.close();
  });
});

test.runIf(process.platform === 'linux')('a data directory that nothing can lock is not opened', async () => {
  const env = seeded({ PATH: scratch() });
  const peer = await connect(env, preload);
  const { error } = await peer.call('list_tasks');
  expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('flock') });
  await peer.close();
});

test('tasks are there after a restart', async () => {
  const env = seeded();
  const before = await connect(env);
  await before.call('add_task', { title: 'Buy milk', project: 'Home', labels: ['errand'] });
  await before.call('complete_task', { id: 1 });
  const { task } = await before.call('get_task', { id: 1 });
  await before.close();
  const after = await connect(env);
  expect((await after.call('get_task', { id: 1 })).task).toEqual(task);
  await after.close();
});

describe('where the data is', () => {
  test.runIf(process.platform === 'linux')('the platform’s data directory, by default', async () => {
    const env = plainHome();
    const directory = join(String(env.HOME), '.local/share/taskloom');
    seed(directory);
    const peer = await connect(env);
    await peer.call('add_task', { title: 'Here' });
    await peer.close();
    expect(existsSync(join(directory, 'taskloom.lock'))).toBe(true);
  });

  test('the home directory, where the platform’s cannot be created, and that is said', async () => {
    const env = plainHome();
    for (const parent of ['.local', 'Library', 'AppData'])
      writeFileSync(join(String(env.HOME), parent), 'a file, not a directory');
    const directory = join(String(env.HOME), '.taskloom');
    seed(directory);
    const peer = await connect(env);
    expect(await peer.call('add_task', { title: 'Here' })).toHaveProperty('task.id', 1);
    await peer.close();
    expect(existsSync(join(directory, 'taskloom.lock'))).toBe(true);
    expect(await succeed(['owner'], env)).toMatch(`${directory}: process `);
    const { stderr } = await greetingOf(env);
    expect(stderr).toContain(`Tasks are kept in: ${directory}\n`);
  });

  test.runIf(process.platform === 'linux')('never the home directory, where the platform’s exists', async () => {
    const env = plainHome();
    const directory = join(String(env.HOME), '.local/share/taskloom');
    seed(directory);
    mkdirSync(join(directory, 'taskloom.lock')); // root may write to any directory, but not open one as a file
    const line = await complaintOf(['user', 'list'], env);
    expect(line).toMatch(`taskloom: cannot write to the data directory (EISDIR). Make it writable `);
    expect(line).toMatch(new RegExp(`: ${directory}$`));
    const peer = await connect(env);
    expect((await peer.call('list_tasks')).error.code).toBe('unavailable');
    await peer.close();
    expect(await succeed(['owner'], env)).toBe(`${directory}: no process has it open`);
    expect((await greetingOf(env)).stderr).toContain(`Tasks are kept in: ${directory}\n`);
    expect(existsSync(join(String(env.HOME), '.taskloom'))).toBe(false);
  });

  test('is asked about without being created', async () => {
    const env = plainHome();
    for (const args of [['owner'], ['owner', '--stop']])
      expect(await succeed(args, env)).toMatch(/taskloom: there is nothing yet$/i);
    expect(readdirSync(String(env.HOME))).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('is never below the current directory', async () => {
    for (const relative of [{ HOME: '' }, { HOME: 'home' }, { XDG_DATA_HOME: 'data' }])
      expect(await complaintOf(['user', 'list'], { ...plainHome(), ...relative })).toBe(
        'taskloom: HOME and XDG_DATA_HOME must be absolute paths; or set TASKLOOM_HOME to one',
      );
  });

  test('is private, though the directory above it keeps its mode', async () => {
    const env = seeded();
    const directory = String(env.TASKLOOM_HOME);
    chmodSync(directory, 0o755);
    chmodSync(join(directory, 'pg18'), 0o755);
    const peer = await connect(env);
    await peer.call('list_tasks');
    const modeOf = (...path: string[]) => (statSync(join(directory, ...path)).mode & 0o777).toString(8);
    expect({
      directory: modeOf(),
      data: modeOf('pg18'),
      lock: modeOf('taskloom.lock'),
      run: modeOf('run'),
      announcement: modeOf('run', 'owner.json'),
    }).toEqual({ directory: '755', data: '700', lock: '600', run: '700', announcement: '600' });
    await peer.close();
  });

  test('that cannot be written to is an answer without its path, and a command’s complaint with it', async () => {
    const home = scratch();
    writeFileSync(join(home, 'file'), '');
    const TASKLOOM_HOME = join(home, 'file', 'data');
    const env = environment({ HOME: home, TASKLOOM_HOME });
    const peer = await connect(env);
    const { error } = await peer.call('list_tasks');
    expect(error.code).toBe('unavailable');
    expect(JSON.stringify(error)).not.toContain(home);
    expect(await peer.close()).toMatchObject({ code: 0 });
    expect(await complaintOf(['user', 'list'], env)).toContain(TASKLOOM_HOME);
  });

  test('once the obstacle is gone, the same server works', async () => {
    const env = environment();
    const directory = String(env.TASKLOOM_HOME);
    writeFileSync(directory, 'in the way');
    const peer = await connect(env);
    expect((await peer.call('list_tasks')).error.code).toBe('unavailable');
    rmSync(directory);
    seed(directory);
    expect(await peer.call('list_tasks')).toMatchObject({ total: 0 });
    await peer.close();
  });
});
