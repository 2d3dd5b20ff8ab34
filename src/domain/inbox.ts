import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import { literal } from '../db/prepared.js';
import { isOpen, projects, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { COUNTED, type TaskPage } from './list.js';
import { nameKey } from './names.js';
import { inProject, taskColumns, toTask } from './task.js';

/** How many tasks are shown. */
const SHOWN = 25;

/**
 * Open tasks about which nothing was decided yet: no project, no due date, no priority, and not part of
 * another task. The oldest first.
 */
export async function inbox(tx: UserTx, { label }: { label?: string | undefined }): Promise<TaskPage> {
  const undecided = and(
    tx.mine(tasks),
    isOpen(tasks),
    eq(tasks.priority, 5),
    sql`${tasks.dueSort} = 'infinity'`,
    isNull(tasks.projectId),
    isNull(tasks.parentId),
    label === undefined
      ? undefined
      : sql`${tasks.id} in (select l.task_id from ${taskLabels} l where l.user_id = ${tx.userId} and l.label_key = ${nameKey(label)})`,
  );
  const counted = tx.db
    .select({ id: tasks.id })
    .from(tasks)
    .where(undecided)
    .limit(literal(COUNTED + 1))
    .as('counted');
  const rows = await tx.db
    .select({ ...taskColumns(tx), total: sql<number>`(select count(*)::int from ${counted})`.as('total') })
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(undecided)
    .orderBy(asc(tasks.id))
    .limit(literal(SHOWN));
  return {
    tasks: rows.map(({ total, ...row }) => toTask(row as Parameters<typeof toTask>[0])),
    total: rows[0]?.total ?? 0,
    cursorAfter: () => undefined,
  };
}
