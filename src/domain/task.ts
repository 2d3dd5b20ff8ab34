import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import { dependencies, isOpen, isOpenAs, projects, type Repeat, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { conflict, invalid, notFound, type Refusal, sayCall } from '../errors.js';
import type { When } from './dates/clock.js';

export const STATUSES = tasks.status.enumValues;
export type Status = (typeof STATUSES)[number];

/** In sort order. Stored as 1 to 4; 5 if there is none. */
export const PRIORITIES = ['urgent', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const priorityRank = (priority: Priority | null): number =>
  (priority === null ? PRIORITIES.length : PRIORITIES.indexOf(priority)) + 1;
const priorityAt = (rank: number): Priority | null => PRIORITIES[rank - 1] ?? null;

/** The largest id, that of PostgreSQL's `integer`. */
export const MAX_ID = 2_147_483_647;
/** Maximum levels of nested tasks, labels per task and blockers per task. */
export const MAX_DEPTH = 5;
export const MAX_LABELS = 20;
export const MAX_BLOCKERS = 50;
/** Maximum number of tasks that one call names or adds. */
export const MAX_AT_ONCE = 100;
/** Maximum code points of a title, of a description or comment, and of a note. The schema checks the same. */
export const MAX_TITLE = 200;
export const MAX_TEXT = 10_000;
export const MAX_NOTE = 2_000;

export interface Titled {
  id: number;
  title: string;
}

/** A task as the rules see it. */
export interface Task extends Titled {
  /** Undefined if not loaded, because it may be long. */
  description?: string | null;
  status: Status;
  priority: Priority | null;
  due: When | null;
  start: When | null;
  repeats: Repeat | null;
  estimateMinutes: number | null;
  projectId: number | null;
  project: string | null;
  inArchivedProject: boolean;
  parentId: number | null;
  /** Id of the first task of its series, if closing an earlier one created this task. */
  series: number | null;
  /** Position in the manual order: a fractional index. */
  rank: string;
  labels: string[];
  /** Ids of the tasks that block it; empty in a list if none of them is open. */
  blockedBy: number[];
  /** Those of `blockedBy` that are open. */
  waitsFor: number[];
  /** Number of its open sub-tasks. */
  openSubtasks: number;
  /** Id of the nearest ancestor that is blocked or starts later: until then this task waits too. Null if not loaded. */
  waitsWith: number | null;
  /** Whether it has a claim that has not expired by the database's clock. */
  claimed: boolean;
  /** Holder and end of the last claim, even if it has expired; null once it is released. */
  claimedBy: string | null;
  claimedUntil: Date | null;
  /** Number of the last claim, or of the write that ended it. */
  claim: number | null;
  /** Note left with the last release. Loaded only with the description. */
  note?: string | null;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  createdBy: string;
  updatedBy: string;
  completedAt: Date | null;
  deletedAt: Date | null;
}

export const isOpenTask = (task: Pick<Task, 'status' | 'deletedAt'>): boolean =>
  !task.deletedAt && isOpenStatus(task.status);
export const isOpenStatus = (status: Status): boolean => status === 'pending' || status === 'in_progress';

/** Whether a task is open, not blocked, and without open sub-tasks. */
export const isUnblockedTask = (task: Task): boolean =>
  isOpenTask(task) && task.waitsFor.length === 0 && task.openSubtasks === 0;

/** Fields of a task without a claim. */
export const UNCLAIMED = { claimed: false, claimedBy: null, claimedUntil: null } as const;

/** Returns the fields that are the same for every new task. `settle` then fills in `waitsFor` and `openSubtasks`. */
export const newTaskDefaults = ({ now, by }: { now: Date; by: string }) => ({
  waitsFor: [],
  openSubtasks: 0,
  waitsWith: null,
  ...UNCLAIMED,
  claim: null,
  note: null,
  version: 1,
  createdAt: now,
  createdBy: by,
  updatedAt: now,
  updatedBy: by,
  completedAt: null,
  deletedAt: null,
});

export interface Load {
  /** Whether to load descriptions and notes. */
  descriptions?: boolean | undefined;
  /** When to load blockers: if one of them is open (enough for lists, and the default), always, or never. */
  blockers?: 'if open' | 'all' | 'none';
  /** Whether to look up the ancestor that an open task waits with. */
  ancestors?: boolean | undefined;
}

/** Columns of a task, its project, labels and blockers, for `tasks` left-joined with `projects` by `inProject`. */
export function taskColumns(tx: UserTx, { descriptions, blockers: which = 'if open', ancestors }: Load = {}) {
  const { userId, titleKey, words, description, note, openBlockers, ...columns } = getTableColumns(tasks);
  const blockers = sql`select json_agg(json_build_array(d.blocker_id, ${isOpenAs('b')}) order by d.blocker_id)
    from ${dependencies} d join ${tasks} b on b.user_id = ${tx.userId} and b.id = d.blocker_id
    where d.user_id = ${tx.userId} and d.blocked_id = ${tasks.id}`;
  const shown = {
    'if open': sql`case when ${openBlockers} > 0 then (${blockers}) end`,
    all: sql`(${blockers})`,
    none: sql`null::json`,
  };
  return {
    ...columns,
    description: descriptions ? description : sql<null>`null`.as('description'),
    note: descriptions ? note : sql<null>`null`.as('note'),
    claimed: sql<boolean>`${isClaimed}`.as('claimed'),
    project: sql<string | null>`${projects.name}`.as('project'),
    inArchivedProject: sql<boolean>`coalesce(${projects.archivedAt} is not null, false)`.as('in_archived_project'),
    labels: sql<
      string[]
    >`(select coalesce(json_agg(${taskLabels.label} order by ${taskLabels.labelKey} collate "C"), '[]') from ${taskLabels} where ${and(tx.mine(taskLabels), eq(taskLabels.taskId, tasks.id))})`.as(
      'labels',
    ),
    blockers: sql<[number, boolean][] | null>`${shown[which]}`.as('blockers'),
    waitsWith: (ancestors
      ? sql<number | null>`case when ${isOpen(tasks)} then ${blockingAncestor(tx)} end`
      : sql<null>`null::int`
    ).as('waits_with'),
  };
}

/** Returns the closed ones of the tasks with these ids. */
export const closedAmong = (ids: number[], tasks: ReadonlyMap<number, Task>): Task[] =>
  [...new Set(ids)].flatMap((id) => tasks.get(id) ?? []).filter((task) => !isOpenTask(task));

/** Returns the tasks in rows of a left join. Without a match all columns are null, not the task as Drizzle declares. */
export const tasksIn = <Row extends TaskRow = TaskRow>(
  rows: readonly { task: { id: number | null } | null }[],
): Row[] => rows.flatMap(({ task }) => (task && task.id !== null ? [task as Row] : []));

/** The database's current time, as a sub-query evaluated once per statement, so that comparisons can use an index. */
export const DATABASE_NOW = sql`(select taskloom.app_now())`;

/** Predicate: a task has a claim that has not expired. */
export const isClaimed = sql<boolean>`${tasks.claimedUntil} > ${DATABASE_NOW}`;

/**
 * Id of the nearest open ancestor that is blocked or starts later, or null. If there is one, the task is not ready.
 *
 * @param at later than what: by default, than now
 */
export const blockingAncestor = ({ userId }: Pick<UserTx, 'userId'>, at: SQL = DATABASE_NOW): SQL<number | null> =>
  sql`case when ${tasks.parentId} is not null then taskloom.waits_with(${userId}, ${tasks.parentId}, ${at}) end`;

/** Join condition of a task's project. */
export const inProject = (tx: UserTx): SQL => sql`${tx.mine(projects)} and ${projects.id} = ${tasks.projectId}`;

/** Predicate: a task is not in an archived project. */
export const notArchived = (tx: UserTx): SQL =>
  sql`(${tasks.projectId} is null or ${tasks.projectId} <> all(array(${archivedProjects(tx)})))`;

/** Sub-query for the ids of archived projects. */
export const archivedProjects = (tx: UserTx): SQL =>
  sql`select a.id from ${projects} a where a.user_id = ${tx.userId} and a.archived_at is not null`;

export type TaskRow = Omit<typeof tasks.$inferSelect, 'userId' | 'titleKey' | 'words' | 'openBlockers'> & {
  project: string | null;
  inArchivedProject: boolean;
  claimed: boolean;
  labels: string[];
  blockers: [id: number, open: boolean][] | null;
  waitsWith: number | null;
};

/** Converts a row of `taskColumns` to a task. */
export function toTask(row: TaskRow, { descriptions }: Load = {}): Task {
  const { blockers, claimedBy } = row;
  return {
    id: row.id,
    title: row.title,
    ...(descriptions && { description: row.description, note: row.note }),
    status: row.status,
    priority: priorityAt(row.priority),
    due: row.dueDate ?? row.dueAt?.toISOString() ?? null,
    start: row.startDate ?? row.startAt?.toISOString() ?? null,
    repeats: row.repeats,
    estimateMinutes: row.estimateMinutes,
    projectId: row.projectId,
    project: row.project,
    inArchivedProject: row.inArchivedProject,
    parentId: row.parentId,
    series: row.series,
    rank: row.rank,
    labels: row.labels,
    blockedBy: blockers?.map(([id]) => id) ?? [],
    waitsFor: blockers?.filter(([, open]) => open).map(([id]) => id) ?? [],
    openSubtasks: row.openSubtasks,
    waitsWith: row.waitsWith,
    claimed: row.claimed,
    claimedBy,
    claimedUntil: claimedBy === null ? null : new Date(row.claimedUntil),
    claim: row.claim,
    version: row.version,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    createdBy: row.createdBy,
    updatedBy: row.updatedBy,
    completedAt: row.completedAt,
    deletedAt: row.deletedAt,
  };
}

/** Same message whether the task does not exist or belongs to another user. */
export const noTask = (id: number): Refusal => notFound(`No task #${id}.`, 'Use list_tasks to find its id.');

export const inTrash = (task: Task): Refusal =>
  conflict(`#${task.id} is in the trash.`, `Restore it first: ${statusCall(task.id, task.status)}.`);

/** Returns why a task cannot be referred to (it does not exist, or is in the trash), or undefined. */
export function absenceRefusal(tasks: ReadonlyMap<number, Task>, id: number): Refusal | undefined {
  const task = tasks.get(id);
  return !task ? noTask(id) : task.deletedAt ? inTrash(task) : undefined;
}

/**
 * Returns the task of this id.
 *
 * @throws Refusal `not_found` if it does not exist, `conflict` if it is in the trash
 */
export function presentTask(tasks: ReadonlyMap<number, Task>, id: number): Task {
  const refusal = absenceRefusal(tasks, id);
  if (refusal) throw refusal;
  return tasks.get(id) as Task;
}

/** Returns the call, for hints, that reopens a task, restores it from the trash and ends a claim on it. */
export const reopenCall = (id: number): string => statusCall(id, 'pending');

const statusCall = (id: number, status: Status): string => sayCall('update_task', { ids: [id], status });

/**
 * Removes duplicates and sorts blockers by id.
 *
 * @throws Refusal `invalid` for more than `MAX_BLOCKERS`
 */
export function uniqueBlockers(ids: Iterable<number>): number[] {
  const blockers = [...new Set(ids)].sort((a, b) => a - b);
  if (blockers.length > MAX_BLOCKERS)
    throw invalid(
      `A task can have at most ${MAX_BLOCKERS} blockers.`,
      'Completed ones count too: remove some with remove_blocked_by, or group them under one task.',
    );
  return blockers;
}
