import { asc, desc, type SQL, sql } from 'drizzle-orm';
import { tasks } from '../db/schema.js';
import type { Position } from './cursor.js';

export const SORTS = ['newest', 'due', 'priority', 'manual'] as const;
export type Sort = (typeof SORTS)[number];

export const ORDER = {
  newest: [desc(tasks.id)],
  due: [asc(tasks.dueSort), asc(tasks.id)],
  priority: [asc(tasks.priority), asc(tasks.dueSort), asc(tasks.id)],
  manual: [asc(tasks.rank), asc(tasks.id)],
};

/** The same, of a sub-query called page. */
export const AGAIN = {
  newest: [sql`page.id desc`],
  due: [sql`page.due_sort`, sql`page.id`],
  priority: [sql`page.priority`, sql`page.due_sort`, sql`page.id`],
  manual: [sql`page.rank`, sql`page.id`],
};

/** Where a row stands in a list. */
export function position(
  sort: Sort,
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

/** What comes after a position. */
export function beyond(sort: Sort, { id, dueSort, priority, rank }: Position): SQL {
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
