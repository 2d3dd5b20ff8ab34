import { and, sql } from 'drizzle-orm';
import { literal, preparedBy, rowsOf } from '../db/prepared.js';
import { projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { type Position, packCursor, toSecond, unpackCursor } from './cursor.js';
import { type Filter, missing, refuseMissing, where } from './filter.js';
import { type Looked, lookThrough } from './look.js';
import { routeOf } from './narrow.js';
import { search } from './search.js';
import { AGAIN, beyond, ORDER, position, type Sort } from './sort.js';
import { inProject, type Task, taskColumns, toTask } from './task.js';

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
}

/** Counts stop here: beyond, nobody acts on the difference, and it would cost. */
export const COUNTED = 1000;

/** How far each of several is counted that are in one answer. */
export const COUNTED_EACH = 200;

/** Finds tasks: one page of those that match every filter, and how many there are. */
export async function listTasks(
  tx: UserTx,
  input: ListInput,
  { now, secret, descriptions }: { now: Date; secret: Buffer; descriptions: boolean },
): Promise<TaskPage> {
  const { cursor, limit, ...filter } = input;
  // A list by due date or window is meant to be read in that order, and of what is ready the first comes first.
  const sort = filter.sort ?? (filter.due && filter.due !== 'none' ? 'due' : filter.ready ? 'priority' : 'newest');
  const { text } = filter;
  const bound = JSON.stringify([
    tx.userId,
    Object.entries({ ...filter, sort: text === undefined ? sort : filter.sort }).sort(),
  ]);
  const after = cursor === undefined ? undefined : unpackCursor(cursor, bound, secret);
  const from = after?.now ?? toSecond(now);
  if (text !== undefined) return search(tx, { ...filter, text }, { limit, after, from, bound, secret, descriptions });
  const route = routeOf(tx, filter, sort, from);
  const asked: Asked = { filter, sort, limit, after, from, descriptions };
  const rows = await (route.whole ? inOrder(tx, asked) : lookThrough(tx, asked, route));
  const total = rows[0]?.total ?? 0;
  if (rows[0]?.missing) throw await refuseMissing(tx, rows[0].missing, filter);

  const found = rows.flatMap(({ task }) => (task && task.id !== null ? [task as Parameters<typeof toTask>[0]] : []));
  const shown = found.slice(0, limit);
  const { atLeast, sampled, edge } = (rows[0] ?? {}) as Partial<Looked>;
  const paused = edge && found.length <= limit;
  return {
    tasks: shown.map((row) => toTask(row, { descriptions })),
    total: Math.max(total, shown.length),
    cursorAfter(count) {
      const last = found.length > count ? shown[count - 1] : paused ? edge : undefined;
      return last && packCursor(position(sort, last, from), bound, secret);
    },
    ...(atLeast && { atLeast }),
    ...(sampled && { sampled }),
    ...(paused && { paused: true }),
  };
}

/** One page of a list. */
export interface Asked {
  filter: Filter;
  sort: Sort;
  limit: number;
  after: Position | undefined;
  from: Date;
  descriptions: boolean;
}

/** Where one index has all that is asked for, in that order. What most lists ask for is built once. */
function inOrder(tx: UserTx, asked: Asked) {
  const { filter, sort, limit, after, descriptions } = asked;
  if (after || filter.due || filter.project !== undefined) return rowsOf(tx, ordered(tx, asked));
  const { status, ready, priority } = filter;
  return common({ filter: { status, ready, priority }, sort, limit, descriptions }, tx, {});
}

const common = preparedBy(
  (shape: Omit<Asked, 'after' | 'from'>) => (tx) => ordered(tx, { ...shape, after: undefined, from: NEVER }), // only what is due or since asks when
);
const NEVER = new Date(Number.NaN);

function ordered(tx: UserTx, { filter, sort, limit, after, from, descriptions }: Asked) {
  const matches = where(tx, filter, from);
  const count = tx.db
    .select({ total: sql<number>`count(*)::int`.as('total'), missing: missing(tx, filter).as('missing') })
    .from(
      tx.db
        .select({ one: sql`1`.as('one') })
        .from(tasks)
        .where(matches)
        .orderBy(...(filter.ready ? [] : ORDER[sort])) // the index that has these; of what is ready there is one anyway
        .limit(literal(COUNTED + 1))
        .as('counted'),
    )
    .as('count');
  const page = tx.db
    .select(taskColumns(tx, { descriptions }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(matches, after && beyond(sort, after)))
    .orderBy(...ORDER[sort])
    .limit(literal(limit + 1))
    .as('page');
  return tx.db
    .select({ total: count.total, missing: count.missing, task: page._.selectedFields })
    .from(count)
    .leftJoin(page, sql`true`)
    .orderBy(...AGAIN[sort]); // a join promises nothing about the order of what it joins
}
