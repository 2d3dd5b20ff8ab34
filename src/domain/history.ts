import { type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { projects } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import type { Step } from './record.js';

/** Whether a change only extends a claim, which nobody else needs to know. */
export const isRenewal = (row: 'h' | 'l'): SQL => sql.raw(`(${row}.op = 'claim' and ${row}.after -> 'claim' is null)`);

/** Maximum length at which a comment or note is shown, in characters. */
export const MAX_TEXT_SHOWN = 100;

/** Recorded fields that are too long for a `Step`. */
const LONG = `array['description', 'comments', 'note']`;

/**
 * Builds the SQL expression of a change as a `Step`. `before` and `after` are empty for creations, comments, claims and
 * releases, unless the change is part of an undo.
 */
export const stepIn = (tx: UserTx, row: 'c' | 'h'): SQL<Step> => {
  const change = sql.raw(row);
  const shown = sql`${change}.op not in ('create', 'comment', 'claim', 'release') or ${change}.reverts is not null`;
  const short = (what: 'before' | 'after') =>
    sql`case when ${shown} then ${change}.${sql.raw(what)} - ${sql.raw(LONG)} else '{}' end`;
  const projectIn = (what: 'before' | 'after') => {
    const side = sql`${change}.${sql.raw(what)}`;
    return sql`case when ${shown} then (select p.name from ${projects} p
      where p.user_id = ${tx.userId} and p.id = coalesce(${side} ->> 'project', ${side} ->> 'merged_into')::int) end`;
  };
  return sql`json_build_object('operation', ${change}.op, 'undoes', ${change}.reverts is not null,
    'fields', array(select k from jsonb_object_keys(${change}.before || ${change}.after) k order by k collate "C"),
    'before', ${short('before')}, 'after', ${short('after')},
    'projects', json_build_object('from', ${projectIn('before')}, 'to', ${projectIn('after')}),
    'text', left(coalesce(${change}.after -> 'comments' -> 0 ->> 'text', ${change}.after ->> 'note'), ${literalLimit(MAX_TEXT_SHOWN + 1)}))`;
};
