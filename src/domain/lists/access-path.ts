import { and, desc, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { changes, isOpen, taskLabels, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { isClaimed, notArchived } from '../task.js';
import {
  hasParent,
  hasPriority,
  inStatus,
  isCompletedSince,
  isDue,
  isInProject,
  isReadyIn,
  labelsOf,
  matchesOnlyOpen,
  type Shape,
  type Value,
} from './filter.js';
import type { Sort } from './sort.js';

/** Index-backed queries that find a list's tasks without examining more rows than needed. */
export interface AccessPath {
  /** Queries for the ids that match one part of the filter, each from an index, newest or most likely first. */
  parts: SQL[];
  /** Condition for tasks that an index returns in the requested order; absent if no index has that order. */
  inOrder?: SQL | undefined;
  /** Whether one index serves the whole filter in the requested order, so the page can be read from it directly. */
  singleIndex: boolean;
}

/** Filters of which it matters only whether they are set; of status, project and readiness, the value matters too. */
const FIELDS = [
  'claimed',
  'due',
  'labels',
  'parent',
  'priority',
  'changedSince',
  'completedSince',
  'unbegun',
] as const satisfies (keyof Shape)[];

type Part = (typeof FIELDS)[number] | Shape['status'] | 'project' | 'otherProject' | 'ready' | 'notReady';

/** Names the parts of a filter. */
function partsOf(shape: Shape): Part[] {
  const parts: Part[] = [shape.status, ...FIELDS.filter((field) => shape[field])];
  if (shape.ready !== undefined) parts.push(shape.ready ? 'ready' : 'notReady');
  if (shape.project) parts.push(shape.project === 'called' && matchesOnlyOpen(shape) ? 'project' : 'otherProject');
  return parts;
}

/** The parts that one index serves together, by order. */
const SERVED: Record<Sort, Part[]> = {
  newest: ['open', 'all', 'cancelled', 'project'],
  due: ['open', 'due', 'project'],
  priority: ['open', 'ready', 'priority'],
  manual: ['open'],
  completed: ['completed', 'completedSince'],
};

/** Chooses the access path for a filter and a sort order. */
export function accessPathOf(tx: UserTx, shape: Shape, sort: Sort, value: Value): AccessPath {
  const { status, ready } = shape;
  const opens = matchesOnlyOpen(shape);
  const serves = (part: Part) => SERVED[sort].includes(part);
  const parts: SQL[] = [];
  const push = (condition: SQL | undefined, order: SQL) =>
    parts.push(sql`select ${tasks.id} from ${tasks} where ${and(tx.mine(tasks), condition)} order by ${order}`);
  const open = opens ? isOpen(tasks) : undefined;
  const newest = desc(tasks.id);

  if (shape.parent === 'numbered') push(hasParent(value), newest);
  if (shape.claimed !== undefined && shape.claimed !== 'none')
    push(and(isNotNull(tasks.claimedBy), isClaimed), desc(tasks.claimedUntil));
  for (const label of labelsOf(shape, value))
    parts.push(
      sql`select l.task_id from ${taskLabels} l where l.user_id = ${tx.userId} and l.label_key = ${label} order by l.task_id desc`,
    );
  if (shape.completedSince && !serves('completedSince')) push(isCompletedSince(value), desc(tasks.completedAt));
  if (shape.changedSince)
    parts.push(
      // Of a time before the history that is kept, it may be any task.
      sql`(select c.entity_id from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.at >= ${value('changedSince')}::timestamptz order by c.at desc)
        union all (select ${tasks.id} from ${tasks} where ${tx.mine(tasks)}
          and (select c.at from ${changes} c where c.user_id = ${tx.userId} order by c.at limit 1) > ${value('changedSince')}::timestamptz)`,
    );
  // Order by project_id first so that the (user_id, project_id, id) index is used: `is null`, unlike `=`, does not make
  // the column constant to the planner.
  if (shape.project) push(and(open, isInProject(tx, shape, value)), sql`${tasks.projectId} desc, ${newest}`);
  const due = isDue(shape, value);
  const priority = hasPriority(shape, value);
  if (ready && !serves('ready')) push(isReadyIn(tx, shape, value), sql`${tasks.priority}, ${tasks.dueSort}`);
  if (open && due && !serves('due')) push(and(open, due), sql`${tasks.dueSort}, ${tasks.id}`);
  if (open && priority && !serves('priority')) push(and(open, priority), sql`${tasks.dueSort}, ${tasks.id}`);
  if (status === 'in_progress')
    parts.push(sql`(select ${tasks.id} from ${tasks} where ${tx.mine(tasks)} and ${tasks.status} = 'in_progress' and ${isNull(tasks.deletedAt)})
      union all (select ${tasks.id} from ${tasks} where ${tx.mine(tasks)} and ${isNotNull(tasks.claimedBy)} and ${isClaimed})`);
  if (status === 'deleted') push(inStatus(status), desc(tasks.deletedAt));
  if (status === 'cancelled') push(inStatus(status), newest);
  if (status === 'completed' && !shape.completedSince && !serves(status))
    push(inStatus(status), desc(tasks.completedAt));
  if (status === 'all' && !serves(status)) push(inStatus(status), newest);

  const byCompletion = sort === 'completed'; // of completed tasks only
  const walk = and(
    tx.mine(tasks),
    opens ? isOpen(tasks) : status === 'deleted' ? undefined : isNull(tasks.deletedAt),
    shape.archived ? undefined : notArchived(tx),
    ready && serves('ready') ? isReadyIn(tx, shape, value) : undefined,
    serves('due') ? due : undefined,
    serves('priority') ? priority : undefined,
    byCompletion ? (shape.completedSince ? isCompletedSince(value) : isNotNull(tasks.completedAt)) : undefined,
  );
  return {
    parts,
    inOrder: opens || byCompletion || sort === 'newest' ? walk : undefined,
    singleIndex: partsOf(shape).every(serves),
  };
}
