import { sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { changes, counters, dependencies, isOpenAs, projects, tasks } from '../db/schema.js';
import { rowsOf, type UserTx } from '../db/scope.js';
import { nameKey } from './names.js';

/** The subject of a resource: one task, one project by its name, or everything. */
export type Subject = { task: number } | { project: string } | 'everything';

/** The tasks and projects that may look different to readers since some change. */
export interface Touched {
  /** Sequence number of the user's newest change. */
  seq: number;
  /** Whether so much changed that everything counts as touched. */
  all: boolean;
  /** Whether anything changed. */
  any: boolean;
  tasks: Set<number>;
  /** Keys of names, see `nameKey`. */
  projects: Set<string>;
}

/** Maximum number of changes examined: if there are more, everything counts as touched. */
const MAX_CHANGES = 500;

/**
 * Finds the tasks and projects that changes after `seq` may affect: changed tasks, their parents, their blockers, the
 * tasks they block, open sub-tasks that wait with any of these, and the projects of all but the sub-tasks. Changes of a
 * project other than its creation touch everything.
 */
export async function touchedSince(tx: UserTx, seq: number): Promise<Touched> {
  const user = tx.userId;
  const blockers = (side: 'before' | 'after') =>
    sql`select b.value::int from log l cross join lateral jsonb_array_elements_text(coalesce(l.${sql.raw(side)} -> 'blocked_by', '[]')) b`;
  const field = (side: 'before' | 'after', name: 'parent' | 'project') =>
    sql`select (l.${sql.raw(side)} ->> ${sql.raw(`'${name}'`)})::int from log l`;
  const [row = []] = await rowsOf(
    tx,
    sql`with recursive log as (
      select c.entity, c.entity_id, c.op, c.before, c.after from ${changes} c
      where c.user_id = ${user} and c.seq > ${seq} order by c.seq limit ${literalLimit(MAX_CHANGES + 1)}
    ), own as (
      select distinct l.entity_id as id from log l where l.entity = 'task'
    ), near (id) as (
      select o.id from own o
      union select k.parent_id from ${tasks} k join own o on o.id = k.id where k.user_id = ${user}
      union select d.blocked_id from ${dependencies} d join own o on o.id = d.blocker_id where d.user_id = ${user}
      union select d.blocker_id from ${dependencies} d join own o on o.id = d.blocked_id where d.user_id = ${user}
      union ${field('before', 'parent')} union ${field('after', 'parent')}
      union ${blockers('before')} union ${blockers('after')}
    ), gating (id) as (
      select distinct l.entity_id from log l
      where l.entity = 'task' and l.op <> 'create' and (l.before || l.after) ?| array['status', 'deleted_at', 'start', 'blocked_by', 'parent']
      union select d.blocked_id from ${dependencies} d join own o on o.id = d.blocker_id where d.user_id = ${user}
    ), parts (id) as (
      select k.id from ${tasks} k join gating g on g.id = k.parent_id where k.user_id = ${user} and ${isOpenAs('k')}
      union select k.id from parts p join ${tasks} k on k.user_id = ${user} and k.parent_id = p.id and ${isOpenAs('k')}
    )
    select n.change_seq,
      (select count(*) > ${MAX_CHANGES} or coalesce(bool_or(l.entity = 'project' and l.op <> 'create'), false) from log l),
      (select json_agg(r.id) from (select id from near union select id from parts) r where r.id is not null),
      (select json_agg(p.name) from ${projects} p where p.user_id = ${user} and p.id in (
        select k.project_id from ${tasks} k join near r on r.id = k.id where k.user_id = ${user}
        union ${field('before', 'project')} union ${field('after', 'project')}
        union select l.entity_id from log l where l.entity = 'project'))
    from ${counters} n where n.user_id = ${user}`,
  );
  const newest = Number(row[0] ?? seq);
  return {
    seq: newest,
    all: row[1] === true,
    any: newest > seq,
    tasks: new Set((row[2] ?? []) as number[]),
    projects: new Set(((row[3] ?? []) as string[]).map(nameKey)),
  };
}

/** Whether a resource with this subject may have changed. */
export function touches({ all, any, tasks, projects }: Touched, subject: Subject): boolean {
  if (all) return true;
  if (subject === 'everything') return any;
  return 'task' in subject ? tasks.has(subject.task) : projects.has(nameKey(subject.project));
}
