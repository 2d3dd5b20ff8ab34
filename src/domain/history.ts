import { and, asc, inArray, or, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { listOf, literal } from '../db/prepared.js';
import { type Actor, changes, comments, counters, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { conflict, notFound } from '../errors.js';
import type { Operation, Recorded, Step } from './record.js';

/** A recorded change of a task or a project. */
export interface Entry {
  /** The write it belongs to. */
  batch: number;
  /** The write that it undid, if it did. */
  reverts: number | null;
  entity: 'task' | 'project';
  entityId: number;
  op: Operation;
  before: Recorded;
  after: Recorded;
}

/** What is known of a change that was made after others: which fields, and by whom. */
export interface Later {
  batch: number;
  entity: 'task' | 'project';
  entityId: number;
  fields: string[];
  by: string;
  /** The write that it undid, if it did. */
  reverts: number | null;
}

/** Who made a change, in a word. */
export const nameOf = (actor: Actor): string => actor.agent ?? actor.client ?? actor.via;
export const nameInSql = (actor: SQL): SQL =>
  sql`coalesce(${actor} ->> 'agent', ${actor} ->> 'client', ${actor} ->> 'via')`;

/** How much of a remark is shown, in characters. */
export const REMARK = 100;

/** What is recorded and too long to be told. */
const LONG = `array['description', 'comments', 'note']`;

/** What a change did, as a `Step`: what it was and is only of what it changed, not of what it made. */
export const stepIn = (tx: UserTx, row: 'c' | 'h'): SQL<Step> => {
  const change = sql.raw(row);
  const told = sql`${change}.op not in ('create', 'comment', 'claim', 'release') or ${change}.reverts is not null`;
  const short = (what: 'before' | 'after') =>
    sql`case when ${told} then ${change}.${sql.raw(what)} - ${sql.raw(LONG)} else '{}' end`;
  return sql`json_build_object('what', ${change}.op, 'undoes', ${change}.reverts is not null,
    'fields', array(select k from jsonb_object_keys(${change}.before || ${change}.after) k order by k collate "C"),
    'before', ${short('before')}, 'after', ${short('after')},
    'project', case when ${told} then (select p.name from ${projects} p
      where p.user_id = ${tx.userId} and p.id = (${change}.after ->> 'project')::int) end,
    'said', left(coalesce(${change}.after -> 'comments' -> 0 ->> 'text', ${change}.after ->> 'note'), ${literal(REMARK + 1)}))`;
};

/** Raw rows, as arrays of columns. */
export async function rowsOf(tx: UserTx, query: ReturnType<typeof sql>): Promise<unknown[][]> {
  return (await tx.db.execute(query)) as unknown as unknown[][]; // the proxy hands rows on as they came
}

/** Writes that can be undone, and all that they changed, in the order it happened. */
export interface Writes {
  batches: number[];
  entries: Entry[];
}

/**
 * The write of a handle.
 *
 * @throws Refusal `not_found` or `conflict` where there is nothing of that handle to undo
 */
export async function writeOf(tx: UserTx, batch: number): Promise<Writes> {
  const named = sql`select c.batch from ${changes} c where c.user_id = ${tx.userId} and c.seq = ${batch}::bigint and c.batch = c.seq`;
  const [links, [found], entries] = await Promise.all([
    chainOf(tx, named),
    tx.db.select({ from: counters.changesFrom }).from(counters).where(tx.mine(counters)),
    entriesOf(tx, [batch]),
  ]);
  if (found && batch < found.from)
    throw notFound(`u${batch} is older than the history that is kept.`, 'Change the tasks themselves instead.');
  if (!links.some((link) => link.batch === batch))
    throw notFound(`No write u${batch}.`, 'Use the undo of an earlier answer, or last for your own last writes.');
  const by = undoneBy(links, batch);
  if (by) throw conflict(`u${batch} was undone already, by u${by}.`, `To have it again, undo u${by}.`);
  return { batches: [batch], entries };
}

interface Link {
  batch: number;
  reverts: number | null;
}

/** Writes, which `batches` selects, and those that undo them, at any distance. The former come without what they undo. */
async function chainOf(tx: UserTx, batches: SQL): Promise<Link[]> {
  const rows = await rowsOf(
    tx,
    sql`with recursive chain (batch, reverts) as (
      select of.batch, null::bigint from (${batches}) of
      union select c.batch, c.reverts from chain join ${changes} c on c.user_id = ${tx.userId} and c.reverts = chain.batch
    ) select batch, reverts from chain`,
  );
  return rows.map(([batch, reverts]) => ({ batch: Number(batch), reverts: reverts === null ? null : Number(reverts) }));
}

/** The undo that holds, of those that undid a write: one that was itself undone does not. */
const undoneBy = (links: Link[], batch: number): number | undefined =>
  links.find((link) => link.reverts === batch && undoneBy(links, link.batch) === undefined)?.batch;

/** How many changes back the caller's own writes are looked for, and how many of them are looked at. */
const [REACH, OWN] = [5000, 200];

/**
 * The caller's newest writes that are no undos, no claims and were not undone, newest first.
 *
 * @throws Refusal `not_found` where there are none
 */
export async function lastWrites(tx: UserTx, actor: Actor, count: number): Promise<Writes> {
  // One step over the index for each: to group all within reach took longer than the rest of an undo.
  const links = await chainOf(
    tx,
    sql`with recursive own (batch, first) as (
      select n.change_seq + 1, n.change_seq - ${literal(REACH)} from ${counters} n where n.user_id = ${tx.userId}
      union all
      select next.batch, own.first from own, lateral (
        select c.batch from ${changes} c
        where c.user_id = ${tx.userId} and c.seq < own.batch and c.seq > own.first and c.reverts is null
          and c.actor - 'agent' = ${JSON.stringify(actor)}::jsonb and c.op not in ('claim', 'release')
        order by c.seq desc limit 1) next
    ) select batch from own offset 1 limit ${literal(OWN)}`,
  );
  const own = links.flatMap(({ batch, reverts }) => (reverts === null ? [batch] : [])).sort((a, b) => b - a);
  const batches = own.filter((batch) => undoneBy(links, batch) === undefined).slice(0, count);
  if (batches.length === 0)
    throw notFound(
      own.length < OWN ? 'There is no write of yours to undo.' : `Your last ${OWN} writes are undone already.`,
      'Give a handle: the undo that the answer to a write carries.',
    );
  return { batches, entries: await entriesOf(tx, batches) };
}

/**
 * Which changes are of some writes. Those of one follow each other from the number that names it, up to the next write:
 * found so, a write of long ago costs no more than the last.
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

/** Later changes of what some writes changed, the newest first. */
export async function laterThan(tx: UserTx, batches: number[]): Promise<Later[]> {
  const rows = await rowsOf(
    tx,
    sql`select l.batch, l.entity, l.entity_id, l.actor, l.reverts, (select json_agg(k) from jsonb_object_keys(l.before || l.after) k)
      from ${changes} l
      where l.user_id = ${tx.userId} and l.op not in ('claim', 'release') and l.seq > ${Math.min(...batches)} and l.batch <> all(${listOf(batches, 'bigint')})
        and (l.entity, l.entity_id) in (
          select c.entity, c.entity_id from ${changes} c where c.user_id = ${tx.userId} and ${ofWrites(tx, sql`c.seq`, batches)})
      order by l.seq desc limit 5000`,
  );
  return rows.map(([batch, entity, entityId, actor, reverts, fields]) => ({
    batch: Number(batch),
    entity: entity as Later['entity'],
    entityId: Number(entityId),
    by: nameOf(actor as Actor),
    reverts: reverts === null ? null : Number(reverts),
    fields: (fields ?? []) as string[],
  }));
}

/** What some projects are called, those that are gone included. */
export async function projectNamesOf(tx: UserTx, ids: number[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await tx.db
    .select({ name: projects.name })
    .from(projects)
    .where(and(tx.mine(projects), inArray(projects.id, ids)));
  return rows.map(({ name }) => name);
}

/** Those of some projects that have other tasks than these, the trash included. */
export async function projectsWithOtherTasks(tx: UserTx, ids: number[], known: number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set();
  const rows = await rowsOf(
    tx,
    sql`select p.id from ${projects} p where p.user_id = ${tx.userId} and p.id = any(${listOf(ids)}) and exists (
      select 1 from ${tasks} t where t.user_id = ${tx.userId} and t.project_id = p.id and t.id <> all(${listOf(known)}))`,
  );
  return new Set(rows.map(([id]) => Number(id)));
}

/** The tasks of these comments, as far as there are any, and of all that are on these tasks. */
export async function commentsOf(tx: UserTx, ids: number[], on: number[]): Promise<Map<number, number>> {
  if (ids.length + on.length === 0) return new Map();
  const rows = await tx.db
    .select({ id: comments.id, task: comments.taskId })
    .from(comments)
    .where(and(tx.mine(comments), or(inArray(comments.id, ids), inArray(comments.taskId, on))));
  return new Map(rows.map(({ id, task }) => [id, task]));
}
