import { and, asc, isNotNull, isNull, not, type SQL, sql } from 'drizzle-orm';
import { literal } from '../../db/prepared.js';
import { changes, isOpen, isUnblocked, projects, taskLabels, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import type { Refusal } from '../../errors.js';
import { parseWindow, sayStamp, sayWindow, sinceInstant } from '../dates/when.js';
import { isUnlabelled } from '../labels.js';
import { nameKey } from '../names.js';
import { noProjectCalled } from '../project.js';
import { isClaimed, noTask, notArchived, PRESENT, PRIORITIES, type Priority, type Status, waitsWith } from '../task.js';

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

/** Which tasks to list: those that fit all of it. */
export interface Filter {
  status?: ListStatus | undefined;
  text?: string | undefined;
  /** Null for what is in none. */
  project?: string | null | undefined;
  /** `none` alone for what has none. */
  labels?: string[] | undefined;
  priority?: Priority | 'none' | undefined;
  due?: string | undefined;
  /** Null for what is part of none. */
  parent?: number | null | undefined;
  ready?: boolean | undefined;
  /** The name of a holder, `any` or `none`. */
  claimed_by?: string | undefined;
  changed_since?: string | undefined;
  completed_since?: string | undefined;
}

/** All of a filter that the text of a statement depends on. */
export interface Shape {
  status: ListStatus;
  /** Whether tasks of archived projects count too. */
  archived: boolean;
  ready: boolean | undefined;
  claimed: 'any' | 'none' | 'holder' | undefined;
  due: 'none' | 'until' | 'between' | undefined;
  /** How many labels a task must have; it may have none at all. */
  labels: number | 'none';
  project: 'none' | 'called' | undefined;
  parent: 'none' | 'numbered' | undefined;
  /** Which of its other values it has. */
  priority: boolean;
  changedSince: boolean;
  completedSince: boolean;
}

/** A value of a filter by its name, or what will stand for it. */
export type Value = (name: string) => unknown;

/** Which tasks are meant where nothing is said of their status: the open ones, or those completed since some time. */
export const statusOf = ({ status, completed_since }: Filter): NonNullable<Filter['status']> =>
  status ?? (completed_since ? 'completed' : 'open');

/** Filters by time whose words need no explanation. */
const PLAIN = ['overdue', 'yesterday', 'today', 'tomorrow', 'week', 'none'];
const needsSaying = (text: string) => /\p{L}{2}/u.test(text) && !PLAIN.includes(text.trim().toLowerCase());

/**
 * Splits a filter into a shape and its values, and says what its words for days were taken to mean, such as
 * `due "next week": Mon 30 Nov to Sun 6 Dec`.
 *
 * @throws Refusal `invalid` for words that are no dates
 */
export function shapeOf(
  filter: Filter,
  here: { now: Date; timezone: string },
): { shape: Shape; values: Record<string, unknown>; meant: string[] } {
  const { ready, project, parent, priority, labels = [] } = filter;
  const status = statusOf(filter);
  const inProject = project === undefined ? undefined : project === null ? 'none' : 'called';
  const holder = filter.claimed_by === undefined ? undefined : nameKey(filter.claimed_by);
  const window = filter.due ? parseWindow(filter.due, here.now, here.timezone) : undefined;
  const { from = undefined, until = undefined } = window === 'none' || !window ? {} : window;
  const meant: string[] = [];
  const say = (field: keyof Filter, words: string, meaning: string) => {
    if (needsSaying(words)) meant.push(`${field} "${words.trim()}": ${meaning}`);
  };
  if (filter.due && window && window !== 'none') say('due', filter.due, sayWindow(window, here));
  const since = (field: 'changed_since' | 'completed_since') => {
    const words = filter[field];
    if (!words) return undefined;
    const instant = sinceInstant(words, here, field);
    say(field, words, sayStamp(instant, here.now, here.timezone));
    return instant.toISOString();
  };
  const values = {
    holder,
    project: project === undefined ? undefined : nameKey(project ?? ''),
    parent: parent ?? undefined,
    priority: priority && [...PRIORITIES, 'none'].indexOf(priority) + 1,
    dueFrom: from?.toISOString(),
    dueUntil: until?.toISOString(),
    changedSince: since('changed_since'),
    completedSince: since('completed_since'),
    ...Object.fromEntries(labels.map((label, i) => [`label${i}`, nameKey(label)])),
  };
  const claimed = holder === undefined || holder === 'any' || holder === 'none' ? holder : 'holder';
  const named = inProject === 'called' || typeof parent === 'number';
  return {
    shape: {
      status,
      // What is put away with its project is out of the way of all that is still to be done, unless it is asked for by
      // name, or somebody works on it.
      archived: !isForOpen({ status, ready }) || named || claimed === 'holder' || claimed === 'any',
      ready,
      claimed,
      due: window === 'none' ? 'none' : window && (from ? 'between' : 'until'),
      labels: isUnlabelled(labels) ? 'none' : labels.length,
      project: inProject,
      parent: parent === undefined ? undefined : parent === null ? 'none' : 'numbered',
      priority: priority !== undefined,
      changedSince: values.changedSince !== undefined,
      completedSince: values.completedSince !== undefined,
    },
    values,
    meant,
  };
}

/** Whether a filter lets only open tasks pass. */
export const isForOpen = ({ status, ready }: Pick<Shape, 'status' | 'ready'>): boolean =>
  ready === true || ['open', 'not_started', 'in_progress'].includes(status);

export const labelsOf = ({ labels }: Shape, value: Value): unknown[] =>
  Array.from({ length: labels === 'none' ? 0 : labels }, (_, i) => value(`label${i}`));

/** The condition that a filter comes to; its text apart, which is looked for otherwise. */
export function where(tx: UserTx, shape: Shape, value: Value): SQL | undefined {
  const labelsOfTask = sql`from ${taskLabels} l where l.user_id = ${tx.userId} and l.task_id = ${tasks.id}`;
  return and(
    tx.mine(tasks),
    inStatus(shape.status),
    shape.archived ? undefined : notArchived(tx),
    shape.ready === undefined ? undefined : shape.ready ? isReady(tx) : not(isReady(tx)),
    isClaimedBy(shape, value),
    isInProject(tx, shape, value),
    // Looked up task by task: however many others have it, they are not looked at.
    ...labelsOf(shape, value).map((label) => sql`(select true ${labelsOfTask} and l.label_key = ${label})`),
    shape.labels === 'none' ? sql`(select true ${labelsOfTask} limit 1) is null` : undefined,
    hasPriority(shape, value),
    isDue(shape, value),
    shape.parent === 'numbered' ? isPartOf(value) : shape.parent === 'none' ? isNull(tasks.parentId) : undefined,
    shape.changedSince
      ? sql`coalesce((select c.at from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.entity_id = ${tasks.id}
          order by c.seq desc limit 1), ${tasks.updatedAt}) >= ${value('changedSince')}::timestamptz` // history is not kept for ever
      : undefined,
    shape.completedSince ? isCompletedSince(value) : undefined,
  );
}

export function isInProject(tx: UserTx, { project }: Pick<Shape, 'project'>, value: Value): SQL | undefined {
  if (project === undefined) return undefined;
  if (project === 'none') return isNull(tasks.projectId);
  return sql`${tasks.projectId} = (select p.id from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${value('project')})`;
}

export const isPartOf = (value: Value): SQL => sql`${tasks.parentId} = ${value('parent')}`;

export const hasPriority = ({ priority }: Shape, value: Value): SQL | undefined =>
  priority ? sql`${tasks.priority} = ${value('priority')}` : undefined;

export const isCompletedSince = (value: Value): SQL =>
  sql`${tasks.completedAt} >= ${value('completedSince')}::timestamptz`;

/** Can be started now: neither it nor what it is part of waits for anything or for its day, and nobody has claimed it. */
export const isReady = (
  tx: UserTx,
): SQL => sql`(${isOpen(tasks)} and ${isUnblocked(tasks)} and ${tasks.startSort} <= ${PRESENT} and ${tasks.claimedUntil} <= ${PRESENT}
  and ${waitsWith(tx)} is null)`;

/** The first condition is there for the index: who gave a task back is not in it. */
function isClaimedBy({ claimed }: Shape, value: Value): SQL | undefined {
  if (claimed === undefined) return undefined;
  if (claimed === 'none') return not(isClaimed);
  const held =
    claimed === 'holder' ? sql`taskloom.fold(${tasks.claimedBy}) = taskloom.fold(${value('holder')}::text)` : undefined;
  return and(isNotNull(tasks.claimedBy), isClaimed, held);
}

/** In the statement's text: as a parameter, it would not be known to be what an index is for. */
function hasStatus(status: Status): SQL {
  return sql`${tasks.status} = ${sql.raw(`'${status}'`)}`;
}

/** By somebody's word, or because it is claimed. */
const isInProgress = sql`(${hasStatus('in_progress')} or ${isClaimed})`;

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
    default:
      return and(hasStatus(status), isNull(tasks.deletedAt));
  }
}

export function isDue({ due }: Shape, value: Value): SQL | undefined {
  if (due === undefined) return undefined;
  if (due === 'none') return sql`${tasks.dueSort} >= 'infinity'`; // not "=": a range keeps the order that the index has
  return and(
    due === 'between' ? sql`${tasks.dueSort} >= ${value('dueFrom')}::timestamptz` : undefined,
    // With the id, which is never 0: of a window with two plain ends PostgreSQL thinks that hardly anything is in it, and sorts it.
    sql`(${tasks.dueSort}, ${tasks.id}) < (${value('dueUntil')}::timestamptz, 0)`,
  );
}

/** What a filter names that is not there: an empty list would tell an agent the wrong thing. */
export function missing(tx: UserTx, { project, parent }: Shape, value: Value): SQL<'project' | 'parent' | null> {
  const cases = [
    project === 'called' &&
      sql`when not exists (select 1 from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${value('project')}) then 'project'`,
    parent === 'numbered' &&
      sql`when not exists (select 1 from ${tasks} t where t.user_id = ${tx.userId} and t.id = ${value('parent')}) then 'parent'`,
  ].filter((each) => each !== false);
  return cases.length === 0 ? sql`null::text` : sql`case ${sql.join(cases, sql` `)} end`;
}

/** Why there is no such list. */
export async function missingRefusal(tx: UserTx, what: 'project' | 'parent', filter: Filter): Promise<Refusal> {
  return what === 'project' ? noProject(tx, filter.project as string) : noTask(filter.parent as number);
}

async function noProject(tx: UserTx, name: string): Promise<Refusal> {
  const some = await tx.db
    .select({ name: projects.name })
    .from(projects)
    .where(and(tx.mine(projects), isNotNull(projects.nameKey)))
    .orderBy(asc(projects.nameKey))
    .limit(literal(200));
  return noProjectCalled(
    name,
    some.map((project) => project.name),
  );
}
