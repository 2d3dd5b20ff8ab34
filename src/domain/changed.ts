import { sql } from 'drizzle-orm';
import { literal } from '../db/prepared.js';
import { type Actor, changes, counters, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { invalid } from '../errors.js';
import { nameInSql, nameOf, rowsOf, stepIn } from './history.js';
import type { Step } from './record.js';

/** What one write did to one thing. */
export interface Delta {
  /** The last change it stands for: where to go on from, once it is shown. */
  seq: number;
  entity: 'task' | 'project';
  id: number;
  /** A title or name: as it is now, or for what is gone, as far as it was recorded. */
  name: string | null;
  /** More than one where one write did several things to it, one after the other. */
  steps: Step[];
  by: string;
  at: Date;
}

export interface Changed {
  /** Oldest first. */
  deltas: Delta[];
  /** The user's newest change. */
  newest: number;
  /** Whether there are more after these. */
  more: boolean;
}

/** How many changes are shown without a cursor, and how many are looked at with one. */
const NEWEST = 20;
const PAGE = 200;

/**
 * What came after a cursor, which is the number of a change; without one, the newest. One statement: a user's
 * changes are numbered in the order of their commits, so what it sees has no gap that is filled later.
 *
 * @throws Refusal `invalid` for a cursor from which one cannot go on
 */
export async function whatChanged(
  tx: UserTx,
  { cursor, notBy }: { cursor?: number | undefined; notBy?: string | undefined },
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
        select * from ${changes} l where l.user_id = ${user} and l.seq > ${cursor ?? 0}
          ${notBy === undefined ? sql`` : sql`and ${nameInSql(sql`l.actor`)} <> ${notBy}`}
        order by ${cursor === undefined ? sql`l.seq desc limit ${literal(NEWEST)}` : sql`l.seq limit ${literal(PAGE + 1)}`}
      ) c)
    from ${counters} n where n.user_id = ${user}`,
  );
  const [newest, from] = [Number(row[0] ?? 0), Number(row[1] ?? 1)];
  if (cursor !== undefined && cursor > newest)
    throw invalid(
      `There is no change ${cursor}: the newest is ${newest}.`,
      'Use the cursor of your last answer, or leave it out.',
    );
  if (cursor !== undefined && cursor + 1 < from)
    throw invalid(
      `What changed right after ${cursor} is no longer kept.`,
      `List again with list_tasks, then go on from cursor ${newest}.`,
    );
  const found = (row[2] ?? []) as Found[];
  const more = cursor !== undefined && found.length > PAGE;
  return { deltas: merged(more ? found.slice(0, PAGE) : found), newest, more };
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

/** Neighbours of one write about one thing are one delta. Others stay apart: a cursor may come to stand between them. */
function merged(found: Found[]): Delta[] {
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
