import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from '../../src/db/database.js';
import * as schema from '../../src/db/schema.js';

/** Tables whose rows belong to someone. */
const owned = Object.values(schema)
  .filter((each) => is(each, PgTable))
  .filter((table) => 'userId' in getTableColumns(table))
  .map((table) => getTableName(table));

const MENTION = new RegExp(
  `\\b(from|join|update|into)\\s+"?taskloom"?\\."?(${owned.join('|')})"?(?:\\s+(?:as\\s+)?"?([a-z_]\\w*)"?)?`,
  'gi',
);
const KEYWORDS = new Set(['where', 'left', 'on', 'set', 'join', 'order', 'limit', 'inner', 'using', 'group']);

/**
 * Says of each owned table that a statement names whether its rows are held to one user by the statement
 * itself, row-level security aside.
 */
export function unscopedTables(text: string): string[] {
  return [...text.matchAll(MENTION)].flatMap(([, verb, table, word]) => {
    const name = String(table);
    if (verb?.toLowerCase() === 'into')
      return new RegExp(`into "?taskloom"?\\."?${name}"? \\(user_id,[^)]*\\) select \\$\\d+::uuid`).test(text)
        ? []
        : [name];
    const alias = word && !KEYWORDS.has(word.toLowerCase()) ? word : name;
    const scoped = new RegExp(`(?:"?taskloom"?\\.)?"?\\b${alias}"?\\."?user_id"? = (?:\\$\\d+|'[0-9a-f-]{36}')`);
    return scoped.test(text) ? [] : [name];
  });
}

/**
 * Watches every statement of a single-connection database. A person's own commands, which run as the owner
 * of the tables and see all users, are left out.
 */
export function watchPredicates(database: Database): { offences: string[] } {
  const offences: string[] = [];
  let asOwner = false;
  database.onStatement = (text, [role]) => {
    if (text.includes("set_config('role'")) asOwner = role === 'none';
    if (!asOwner && unscopedTables(text).length > 0) offences.push(text);
  };
  return { offences };
}
