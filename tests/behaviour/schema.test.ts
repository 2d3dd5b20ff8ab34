import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.js';
import { sqlState } from '../../src/db/database-errors.js';
import * as schema from '../../src/db/schema.js';
import { asService, assertIsolated, queryAsTableOwner } from '../../src/db/service.js';
import { openTestDatabase, through } from '../support/harness.js';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const ask = (text: string) => queryAsTableOwner(database, text, []);
const tables = Object.values(schema).filter((each) => is(each, PgTable));

/** What does not begin with the user, and why that is no way from one user to another. */
const ALLOWED = {
  tables: {
    users: 'is the directory of users; its id is the user',
    secrets: 'belongs to the installation; the runtime role has no right on it',
    migrations: 'belongs to the installation; the runtime role has no right on it',
  },
  unique: {
    users_pkey: 'is the user',
    users_handle: 'is how a person is found before the user is known; only an administrator writes it',
    secrets_pkey: 'belongs to the installation',
    migrations_pkey: 'belongs to the installation',
    api_tokens_hash: 'is how a token is found before the user is known; hashes of random bits say nothing of anyone',
  },
};

describe('every table', () => {
  test('belongs to a user, by its key and by a policy, or is on a short list', async () => {
    const rows = await ask(
      `select c.relname, c.relrowsecurity,
         (select a.attname from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
          where i.indrelid = c.oid and i.indisprimary),
         (select count(*)::int from pg_policy p where p.polrelid = c.oid and p.polroles = array['taskloom_app'::regrole::oid]
            and pg_get_expr(p.polqual, c.oid) = pg_get_expr(p.polwithcheck, c.oid)
            and pg_get_expr(p.polqual, c.oid) like '(user_id = %app.user_id%')
       from pg_class c where c.relnamespace = 'taskloom'::regnamespace and c.relkind in ('r', 'p')`,
    );
    expect(rows.length).toBeGreaterThan(Object.keys(ALLOWED.tables).length);
    const others = rows.filter(([, secured, key, policies]) => !(secured && key === 'user_id' && policies === 1));
    expect(others.map(([name]) => name).sort()).toEqual(Object.keys(ALLOWED.tables).sort());
  });

  test('of users is planned for whoever has most of it', async () => {
    const rows = await ask(
      `select c.relname, a.attoptions from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
       join pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts > 1
       where c.relnamespace = 'taskloom'::regnamespace and c.relkind = 'r'`,
    );
    expect(rows.length).toBeGreaterThan(1);
    const others = rows.filter(([, options]) => !String(options).includes('n_distinct=2'));
    expect(others.map(([name]) => name)).toEqual(['api_tokens']); // of which nobody has many
  });

  test('has no unique index that would tell one user of another', async () => {
    const rows = await ask(
      `select i.indexrelid::regclass::text from pg_index i
       join pg_class c on c.oid = i.indexrelid and c.relnamespace = 'taskloom'::regnamespace
       left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
       where i.indisunique and a.attname is distinct from 'user_id'`,
    );
    const names = rows.map(([name]) => String(name).replace(/^taskloom\./, ''));
    expect(names.sort()).toEqual(Object.keys(ALLOWED.unique).sort());
  });

  test('refers only to rows of the same user, and deletes nothing by itself', async () => {
    const rows = await ask(
      `select k.conname, a.attname, b.attname, k.confrelid::regclass::text, k.confdeltype::text, k.confupdtype::text from pg_constraint k
       join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
       join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
       where k.contype = 'f' and k.connamespace = 'taskloom'::regnamespace`,
    );
    expect(rows.length).toBeGreaterThan(0);
    for (const [name, column, target, table, ...actions] of rows) {
      expect([name, column, target]).toEqual([name, 'user_id', table === 'taskloom.users' ? 'id' : 'user_id']);
      expect([name, ...actions]).toEqual([name, 'a', 'a']);
    }
  });

  test('and every function, type and sequence lives in our schema', async () => {
    const rows = await ask(
      `with ours as (
         select relname::text as name, relnamespace as place from pg_class
         union all select proname::text, pronamespace from pg_proc
         union all select typname::text, typnamespace from pg_type
       )
       select n.nspname, o.name from ours o join pg_namespace n on n.oid = o.place
       where n.nspname not in ('taskloom', 'information_schema') and n.nspname not like 'pg\\_%'`,
    );
    expect(rows).toEqual([]);
  });
});

describe('the migrated schema', () => {
  test('has exactly the indexes that the code declares', async () => {
    const rows = await ask(
      `select c.relname, i.indisunique, i.indpred is not null,
         (select string_agg(pg_get_indexdef(i.indexrelid, k, true), ',' order by k) from generate_series(1, i.indnkeyatts) k)
       from pg_index i join pg_class c on c.oid = i.indexrelid
       where c.relnamespace = 'taskloom'::regnamespace and i.indrelid <> 'taskloom.migrations'::regclass`,
    );
    const declared = tables.flatMap((table) => {
      const { name, indexes, primaryKeys, uniqueConstraints } = getTableConfig(table);
      const single = Object.values(getTableColumns(table)).filter((column) => column.primary);
      return [
        ...indexes.map(({ config }) => {
          const columns = config.columns.map((column) => ('name' in column ? column.name : '(expression)'));
          return [config.name, config.unique, config.where !== undefined, columns.join(',')];
        }),
        ...uniqueConstraints.map((key) => [key.getName(), true, false, key.columns.map((c) => c.name).join(',')]),
        ...primaryKeys.map((key) => [key.getName(), true, false, key.columns.map((c) => c.name).join(',')]),
        ...single.map((column) => [`${name}_pkey`, true, false, column.name]),
      ];
    });
    const byName = (a: unknown[], b: unknown[]) => (String(a[0]) < String(b[0]) ? -1 : 1);
    expect(rows.sort(byName)).toEqual(declared.sort(byName));
  });

  test('has exactly the columns that the code declares', async () => {
    const rows = await ask(
      `select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
       from pg_attribute a join pg_class c on c.oid = a.attrelid
       where c.relnamespace = 'taskloom'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
         and c.relname <> 'migrations'`,
    );
    const declared = tables.flatMap((table) =>
      Object.values(getTableColumns(table)).map(
        (column) =>
          `${getTableName(table)}.${column.name} ${column.getSQLType().replace(' collate "C"', '')}${column.notNull ? ' not null' : ''}`,
      ),
    );
    expect(rows.flat().sort()).toEqual(declared.sort());
  });
});

describe('the runtime role', () => {
  test('may do this and nothing else', async () => {
    const tables = await ask(
      `select c.relname, string_agg(lower(g.privilege_type), ' ' order by g.privilege_type)
       from pg_class c, aclexplode(c.relacl) g
       where c.relnamespace = 'taskloom'::regnamespace and g.grantee in (0, 'taskloom_app'::regrole) group by 1`,
    );
    expect(Object.fromEntries(tables)).toEqual({
      users: 'select',
      counters: 'select update',
      projects: 'insert select update',
      tasks: 'insert select update',
      task_labels: 'delete insert select',
      dependencies: 'delete insert select',
      comments: 'delete insert select',
      changes: 'insert select',
      requests: 'delete insert select update',
    });
    const columns = await ask(
      `select count(*)::int from pg_attribute a join pg_class c on c.oid = a.attrelid
       where c.relnamespace = 'taskloom'::regnamespace and a.attacl is not null`,
    );
    expect(columns).toEqual([[0]]);
    const schemas = await ask(
      `select has_schema_privilege('taskloom_app', 'taskloom', 'usage'), has_schema_privilege('taskloom_app', 'taskloom', 'create'),
         has_schema_privilege('taskloom_app', 'public', 'create'), has_database_privilege('taskloom_app', current_database(), 'create')`,
    );
    expect(schemas).toEqual([[true, false, false, false]]);
  });

  test('may neither log in nor have powers of its own', async () => {
    const role = await ask(
      `select rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
         (select count(*)::int from pg_auth_members where member = r.oid)
       from pg_roles r where rolname = 'taskloom_app'`,
    );
    expect(role).toEqual([[false, false, false, false, false, false, 0]]);
  });

  test('may call these functions, and those that run as their definer look nowhere but where they are told', async () => {
    const rows = await ask(
      `select p.proname, case when p.prosecdef then 'definer' else 'caller' end, array_to_string(p.proconfig, ' '),
         has_function_privilege('public', p.oid, 'execute'), has_function_privilege('taskloom_app', p.oid, 'execute')
       from pg_proc p where p.pronamespace = 'taskloom'::regnamespace and not exists (
         select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`,
    );
    const path = 'search_path=pg_catalog, pg_temp';
    expect(Object.fromEntries(rows.map(([name, ...rest]) => [name, rest]))).toEqual({
      app_now: ['caller', null, true, true],
      authenticate: ['definer', path, false, true],
      note_token_use: ['definer', path, false, true],
      live_tokens: ['definer', path, false, true],
      change_seqs: ['definer', path, false, true],
      find_user: ['definer', path, false, true],
      tidy: ['definer', path, false, true],
      fold: ['caller', path, true, true],
      spaced: ['caller', path, true, true],
      words: ['caller', path, true, true],
      task_words: ['caller', null, true, true],
      search_query: ['caller', path, true, true],
      waits_with: ['caller', null, false, true],
      search_tasks: ['definer', `${path} plan_cache_mode=force_custom_plan`, false, true],
      near_tasks: [
        'definer',
        `${path} plan_cache_mode=force_custom_plan enable_seqscan=off enable_indexscan=off pg_trgm.word_similarity_threshold=0.3`,
        false,
        false,
      ],
      similar_tasks: ['definer', `${path} plan_cache_mode=force_generic_plan enable_seqscan=off`, false, true],
    });
  });

  test.each(['secrets', 'api_tokens', 'migrations'])('cannot read %s', async (table) => {
    await expect(asService(database, `select * from taskloom.${table}`, [])).rejects.toSatisfy(
      (error) => sqlState(error) === '42501',
    );
  });

  test.each(['update taskloom.changes set seq = seq', 'delete from taskloom.changes', 'delete from taskloom.tasks'])(
    'cannot run: %s',
    async (text) => {
      await expect(asService(database, text, [])).rejects.toSatisfy((error) => sqlState(error) === '42501');
    },
  );
});

describe('the check at start', () => {
  /** The same database, if somebody had changed it so; undone with the check's own transaction. */
  const changed = (by: string): Database =>
    through(database, (connection) => ({
      async query(text, params) {
        if (text === 'commit') return connection.query('rollback');
        const sent = [connection.query(text, params)];
        if (text.startsWith('begin')) sent.push(...by.split('; ').map((each) => connection.query(each)));
        return (await Promise.all(sent))[0] ?? [];
      },
    }));
  const refusal = /row-level security does not bind/;

  test('passes on a database as migrated', async () => {
    await expect(assertIsolated(database)).resolves.toBeUndefined();
  });

  test('refuses tables whose policies are switched off', async () => {
    await expect(assertIsolated(changed('alter table taskloom.tasks disable row level security'))).rejects.toThrow(
      refusal,
    );
  });

  test('refuses a runtime role that owns the tables', async () => {
    const given = 'grant create on schema taskloom to taskloom_app; alter table taskloom.tasks owner to taskloom_app';
    await expect(assertIsolated(changed(given))).rejects.toThrow(refusal);
  });

  test('refuses a runtime role that bypasses row-level security, or is a superuser', async () => {
    const [superuser] = await queryAsTableOwner(
      database,
      'select rolsuper from pg_roles where rolname = session_user',
      [],
    );
    for (const attribute of ['bypassrls', 'superuser']) {
      const check = assertIsolated(changed(`alter role taskloom_app ${attribute}`));
      if (superuser?.[0]) await expect(check).rejects.toThrow(refusal);
      // Nobody but a superuser can make it one: the attempt itself is refused.
      else await expect(check).rejects.toSatisfy((error) => sqlState(error) === '42501');
    }
  });
});
