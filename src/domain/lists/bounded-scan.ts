import { and, type SQL, sql } from 'drizzle-orm';
import { literal } from '../../db/prepared.js';
import { projects, tasks } from '../../db/schema.js';
import type { UserTx } from '../../db/scope.js';
import { inProject, taskColumns } from '../task.js';
import type { AccessPath } from './access-path.js';
import { missing, type Value, where } from './filter.js';
import type { Page } from './list.js';
import { AGAIN, beyond, columnsOf, ORDER, orderOf, positionIn } from './sort.js';

/** So many tasks of a part of a filter, or of those in the order asked for, are held to the rest, at most. */
export const MAX_SCANNED = 1_000;
/** How many of them are counted where they are not all. */
const MAX_SAMPLED = 200;

/** What a look came to, beside the tasks. */
export interface ScanSummary {
  /** There are more than were counted. */
  atLeast: boolean;
  /** Only the newest were sorted. */
  sampled: boolean;
  /** Where it ended, if there may be more. */
  edge: { id: number; dueSort: string; priority: number; rank: string } | null;
}

const KEY = sql`${tasks.id}, ${tasks.dueSort}, ${tasks.priority}, ${tasks.rank}`;
const HITS = columnsOf('hits');

/**
 * How a page is found where no index has all that is asked for, without looking at more tasks than are worth it. The first part
 * of the filter that has few is gathered whole. Where each has many, those in the order asked for are looked at until the
 * page is full, and where nothing has that order, the newest are sorted.
 */
export function boundedScan(tx: UserTx, asked: Page, value: Value, { parts, walk }: AccessPath) {
  const { sort, limit, descriptions } = asked;
  const after = asked.after ? positionIn(value) : undefined;
  const arrays = parts.map((part) => sql`array(${part} limit ${literal(MAX_SCANNED + 1)})`);
  const newest = walk ? undefined : arrays.pop();
  // Each is asked for only if those before it had many; `offset 0` keeps it from being asked for twice.
  const few = arrays.map(
    (ids) =>
      sql`(select part.ids from (select ${ids} as ids offset 0) part where cardinality(part.ids) <= ${MAX_SCANNED} offset 0)`,
  );
  const by = sql.join(ORDER[sort], sql`, `);
  const start = after && beyond(sort, after);
  /** Each is held to the filter as it is read, so that no more of them are than are needed. */
  const inOrder = (condition: SQL | undefined, most: number) =>
    sql`select ${KEY}, (${where(tx, asked, value)}) is true as fits from ${tasks} where ${and(walk ?? sql`${tx.mine(tasks)} and false`, condition)} and (select ids is null from chosen) order by ${by} limit ${literal(most)}`;

  const chosen = tx.db
    .$with('chosen', { ids: sql<number[] | null>`ids`.as('ids'), sampled: sql<boolean>`sampled`.as('sampled') })
    .as(
      sql`select coalesce(few.ids, newest.ids[1:${MAX_SCANNED}]) as ids, coalesce(cardinality(newest.ids) > ${MAX_SCANNED}, false) as sampled
        from (select coalesce(${sql.join([...few, sql`null::int[]`], sql`, `)}) as ids offset 0) few
        cross join lateral (select case when few.ids is null then ${newest ?? sql`null::int[]`} end as ids offset 0) newest`,
    );
  const hits = tx.db
    .$with('hits', {})
    .as(
      sql`select ${KEY} from ${tasks} where ${and(tx.mine(tasks), sql`${tasks.id} = any((select ids from chosen)::int[])`, where(tx, asked, value))}`,
    );
  const walked = tx.db.$with('walked', {}).as(inOrder(start, MAX_SCANNED));
  const sample = tx.db
    .$with('sample', {})
    .as(start ? inOrder(undefined, MAX_SAMPLED) : sql`select * from walked limit ${literal(MAX_SAMPLED)}`);
  const picked = tx.db.$with('picked', { id: sql<number>`id`.as('id') }).as(
    sql`(select id from hits where ${after ? beyond(sort, after, HITS) : sql`true`} order by ${sql.join(orderOf(HITS)[sort], sql`, `)} limit ${literal(limit + 1)})
        union all (select id from walked where fits limit ${literal(limit + 1)})`,
  );
  const page = tx.db
    .select(taskColumns(tx, { descriptions }))
    .from(tasks)
    .leftJoin(projects, inProject(tx))
    .where(and(tx.mine(tasks), sql`${tasks.id} = any(array(select id from picked))`))
    .as('page');
  const count = tx.db
    .select({
      total: sql<number>`((select count(*) from hits) + (select count(*) from sample where fits))::int`.as('total'),
      missing: missing(tx, asked, value).as('missing'),
      atLeast:
        sql<boolean>`case when chosen.ids is null then (select count(*) from sample) = ${MAX_SAMPLED} else chosen.sampled end`.as(
          'at_least',
        ),
      sampled: sql<boolean>`chosen.sampled`.as('sampled'),
      edge: sql<ScanSummary['edge']>`case when (select count(*) from picked) <= ${limit} then (
        select json_build_object('id', id, 'dueSort', due_sort, 'priority', priority, 'rank', rank) from walked offset ${literal(MAX_SCANNED - 1)} limit 1) end`.as(
        'edge',
      ),
    })
    .from(chosen)
    .as('count');
  return tx.db
    .with(chosen, hits, walked, sample, picked)
    .select({ ...count._.selectedFields, task: page._.selectedFields })
    .from(count)
    .leftJoin(page, sql`true`)
    .orderBy(...AGAIN[sort]);
}
