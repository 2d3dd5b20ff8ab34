import { type AnyColumn, and, isNotNull, isNull, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { literalLimit, prepared } from '../db/prepared.js';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { startOfDay, today } from './dates/clock.js';
import { MAX_COUNT_EACH } from './lists/list.js';
import { archivedProjects, inProject, isClaimed, type Task, taskColumns, tasksIn, toTask } from './task.js';

export interface Overview {
  counts: { open: number; in_progress: number; claimed: number; blocked: number; overdue: number; today: number };
  overdue: Task[];
  today: Task[];
  /** Claimed tasks, by the end of their claims. */
  claimed: Task[];
}

/** Maximum number of tasks in each list of the overview. */
const SHOWN = 10;

/** Loads counts and the first tasks that are overdue, due today or claimed, in one statement. */
export async function overview(tx: UserTx, now: Date): Promise<Overview> {
  const tomorrow = startOfDay(today({ now, timezone: tx.timezone }).add({ days: 1 }), tx.timezone);
  const rows = await standing(tx, { now: now.toISOString(), tomorrow: tomorrow.toISOString() });
  const [{ counts, lists }] = rows as [(typeof rows)[0]];
  const shown = new Map(tasksIn(rows).map((row) => [row.id, toTask(row)]));
  const listed = (ids: number[]) => ids.flatMap((id) => shown.get(id) ?? []);
  return { counts, overdue: listed(lists.overdue), today: listed(lists.today), claimed: listed(lists.claimed) };
}

const standing = prepared((tx, value: (name: 'now' | 'tomorrow') => Placeholder) => {
  // As sub-queries: with known values, PostgreSQL would plan anew each time, which takes longer than the rest.
  const at = (name: 'now' | 'tomorrow') => sql`(select ${value(name)}::timestamptz)`;
  const [now, tomorrow] = [at('now'), at('tomorrow')];
  // Shared by all parts: PostgreSQL plans every repetition, and planning takes longer than running them.
  const archived = tx.db.$with('archived', {}).as(sql`select array(${archivedProjects(tx)}) as ids`);
  const inSight = sql`(${tasks.projectId} is null or ${tasks.projectId} <> all((select ids from archived)::int[]))`;
  const open = and(isOpen(tasks), inSight);
  const begun = and(sql`${tasks.status} = 'in_progress'`, isNull(tasks.deletedAt), inSight);

  const most = literalLimit(MAX_COUNT_EACH + 1);
  const having = (condition: SQL | undefined, ...more: SQL[]) =>
    sql`select ${sql.join([sql`${tasks.id} as id`, ...more], sql`, `)} from ${tasks} where ${and(tx.mine(tasks), condition)}`;
  const count = (rows: SQL) => sql`(select count(*) from (${rows} limit ${most}) as counted)`;
  const inOrder = (name: string, condition: SQL | undefined, by: AnyColumn) =>
    tx.db
      .$with(name, {})
      .as(
        sql`${having(condition, sql`${by} as place`, sql`${inSight} as in_sight`)} order by ${by}, ${tasks.id} limit ${most}`,
      );
  const first = (name: string) =>
    sql`array(select id from ${sql.raw(name)} order by place, id limit ${literalLimit(SHOWN)})`;
  const late = inOrder('late', and(open, sql`${tasks.dueSort} < ${now}`), tasks.dueSort);
  const soon = inOrder(
    'soon',
    and(open, sql`${tasks.dueSort} >= ${now} and ${tasks.dueSort} < ${tomorrow}`),
    tasks.dueSort,
  );
  // Claimed tasks are shown even if their project is archived.
  const claims = inOrder('claims', and(isOpen(tasks), isNotNull(tasks.claimedBy), isClaimed), tasks.claimedUntil);
  const found = tx.db.$with('found', { counts: sql<Overview['counts']>`counts`.as('counts') }).as(
    sql`select json_build_object(
        'open', ${count(having(open))},
        'in_progress', ${count(sql`${having(begun)} union select id from claims where in_sight`)},
        'claimed', (select count(*) from claims),
        'blocked', ${count(having(and(open, sql`${tasks.openBlockers} > 0`)))},
        'overdue', (select count(*) from late),
        'today', (select count(*) from soon)
      ) as counts, ${first('late')} as late, ${first('soon')} as soon, ${first('claims')} as claims`,
  );
  const page = tx.db
    .select(taskColumns(tx, { ancestors: true }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(tx.mine(tasks), sql`${tasks.id} = any((select late || soon || claims from found)::int[])`))
    .as('page');
  return tx.db
    .with(archived, late, soon, claims, found)
    .select({
      counts: sql<Overview['counts']>`found.counts`,
      lists: sql<
        Record<'overdue' | 'today' | 'claimed', number[]>
      >`json_build_object('overdue', late, 'today', soon, 'claimed', claims)`,
      task: page._.selectedFields,
    })
    .from(found)
    .leftJoin(page, sql`true`);
});
