import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { connect as openDatabase } from '../../src/db/connect.js';
import { queryAsTableOwner } from '../../src/db/service.js';
import { complaintOf, type Environment, environment, ROOT, succeed } from '../support/process.js';

const preload = `--import ${pathToFileURL(join(ROOT, 'tests/chaos/preload.mjs')).href}`;
const home = (env: Environment) => String(env.TASKLOOM_HOME);

/** An environment with a database in it, made by a command. */
async function made(): Promise<Environment> {
  const env = environment();
  await succeed(['user', 'add', 'ana'], env);
  return env;
}

async function rowsOf(env: Environment, text: string): Promise<unknown[][]> {
  const database = await openDatabase({ kind: 'directory', path: home(env) });
  return queryAsTableOwner(database, text, []).finally(() => database.close());
}

describe('a new database', { timeout: 180_000 }, () => {
  test('is made from the image that comes with the program, which has nobody’s key and no account', async () => {
    const image = readdirSync(join(ROOT, 'dist')).filter((name) => name.endsWith('.br'));
    expect(image).toEqual([expect.stringMatching(/^pg18-\d+\.\d+\.\d+-[0-9a-f]{16}\.br$/)]);
    const [one, two] = [environment(), environment()];
    for (const env of [one, two]) expect(await succeed(['user', 'list', '--json'], env)).toBe('[]');
    const [key, other] = [
      await rowsOf(one, 'select value from taskloom.secrets'),
      await rowsOf(two, 'select value from taskloom.secrets'),
    ];
    expect(key).toEqual([[expect.stringMatching(/^[0-9a-f]{64}$/)]]);
    expect(other).not.toEqual(key);
    const files = readdirSync(home(one), { recursive: true }).map(String);
    expect(files.filter((name) => name.includes('tmp-'))).toEqual([]);
    // Made anew, it would have the databases that others are copied from, and a log in other files.
    expect(await rowsOf(one, 'select datname from pg_database')).toEqual([['postgres']]);
  });

  test('is the same where there is no image that fits', async () => {
    const [one, two] = [environment(), environment()];
    await succeed(['user', 'list'], one);
    await succeed(['user', 'list'], { ...two, NODE_OPTIONS: preload, FAULT_IMAGE: 'gone' });
    const objects = `select oid::regclass::text, relkind from pg_class where relnamespace = 'taskloom'::regnamespace order by 1`;
    expect(await rowsOf(two, objects)).toEqual(await rowsOf(one, objects));
    expect(await rowsOf(two, 'select name, hash from taskloom.migrations order by created_at')).toEqual(
      await rowsOf(one, 'select name, hash from taskloom.migrations order by created_at'),
    );
    expect(await rowsOf(two, 'show wal_segment_size')).toEqual(await rowsOf(one, 'show wal_segment_size'));
  });

  test('takes the place of what was left of one that was never finished', async () => {
    const env = environment();
    mkdirSync(join(home(env), 'pg18.tmp-99999/base'), { recursive: true });
    writeFileSync(join(home(env), 'pg18.tmp-99999/PG_VERSION'), '18\n');
    mkdirSync(join(home(env), 'pg18'));
    await succeed(['user', 'add', 'ana'], env);
    expect(readdirSync(home(env)).filter((name) => name.startsWith('pg'))).toEqual(['pg18']);
  });

  test('leaves nothing behind where the disk has no room for it, and is made once it has', async () => {
    const env = environment();
    for (const FAULT_IMAGE of ['', 'gone'])
      expect(
        await complaintOf(['user', 'list'], {
          ...env,
          NODE_OPTIONS: preload,
          FAULT_FOLDER: 'pg18.tmp-',
          FAULT_CODE: 'ENOSPC',
          FAULT_IMAGE,
        }),
      ).toMatch(/^taskloom: the disk is full: /);
    expect(readdirSync(home(env)).filter((name) => name.startsWith('pg'))).toEqual(['pg18']);
    expect(readdirSync(join(home(env), 'pg18'))).toEqual([]);
    await succeed(['user', 'add', 'ana'], env);
  });
});

test('a database opens whose process died while it said that it had it', async () => {
  const env = await made();
  writeFileSync(join(home(env), 'pg18/postmaster.pid'), '');
  expect(await succeed(['user', 'list'], env)).toContain('ana');
});

describe('a database that cannot be opened says why in one line, and is not touched', { timeout: 180_000 }, () => {
  test('because it is of another version of PostgreSQL', async () => {
    const env = environment();
    mkdirSync(join(home(env), 'pg17'), { recursive: true });
    writeFileSync(join(home(env), 'pg17/PG_VERSION'), '17\n');
    const line = await complaintOf(['user', 'list'], env);
    expect(line).toMatch(/PostgreSQL 17, but this version of Taskloom uses 18\..*taskloom backup.*taskloom restore/);
    expect(readdirSync(join(home(env), 'pg17'))).toEqual(['PG_VERSION']);

    const other = await made();
    writeFileSync(join(home(other), 'pg18/PG_VERSION'), '19\n');
    expect(await complaintOf(['user', 'list'], other)).toMatch(/PostgreSQL 19, but this version of Taskloom uses 18\./);
    writeFileSync(join(home(other), 'pg18/PG_VERSION'), '18\n');
    expect(await succeed(['user', 'list'], other)).toContain('ana');
  });

  test('because files are missing or not whole', async () => {
    const env = environment();
    mkdirSync(join(home(env), 'pg18/base'), { recursive: true });
    expect(await complaintOf(['user', 'list'], env)).toMatch(/the database in the data directory is incomplete/);
    expect(readdirSync(join(home(env), 'pg18'))).toEqual(['base']);

    const whole = await made();
    for (const harm of [
      (data: string) => truncateSync(join(data, 'global/pg_control'), 100),
      (data: string) => rmSync(join(data, 'global/pg_control')),
      (data: string) => rmSync(join(data, 'global'), { recursive: true }),
      (data: string) => rmSync(join(data, 'pg_wal'), { recursive: true }),
      (data: string) => rmSync(join(data, 'base'), { recursive: true }),
    ]) {
      const broken = environment();
      cpSync(join(home(whole), 'pg18'), join(home(broken), 'pg18'), { recursive: true });
      harm(join(home(broken), 'pg18'));
      expect(await complaintOf(['user', 'list'], broken), String(harm)).toMatch(
        /^taskloom: the database in the data directory is damaged: .*taskloom restore <file>\): \//,
      );
    }
  });

  test('because it may only be read, or the disk is full', async () => {
    const env = await made();
    const before = readFileSync(join(home(env), 'pg18/global/pg_control'));
    const at = (FAULT_CODE: string) => ({ ...env, NODE_OPTIONS: preload, FAULT_FOLDER: '/pg18/', FAULT_CODE });
    expect(await complaintOf(['user', 'list'], at('EROFS'))).toMatch(
      /^taskloom: the database’s files may only be read\. If .* \(chown -R\): /,
    );
    expect(await complaintOf(['user', 'list'], at('ENOSPC'))).toMatch(/^taskloom: the disk is full: /);
    expect(readFileSync(join(home(env), 'pg18/global/pg_control'))).toEqual(before);
    expect(await succeed(['user', 'list'], env)).toContain('ana');
    expect(existsSync(join(home(env), 'pg18/postmaster.pid'))).toBe(false);
  });
});
