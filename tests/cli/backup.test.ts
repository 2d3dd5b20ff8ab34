import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { complaintOf, connect, type Environment, environment, scratch, succeed } from '../support/process.js';

/** An installation with a task, an account more and a token, and a backup of it. */
let env: Environment;
let file: string;
let said: string;
beforeAll(async () => {
  env = environment();
  const peer = await connect(env);
  await peer.call('add_task', { title: 'Kept', request_id: 'once', labels: ['a'] });
  await peer.close();
  await succeed(['user', 'add', 'bob', '--timezone', 'Asia/Tokyo'], env);
  await succeed(['token', 'create', '--user', 'bob'], env);
  file = join(scratch(), 'tasks.backup');
  said = await succeed(['backup', file], env);
});

describe('backup', () => {
  test('writes one file that only its owner can read, and says what is in it', () => {
    expect(said).toBe(`wrote ${file}: 2 users, 1 task, 1 change`);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
    const [head] = gunzipSync(readFileSync(file)).toString().split('\n');
    expect(JSON.parse(head ?? '')).toMatchObject({ taskloom: 'backup', format: 1 });
  });

  test('replaces no file unless it is told to', async () => {
    const other = join(scratch(), 'mine');
    writeFileSync(other, 'precious');
    expect(await complaintOf(['backup', other], env)).toMatch(/the file already exists; --force/);
    expect(readFileSync(other, 'utf8')).toBe('precious');
    expect(JSON.parse(await succeed(['backup', other, '--force', '--json'], env))).toMatchObject({
      file: other,
      tables: { users: 2, tasks: 1, api_tokens: 1 },
    });
    expect(gunzipSync(readFileSync(other)).length).toBeGreaterThan(1000);
  });

  test.runIf(process.platform !== 'win32')('replaces nothing that is not a regular file', async () => {
    const link = join(scratch(), 'latest');
    symlinkSync(file, link);
    expect(await complaintOf(['backup', link, '--force'], env)).toMatch(/this is not a regular file/);
    expect(readlinkSync(link)).toBe(file);
  });

  test('leaves nothing where it cannot write', async () => {
    const folder = scratch();
    expect(await complaintOf(['backup', join(folder, 'no/such/folder')], env)).toMatch(/cannot use the file folder/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('restore', () => {
  test('makes the same installation of a new one, and not of one in use', async () => {
    const other = environment();
    expect(await succeed(['restore', file], other)).toBe(`restored ${file}: 2 users, 1 task, 1 change`);
    expect(await succeed(['token', 'list', '--json'], other)).toBe(await succeed(['token', 'list', '--json'], env));
    const peer = await connect(other);
    expect(await peer.call('add_task', { title: 'Kept', request_id: 'once', labels: ['a'] })).toMatchObject({
      task: { id: 1 },
      replayed: true,
    });
    await peer.close();
    expect(await complaintOf(['restore', file], other)).toMatch(/the database is not empty/);
  });

  test('refuses what is no whole backup, and fills nothing', async () => {
    const other = environment();
    const part = join(scratch(), 'part');
    writeFileSync(part, readFileSync(file));
    truncateSync(part, Math.floor(statSync(file).size * 0.8));
    expect(await complaintOf(['restore', part], other)).toMatch(/the backup is damaged: it is truncated: /);
    const bytes = readFileSync(file);
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0xff;
    writeFileSync(part, bytes);
    expect(await complaintOf(['restore', part], other)).toMatch(/damaged/);
    writeFileSync(part, 'something else');
    expect(await complaintOf(['restore', part], other)).toMatch(/not a backup of Taskloom/);
    expect(await complaintOf(['restore', join(scratch(), 'gone')], other)).toMatch(
      /cannot use the file gone \(ENOENT\)/,
    );
    expect(await succeed(['user', 'list', '--json'], other)).toBe('[]');
    expect(existsSync(file)).toBe(true);
  });
});

describe('move', () => {
  test('refuses what is no address of a server, without repeating it', async () => {
    for (const url of ['mysql://u:hunter2@h/d', 'hunter2', 'memory://']) {
      const line = await complaintOf(['move', url], env);
      expect(line).not.toContain('hunter2');
    }
  });
});
