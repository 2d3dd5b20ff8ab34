import { and, asc, inArray, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { arrayOf, literalLimit } from '../../db/prepared.js';
import { type Actor, changes, comments, counters, projects, tasks } from '../../db/schema.js';
import { rowsOf, type UserTx } from '../../db/scope.js';
import { conflict, notFound } from '../../errors.js';
import { nameOf } from '../actors.js';
import type { Operation, RecordedChange } from '../record.js';

/** A recorded change of a task or a project. */
export interface Entry extends RecordedChange {
  /** The write it belongs to, by its first sequence number. */
  batch: number;
  /** The write that it undoes, if it is part of an undo. */
  reverts: number | null;
  entity: 'task' | 'project';
  entityId: number;
  op: Operation;
}

/** A change made after the writes to undo: which fields, and by whom. */
export interface LaterEntry {
  batch: number;
  entity: 'task' | 'project';
  entityId: number;
  fields: string[];
  by: string;
  /** The write that it undoes, if it is part of an undo. */
  reverts: number | null;
}

/** Writes to undo, newest first, and their changes, oldest first. */
export interface Writes {
  batches: number[];
  entries: Entry[];
}

/**
 * Loads the write of an undo handle.
 *
 * @throws Refusal `not_found` if there is no such write or its history is no longer kept, `conflict` if it was undone
 */
export async function loadWrite(tx: UserTx, batch: number): Promise<Writes> {
  const named = sql`select c.batch from ${changes} c where c.user_id = ${tx.userId} and c.seq = ${batch}::bigint and c.batch = c.seq`;
  const [chain, [found], entries] = await Promise.all([
    undoChain(tx, named),
    tx.db.select({ from: counters.changesFrom }).from(counters).where(tx.mine(counters)),
    entriesOf(tx, [batch]),
  ]);
  if (found && batch < found.from)
    throw notFound(`The history of u${batch} is no longer kept.`, 'Change the tasks directly instead.');
  if (!chain.some((link) => link.batch === batch))
    throw notFound(`No write u${batch}.`, 'Use the undo handle of an earlier answer, or last for your last writes.');
  const undo = undoneBy(chain, batch);
  if (undo) throw conflict(`u${batch} was already undone by u${undo}.`, `To redo it, undo u${undo}.`);
  return { batches: [batch], entries };
}

interface Link {
  batch: number;
  reverts: number | null;
}

/** Loads the writes that `batches` selects (with `reverts` null) and, recursively, the writes that undo them. */
async function undoChain(tx: UserTx, batches: SQL): Promise<Link[]> {
  const rows = await rowsOf(
    tx,
    sql`with recursive chain (batch, reverts) as (
      select of.batch, null::bigint from (${batches}) of
      union select c.batch, c.reverts from chain join ${changes} c on c.user_id = ${tx.userId} and c.reverts = chain.batch
    ) select batch, reverts from chain`,
  );
  return rows.map(([batch, reverts]) => ({ batch: Number(batch), reverts: reverts === null ? null : Number(reverts) }));
}

/** Finds the undo of a write that is in effect, that is, not itself undone. */
const undoneBy = (links: Link[], batch: number): number | undefined =>
  links.find((link) => link.reverts === batch && undoneBy(links, link.batch) === undefined)?.batch;

/** How many changes `lastWrites` looks back, and how many of the caller's writes it examines at most. */
const [REACH, OWN] = [5000, 200];

/**
 * Loads the caller's newest writes, newest first, except undos, claims and writes that were undone.
 *
 * @throws Refusal `not_found` if there are none
 */
export async function lastWrites(tx: UserTx, actor: Actor, count: number): Promise<Writes> {
  // One index step per write: grouping all changes within REACH took longer than the rest of an undo.
  const links = await undoChain(
    tx,
    sql`with recursive own (batch, first) as (
      select n.change_seq + 1, n.change_seq - ${literalLimit(REACH)} from ${counters} n where n.user_id = ${tx.userId}
      union all
      select next.batch, own.first from own, lateral (
        select c.batch from ${changes} c
        where c.user_id = ${tx.userId} and c.seq < own.batch and c.seq > own.first and c.reverts is null
          and c.actor - 'agent' = ${JSON.stringify(actor)}::jsonb and c.op not in ('claim', 'release')
        order by c.seq desc limit 1) next
    ) select batch from own offset 1 limit ${literalLimit(OWN)}`,
  );
  const own = links.flatMap(({ batch, reverts }) => (reverts === null ? [batch] : [])).sort((a, b) => b - a);
  const batches = own.filter((batch) => undoneBy(links, batch) === undefined).slice(0, count);
  if (batches.length === 0)
    throw notFound(
      own.length < OWN ? 'You have no write to undo.' : `Your last ${OWN} writes are already undone.`,
      'Give an undo handle from the answer to a write.',
    );
  return { batches, entries: await entriesOf(tx, batches) };
}

/**
 * Predicate for the changes of some writes. Those of one write are consecutive, from its number up to the next write:
 * with a range of `seq`, an old write costs no more than the last.
 */
const ofWrites = (tx: UserTx, seq: SQLWrapper, batches: number[]): SQL => {
  const one = (batch: number) => sql`${seq} >= ${batch}::bigint and ${seq} < (select coalesce((
    select n.seq from ${changes} n where n.user_id = ${tx.userId} and n.seq > ${batch}::bigint and n.batch <> ${batch}::bigint
    order by n.seq limit 1), 9223372036854775807))`;
  return sql`(${sql.join(batches.map(one), sql` or `)})`;
};

const entriesOf = (tx: UserTx, batches: number[]): Promise<Entry[]> =>
  tx.db
    .select({
      batch: changes.batch,
      reverts: changes.reverts,
      entity: changes.entity,
      entityId: changes.entityId,
      op: changes.op,
      before: changes.before,
      after: changes.after,
    })
    .from(changes)
    .where(and(tx.mine(changes), ofWrites(tx, changes.seq, batches)))
    .orderBy(asc(changes.seq));

/** Loads later changes (at most 5000, newest first; no claims) to the tasks and projects that some writes changed. */
export async function laterChanges(tx: UserTx, batches: number[]): Promise<LaterEntry[]> {
  const rows = await rowsOf(
    tx,
    sql`select l.batch, l.entity, l.entity_id, l.actor, l.reverts, (select json_agg(k) from jsonb_object_keys(l.before || l.after) k)
      from ${changes} l
      where l.user_id = ${tx.userId} and l.op not in ('claim', 'release') and l.seq > ${Math.min(...batches)} and l.batch <> all(${arrayOf(batches, 'bigint')})
        and (l.entity, l.entity_id) in (
          select c.entity, c.entity_id from ${changes} c where c.user_id = ${tx.userId} and ${ofWrites(tx, sql`c.seq`, batches)})
      order by l.seq desc limit 5000`,
  );
  return rows.map(([batch, entity, entityId, actor, reverts, fields]) => ({
    batch: Number(batch),
    entity: entity as LaterEntry['entity'],
    entityId: Number(entityId),
    by: nameOf(actor as Actor),
    reverts: reverts === null ? null : Number(reverts),
    fields: (fields ?? []) as string[],
  }));
}

/** Loads the names of projects, merged and removed ones included. */
export async function projectNamesOf(tx: UserTx, ids: number[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await tx.db
    .select({ name: projects.name })
    .from(projects)
    .where(and(tx.mine(projects), inArray(projects.id, ids)));
  return rows.map(({ name }) => name);
}

/** Returns which of the projects `ids` have tasks other than `known`, including tasks in the trash. */
export async function projectsWithOtherTasks(tx: UserTx, ids: number[], known: number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set();
  const rows = await rowsOf(
    tx,
    sql`select p.id from ${projects} p where p.user_id = ${tx.userId} and p.id = any(${arrayOf(ids)}) and exists (
      select 1 from ${tasks} t where t.user_id = ${tx.userId} and t.project_id = p.id and t.id <> all(${arrayOf(known)}))`,
  );
  return new Set(rows.map(([id]) => Number(id)));
}

/** Maps comment ids to task ids: those of the comments `ids` that exist, and of all comments on the tasks `on`. */
export async function commentsOf(tx: UserTx, ids: number[], on: number[]): Promise<Map<number, number>> {
  if (ids.length + on.length === 0) return new Map();
  const rows = await tx.db
    .select({ id: comments.id, task: comments.taskId })
    .from(comments)
    .where(and(tx.mine(comments), or(inArray(comments.id, ids), inArray(comments.taskId, on))));
  return new Map(rows.map(({ id, task }) => [id, task]));
}
