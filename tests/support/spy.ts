import { getTableColumns, getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import type { Database } from '../../src/db/database.js';
import * as schema from '../../src/db/schema.js';

/** Tables whose rows belong to a user. */
const owned = Object.values(schema)
  .filter((each) => is(each, PgTable))
  .filter((table) => 'userId' in getTableColumns(table))
  .map((table) => getTableName(table));

const MENTION = new RegExp(
  `\\b(from|join|update|into|using)\\s+"?taskloom"?\\."?(${owned.join('|')})"?(?:\\s+(?:as\\s+)?"?([a-z_]\\w*)"?)?`,
  'gi',
);
const KEYWORDS = new Set(['where', 'left', 'on', 'set', 'join', 'order', 'limit', 'inner', 'using', 'group']);

/**
 * Returns the owned tables that a statement mentions, under one alias, more often than it restricts that alias to a user.
 * Does not rely on row-level security, which is the other layer of isolation.
 */
export function unscopedTables(text: string): string[] {
  const count = (pattern: string) => [...text.matchAll(new RegExp(pattern, 'gi'))].length;
  const mentions = [...text.matchAll(MENTION)].map(([, verb, table, word]) => {
    const name = String(table);
    const alias = word && !KEYWORDS.has(word.toLowerCase()) ? word : name;
    return { name, into: verb?.toLowerCase() === 'into', alias };
  });
  return mentions.flatMap(({ name, into, alias }) => {
    const scoped = into
      ? count(`into "?taskloom"?\\."?${name}"? \\(user_id,[^)]*\\) select \\$\\d+::uuid`)
      : count(`(?:"?taskloom"?\\.)?"?\\b${alias}"?\\."?user_id"? = (?:\\$\\d+|'[0-9a-f-]{36}')`);
    const named = mentions.filter(
      (other) => other.into === into && (into ? other.name === name : other.alias === alias),
    );
    return scoped < named.length ? [name] : [];
  });
}

/**
 * Records the statements of a single-connection database that do not restrict an owned table to a user. Ignores
 * administrative commands, which run as the owner of the tables and see all users.
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
