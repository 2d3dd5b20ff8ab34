import { randomBytes } from 'node:crypto';
import { and, sql } from 'drizzle-orm';
import { literal, preparedBy } from '../../db/prepared.js';
import { projects, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { nameKey } from '../names.js';
import { inProject, type Task, type TaskRow, taskColumns, toTask } from '../task.js';
import { accessPathOf } from './access-path.js';
import { boundedScan, type ScanSummary } from './bounded-scan.js';
import { type Position, packCursor, toSecond, unpackCursor } from './cursor.js';
import { type Filter, missing, missingRefusal, type Shape, shapeOf, statusOf, type Value, where } from './filter.js';
import { search } from './search.js';
import { AGAIN, beyond, ORDER, position, positionIn, positionValues, type Sort } from './sort.js';

export interface ListInput extends Filter {
  sort?: Sort | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface TaskPage {
  tasks: Task[];
  /** Exact up to `COUNTED`, then one more. */
  total: number;
  /** The cursor of what comes after the first so many of `tasks`, if anything does. */
  cursorAfter(shown: number): string | undefined;
  /** Nothing has all of the words looked for: these come near. */
  near?: true;
  /** More tasks than could be ranked have the words looked for: `total` is how many were. */
  cut?: true;
  /** Not all were counted: there are as many as `total`, or more. */
  atLeast?: true;
  /** More tasks than could be sorted match: these are of the newest. */
  sampled?: true;
  /** So many were looked at that what comes after them is left to the cursor, whether or not the page is full. */
  paused?: true;
  /** The list goes on, but is not paged further. */
  ended?: true;
  /** What words for days were taken to mean; of a page that goes on from another, which said it, nothing. */
  meant?: string[];
}

/** Counts stop here: beyond, nobody acts on the difference, and it would cost. */
export const COUNTED = 1000;

/** How far each of several is counted that are in one answer. */
export const COUNTED_EACH = 200;

/** A filter in one form, whether its default was said or not, and however its names were written. */
const canonical = (filter: Filter) => ({
  ...filter,
  status: statusOf(filter),
  project: filter.project && nameKey(filter.project),
  labels: filter.labels && [...new Set(filter.labels.map(nameKey))].sort(),
});

export interface ListOptions {
  now: Date;
  /** What cursors are signed with. Without it there are none. */
  secret?: Buffer;
  descriptions?: boolean;
}

/** Finds tasks: one page of those that match every filter, and how many there are. */
export async function listTasks(
  tx: UserTx,
  input: ListInput,
  { now, secret, descriptions = false }: ListOptions,
): Promise<TaskPage> {
  const { cursor, limit, ...filter } = input;
  // A list by due date or window is meant to be read in that order, and of what is ready the first comes first.
  const sort = filter.sort ?? (filter.due && filter.due !== 'none' ? 'due' : filter.ready ? 'priority' : 'newest');
  const { text } = filter;
  const bound = JSON.stringify([
    tx.userId,
    Object.entries({ ...canonical(filter), sort: text === undefined ? sort : filter.sort }).sort(),
  ]);
  const after = cursor === undefined || !secret ? undefined : unpackCursor(cursor, bound, secret);
  const from = after?.now ?? toSecond(now);
  const pack = (at: Position) => secret && packCursor(at, bound, secret);
  const { shape, values, meant } = shapeOf(filter, { now: from, timezone: tx.timezone });
  const page = { ...shape, limit, descriptions, after: after !== undefined };
  const given = { ...values, ...positionValues(after) };
  const said = after === undefined && meant.length > 0 && { meant };
  if (text !== undefined)
    return {
      ...(await search(tx, { ...page, sort: filter.sort }, given, { filter, text, from, pack })),
      ...said,
    };
  const rows = await pageOf({ ...page, sort }, tx, given);
  const total = rows[0]?.total ?? 0;
  if (rows[0]?.missing) throw await missingRefusal(tx, rows[0].missing, filter);

  const found = rows.flatMap(({ task }) => (task && task.id !== null ? [task as TaskRow] : []));
  const shown = found.slice(0, limit);
  const { atLeast, sampled, edge } = (rows[0] ?? {}) as Partial<ScanSummary>;
  const paused = edge && found.length <= limit;
  return {
    tasks: shown.map((row) => toTask(row, { descriptions })),
    total: Math.max(total, shown.length),
    cursorAfter(count) {
      const last = found.length > count ? shown[count - 1] : paused ? edge : undefined;
      return last && pack(position(sort, last, from));
    },
    ...(atLeast && { atLeast }),
    ...(sampled && { sampled }),
    ...(paused && { paused: true }),
    ...said,
  };
}

/** How often a list that has no pages goes on from where it paused, at most. */
const ROUNDS = 10;

/** The first tasks that match every filter, for whom there is no next page: a list that pauses goes on by itself. */
export async function firstTasks(
  tx: UserTx,
  filter: Omit<ListInput, 'limit' | 'cursor'>,
  { now, most = 25 }: { now: Date; most?: number },
): Promise<TaskPage> {
  const options = { now, secret: randomBytes(32) };
  const { paused: _, ...first } = await listTasks(tx, { ...filter, limit: most }, options);
  const { tasks } = first;
  let cursor = first.cursorAfter(tasks.length);
  for (let round = 1; cursor && tasks.length < most && round < ROUNDS; round++) {
    const page = await listTasks(tx, { ...filter, limit: most - tasks.length, cursor }, options);
    tasks.push(...page.tasks);
    cursor = page.cursorAfter(page.tasks.length);
  }
  const { atLeast, ...page } = { ...first, total: Math.max(first.total, tasks.length), cursorAfter: () => undefined };
  if (!cursor) return page; // these are all
  return { ...page, ...(atLeast && { atLeast }), ...(tasks.length < most && { paused: true }) };
}

/** One page of a list: all that its statement's text depends on. */
export interface Page extends Shape {
  sort: Sort;
  limit: number;
  /** Whether it goes on from a position. */
  after: boolean;
  descriptions: boolean;
}

const pageOf = preparedBy((page: Page) => (tx, value) => {
  const route = accessPathOf(tx, page, page.sort, value);
  return route.whole ? inOrder(tx, page, value) : boundedScan(tx, page, value, route);
});

/** Where one index has all that is asked for, in that order. */
function inOrder(tx: UserTx, page: Page, value: Value) {
  const { sort, limit, descriptions } = page;
  const matches = where(tx, page, value);
  const count = tx.db
    .select({ total: sql<number>`count(*)::int`.as('total'), missing: missing(tx, page, value).as('missing') })
    .from(
      tx.db
        .select({ one: sql`1`.as('one') })
        .from(tasks)
        .where(matches)
        .orderBy(...(page.ready ? [] : ORDER[sort])) // the index that has these; of what is ready there is one anyway
        .limit(literal(COUNTED + 1))
        .as('counted'),
    )
    .as('count');
  const shown = tx.db
    .select(taskColumns(tx, { descriptions }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(matches, page.after ? beyond(sort, positionIn(value)) : undefined))
    .orderBy(...ORDER[sort])
    .limit(literal(limit + 1))
    .as('page');
  return tx.db
    .select({ total: count.total, missing: count.missing, task: shown._.selectedFields })
    .from(count)
    .leftJoin(shown, sql`true`)
    .orderBy(...AGAIN[sort]); // a join promises nothing about the order of what it joins
}
