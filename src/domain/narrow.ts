import { and, desc, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { changes, isOpen, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { dueIn, type Filter, hidesArchived, inProjectCalled, inStatus, isReady, statusOf } from './filter.js';
import { nameKey } from './names.js';
import type { Sort } from './sort.js';
import { isClaimed, notArchived, PRIORITIES } from './task.js';
import { sinceInstant } from './when.js';

/** How a list is found without looking at more rows than it must. */
export interface Route {
  /** Ids of the tasks that a part of the filter comes to, each from an index, the newest or likeliest first. */
  parts: SQL[];
  /** Tasks that an index has in the order asked for; absent where none has. What it leaves of the filter is `rest`. */
  walk?: SQL | undefined;
  /** Whether `walk` is all of the filter. */
  whole: boolean;
}

/** Which indexes serve a filter and an order. */
export function routeOf(tx: UserTx, filter: Filter, sort: Sort, now: Date): Route {
  const status = statusOf(filter);
  const opens = filter.ready === true || ['open', 'not_started', 'in_progress'].includes(status);
  const parts: SQL[] = [];
  const have = (condition: SQL | undefined, order: SQL) =>
    parts.push(sql`select ${tasks.id} from ${tasks} where ${and(tx.mine(tasks), condition)} order by ${order}`);
  const open = opens ? isOpen(tasks) : undefined;
  const newest = desc(tasks.id);
  const since = (text: string, field: string) =>
    sql`${sinceInstant(text, { now, timezone: tx.timezone }, field).toISOString()}::timestamptz`;

  if (filter.parent !== undefined) have(eq(tasks.parentId, filter.parent), newest);
  if (filter.claimed_by !== undefined && nameKey(filter.claimed_by) !== 'none')
    have(and(isNotNull(tasks.claimedBy), isClaimed), desc(tasks.claimedUntil));
  for (const label of filter.labels ?? [])
    parts.push(
      sql`select l.task_id from ${taskLabels} l where l.user_id = ${tx.userId} and l.label_key = ${nameKey(label)} order by l.task_id desc`,
    );
  if (filter.completed_since)
    have(sql`${tasks.completedAt} >= ${since(filter.completed_since, 'completed_since')}`, desc(tasks.completedAt));
  if (filter.changed_since)
    parts.push(
      sql`select c.entity_id from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.at >= ${since(filter.changed_since, 'changed_since')} order by c.at desc`,
    );
  if (filter.project !== undefined) have(and(open, inProjectCalled(tx, filter.project)), newest);
  const due = filter.due ? dueIn(filter.due, now, tx.timezone) : undefined;
  const priority = filter.priority ? eq(tasks.priority, PRIORITIES.indexOf(filter.priority) + 1) : undefined;
  if (filter.ready && sort !== 'priority') have(isReady, sql`${tasks.priority}, ${tasks.dueSort}`);
  if (open && due && sort !== 'due') have(and(open, due), sql`${tasks.dueSort}, ${tasks.id}`);
  if (open && priority && sort !== 'priority') have(and(open, priority), sql`${tasks.dueSort}, ${tasks.id}`);
  if (status === 'in_progress')
    parts.push(sql`(select ${tasks.id} from ${tasks} where ${tx.mine(tasks)} and ${tasks.status} = 'in_progress' and ${isNull(tasks.deletedAt)})
      union all (select ${tasks.id} from ${tasks} where ${tx.mine(tasks)} and ${isNotNull(tasks.claimedBy)} and ${isClaimed})`);
  if (status === 'deleted') have(inStatus(status), desc(tasks.deletedAt));
  if (status === 'cancelled') have(inStatus(status), newest);
  if (status === 'completed' && !filter.completed_since)
    have(and(isNotNull(tasks.completedAt), inStatus(status)), desc(tasks.completedAt));
  if (status === 'all' && sort !== 'newest') have(inStatus(status), newest);

  const inOrder = opens || sort === 'newest';
  /** The one part of the filter whose own index has the order asked for. */
  const ordered =
    (filter.project !== undefined && opens && (sort === 'newest' || sort === 'due')) ||
    (filter.project === undefined && status === 'cancelled' && sort === 'newest');
  const walk = and(
    tx.mine(tasks),
    opens ? isOpen(tasks) : status === 'deleted' ? undefined : isNull(tasks.deletedAt),
    hidesArchived(filter) ? notArchived(tx) : undefined,
    filter.ready && sort === 'priority' ? isReady : undefined,
    sort === 'due' ? due : undefined,
    sort === 'priority' ? priority : undefined,
  );
  const { claimed_by, ready } = filter;
  return {
    parts,
    walk: inOrder ? walk : undefined,
    whole:
      inOrder &&
      parts.length === (ordered ? 1 : 0) &&
      ['open', 'all', 'cancelled'].includes(status) &&
      claimed_by === undefined &&
      (ready === undefined || (ready && sort === 'priority')) &&
      (!due || (opens && sort === 'due')) &&
      (!priority || (opens && sort === 'priority')),
  };
}
