import { and, asc, desc, eq, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import { changes, isOpen, projects, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound, type Refusal } from '../errors.js';
import { type Position, packCursor, unpackCursor } from './cursor.js';
import { nameKey } from './names.js';
import { isSearchable, nothingToFind, PAGED, RANKED, type SearchFilter, searchTasks } from './search.js';
import { inProject, PRIORITIES, type Priority, type Task, taskColumns, toTask } from './task.js';
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
export const SORTS = ['newest', 'due', 'priority'] as const;

export interface ListInput {
  status?: (typeof LIST_STATUSES)[number] | undefined;
  text?: string | undefined;
  project?: string | undefined;
  labels?: string[] | undefined;
  priority?: Priority | undefined;
  due?: string | undefined;
  parent?: number | undefined;
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
  nextCursor?: string;
  /** Nothing has all of the words looked for: these come near. */
  near?: true;
  /** More tasks than could be ranked have the words looked for: `total` is how many were. */
  cut?: true;
  /** The list goes on, but is not paged further. */
  ended?: true;
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
  // A list by due date or window is meant to be read in that order.
  const sort = filter.sort ?? (filter.due && filter.due !== 'none' ? 'due' : 'newest');
  const bound = JSON.stringify([
    tx.userId,
    Object.entries({ ...filter, sort: filter.text === undefined ? sort : filter.sort }).sort(),
  ]);
  const after = cursor === undefined ? undefined : unpackCursor(cursor, bound, secret);
  const from = after?.now ?? now;
  if (filter.text !== undefined)
    return search(tx, { ...filter, text: filter.text }, { limit, after, from, bound, secret, descriptions });
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
    .select(taskColumns(tx, descriptions))
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
  const last = shown.at(-1);
  return {
    tasks: shown.map((row) => toTask(row, descriptions)),
    total,
    ...(last && found.length > limit && { nextCursor: packCursor(position(sort, last, from), bound, secret) }),
  };
}

/** Tasks that have these words: the best match first, unless a sort is asked for. */
async function search(
  tx: UserTx,
  filter: Filter & { text: string },
  page: {
    limit: number;
    after: Position | undefined;
    from: Date;
    bound: string;
    secret: Buffer;
    descriptions: boolean;
  },
): Promise<TaskPage> {
  const { limit, after, from, bound, secret, descriptions } = page;
  const { sort } = filter;
  const found = tx.db
    .$with('found', {
      id: sql<number>`id`.as('id'),
      rank: sql<number>`rank`.as('rank'),
      age: sql<number>`age`.as('age'),
    })
    .as(searchTasks(filter.text, searchFilter(tx, filter, from)));
  const hits = tx.db.$with('hits').as(
    tx.db
      .select({
        id: sql<number>`found.id`.as('id'),
        rank: sql<number>`found.rank`.as('rank'),
        place: sql<number>`row_number() over (order by found.rank desc, found.id desc)::int`.as('place'),
      })
      .from(found)
      .innerJoin(tasks, and(tx.mine(tasks), sql`${tasks.id} = found.id and found.age <= ${RANKED}`))
      .where(where(tx, filter, from)),
  );
  const shown = tx.db
    .select({ ...taskColumns(tx, descriptions), match: sql<number>`hits.rank`.as('match') })
    .from(hits)
    .innerJoin(tasks, and(tx.mine(tasks), sql`${tasks.id} = hits.id`))
    .leftJoin(projects, inProject(tx))
    .where(
      sort
        ? after && beyond(sort, after)
        : and(
            sql`hits.place <= ${PAGED}`,
            after && sql`(hits.rank, hits.id) < (${after.match}::int, ${after.id}::int)`,
          ),
    )
    .orderBy(...(sort ? ORDER[sort] : [sql`hits.rank desc`, sql`hits.id desc`]))
    .limit(limit + 1)
    .as('page');
  const count = tx.db
    .select({
      total: sql<number>`count(*)::int`.as('total'),
      near: sql<boolean>`coalesce(bool_or(hits.rank < 0), false)`.as('near'),
      cut: sql<boolean>`exists (select 1 from found where found.age > ${RANKED})`.as('cut'),
      searchable: isSearchable(filter.text).as('searchable'),
      known: (filter.project === undefined ? sql<boolean>`true` : hasProject(tx, filter.project)).as('known'),
    })
    .from(hits)
    .as('count');
  const rows = await tx.db
    .with(found, hits)
    .select({ ...count._.selectedFields, task: shown._.selectedFields })
    .from(count)
    .leftJoin(shown, sql`true`)
    .orderBy(...(sort ? AGAIN[sort] : [sql`page.match desc`, sql`page.id desc`]));
  const [head] = rows;
  if (!head?.searchable) throw nothingToFind();
  if (filter.project !== undefined && !head.known) throw await noProject(tx, filter.project);

  const all = rows.flatMap(({ task }) => (task && task.id !== null ? [task as Matched] : []));
  const listed = all.slice(0, limit);
  const last = listed.at(-1);
  const more = last && all.length > limit;
  return {
    tasks: listed.map(({ match: _, ...row }) => toTask(row, descriptions)),
    total: head.total,
    ...(more && {
      nextCursor: packCursor(
        sort ? position(sort, last, from) : { now: from, id: last.id, match: last.match },
        bound,
        secret,
      ),
    }),
    ...(head.near && { near: true }),
    ...(head.cut && { cut: true }),
    ...(!sort && !more && head.total > PAGED && { ended: true }),
  };
}

type Matched = Parameters<typeof toTask>[0] & { match: number };

const ORDER = {
  newest: [desc(tasks.id)],
  due: [asc(tasks.dueSort), asc(tasks.id)],
  priority: [asc(tasks.priority), asc(tasks.dueSort), asc(tasks.id)],
};

const AGAIN = {
  newest: [sql`page.id desc`],
  due: [sql`page.due_sort`, sql`page.id`],
  priority: [sql`page.priority`, sql`page.due_sort`, sql`page.id`],
};

function position(
  sort: keyof typeof ORDER,
  row: { id: number; dueSort: string; priority: number },
  now: Date,
): Position {
  const dueSort = row.dueSort === 'infinity' ? row.dueSort : new Date(row.dueSort).toISOString();
  return {
    now,
    id: row.id,
    ...(sort !== 'newest' && { dueSort }),
    ...(sort === 'priority' && { priority: row.priority }),
  };
}

function beyond(sort: keyof typeof ORDER, { id, dueSort, priority }: Position): SQL {
  switch (sort) {
    case 'newest':
      return sql`${tasks.id} < ${id}`;
    case 'due':
      return sql`(${tasks.dueSort}, ${tasks.id}) > (${dueSort}::timestamptz, ${id})`;
    case 'priority':
      return sql`(${tasks.priority}, ${tasks.dueSort}, ${tasks.id}) > (${priority}::smallint, ${dueSort}::timestamptz, ${id})`;
  }
}

type Filter = Omit<ListInput, 'limit' | 'cursor'>;

function where(tx: UserTx, filter: Filter, now: Date): SQL | undefined {
  return and(
    tx.mine(tasks),
    inStatus(filter.status ?? (filter.completed_since ? 'completed' : 'open')),
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
      ? sql`${tasks.id} in (select c.entity_id from ${changes} c where c.user_id = ${tx.userId} and c.entity = 'task' and c.at >= ${sinceInstant(filter.changed_since, tx.timezone, 'changed_since').toISOString()}::timestamptz)`
      : undefined,
    filter.completed_since
      ? sql`${tasks.completedAt} >= ${sinceInstant(filter.completed_since, tx.timezone, 'completed_since').toISOString()}::timestamptz`
      : undefined,
  );
}

/** The filters again, for the search to apply before it takes the newest. */
function searchFilter(tx: UserTx, filter: Filter, now: Date): SearchFilter {
  const status = filter.status ?? (filter.completed_since ? 'completed' : 'open');
  const isOpen = status === 'open' || status === 'pending';
  const window = filter.due ? parseWindow(filter.due, now, tx.timezone) : undefined;
  return {
    statuses: isOpen
      ? ['pending', 'in_progress']
      : status === 'deleted' || status === 'all'
        ? undefined
        : [status === 'not_started' ? 'pending' : status],
    trashed: status === 'deleted',
    archived: !isOpen || filter.project !== undefined,
    project: filter.project === undefined ? undefined : nameKey(filter.project),
    labels: filter.labels?.map(nameKey),
    priority: filter.priority && PRIORITIES.indexOf(filter.priority) + 1,
    dueFrom: window === 'none' ? 'infinity' : window?.from?.toISOString(),
    dueUntil: window === 'none' ? undefined : window?.until.toISOString(),
    parent: filter.parent,
    completedFrom:
      filter.completed_since && sinceInstant(filter.completed_since, tx.timezone, 'completed_since').toISOString(),
  };
}

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
