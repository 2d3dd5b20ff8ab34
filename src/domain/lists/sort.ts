import { asc, desc, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { tasks } from '../../db/schema.js';
import type { Position } from './cursor.js';

export const SORTS = ['newest', 'due', 'priority', 'manual'] as const;
/** Lists of completed tasks are sorted by completion unless another order is asked for. */
export type Sort = (typeof SORTS)[number] | 'completed';

/** The columns that lists are sorted by, of `tasks` or of a sub-query. */
type Columns = Record<'id' | 'dueSort' | 'priority' | 'rank' | 'completedAt', SQLWrapper>;

export const columnsOf = (query: string): Columns => ({
  id: sql.raw(`${query}.id`),
  dueSort: sql.raw(`${query}.due_sort`),
  priority: sql.raw(`${query}.priority`),
  rank: sql.raw(`${query}.rank`),
  completedAt: sql.raw(`${query}.completed_at`),
});

export const orderOf = ({ id, dueSort, priority, rank, completedAt }: Columns): Record<Sort, SQL[]> => ({
  newest: [desc(id)],
  due: [asc(dueSort), asc(id)],
  priority: [asc(priority), asc(dueSort), asc(id)],
  manual: [asc(rank), asc(id)],
  completed: [desc(completedAt), desc(id)],
});

export const ORDER = orderOf(tasks);

/** `ORDER` for a sub-query named `page`. */
export const PAGE_ORDER = orderOf(columnsOf('page'));

/** Returns the position of a row in a list. */
export function position(
  sort: Sort,
  row: { id: number; dueSort: string; priority: number; rank: string; completedAt: Date | string | null },
  now: Date,
): Position {
  const dueSort = row.dueSort === 'infinity' ? row.dueSort : new Date(row.dueSort).toISOString();
  return {
    now,
    id: row.id,
    ...((sort === 'due' || sort === 'priority') && { dueSort }),
    ...(sort === 'priority' && { priority: row.priority }),
    ...(sort === 'manual' && { rank: row.rank }),
    ...(sort === 'completed' && row.completedAt && { completedAt: new Date(row.completedAt).toISOString() }),
  };
}

type SortKey = Record<'id' | 'dueSort' | 'priority' | 'rank' | 'completedAt' | 'match', unknown>;

/** Names of the parameters that a position has in a statement. */
export type PositionParam = `after_${keyof SortKey}`;

/** Converts a position to named statement values; `positionFrom` reads them. */
export const positionValues = (at: Partial<SortKey> = {}) =>
  Object.fromEntries(Object.entries(at).map(([name, value]) => [`after_${name}`, value])) as Record<
    PositionParam,
    unknown
  >;
export const positionFrom = (value: (name: PositionParam) => unknown): SortKey => ({
  id: value('after_id'),
  dueSort: value('after_dueSort'),
  priority: value('after_priority'),
  rank: value('after_rank'),
  completedAt: value('after_completedAt'),
  match: value('after_match'),
});

/** Builds the condition for rows after a position (keyset pagination). */
export function afterPosition(
  sort: Sort,
  { id, dueSort, priority, rank, completedAt }: Omit<SortKey, 'match'>,
  of: Columns = tasks,
): SQL {
  switch (sort) {
    case 'newest':
      return sql`${of.id} < ${id}`;
    case 'due':
      return sql`(${of.dueSort}, ${of.id}) > (${dueSort}::timestamptz, ${id})`;
    case 'priority':
      return sql`(${of.priority}, ${of.dueSort}, ${of.id}) > (${priority}::smallint, ${dueSort}::timestamptz, ${id})`;
    case 'manual':
      return sql`(${of.rank}, ${of.id}) > (${rank}, ${id})`;
    case 'completed':
      return sql`(${of.completedAt}, ${of.id}) < (${completedAt}::timestamptz, ${id})`;
  }
}
