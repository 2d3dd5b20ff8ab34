import { and, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../../db/prepared.js';
import { projects, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { inProject, taskColumns } from '../task.js';
import type { AccessPath } from './access-path.js';
import { filterCondition, missingReference, type Value } from './filter.js';
import type { Page, PageParam } from './list.js';
import { afterPosition, columnsOf, ORDER, orderOf, PAGE_ORDER, type position, positionFrom } from './sort.js';

/** How many tasks of one filter part, or in the requested order, are checked against the whole filter at most. */
export const MAX_SCANNED = 1_000;
/** How many tasks in the requested order are checked for the total if no filter part is small enough. */
const MAX_SAMPLED = 200;

/** What a bounded scan returns besides the tasks. */
export interface ScanSummary {
  /** The total is a lower bound. */
  atLeast: boolean;
  /** Only the newest `MAX_SCANNED` of a filter part were checked and sorted. */
  newestOnly: boolean;
  /** The last task examined, if the scan reached `MAX_SCANNED` before it found more than a page; otherwise null. */
  lastScanned: Parameters<typeof position>[1] | null;
}

const KEY = sql`${tasks.id}, ${tasks.dueSort}, ${tasks.priority}, ${tasks.rank}, ${tasks.completedAt}`;
const HITS = columnsOf('hits');

/**
 * Builds the statement for a page if no single index serves filter and order, with a bound on the rows examined. It
 * gathers the first filter part that has at most `MAX_SCANNED` tasks. If all have more, it examines tasks in the
 * requested order until the page is full or, if no index has that order, sorts the newest.
 */
export function boundedScan(tx: UserTx, asked: Page, value: Value<PageParam>, { parts, inOrder: ordered }: AccessPath) {
  const { sort, limit, descriptions } = asked;
  const after = asked.after ? positionFrom(value) : undefined;
  const arrays = parts.map((part) => sql`array(${part} limit ${literalLimit(MAX_SCANNED + 1)})`);
  const newestPart = ordered ? undefined : arrays.pop();
  // `coalesce` evaluates each only if those before it were too large; `offset 0` keeps one from being evaluated twice.
  const smallParts = arrays.map(
    (ids) =>
      sql`(select part.ids from (select ${ids} as ids offset 0) part where cardinality(part.ids) <= ${MAX_SCANNED} offset 0)`,
  );
  const order = sql.join(ORDER[sort], sql`, `);
  const start = after && afterPosition(sort, after);
  /** Evaluates the filter for each row as it is read, so that reading stops once the page is full. */
  const scan = (condition: SQL | undefined, max: number) =>
    sql`select ${KEY}, (${filterCondition(tx, asked, value)}) is true as fits from ${tasks} where ${and(ordered ?? sql`${tx.mine(tasks)} and false`, condition)} and (select ids is null from chosen) order by ${order} limit ${literalLimit(max)}`;

  const chosen = tx.db
    .$with('chosen', {
      ids: sql<number[] | null>`ids`.as('ids'),
      newestOnly: sql<boolean>`newest_only`.as('newest_only'),
    })
    .as(
      sql`select coalesce(few.ids, newest.ids[1:${MAX_SCANNED}]) as ids, coalesce(cardinality(newest.ids) > ${MAX_SCANNED}, false) as newest_only
        from (select coalesce(${sql.join([...smallParts, sql`null::int[]`], sql`, `)}) as ids offset 0) few
        cross join lateral (select case when few.ids is null then ${newestPart ?? sql`null::int[]`} end as ids offset 0) newest`,
    );
  const hits = tx.db
    .$with('hits', {})
    .as(
      sql`select ${KEY} from ${tasks} where ${and(tx.mine(tasks), sql`${tasks.id} = any((select ids from chosen)::int[])`, filterCondition(tx, asked, value))}`,
    );
  const walked = tx.db.$with('walked', {}).as(scan(start, MAX_SCANNED));
  const sample = tx.db
    .$with('sample', {})
    .as(start ? scan(undefined, MAX_SAMPLED) : sql`select * from walked limit ${literalLimit(MAX_SAMPLED)}`);
  const picked = tx.db.$with('picked', { id: sql<number>`id`.as('id') }).as(
    sql`(select id from hits where ${after ? afterPosition(sort, after, HITS) : sql`true`} order by ${sql.join(orderOf(HITS)[sort], sql`, `)} limit ${literalLimit(limit + 1)})
        union all (select id from walked where fits limit ${literalLimit(limit + 1)})`,
  );
  const page = tx.db
    .select(taskColumns(tx, { descriptions, ancestors: !asked.ready }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(tx.mine(tasks), sql`${tasks.id} = any(array(select id from picked))`))
    .as('page');
  const count = tx.db
    .select({
      total: sql<number>`((select count(*) from hits) + (select count(*) from sample where fits))::int`.as('total'),
      missing: missingReference(tx, asked, value).as('missing'),
      atLeast:
        sql<boolean>`case when chosen.ids is null then (select count(*) from sample) = ${MAX_SAMPLED} else chosen.newest_only end`.as(
          'at_least',
        ),
      newestOnly: sql<boolean>`chosen.newest_only`.as('newest_only'),
      lastScanned: sql<ScanSummary['lastScanned']>`case when (select count(*) from picked) <= ${limit} then (
        select json_build_object('id', id, 'dueSort', due_sort, 'priority', priority, 'rank', rank, 'completedAt', completed_at) from walked offset ${literalLimit(MAX_SCANNED - 1)} limit 1) end`.as(
        'last_scanned',
      ),
    })
    .from(chosen)
    .as('count');
  return tx.db
    .with(chosen, hits, walked, sample, picked)
    .select({ ...count._.selectedFields, task: page._.selectedFields })
    .from(count)
    .leftJoin(page, sql`true`)
    .orderBy(...PAGE_ORDER[sort]);
}
