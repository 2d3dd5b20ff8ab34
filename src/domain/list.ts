import { and, asc, desc, eq, ilike, isNotNull, isNull, not, or, type SQL, sql } from 'drizzle-orm';
import { changes, isOpen, isUnblocked, projects, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound, type Refusal } from '../errors.js';
import { type Position, packCursor, unpackCursor } from './cursor.js';
import { nameKey } from './names.js';
import { inProject, notArchived, PRIORITIES, type Priority, type Task, taskColumns, toTask } from './task.js';
import { parseWindow, sinceInstant } from './when.js';

export const LIST_STATUSES = [
  'open',
  'pending',
  'not_started',
  'in_progress',
  'completed',
  'cancelled',
  'deleted',
  'all',
] as const;
export const SORTS = ['newest', 'due', 'priority', 'manual'] as const;

export interface ListInput {
  status?: (typeof LIST_STATUSES)[number] | undefined;
  text?: string | undefined;
  project?: string | undefined;
  labels?: string[] | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  parent?: number | undefined;
  ready?: boolean | undefined;
  changed_since?: string | undefined;
  completed_since?: string | undefined;
  sort?: (typeof SORTS)[number] | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface TaskPage {
  tasks: Task[];
  /** Exact up to `COUNTED`, then one more. */
  total: number;
  /** The cursor of what comes after the first so many of `tasks`, if anything does. */
  cursorAfter(shown: number): string | undefined;
}

/** Counts stop here: beyond, nobody acts on the difference, and it would cost. */
export const COUNTED = 1000;

/** Finds tasks: one page of those that match every filter, and how many there are. */
export async function listTasks(
  tx: UserTx,
  input: ListInput,
  { now, secret, descriptions }: { now: Date; secret: Buffer; descriptions: boolean },
): Promise<TaskPage> {
  const { cursor, limit, ...filter } = input;
  // A list by due date or window is meant to be read in that order, and of what is ready the first comes first.
  const sort = filter.sort ?? (filter.due && filter.due !== 'none' ? 'due' : filter.ready ? 'priority' : 'newest');
  const bound = JSON.stringify([tx.userId, Object.entries({ ...filter, sort }).sort()]);
  const after = cursor === undefined ? undefined : unpackCursor(cursor, bound, secret);
  const from = after?.now ?? now;
  const matches = where(tx, filter, from);

  const count = tx.db
    .select({
      total: sql<number>`count(*)::int`.as('total'),
      known: (filter.project === undefined ? sql<boolean>`true` : hasProject(tx, filter.project)).as('known'),
    })
    .from(
      tx.db
        .select({ one: sql`1`.as('one') })
        .from(tasks)
        .where(matches)
        .limit(COUNTED + 1)
        .as('counted'),
    )
    .as('count');
  const page = tx.db
    .select(taskColumns(tx, { descriptions }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(matches, after && beyond(sort, after)))
    .orderBy(...ORDER[sort])
    .limit(limit + 1)
    .as('page');
  const rows = await tx.db
    .select({ total: count.total, known: count.known, task: page._.selectedFields })
    .from(count)
    .leftJoin(page, sql`true`)
    .orderBy(...AGAIN[sort]); // a join promises nothing about the order of what it joins
  const total = rows[0]?.total ?? 0;
  if (filter.project !== undefined && rows[0]?.known === false) throw await noProject(tx, filter.project);

  const found = rows.flatMap(({ task }) => (task && task.id !== null ? [task as Parameters<typeof toTask>[0]] : []));
  const shown = found.slice(0, limit);
  return {
    tasks: shown.map((row) => toTask(row, { descriptions })),
    total,
    cursorAfter(count) {
      const last = shown[count - 1];
      return last && found.length > count ? packCursor(position(sort, last, from), bound, secret) : undefined;
    },
  };
}

const ORDER = {
  newest: [desc(tasks.id)],
  due: [asc(tasks.dueSort), asc(tasks.id)],
  priority: [asc(tasks.priority), asc(tasks.dueSort), asc(tasks.id)],
  manual: [asc(tasks.rank), asc(tasks.id)],
};

const AGAIN = {
  newest: [sql`page.id desc`],
  due: [sql`page.due_sort`, sql`page.id`],
  priority: [sql`page.priority`, sql`page.due_sort`, sql`page.id`],
  manual: [sql`page.rank`, sql`page.id`],
};

function position(
  sort: keyof typeof ORDER,
  row: { id: number; dueSort: string; priority: number; rank: string },
  now: Date,
): Position {
  const dueSort = row.dueSort === 'infinity' ? row.dueSort : new Date(row.dueSort).toISOString();
  return {
    now,
    id: row.id,
    ...((sort === 'due' || sort === 'priority') && { dueSort }),
    ...(sort === 'priority' && { priority: row.priority }),
    ...(sort === 'manual' && { rank: row.rank }),
  };
}

function beyond(sort: keyof typeof ORDER, { id, dueSort, priority, rank }: Position): SQL {
  switch (sort) {
    case 'newest':
      return sql`${tasks.id} < ${id}`;
    case 'due':
      return sql`(${tasks.dueSort}, ${tasks.id}) > (${dueSort}::timestamptz, ${id})`;
    case 'priority':
      return sql`(${tasks.priority}, ${tasks.dueSort}, ${tasks.id}) > (${priority}::smallint, ${dueSort}::timestamptz, ${id})`;
    case 'manual':
      return sql`(${tasks.rank}, ${tasks.id}) > (${rank}, ${id})`;
  }
}

type Filter = Omit<ListInput, 'limit' | 'cursor'>;

function where(tx: UserTx, filter: Filter, now: Date): SQL | undefined {
  const status = filter.status ?? (filter.completed_since ? 'completed' : 'open');
  return and(
    tx.mine(tasks),
    inStatus(status),
    // What is put away with its project is found only where it is asked for.
    filter.project === undefined && isOpenFilter(status) ? notArchived(tx) : undefined,
    filter.ready === undefined ? undefined : filter.ready ? isReady(now) : not(isReady(now)),
    ...words(filter.text).map((pattern) => or(ilike(tasks.title, pattern), ilike(tasks.description, pattern))),
    filter.project !== undefined
      ? sql`${tasks.projectId} = (select p.id from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${nameKey(filter.project)})`
      : undefined,
    ...(filter.labels ?? []).map(
      (label) =>
        sql`${tasks.id} in (select l.task_id from ${taskLabels} l where l.user_id = ${tx.userId} and l.label_key = ${nameKey(label)})`,
    ),
    filter.priority ? eq(tasks.priority, PRIORITIES.indexOf(filter.priority) + 1) : undefined,
    filter.due ? dueIn(filter.due, now, tx.timezone) : undefined,
    filter.parent === undefined ? undefined : eq(tasks.parentId, filter.parent),
    filter.changed_since
      ? sql`${tasks.id} in (select c.entity_id from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.at >= ${sinceInstant(filter.changed_since, { now, timezone: tx.timezone }, 'changed_since').toISOString()}::timestamptz)`
      : undefined,
    filter.completed_since
      ? sql`${tasks.completedAt} >= ${sinceInstant(filter.completed_since, { now, timezone: tx.timezone }, 'completed_since').toISOString()}::timestamptz`
      : undefined,
  );
}

const isOpenFilter = (status: (typeof LIST_STATUSES)[number]) => status === 'open' || status === 'pending';

/** Can be started now: it waits for nothing, and not for its day. */
const isReady = (now: Date) =>
  sql`(${isOpen(tasks)} and ${isUnblocked(tasks)} and ${tasks.startSort} <= ${now.toISOString()}::timestamptz)`;

function inStatus(status: (typeof LIST_STATUSES)[number]): SQL | undefined {
  switch (status) {
    case 'open':
    case 'pending':
      return isOpen(tasks);
    case 'deleted':
      return isNotNull(tasks.deletedAt);
    case 'all':
      return isNull(tasks.deletedAt);
    default:
      return and(eq(tasks.status, status === 'not_started' ? 'pending' : status), isNull(tasks.deletedAt));
  }
}

/** Every word is looked for as written: `%`, `_` and `\` mean themselves. */
const words = (text = '') =>
  text
    .split(/\s+/)
    .filter(Boolean)
    .slice(0, 20)
    .map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`);

function dueIn(text: string, now: Date, timezone: string): SQL | undefined {
  const window = parseWindow(text, now, timezone);
  if (window === 'none') return sql`${tasks.dueSort} = 'infinity'`;
  return and(
    window.from && sql`${tasks.dueSort} >= ${window.from.toISOString()}::timestamptz`,
    sql`${tasks.dueSort} < ${window.until.toISOString()}::timestamptz`,
  );
}

const hasProject = (tx: UserTx, name: string) =>
  sql<boolean>`exists (select 1 from ${projects} p where p.user_id = ${tx.userId} and p.name_key = ${nameKey(name)})`;

/** An empty list of a project that does not exist would tell an agent the wrong thing. */
async function noProject(tx: UserTx, name: string): Promise<Refusal> {
  const some = await tx.db
    .select({ name: projects.name, key: sql<string>`${projects.nameKey}` })
    .from(projects)
    .where(and(tx.mine(projects), isNotNull(projects.nameKey)))
    .orderBy(asc(projects.nameKey))
    .limit(200);
  const key = nameKey(name);
  const near = some.filter((project) => project.key.includes(key) || key.includes(project.key));
  return notFound(
    `No project "${name}".`,
    'Use list_projects to see the projects there are.',
    (near.length > 0 ? near : some).slice(0, 5).map((project) => ({ name: project.name })),
  );
}
