import { type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { type Actor, changes, counters, projects, tasks } from '../db/schema.js';
import { rowsOf, type UserTx } from '../db/scope.js';
import { invalid } from '../errors.js';
import { type Actors, clientInSql, nameInSql, nameOf } from './actors.js';
import { isRenewal, stepIn } from './history.js';
import type { Step } from './record.js';

/** The changes that one write made to one task or project. */
export interface Delta {
  /** Sequence number of its last change: the cursor to continue from once it is shown. */
  seq: number;
  entity: 'task' | 'project';
  id: number;
  /** Current title or name; if it no longer exists, the recorded title, if any. */
  name: string | null;
  /** Several if the write changed it several times in a row. */
  steps: Step[];
  by: string;
  at: Date;
}

export interface Changed {
  /** Oldest first. */
  deltas: Delta[];
  /** Sequence number of the last change that was examined: the cursor to continue from once all deltas are shown. */
  upTo: number;
  /** Sequence number of the user's newest change. */
  newest: number;
}

const isBy = (actors: Actors): SQL =>
  typeof actors === 'string'
    ? sql`taskloom.fold(${nameInSql(sql`l.actor`)}) = (select taskloom.fold(${actors}::text))`
    : sql`${clientInSql(sql`l.actor`)} = ${actors.client}`;

/** Maximum number of changes returned without a cursor, and with one. */
const NEWEST = 20;
const PAGE = 200;

/** Maximum number of changes examined by a call: most of them may be by those who are left out. */
export const MAX_EXAMINED = 2_000;

/**
 * Loads the changes after a cursor (a sequence number), or the newest ones, in one statement. A user's changes are
 * numbered in order of commit, so no later commit can fill a gap before the cursor.
 *
 * @throws Refusal `invalid` for a cursor beyond the newest change, or before the history that is kept
 */
export async function whatChanged(
  tx: UserTx,
  { cursor, notBy }: { cursor?: number | undefined; notBy?: Actors | undefined },
): Promise<Changed> {
  const user = tx.userId;
  const [row = []] = await rowsOf(
    tx,
    sql`select n.change_seq, n.changes_from, (
      select json_agg(json_build_array(c.seq, c.batch, c.at, c.actor, c.entity, c.entity_id, ${stepIn(tx, 'c')},
        coalesce(
          (select t.title from ${tasks} t where t.user_id = ${user} and c.entity = 'task' and t.id = c.entity_id),
          (select p.name from ${projects} p where p.user_id = ${user} and c.entity = 'project' and p.id = c.entity_id),
          c.after ->> 'title', c.before ->> 'title')) order by c.seq)
      from (
        select * from ${changes} l where l.user_id = ${user} and not ${isRenewal('l')} and ${
          cursor === undefined
            ? sql`l.seq > n.change_seq - ${literalLimit(MAX_EXAMINED)}`
            : sql`l.seq > ${cursor} and l.seq <= ${cursor + MAX_EXAMINED}`
        }
          ${notBy === undefined ? sql`` : sql`and not ${isBy(notBy)}`}
        order by ${cursor === undefined ? sql`l.seq desc limit ${literalLimit(NEWEST)}` : sql`l.seq limit ${literalLimit(PAGE + 1)}`}
      ) c)
    from ${counters} n where n.user_id = ${user}`,
  );
  const [newest, from] = [Number(row[0] ?? 0), Number(row[1] ?? 1)];
  if (cursor !== undefined && cursor > newest)
    throw invalid(
      `There is no change ${cursor}: the newest is ${newest}.`,
      'Use the cursor of the last answer, or omit it.',
    );
  if (cursor !== undefined && cursor + 1 < from)
    throw invalid(
      `The changes right after ${cursor} are no longer kept.`,
      `List again with list_tasks, then continue from cursor ${newest}.`,
    );
  const found = (row[2] ?? []) as Found[];
  if (cursor === undefined) return { deltas: merge(found), upTo: newest, newest };
  const page = found.slice(0, PAGE);
  const upTo = found.length > PAGE ? (page.at(-1) as Found)[0] : Math.min(cursor + MAX_EXAMINED, newest);
  return { deltas: merge(page), upTo, newest };
}

type Found = [
  seq: number,
  batch: number,
  at: string,
  actor: Actor,
  entity: Delta['entity'],
  id: number,
  step: Step,
  name: string | null,
];

/** Merges consecutive changes of one write to one task or project. A cursor may fall between any others. */
function merge(found: Found[]): Delta[] {
  const deltas: Delta[] = [];
  let last: { batch: number; delta: Delta } | undefined;
  for (const [seq, batch, at, actor, entity, id, step, name] of found) {
    if (last?.batch === batch && last.delta.entity === entity && last.delta.id === id) {
      last.delta.seq = seq;
      last.delta.steps.push(step);
    } else {
      last = { batch, delta: { seq, entity, id, name, steps: [step], by: nameOf(actor), at: new Date(at) } };
      deltas.push(last.delta);
    }
  }
  return deltas;
}
