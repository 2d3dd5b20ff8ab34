import { and, asc, isNotNull, isNull, not, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../../db/prepared.js';
import { changes, isOpen, isUnblocked, projects, taskLabels, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import type { Refusal } from '../../errors.js';
import { type Actors, clientInSql } from '../actors.js';
import { sayStamp, type TimeContext } from '../dates/clock.js';
import { parseWindow, sayWindow, sinceInstant } from '../dates/when.js';
import { isUnlabelled } from '../labels.js';
import { nameKey } from '../names.js';
import { noProjectRefusal } from '../project.js';
import {
  blockingAncestor,
  DATABASE_NOW,
  isClaimed,
  noTask,
  notArchived,
  type Priority,
  priorityRank,
  type Status,
} from '../task.js';

export const LIST_STATUSES = [
  'open',
  'not_started',
  'in_progress',
  'completed',
  'cancelled',
  'deleted',
  'all',
] as const;
type ListStatus = (typeof LIST_STATUSES)[number];

/** Which tasks to list: those that match every field that is set. */
export interface Filter {
  status?: ListStatus | undefined;
  text?: string | undefined;
  /** Null for tasks without a project. */
  project?: string | null | undefined;
  /** `['none']` for tasks without labels. */
  labels?: string[] | undefined;
  priority?: Priority | 'none' | undefined;
  due?: string | undefined;
  /** Null for tasks without a parent. */
  parent?: number | null | undefined;
  ready?: boolean | undefined;
  /** Set with `ready` to include tasks that start later, but not after this moment. */
  startsBy?: Date;
  /** A holder's name, all agents of a client, `any` or `none`. */
  claimed_by?: Actors | undefined;
  changed_since?: string | undefined;
  completed_since?: string | undefined;
  /** Set to leave out tasks that were begun by hand, not under a claim: `claim_task` does not hand them out. */
  unbegun?: true;
}

/** The parts of a filter that determine a statement's SQL text, without the values. */
export interface Shape {
  status: ListStatus;
  /** Whether tasks of archived projects are included. */
  archived: boolean;
  ready: boolean | undefined;
  startsBy: boolean;
  claimed: 'any' | 'none' | 'holder' | 'client' | undefined;
  due: 'none' | 'until' | 'between' | undefined;
  /** How many labels are given, all of which a task must have; `none` for tasks without labels. */
  labels: number | 'none';
  project: 'none' | 'called' | undefined;
  parent: 'none' | 'numbered' | undefined;
  /** Whether the filter sets `priority`, `changed_since` and `completed_since`. */
  priority: boolean;
  changedSince: boolean;
  completedSince: boolean;
  unbegun: boolean;
}

/** Names of the parameters that a filter has in a statement. */
export type FilterParam =
  | 'holder'
  | 'project'
  | 'parent'
  | 'priority'
  | 'dueFrom'
  | 'dueUntil'
  | 'changedSince'
  | 'completedSince'
  | 'startsBy'
  | `label${number}`;

/** Returns the value with this name, or its placeholder. */
export type Value<Name extends string = FilterParam> = (name: Name) => unknown;

/** Returns the status to list; by default `completed` if `completed_since` is set, else `open`. */
export const statusOf = ({ status, completed_since }: Filter): NonNullable<Filter['status']> =>
  status ?? (completed_since ? 'completed' : 'open');

/** Date words whose reading is not explained to the agent. */
const PLAIN = ['overdue', 'yesterday', 'today', 'tomorrow', 'week', 'none'];
const isUnclear = (text: string) => /\p{L}{2}/u.test(text) && !PLAIN.includes(text.trim().toLowerCase());

/**
 * Splits a filter into its shape and its values, and explains how date words were read, for example
 * `due "next week": Mon 30 Nov to Sun 6 Dec`.
 *
 * @throws Refusal `invalid` for a date that is unreadable, ambiguous or, in the `_since` fields, in the future
 */
export function shapeOf(
  filter: Filter,
  context: TimeContext,
): { shape: Shape; values: Record<FilterParam, unknown>; meant: string[] } {
  const { ready, project, parent, priority, labels = [] } = filter;
  const status = statusOf(filter);
  const projectKind = project === undefined ? undefined : project === null ? 'none' : 'called';
  const { claimed_by } = filter;
  const client = typeof claimed_by === 'object' ? claimed_by.client : undefined;
  const holder = typeof claimed_by === 'string' ? nameKey(claimed_by) : undefined;
  const window = filter.due ? parseWindow(filter.due, context) : undefined;
  const { from = undefined, until = undefined } = window === 'none' || !window ? {} : window;
  const meant: string[] = [];
  const note = (field: keyof Filter, words: string, meaning: string) => {
    if (isUnclear(words)) meant.push(`${field} "${words.trim()}": ${meaning}`);
  };
  if (filter.due && window && window !== 'none') note('due', filter.due, sayWindow(window, context));
  const since = (field: 'changed_since' | 'completed_since') => {
    const words = filter[field];
    if (!words) return undefined;
    const instant = sinceInstant(words, context, field);
    note(field, words, sayStamp(instant, context));
    return instant.toISOString();
  };
  const values = {
    holder: client ?? holder,
    project: project === undefined ? undefined : nameKey(project ?? ''),
    parent: parent ?? undefined,
    priority: priority && priorityRank(priority === 'none' ? null : priority),
    dueFrom: from?.toISOString(),
    dueUntil: until?.toISOString(),
    changedSince: since('changed_since'),
    completedSince: since('completed_since'),
    startsBy: filter.startsBy?.toISOString(),
    ...Object.fromEntries(labels.map((label, i) => [`label${i}`, nameKey(label)])),
  };
  const byName = holder === undefined || holder === 'any' || holder === 'none' ? holder : 'holder';
  const claimed = client === undefined ? byName : 'client';
  const named = projectKind === 'called' || typeof parent === 'number';
  return {
    shape: {
      status,
      // Open lists hide tasks of archived projects unless the project or parent is named or a claim is asked for.
      archived: !matchesOnlyOpen({ status, ready }) || named || (claimed !== undefined && claimed !== 'none'),
      ready,
      startsBy: filter.startsBy !== undefined,
      claimed,
      due: window === 'none' ? 'none' : window && (from ? 'between' : 'until'),
      labels: isUnlabelled(labels) ? 'none' : labels.length,
      project: projectKind,
      parent: parent === undefined ? undefined : parent === null ? 'none' : 'numbered',
      priority: priority !== undefined,
      changedSince: values.changedSince !== undefined,
      completedSince: values.completedSince !== undefined,
      unbegun: filter.unbegun === true,
    },
    values,
    meant,
  };
}

/** Tells whether a filter matches only open tasks. */
export const matchesOnlyOpen = ({ status, ready }: Pick<Shape, 'status' | 'ready'>): boolean =>
  ready === true || ['open', 'not_started', 'in_progress'].includes(status);

export const labelsOf = ({ labels }: Shape, value: Value): unknown[] =>
  Array.from({ length: labels === 'none' ? 0 : labels }, (_, i) => value(`label${i}`));

/** Builds the condition for a filter, except for its text, which `search.ts` matches. */
export function filterCondition(tx: UserTx, shape: Shape, value: Value): SQL | undefined {
  const labelsOfTask = sql`from ${taskLabels} l where l.user_id = ${tx.userId} and l.task_id = ${tasks.id}`;
  return and(
    tx.mine(tasks),
    inStatus(shape.status),
    shape.archived ? undefined : notArchived(tx),
    shape.ready === undefined ? undefined : shape.ready ? isReadyIn(tx, shape, value) : not(isReady(tx)),
    isClaimedBy(tx, shape, value),
    isInProject(tx, shape, value),
    // One index lookup per task, so the cost does not depend on how many tasks have the label.
    ...labelsOf(shape, value).map((label) => sql`(select true ${labelsOfTask} and l.label_key = ${label})`),
    shape.labels === 'none' ? sql`(select true ${labelsOfTask} limit 1) is null` : undefined,
    hasPriority(shape, value),
    isDue(shape, value),
    shape.parent === 'numbered' ? hasParent(value) : shape.parent === 'none' ? isNull(tasks.parentId) : undefined,
    shape.changedSince
      ? sql`coalesce((select c.at from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.entity_id = ${tasks.id}
          order by c.seq desc limit 1), ${tasks.updatedAt}) >= ${value('changedSince')}::timestamptz` // history is not kept for ever
      : undefined,
    shape.completedSince ? isCompletedSince(value) : undefined,
    shape.unbegun ? isUnbegun : undefined,
  );
}

export function isInProject(tx: UserTx, { project }: Pick<Shape, 'project'>, value: Value): SQL | undefined {
  if (project === undefined) return undefined;
  if (project === 'none') return isNull(tasks.projectId);
  return sql`${tasks.projectId} = (select p.id from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${value('project')})`;
}

export const hasParent = (value: Value): SQL => sql`${tasks.parentId} = ${value('parent')}`;

export const hasPriority = ({ priority }: Shape, value: Value): SQL | undefined =>
  priority ? sql`${tasks.priority} = ${value('priority')}` : undefined;

export const isCompletedSince = (value: Value): SQL =>
  sql`${tasks.completedAt} >= ${value('completedSince')}::timestamptz`;

/**
 * Builds the condition for tasks that can be started now: open, unclaimed, without open sub-tasks, and neither the task
 * nor an ancestor is blocked or starts later.
 *
 * @param at later than what: by default, than now
 */
export const isReady = (
  tx: UserTx,
  at: SQL = DATABASE_NOW,
): SQL => sql`(${isOpen(tasks)} and ${isUnblocked(tasks)} and ${tasks.startSort} <= ${at} and ${tasks.claimedUntil} <= ${DATABASE_NOW}
  and ${blockingAncestor(tx, at)} is null)`;

/** Builds the condition for the ready tasks of a filter. */
export const isReadyIn = (tx: UserTx, { startsBy }: Shape, value: Value): SQL =>
  isReady(tx, startsBy ? sql`${value('startsBy')}::timestamptz` : undefined);

/** Includes `claimed_by is not null`, the predicate of the partial index on claims, which leaves out released tasks. */
function isClaimedBy(tx: UserTx, { claimed }: Shape, value: Value): SQL | undefined {
  if (claimed === undefined) return undefined;
  if (claimed === 'none') return not(isClaimed);
  const matching = {
    any: undefined,
    holder: sql`taskloom.fold(${tasks.claimedBy}) = taskloom.fold(${value('holder')}::text)`,
    client: sql`(select ${clientInSql(sql`c.actor`)} from ${changes} c where c.user_id = ${tx.userId} and c.seq = ${tasks.claim}) = ${value('holder')}`,
  };
  return and(isNotNull(tasks.claimedBy), isClaimed, matching[claimed]);
}

/** Writes the status into the SQL text: the planner cannot match a parameter to the predicate of a partial index. */
function hasStatus(status: Status): SQL {
  return sql`${tasks.status} = ${sql.raw(`'${status}'`)}`;
}

/** The status was set to in_progress, or the task is claimed. */
const isInProgress = sql`(${hasStatus('in_progress')} or ${isClaimed})`;

/** Nobody began the task, or only under the claim that it has or had last. */
export const isUnbegun = sql`(${hasStatus('pending')} or ${isNotNull(tasks.claimedBy)})`;

export function inStatus(status: ListStatus): SQL | undefined {
  switch (status) {
    case 'open':
      return isOpen(tasks);
    case 'deleted':
      return isNotNull(tasks.deletedAt);
    case 'all':
      return isNull(tasks.deletedAt);
    case 'not_started':
      return and(isOpen(tasks), hasStatus('pending'), not(isClaimed));
    case 'in_progress':
      return and(isOpen(tasks), isInProgress);
    case 'completed':
      return and(hasStatus(status), isNull(tasks.deletedAt), isNotNull(tasks.completedAt)); // as the index is made
    case 'cancelled':
      return and(hasStatus(status), isNull(tasks.deletedAt));
  }
}

export function isDue({ due }: Shape, value: Value): SQL | undefined {
  if (due === undefined) return undefined;
  if (due === 'none') return sql`${tasks.dueSort} >= 'infinity'`; // not "=": a range keeps the order of the index
  return and(
    due === 'between' ? sql`${tasks.dueSort} >= ${value('dueFrom')}::timestamptz` : undefined,
    // A row comparison (ids are never 0): between two plain bounds PostgreSQL expects hardly any rows, and sorts them.
    sql`(${tasks.dueSort}, ${tasks.id}) < (${value('dueUntil')}::timestamptz, 0)`,
  );
}

/** Selects which of the named project and parent does not exist: an empty list would mislead the agent. */
export function missingReference(
  tx: UserTx,
  { project, parent }: Shape,
  value: Value,
): SQL<'project' | 'parent' | null> {
  const cases = [
    project === 'called' &&
      sql`when not exists (select 1 from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${value('project')}) then 'project'`,
    parent === 'numbered' &&
      sql`when not exists (select 1 from ${tasks} t where t.user_id = ${tx.userId} and t.id = ${value('parent')}) then 'parent'`,
  ].filter((each) => each !== false);
  return cases.length === 0 ? sql`null::text` : sql`case ${sql.join(cases, sql` `)} end`;
}

/** Builds the refusal `not_found` for a project or parent that `missing` selected. */
export async function missingRefusal(tx: UserTx, what: 'project' | 'parent', filter: Filter): Promise<Refusal> {
  return what === 'project' ? noProject(tx, filter.project as string) : noTask(filter.parent as number);
}

async function noProject(tx: UserTx, name: string): Promise<Refusal> {
  const existing = await tx.db
    .select({ name: projects.name })
    .from(projects)
    .where(and(tx.mine(projects), isNotNull(projects.nameKey)))
    .orderBy(asc(projects.nameKey))
    .limit(literalLimit(200));
  return noProjectRefusal(
    name,
    existing.map((project) => project.name),
  );
}
