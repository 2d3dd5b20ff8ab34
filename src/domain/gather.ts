import { type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { nameKey } from './names.js';
import { inProject, type Task, taskColumns, toTask } from './task.js';

export interface Wanted {
  ids: number[];
  /** Their parents' chains and all of their sub-tasks too. */
  family?: boolean;
  descriptions?: boolean;
  /** A project by name. */
  project?: string | undefined;
}

export interface Gathered {
  tasks: Map<number, Task>;
  project?: { id: number; name: string };
}

/** What a write needs to know, in one statement: these tasks, as far as they exist, and this project. */
export async function gather(tx: UserTx, wanted: Wanted): Promise<Gathered> {
  const named = alias(projects, 'named');
  const key = wanted.project === undefined ? null : nameKey(wanted.project);
  const rows = await tx.db
    .select({ named: { id: named.id, name: named.name }, task: taskColumns(tx, wanted.descriptions ?? false) })
    .from(sql`(select 1) as one`)
    .leftJoin(named, sql`${tx.mine(named)} and ${named.nameKey} = ${key}`)
    .leftJoin(tasks, sql`${tx.mine(tasks)} and ${tasks.id} = any(${selection(tx, wanted)})`)
    .leftJoin(projects, inProject(tx));
  const found = rows.flatMap(({ task }) =>
    task === null || task.id === null
      ? []
      : [toTask(task as Parameters<typeof toTask>[0], wanted.descriptions ?? false)],
  );
  const project = rows[0]?.named;
  found.sort((a, b) => a.id - b.id); // what a refusal lists must not depend on the backend
  return { tasks: new Map(found.map((task) => [task.id, task])), ...(project && { project }) };
}

function selection(tx: UserTx, { ids, family }: Wanted): SQL {
  const list = sql`${`{${ids.join()}}`}::int[]`;
  if (!family) return list;
  const user = tx.userId;
  return sql`array(
    with recursive up (id, parent_id) as (
      select t.id, t.parent_id from ${tasks} t where t.user_id = ${user} and t.id = any(${list})
      union select t.id, t.parent_id from up join ${tasks} t on t.user_id = ${user} and t.id = up.parent_id
    ), down (id) as (
      select t.id from ${tasks} t where t.user_id = ${user} and t.id = any(${list})
      union select t.id from down join ${tasks} t on t.user_id = ${user} and t.parent_id = down.id
    ) select id from up union select id from down)`;
}
