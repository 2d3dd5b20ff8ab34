import { and, type SQL, sql } from 'drizzle-orm';
import { literalLimit } from '../db/prepared.js';
import { tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound, type Refusal, sayCall } from '../errors.js';
import { sayUntil, sayWhen, type TimeContext } from './dates/clock.js';
import { sayUnused } from './labels.js';
import { type Filter, filterCondition, shapeOf } from './lists/filter.js';
import { MAX_COUNT } from './lists/list.js';
import { type Remarks, sayOnly, whyEmpty } from './lists/remarks.js';
import { hasWords } from './lists/search.js';
import { blockingAncestor, DATABASE_NOW, isClaimed } from './task.js';

/** Builds the condition of a filter, text included. */
export function matches(tx: UserTx, filter: Filter, now: Date): SQL | undefined {
  const { shape, values } = shapeOf(filter, { now, timezone: tx.timezone });
  return and(
    filterCondition(tx, shape, (name) => values[name]),
    filter.text === undefined ? undefined : hasWords(tx, filter.text),
  );
}

/** Why an open task is not ready, in the order in which it is checked. */
type Obstacle = 'claimed' | 'waiting' | 'later' | 'inherited' | 'begun';

/** Open tasks with the same obstacle. What belongs to other obstacles has no meaning. */
interface Group {
  count: number;
  /** If claimed: when the first of the claims ends. */
  until: string;
  /** If later: when the first of them starts. */
  start: string;
  /** If inherited: an ancestor that one of them waits with. */
  above: number | null;
}

/** What keeps the open tasks that match a filter from being ready. */
export interface Obstacles {
  groups: Partial<Record<Obstacle, Group>>;
  /** Whether only a part of the tasks was counted. */
  partial: boolean;
  /** Why nothing matches, if nothing does. */
  remarks?: Remarks | undefined;
}

/** Counts the open tasks that match a filter by what keeps them from being ready; of more than `MAX_COUNT`, only a part. */
export async function obstaclesTo(tx: UserTx, filter: Filter, now: Date): Promise<Obstacles> {
  const { groups, partial } = await countObstacles(tx, filter, now);
  const isEmpty = Object.keys(groups).length === 0;
  return { groups, partial, remarks: isEmpty ? await whyEmpty(tx, filter, now) : undefined };
}

/** Builds the refusal if no task is ready: the reasons, and when to ask again. */
export function nothingReady({ groups, partial, remarks }: Obstacles, context: TimeContext): Refusal {
  const nothing = 'Nothing is free to be claimed';
  if (remarks?.unused) return notFound(`${nothing}. ${sayUnused(remarks.unused)}`, 'Try other labels, or omit labels.');
  const only = remarks && sayOnly(remarks);
  if (only) return notFound(`${nothing}. ${only.what}.`, `list_tasks with ${only.how}.`);

  const { claimed, waiting, inherited, later, begun } = groups;
  const counted = ({ count }: Group, one: string, many: string) =>
    `${partial ? `${Math.min(count, MAX_COUNT)}+` : count} ${count === 1 && !partial ? one : many}`;
  // Of a part of the tasks, the first is not known.
  const ends = claimed && !partial ? new Date(claimed.until) : undefined;
  const starts = later && !partial ? new Date(later.start) : undefined;
  const until = ends && sayUntil(ends, context);
  const start = starts && sayWhen(starts.toISOString(), context).replace(/ 00:00$/, '');
  const first = starts && ends && starts < ends ? `on ${start}` : until && `at ${until}`;
  const reasons = [
    claimed && `${counted(claimed, 'is', 'are')} claimed${until ? `, the first until ${until}` : ''}`,
    waiting && `${counted(waiting, 'is blocked or has', 'are blocked or have')} open sub-tasks`,
    inherited &&
      `${counted(inherited, 'is a sub-task', 'are sub-tasks')} of one that is blocked or starts later, such as #${inherited.above}`,
    later && `${counted(later, 'starts', 'start')} later${start ? `, the first on ${start}` : ''}`,
    begun && `${counted(begun, 'is', 'are')} in progress without a claim`,
  ].filter(Boolean);
  // The first that applies: what ends by itself, then what the caller can look up, then what needs a decision.
  const hints = [
    claimed && `Ask again when one of them is completed or released${first ? `, or ${first}` : ''}.`,
    start && `Ask again on ${start}.`,
    waiting && 'Use list_tasks to see what they wait for.',
    inherited && `See what that waits for: ${sayCall('get_task', { ids: [inherited.above] })}.`,
    begun && 'If nobody is working on one, claim it by id; list_tasks with status in_progress shows them.',
    'Use fewer filters, or add tasks with add_tasks.',
  ];
  return notFound(`${nothing}${reasons.length > 0 ? `: ${reasons.join('; ')}` : ''}.`, hints.find(Boolean));
}

async function countObstacles(tx: UserTx, filter: Filter, now: Date): Promise<Pick<Obstacles, 'groups' | 'partial'>> {
  const open = tx.db
    .select({
      obstacle:
        sql<Obstacle>`case when ${isClaimed} then 'claimed' when ${tasks.openBlockers} + ${tasks.openSubtasks} > 0 then 'waiting'
        when ${tasks.startSort} > ${DATABASE_NOW} then 'later' when ${blockingAncestor(tx)} is not null then 'inherited' else 'begun' end`.as(
          'obstacle',
        ),
      until: sql<string>`${tasks.claimedUntil}`.as('until'),
      start: sql<string>`${tasks.startSort}`.as('start'),
      above: sql`${blockingAncestor(tx)}`.as('above'),
    })
    .from(tasks)
    .where(matches(tx, { ...filter, status: 'open' }, now))
    .limit(literalLimit(MAX_COUNT + 1))
    .as('open');
  const rows = await tx.db
    .select({
      obstacle: open.obstacle,
      count: sql<number>`count(*)::int`,
      until: sql<string>`min(${open.until})`,
      start: sql<string>`min(${open.start})`,
      above: sql<number | null>`min(${open.above})`,
    })
    .from(open)
    .groupBy(open.obstacle);
  return {
    groups: Object.fromEntries(rows.map(({ obstacle, ...group }) => [obstacle, group])),
    partial: rows.reduce((sum, { count }) => sum + count, 0) > MAX_COUNT,
  };
}
