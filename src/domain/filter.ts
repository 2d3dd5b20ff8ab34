import { and, asc, eq, isNotNull, isNull, not, type SQL, sql } from 'drizzle-orm';
import { literal } from '../db/prepared.js';
import { changes, isOpen, isUnblocked, projects, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound, type Refusal } from '../errors.js';
import { nameKey } from './names.js';
import type { SearchFilter } from './search.js';
import { isClaimed, noTask, notArchived, PRESENT, PRIORITIES, type Priority, type Status } from './task.js';
import { parseWindow, sinceInstant } from './when.js';

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
  project?: string | undefined;
  labels?: string[] | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  parent?: number | undefined;
  ready?: boolean | undefined;
  /** The name of a holder, `any` or `none`. */
  claimed_by?: string | undefined;
  changed_since?: string | undefined;
  completed_since?: string | undefined;
}

/** The condition that a filter comes to; its text apart, which is looked for otherwise. */
export function where(tx: UserTx, filter: Filter, now: Date): SQL | undefined {
  const status = statusOf(filter);
  return and(
    tx.mine(tasks),
    inStatus(status),
    // What is put away with its project is found only where it is asked for.
    hidesArchived(filter) ? notArchived(tx) : undefined,
    filter.ready === undefined ? undefined : filter.ready ? isReady : not(isReady),
    filter.claimed_by === undefined ? undefined : isClaimedBy(filter.claimed_by),
    filter.project === undefined ? undefined : inProjectCalled(tx, filter.project),
    ...(filter.labels ?? []).map(
      (label) =>
        // Looked up task by task: however many others have it, they are not looked at.
        sql`(select true from ${taskLabels} l where l.user_id = ${tx.userId} and l.task_id = ${tasks.id} and l.label_key = ${nameKey(label)})`,
    ),
    filter.priority ? eq(tasks.priority, PRIORITIES.indexOf(filter.priority) + 1) : undefined,
    filter.due ? dueIn(filter.due, now, tx.timezone) : undefined,
    filter.parent === undefined ? undefined : eq(tasks.parentId, filter.parent),
    filter.changed_since
      ? sql`(select c.at from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.entity_id = ${tasks.id}
          order by c.seq desc limit 1) >= ${sinceInstant(filter.changed_since, { now, timezone: tx.timezone }, 'changed_since').toISOString()}::timestamptz`
      : undefined,
    filter.completed_since
      ? sql`${tasks.completedAt} >= ${sinceInstant(filter.completed_since, { now, timezone: tx.timezone }, 'completed_since').toISOString()}::timestamptz`
      : undefined,
  );
}

export const inProjectCalled = (tx: UserTx, name: string) =>
  sql`${tasks.projectId} = (select p.id from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${nameKey(name)})`;

export const statusOf = (filter: Filter) => filter.status ?? (filter.completed_since ? 'completed' : 'open');
/** Whether tasks of archived projects are out of the way: in all that is still to be done, unless it is asked for by name. */
export const hidesArchived = (filter: Filter): boolean =>
  filter.project === undefined &&
  filter.parent === undefined &&
  (filter.ready === true || ['open', 'not_started', 'in_progress'].includes(statusOf(filter)));

/** Can be started now: it waits for nothing, and not for its day, and nobody has claimed it. */
export const isReady = sql`(${isOpen(tasks)} and ${isUnblocked(tasks)} and ${tasks.startSort} <= ${PRESENT} and ${tasks.claimedUntil} <= ${PRESENT})`;

/** The first condition is there for the index: who gave a task back is not in it. */
function isClaimedBy(holder: string): SQL | undefined {
  const word = nameKey(holder);
  if (word === 'none') return not(isClaimed);
  return and(
    isNotNull(tasks.claimedBy),
    isClaimed,
    word === 'any' ? undefined : sql`taskloom.fold(${tasks.claimedBy}) = taskloom.fold(${holder}::text)`,
  );
}

/** The filters again, for the search to apply before it takes the newest. */
export function searchFilter(tx: UserTx, filter: Filter, now: Date): SearchFilter {
  const status = statusOf(filter);
  const window = filter.due ? parseWindow(filter.due, now, tx.timezone) : undefined;
  return {
    statuses:
      status === 'deleted' || status === 'all'
        ? undefined
        : status === 'open' || status === 'in_progress' // of what is claimed, the stored status is what it was
          ? ['pending', 'in_progress']
          : [status === 'not_started' ? 'pending' : status],
    trashed: status === 'deleted',
    archived: !hidesArchived(filter),
    project: filter.project === undefined ? undefined : nameKey(filter.project),
    labels: filter.labels?.map(nameKey),
    priority: filter.priority && PRIORITIES.indexOf(filter.priority) + 1,
    dueFrom: window === 'none' ? 'infinity' : window?.from?.toISOString(),
    dueUntil: window === 'none' ? undefined : window?.until.toISOString(),
    parent: filter.parent,
    completedFrom:
      filter.completed_since &&
      sinceInstant(filter.completed_since, { now, timezone: tx.timezone }, 'completed_since').toISOString(),
  };
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

export function dueIn(text: string, now: Date, timezone: string): SQL | undefined {
  const window = parseWindow(text, now, timezone);
  if (window === 'none') return sql`${tasks.dueSort} >= 'infinity'`; // not "=": a range keeps the order that the index has
  return and(
    window.from && sql`${tasks.dueSort} >= ${window.from.toISOString()}::timestamptz`,
    // With the id, which is never 0: of a window with two plain ends PostgreSQL thinks that hardly anything is in it, and sorts it.
    sql`(${tasks.dueSort}, ${tasks.id}) < (${window.until.toISOString()}::timestamptz, 0)`,
  );
}

/** What a filter names that is not there: an empty list would tell an agent the wrong thing. */
export function missing(tx: UserTx, { project, parent }: Filter): SQL<'project' | 'parent' | null> {
  const none = sql<'project' | 'parent' | null>`null::text`;
  if (project === undefined && parent === undefined) return none;
  const cases = [
    project !== undefined &&
      sql`when not exists (select 1 from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${nameKey(project)}) then 'project'`,
    parent !== undefined &&
      sql`when not exists (select 1 from ${tasks} t where t.user_id = ${tx.userId} and t.id = ${parent}) then 'parent'`,
  ].filter((each) => each !== false);
  return sql`case ${sql.join(cases, sql` `)} end`;
}

/** Why there is no such list. */
export async function refuseMissing(tx: UserTx, what: 'project' | 'parent', filter: Filter): Promise<Refusal> {
  return what === 'project' ? noProject(tx, filter.project as string) : noTask(filter.parent as number);
}

async function noProject(tx: UserTx, name: string): Promise<Refusal> {
  const some = await tx.db
    .select({ name: projects.name, key: sql<string>`${projects.nameKey}` })
    .from(projects)
    .where(and(tx.mine(projects), isNotNull(projects.nameKey)))
    .orderBy(asc(projects.nameKey))
    .limit(literal(200));
  const key = nameKey(name);
  const near = some.filter((project) => project.key.includes(key) || key.includes(project.key));
  return notFound(
    `No project "${name}".`,
    'Use list_projects to see the projects there are.',
    (near.length > 0 ? near : some).slice(0, 5).map((project) => ({ name: project.name })),
  );
}
