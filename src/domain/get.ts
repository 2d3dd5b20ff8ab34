import { and, asc, or, type Placeholder, type SQL, type SQLWrapper, sql } from 'drizzle-orm';
import { arrayOf, literalLimit, prepared } from '../db/prepared.js';
import { type Actor, changes, comments, dependencies, isOpenAs, projects, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { notFound } from '../errors.js';
import { nameOf } from './actors.js';
import { isRenewal, stepIn } from './history.js';
import { brief, type Failure } from './judge.js';
import { nearTitles } from './lists/search.js';
import { exactTitle, titleKey } from './names.js';
import { type Comment, isClaimOrRelease, type Step } from './record.js';
import {
  DATABASE_NOW,
  inProject,
  isOpenStatus,
  MAX_ID,
  noTask,
  type Status,
  type Task,
  type TaskRow,
  type Titled,
  taskColumns,
  toTask,
} from './task.js';

/** A related task, as listed with another one. */
export interface Related extends Titled {
  status: Status | 'deleted';
}

/** An entry of a task's history. */
export interface HistoryEntry extends Step {
  /** The write, by its first sequence number; undefined if it cannot be undone. */
  batch: number | undefined;
  at: Date;
  by: string;
}

/** A comment, and how many comments its task had when it was written, this one included. */
export interface PlacedComment extends Comment {
  place: number;
}

export interface TaskDetail extends Task {
  /** Number of the claim, if the caller holds it. */
  ownClaim?: number | undefined;
  /** In manual order; if not all are loaded, open ones take precedence. `subtaskCount` is the total. */
  subtasks: Related[];
  subtaskCount: number;
  blockers: Related[];
  /** Open tasks that this one blocks; `blockCount` is the total. */
  blocks: Related[];
  blockCount: number;
  /** The latest, or the latest before the number asked for, oldest first; `commentCount` is the total. */
  comments: PlacedComment[];
  commentCount: number;
  /** The latest changes after its creation, newest first. */
  history: HistoryEntry[];
}

/** How many related tasks, comments and history entries are loaded: by default, and if more detail is requested. */
export const SHOWN = { related: 50, comments: 10, history: 8 };
export const MANY_SHOWN = { related: 200, comments: 100, history: 50 };

const LOAD = { descriptions: true, blockers: 'none', ancestors: true } as const; // `belongings` loads the blockers

type Counted = Related & { total: number };

/** Columns for the related tasks, comments and history of a task, as JSON sub-queries of the same statement. */
function belongings(tx: UserTx, most: typeof SHOWN, commentsBefore: Placeholder) {
  const user = tx.userId;
  const list = (rows: SQL) => sql`(select coalesce(json_agg(r), '[]') from (${rows}) r)`;
  const related = sql`t.id, t.title, case when t.deleted_at is not null then 'deleted'
    when t.status = 'pending' and t.claimed_until > ${DATABASE_NOW} then 'in_progress' else t.status end as status`;
  return {
    subtasks: sql<Counted[]>`${list(sql`select s.id, s.title, s.status, s.total from (
      select ${related}, t.rank, count(*) over () as total from ${tasks} t
      where t.user_id = ${user} and t.parent_id = ${tasks.id} and t.deleted_at is null
      order by (${isOpenAs('t')}) desc, t.rank, t.id limit ${literalLimit(most.related)}) s order by s.rank, s.id`)}`,
    blockers: sql<Related[]>`${list(sql`select ${related} from ${dependencies} d
      join ${tasks} t on t.user_id = ${user} and t.id = d.blocker_id
      where d.user_id = ${user} and d.blocked_id = ${tasks.id} order by t.id`)}`,
    // Not a join: without statistics, PostgreSQL would start from all open tasks.
    blocks: sql<
      Counted[]
    >`${list(sql`select ${related}, count(*) over () as total from ${tasks} t where t.user_id = ${user}
      and t.id = any(array(select d.blocked_id from ${dependencies} d where d.user_id = ${user} and d.blocker_id = ${tasks.id}))
      and ${isOpenAs('t')}
      order by t.id limit ${literalLimit(most.related)}`)}`,
    comments: sql<(Omit<PlacedComment, 'at'> & { at: string; total: number })[]>`${list(sql`select * from (
        select c.id, c.text, c.at, c.by, row_number() over (order by c.id) as place, count(*) over () as total
        from ${comments} c where c.user_id = ${user} and c.task_id = ${tasks.id}) c
      where c.id < ${commentsBefore} order by c.id desc limit ${literalLimit(most.comments)}`)}`,
    // Omits creation and comments, which are shown separately, and extensions of claims.
    history: sql<{ batch: number; at: string; actor: Actor; step: Step }[]>`${list(sql`
      select h.batch, h.at, h.actor, ${stepIn(tx, 'h')} as step
      from ${changes} h where h.user_id = ${user} and h.entity = 'task' and h.entity_id = ${tasks.id}
        and h.op <> 'create' and (h.op <> 'comment' or h.reverts is not null) and not ${isRenewal('h')}
      order by h.seq desc limit ${literalLimit(most.history)}`)}`,
  };
}

/**
 * Prepares a select of tasks with details.
 *
 * @param which builds the predicate that selects the tasks
 */
const details = <Name extends string>(
  which: (tx: UserTx, value: (name: Name) => Placeholder) => SQL | undefined,
  most = SHOWN,
) =>
  prepared((tx, value: (name: Name | 'commentsBefore') => Placeholder) =>
    tx.db
      .select({ task: taskColumns(tx, LOAD), key: tasks.titleKey, with: belongings(tx, most, value('commentsBefore')) })
      .from(tasks)
      .leftJoin(projects, inProject(tx))
      .where(and(tx.mine(tasks), which(tx, value)))
      .orderBy(asc(tasks.id)),
  );
const oneOf = (ids: Placeholder) => sql`${tasks.id} = any(${arrayOf(ids)})`;
const readersOf = (most: typeof SHOWN) => ({
  byId: details<'ids'>((_, value) => oneOf(value('ids')), most),
  byName: details<'ids' | 'titles'>(
    (tx, value) =>
      or(oneOf(value('ids')), byTitle(tx, sql`array(select json_array_elements_text(${value('titles')}::json))`)),
    most,
  ),
});
const [usual, more] = [readersOf(SHOWN), readersOf(MANY_SHOWN)];

/** Prepares a select of one task with details; `id` builds the sub-query for its id. */
export function prepareTaskQuery(id: (tx: UserTx) => SQLWrapper): (tx: UserTx) => Promise<TaskDetail | undefined> {
  const found = details<never>((tx) => sql`${tasks.id} = ${id(tx)}`);
  return async (tx) => {
    const [row] = await found(tx, { commentsBefore: MAX_ID });
    return row && toDetail(row);
  };
}

/**
 * Loads tasks with details, in the order of the request, each by id or title. If several tasks match a title, exact
 * matches take precedence, then open tasks, then those not in the trash.
 *
 * @param options.detailed whether to load more comments, history and related tasks than by default
 * @param options.commentsBefore load only comments with a lower number
 */
export async function getTasks(
  tx: UserTx,
  asked: (number | string)[],
  { detailed = false, commentsBefore = MAX_ID }: { detailed?: boolean; commentsBefore?: number | undefined } = {},
): Promise<{ tasks: TaskDetail[]; failed: Failure[] }> {
  const ids = asked.filter((each) => typeof each === 'number');
  const titles = asked.filter((each) => typeof each === 'string').map(titleKey);
  const values = { ids: `{${ids.join()}}`, titles: JSON.stringify(titles), commentsBefore };
  const { byId, byName } = detailed ? more : usual;
  const rows = await (titles.length > 0 ? byName : byId)(tx, values);

  const chosen = asked.map((each) => {
    const hits = rows.filter((row) => (typeof each === 'number' ? row.task.id === each : row.key === titleKey(each)));
    const exact = hits.filter(({ task }) => typeof each === 'string' && exactTitle(task.title) === exactTitle(each));
    const meant = exact.length > 0 ? exact : hits;
    const present = meant.filter(({ task }) => task.deletedAt === null);
    const open = present.filter(({ task }) => isOpenStatus(task.status));
    return { each, hits: [open, present].find((some) => some.length > 0) ?? meant };
  });
  const unknown = chosen.flatMap(({ each, hits }) => (typeof each === 'string' && hits.length === 0 ? [each] : []));
  const near = await Promise.all(unknown.slice(0, MAX_GUESSED).map((title) => nearTitles(tx, title)));
  const found = new Map<number, TaskDetail>();
  const failed: Failure[] = [];
  for (const { each, hits } of chosen) {
    const [hit, another] = hits;
    if (hit && !another) found.set(hit.task.id, toDetail(hit));
    else if (typeof each === 'number') failed.push({ id: each, ...noTask(each).body });
    else if (hits.length > 1)
      failed.push({
        id: each,
        ...severalTitled(
          each,
          hits.map(({ task }) => task),
        ).body,
      });
    else failed.push({ id: each, ...noneTitled(each, near[unknown.indexOf(each)] ?? []).body });
  }
  return { tasks: [...found.values()], failed: brief(failed) };
}

interface DetailRow {
  task: TaskRow;
  with: { [K in keyof ReturnType<typeof belongings>]: ReturnType<typeof belongings>[K]['_']['type'] };
}

function toDetail({ task: row, with: has }: DetailRow): TaskDetail {
  const task = toTask(row, LOAD);
  const open = has.blockers.filter(({ status }) => status !== 'deleted' && isOpenStatus(status));
  return {
    ...task,
    blockedBy: idsOf(has.blockers),
    waitsFor: idsOf(open),
    subtasks: has.subtasks,
    subtaskCount: has.subtasks[0]?.total ?? 0,
    blockers: has.blockers,
    blocks: has.blocks,
    blockCount: has.blocks[0]?.total ?? 0,
    comments: has.comments.map(({ total, at, ...comment }) => ({ ...comment, at: new Date(at) })).reverse(),
    commentCount: has.comments[0]?.total ?? 0,
    history: has.history.map(({ batch, at, actor, step }) => ({
      ...step,
      batch: isClaimOrRelease(step.operation) ? undefined : batch,
      text: step.text !== null && task.note?.startsWith(step.text) ? null : step.text, // shown as the note already
      at: new Date(at),
      by: nameOf(actor),
    })),
  };
}

/** Reduces a task to its comments, for those who page back through them. */
export const commentsOnly = (task: TaskDetail): TaskDetail => ({
  ...task,
  description: null,
  note: null,
  subtasks: [],
  subtaskCount: 0,
  blockers: [],
  blocks: [],
  blockCount: 0,
  history: [],
});

const idsOf = (tasks: Related[]) => tasks.map(({ id }) => id);

/** Maximum number of tasks examined per title: open ones first, then the newest, those in the trash last. */
const MAX_NAMESAKES = 10;

const byTitle = (tx: UserTx, titles: SQL) => sql`${tasks.id} in (
  select id from (
    select t.id, row_number() over (partition by t.title_key order by (${isOpenAs('t')}) desc, t.deleted_at is not null, t.id desc) as place
    from ${tasks} t where t.user_id = ${tx.userId} and t.title_key = any(${titles})
  ) namesakes where place <= ${MAX_NAMESAKES})`;

/** Maximum number of unknown titles for which similar ones are suggested. */
const MAX_GUESSED = 3;

const USE_CANDIDATE = 'Use the id of one of the candidates.';

const severalTitled = (title: string, hits: Titled[]) =>
  notFound(
    `Several tasks are called "${title}".`,
    USE_CANDIDATE,
    hits.map(({ id, title }) => ({ id, title })),
  );

const noneTitled = (title: string, near: Titled[]) =>
  notFound(`No task is called "${title}".`, near.length > 0 ? USE_CANDIDATE : 'Use list_tasks to find its id.', near);
