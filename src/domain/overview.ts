import { type AnyColumn, and, asc, isNotNull, isNull, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { literal, prepared } from '../db/prepared.js';
import { isOpen, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { COUNTED_EACH } from './list.js';
import { inProject, isClaimed, notArchived, type Task, taskColumns, toTask } from './task.js';
import { startOf, today } from './when.js';

export interface Overview {
  counts: { open: number; in_progress: number; claimed: number; blocked: number; overdue: number; today: number };
  overdue: Task[];
  today: Task[];
  /** What agents work on, the claim that ends first being first. */
  claimed: Task[];
}

/** How many tasks each list of the overview shows. */
const SHOWN = 10;

/** Where things stand: counts, what is overdue, what is left for today, and what is claimed. One statement. */
export async function overview(tx: UserTx, now: Date): Promise<Overview> {
  const tomorrow = startOf(today(now, tx.timezone).add({ days: 1 }), tx.timezone);
  const rows = await standing(tx, { now: now.toISOString(), tomorrow: tomorrow.toISOString() });
  const listed = (list: string) => rows.flatMap(({ task }) => (task?.list === list ? [toTask(task as never)] : []));
  const found = rows[0]?.counts;
  return {
    counts: {
      open: found?.open ?? 0,
      in_progress: found?.inProgress ?? 0,
      claimed: found?.claimed ?? 0,
      blocked: found?.blocked ?? 0,
      overdue: found?.overdue ?? 0,
      today: found?.today ?? 0,
    },
    overdue: listed('overdue'),
    today: listed('today'),
    claimed: listed('claimed').sort((a, b) => Number(a.claimedUntil) - Number(b.claimedUntil)),
  };
}

const standing = prepared((tx, value: (name: 'now' | 'tomorrow') => Placeholder) => {
  // As sub-queries: knowing them, PostgreSQL would plan this anew each time, which takes longer than the rest.
  const at = (name: 'now' | 'tomorrow') => sql`(select ${value(name)}::timestamptz)`;
  const [now, tomorrow] = [at('now'), at('tomorrow')];
  const overdue = and(isOpen(tasks), notArchived(tx), sql`${tasks.dueSort} < ${now}`);
  const dueToday = and(
    isOpen(tasks),
    notArchived(tx),
    sql`${tasks.dueSort} >= ${now}`,
    sql`${tasks.dueSort} < ${tomorrow}`,
  );
  const claimed = and(isNotNull(tasks.claimedBy), isClaimed, isOpen(tasks), notArchived(tx));

  const counted = (rows: SQL, name: string) =>
    sql<number>`(select count(*)::int from (${rows} limit ${literal(COUNTED_EACH + 1)}) ${sql.raw(name)})`.as(name);
  const having = (condition: SQL | undefined) =>
    sql`select ${tasks.id} from ${tasks} where ${and(tx.mine(tasks), condition)}`;
  const count = (condition: SQL | undefined, name: string) => counted(having(condition), name);
  const begun = and(sql`${tasks.status} = 'in_progress'`, isNull(tasks.deletedAt), notArchived(tx));
  const counts = tx.db
    .select({
      open: count(and(isOpen(tasks), notArchived(tx)), 'n_open'),
      // Apart, for each has an index.
      inProgress: counted(sql`${having(begun)} union ${having(claimed)}`, 'n_in_progress'),
      claimed: count(claimed, 'n_claimed'),
      blocked: count(and(isOpen(tasks), notArchived(tx), sql`${tasks.openBlockers} > 0`), 'n_blocked'),
      overdue: count(overdue, 'n_overdue'),
      today: count(dueToday, 'n_today'),
    })
    .from(sql`(select 1) as one`)
    .as('counts');
  const first = (condition: SQL | undefined, name: string, by: AnyColumn = tasks.dueSort) =>
    tx.db
      .select(taskColumns(tx))
      .from(tasks)
      .leftJoin(projects, inProject(tx))
      .where(and(tx.mine(tasks), condition))
      .orderBy(asc(by), asc(tasks.id))
      .limit(literal(SHOWN))
      .as(name);
  const [late, soon] = [first(overdue, 'late'), first(dueToday, 'soon')];
  const held = first(claimed, 'held', tasks.claimedUntil);
  const numbered = tx.db
    .select({ list: sql<string>`'overdue'`.as('list'), ...late._.selectedFields })
    .from(late)
    .unionAll(tx.db.select({ list: sql<string>`'today'`.as('list'), ...soon._.selectedFields }).from(soon))
    .unionAll(tx.db.select({ list: sql<string>`'claimed'`.as('list'), ...held._.selectedFields }).from(held))
    .as('numbered');
  return tx.db
    .select({ counts: counts._.selectedFields, task: numbered._.selectedFields })
    .from(counts)
    .leftJoin(numbered, sql`true`)
    .orderBy(sql`numbered.due_sort`, sql`numbered.id`);
});
