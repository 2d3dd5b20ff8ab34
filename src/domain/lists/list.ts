import { and, type Placeholder, type SQL, sql } from 'drizzle-orm';
import { literalLimit, preparedBy } from '../../db/prepared.js';
import { projects, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { nameKey } from '../names.js';
import { inProject, type Task, taskColumns, tasksIn, toTask } from '../task.js';
import { accessPathOf } from './access-path.js';
import { boundedScan, type ScanSummary } from './bounded-scan.js';
import { type Position, packCursor, toSecond, unpackCursor } from './cursor.js';
import {
  type Filter,
  type FilterParam,
  filterCondition,
  missingReference,
  missingRefusal,
  type Shape,
  shapeOf,
  statusOf,
  type Value,
} from './filter.js';
import { anyWordOf, search } from './search.js';
import {
  afterPosition,
  ORDER,
  PAGE_ORDER,
  type PositionParam,
  position,
  positionFrom,
  positionValues,
  type Sort,
} from './sort.js';

export interface ListFilter extends Filter {
  sort?: Sort | undefined;
}

export interface ListInput extends ListFilter {
  limit: number;
  cursor?: string | undefined;
}

/** Tasks that match a filter, from the first or from a position on. */
export interface FoundTasks {
  tasks: Task[];
  /** Exact up to `MAX_COUNT`; `MAX_COUNT` + 1 stands for more. A lower bound with `atLeast`. */
  total: number;
  /** Returns the position after the first `shown` of `tasks`, if anything follows. */
  positionAfter(shown: number): Position | undefined;
  /** No task has all the words; these have similar ones, or some of them. */
  closestOnly?: true;
  /** More tasks have the words than can be ranked; `total` counts only ranked ones. */
  cut?: true;
  /** Not all tasks were counted: `total` is a lower bound. */
  atLeast?: true;
  /** There are too many tasks to sort: these are from the newest. */
  newestOnly?: true;
  /** The scan reached its limit, whether or not the page is full; the cursor continues from there. */
  paused?: true;
  /** More tasks match, but the list cannot be paged further. */
  ended?: true;
  /** How date words were read; on the first page only. */
  dateReadings?: string[];
}

export interface TaskPage extends Omit<FoundTasks, 'positionAfter'> {
  /** Returns the cursor for what follows the first `shown` of `tasks`, if anything does. */
  cursorAfter(shown: number): string | undefined;
}

/** Counts stop here: nobody acts on a larger number, and counting is expensive. */
export const MAX_COUNT = 1000;

/** Formats a count that stops at a limit: `1000+` beyond it. */
export const capped = (count: number, most = MAX_COUNT): number | string => (count > most ? `${most}+` : count);

/** The limit for each of several counts in one answer (overview, projects). */
export const MAX_COUNT_EACH = 200;

/** Builds a scalar sub-query for the number of the user's tasks that match a condition, up to `most` + 1. */
export function countUpTo(tx: UserTx, most: number, condition: SQL | undefined): SQL<number> {
  const counted = tx.db
    .select({ one: sql`1`.as('one') })
    .from(tasks)
    .where(and(tx.mine(tasks), condition))
    .limit(literalLimit(most + 1))
    .as('counted');
  return sql`(select count(*)::int from ${counted})`;
}

/** Normalizes defaults and names, so that a cursor is valid for every spelling of the same filter. */
const canonicalFilter = (filter: Filter) => ({
  ...filter,
  status: statusOf(filter),
  project: filter.project && nameKey(filter.project),
  labels: filter.labels && [...new Set(filter.labels.map(nameKey))].sort(),
  claimed_by: typeof filter.claimed_by === 'string' ? nameKey(filter.claimed_by) : filter.claimed_by,
});

/** Returns the requested sort, or the default: that of the first of these fields that is set. */
function sortOf({ sort, due, ready, parent, ...filter }: ListFilter): Sort {
  if (sort) return sort;
  if (due && due !== 'none') return 'due';
  if (ready) return 'priority';
  if (statusOf(filter) === 'completed') return 'completed';
  return typeof parent === 'number' ? 'manual' : 'newest'; // sub-tasks are a plan
}

export interface ListOptions {
  now: Date;
  /** The key for signing cursors. */
  secret: Buffer;
  descriptions?: boolean;
}

/**
 * Returns one page of the tasks that match every filter, and how many there are.
 *
 * @throws Refusal `invalid` for a bad date, cursor or search text, `not_found` for an unknown project or parent
 */
export async function listTasks(
  tx: UserTx,
  { cursor, limit, ...filter }: ListInput,
  { secret, ...options }: ListOptions,
): Promise<TaskPage> {
  const sort = filter.text === undefined ? sortOf(filter) : filter.sort;
  const given = Object.entries({ ...canonicalFilter(filter), sort }).filter(([, value]) => value !== undefined);
  const context = JSON.stringify([tx.userId, given.sort()]);
  const start = cursor === undefined ? undefined : unpackCursor(cursor, context, secret);
  const all = await findTasks(tx, filter, { ...options, limit, start });
  const { positionAfter, ...found } = start ? all : await orSomeWords(tx, filter, all, options);
  return {
    ...found,
    cursorAfter(shown) {
      const at = positionAfter(shown);
      return at && packCursor(at, context, secret);
    },
  };
}

/** How many tasks that have only some of the words are returned at most. */
const MAX_PARTLY = 5;

/** Returns the page, or if no task has all words of a search, nor similar ones, those that have some of them. */
async function orSomeWords(
  tx: UserTx,
  filter: ListFilter,
  page: FoundTasks,
  options: { now: Date; descriptions?: boolean },
): Promise<FoundTasks> {
  const text = page.total === 0 && filter.text !== undefined && anyWordOf(filter.text);
  if (!text) return page;
  const { tasks } = await findTasks(tx, { ...filter, text, sort: undefined }, { ...options, limit: MAX_PARTLY });
  return { ...page, tasks, total: tasks.length, ...(tasks.length > 0 && { closestOnly: true }) };
}

/** Finds the first tasks that match every filter, or the first after a position. Throws as `listTasks` does. */
export async function findTasks(
  tx: UserTx,
  filter: ListFilter,
  {
    now,
    limit,
    start,
    descriptions = false,
  }: { now: Date; limit: number; start?: Position | undefined; descriptions?: boolean },
): Promise<FoundTasks> {
  const sort = sortOf(filter);
  const from = start?.now ?? toSecond(now);
  const { shape, values, meant } = shapeOf(filter, { now: from, timezone: tx.timezone });
  const page = { ...shape, limit, descriptions, after: start !== undefined };
  const given = { ...values, ...positionValues(start) };
  const note = start === undefined && meant.length > 0 && { dateReadings: meant };
  const { text } = filter;
  if (text !== undefined)
    return { ...(await search(tx, { ...page, sort: filter.sort }, given, { filter, text, from })), ...note };
  const rows = await pageOf({ ...page, sort }, tx, given);
  const total = rows[0]?.total ?? 0;
  if (rows[0]?.missing) throw await missingRefusal(tx, rows[0].missing, filter);

  const found = tasksIn(rows);
  const shown = found.slice(0, limit);
  const { atLeast, newestOnly, lastScanned } = (rows[0] ?? {}) as Partial<ScanSummary>;
  const paused = lastScanned && found.length <= limit;
  return {
    tasks: shown.map((row) => toTask(row, { descriptions })),
    total: Math.max(total, shown.length),
    positionAfter(count) {
      const last = found.length > count ? shown[count - 1] : paused ? lastScanned : undefined;
      return last && position(sort, last, from);
    },
    ...(atLeast && { atLeast }),
    ...(newestOnly && { newestOnly }),
    ...(paused && { paused: true }),
    ...note,
  };
}

/** How often `firstTasks` looks for more at most. */
const ROUNDS = 10;

/**
 * Returns the first matching tasks, for callers without paging: continues by itself if a scan pauses. Throws as
 * `listTasks` does.
 */
export async function firstTasks(
  tx: UserTx,
  filter: ListFilter,
  { now, most = 25 }: { now: Date; most?: number },
): Promise<TaskPage> {
  const { paused: _, positionAfter, ...first } = await findTasks(tx, filter, { now, limit: most });
  const { tasks } = first;
  let start = positionAfter(tasks.length);
  for (let round = 1; start && tasks.length < most && round < ROUNDS; round++) {
    const more = await findTasks(tx, filter, { now, limit: most - tasks.length, start });
    tasks.push(...more.tasks);
    start = more.positionAfter(more.tasks.length);
  }
  const { atLeast, ...page } = { ...first, total: Math.max(first.total, tasks.length), cursorAfter: () => undefined };
  if (!start) return page; // nothing follows
  return { ...page, ...(atLeast && { atLeast }), ...(tasks.length < most && { paused: true }) };
}

/** Everything that determines the SQL text for a page of a list. */
export interface Page extends Shape {
  sort: Sort;
  limit: number;
  /** Whether the page starts after a cursor. */
  after: boolean;
  descriptions: boolean;
}

export type PageParam = FilterParam | PositionParam;

const pageOf = preparedBy((page: Page) => (tx, value: (name: PageParam) => Placeholder) => {
  const route = accessPathOf(tx, page, page.sort, value);
  return route.singleIndex ? inOrder(tx, page, value) : boundedScan(tx, page, value, route);
});

/** Builds the statement if one index serves the filter in the requested order. */
function inOrder(tx: UserTx, page: Page, value: Value<PageParam>) {
  const { sort, limit, descriptions } = page;
  const matches = filterCondition(tx, page, value);
  const count = tx.db
    .select({ total: sql<number>`count(*)::int`.as('total'), missing: missingReference(tx, page, value).as('missing') })
    .from(
      tx.db
        .select({ one: sql`1`.as('one') })
        .from(tasks)
        .where(matches)
        .orderBy(...(page.ready ? [] : ORDER[sort])) // selects the index to count from; ready tasks have only one
        .limit(literalLimit(MAX_COUNT + 1))
        .as('counted'),
    )
    .as('count');
  const shown = tx.db
    .select(taskColumns(tx, { descriptions, ancestors: !page.ready }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(matches, page.after ? afterPosition(sort, positionFrom(value)) : undefined))
    .orderBy(...ORDER[sort])
    .limit(literalLimit(limit + 1))
    .as('page');
  return tx.db
    .select({ total: count.total, missing: count.missing, task: shown._.selectedFields })
    .from(count)
    .leftJoin(shown, sql`true`)
    .orderBy(...PAGE_ORDER[sort]); // a join does not guarantee the order of its inputs
}
