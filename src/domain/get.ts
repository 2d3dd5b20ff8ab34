import { and, asc, eq, ilike, inArray, isNull, or, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound } from '../errors.js';
import { titleKey } from './names.js';
import { inProject, noTask, type Status, type Task, taskColumns, toTask } from './task.js';
import type { Failure } from './update.js';

export interface Subtask {
  id: number;
  title: string;
  status: Status;
}

export interface TaskDetail extends Task {
  subtasks: Subtask[];
}

/** How many sub-tasks of each task are shown. */
const SUBTASKS = 50;

/** Tasks whole, in the order they were asked for, each by its number or by its title. */
export async function getTasks(
  tx: UserTx,
  asked: (number | string)[],
): Promise<{ tasks: TaskDetail[]; failed: Failure[] }> {
  const ids = asked.filter((each) => typeof each === 'number');
  const titles = asked.filter((each) => typeof each === 'string').map(titleKey);
  const child = alias(tasks, 'child');
  const children = tx.db
    .select({ id: child.id, title: child.title, status: child.status })
    .from(child)
    .where(and(tx.mine(child), eq(child.parentId, tasks.id), isNull(child.deletedAt)))
    .orderBy(asc(child.id))
    .limit(SUBTASKS)
    .as('children');
  const rows = await tx.db
    .select({
      ...taskColumns(tx, true),
      key: tasks.titleKey,
      subtasks: sql<Subtask[]>`(select coalesce(json_agg(children.*), '[]') from ${children})`,
    })
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(tx.mine(tasks), or(inArray(tasks.id, ids), titles.length > 0 ? called(tx, titles) : undefined)))
    .orderBy(asc(tasks.id));

  const found: TaskDetail[] = [];
  const failed: Failure[] = [];
  for (const each of asked) {
    const hits = rows.filter((row) => (typeof each === 'number' ? row.id === each : row.key === titleKey(each)));
    const open = hits.filter((row) => row.status === 'pending' || row.status === 'in_progress');
    const best = open.length > 0 ? open : hits;
    const row = best.length === 1 ? best[0] : undefined;
    if (row) found.push({ ...toTask(row, true), subtasks: row.subtasks });
    else if (typeof each === 'number') failed.push({ id: each, ...noTask(each).body });
    else failed.push({ id: each, ...(await noSuchTitle(tx, each, best)).body });
  }
  return { tasks: found, failed };
}

/** How many tasks of one title are looked at: of a habit, the open ones and the latest. */
const NAMESAKES = 10;

const called = (tx: UserTx, titles: string[]) => sql`${tasks.id} in (
  select id from (
    select t.id, row_number() over (partition by t.title_key order by t.status in ('pending', 'in_progress') desc, t.id desc) as place
    from ${tasks} t where t.user_id = ${tx.userId} and t.deleted_at is null and t.title_key in ${titles}
  ) namesakes where place <= ${NAMESAKES})`;

/** Nothing, or more than one, has that title: those that come near are named. */
async function noSuchTitle(tx: UserTx, title: string, hits: { id: number; title: string }[]) {
  const pattern = `%${title.replace(/[\\%_]/g, '\\$&')}%`;
  const near =
    hits.length > 0
      ? hits
      : await tx.db
          .select({ id: tasks.id, title: tasks.title })
          .from(tasks)
          .where(and(tx.mine(tasks), isNull(tasks.deletedAt), ilike(tasks.title, pattern)))
          .orderBy(asc(tasks.id))
          .limit(5);
  return notFound(
    hits.length > 0 ? `Several tasks are called "${title}".` : `No task is called "${title}".`,
    near.length > 0 ? 'Use the id of one of the candidates.' : 'Use list_tasks to find its id.',
    near.map((task) => ({ id: task.id, title: task.title })),
  );
}
