import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import { dependencies, projects, type Repeat, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { conflict, invalid, notFound, type Refusal, sayCall } from '../errors.js';
import type { When } from './dates/when.js';

export const STATUSES = ['pending', 'in_progress', 'completed', 'cancelled'] as const;
export type Status = (typeof STATUSES)[number];

/** In the order they sort; stored as 1 to 4, none as 5. */
export const PRIORITIES = ['urgent', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** How deep sub-tasks may nest, how many labels a task may carry, and how many tasks may block one. */
export const MAX_DEPTH = 5;
export const MAX_LABELS = 20;
export const MAX_BLOCKERS = 50;

/** A task as the rules see it. */
export interface Task {
  id: number;
  title: string;
  /** Not loaded where it does not matter: it may be long. */
  description?: string | null;
  status: Status;
  priority: Priority | null;
  due: When | null;
  start: When | null;
  repeats: Repeat | null;
  estimateMinutes: number | null;
  projectId: number | null;
  project: string | null;
  /** Whether its project is archived. */
  inArchivedProject: boolean;
  parentId: number | null;
  /** The first of its series, of those that came of one when that was closed. */
  series: number | null;
  /** Place in the order set by hand. */
  rank: string;
  labels: string[];
  /** The tasks that block it, by id; in a list, only those that are open. */
  blockedBy: number[];
  /** Those of them that are open. */
  waitsFor: number[];
  /** How many of its sub-tasks are open. */
  openSubtasks: number;
  /** Whether somebody works on it: there is a claim, and by the database's clock its end is to come. */
  claimed: boolean;
  /** Who claimed it last and until when, also if that is over, unless they gave it back. */
  claimedBy: string | null;
  claimedUntil: Date | null;
  /** The number of the last claim. */
  claim: number | null;
  /** What the last who gave it back left for the next. Loaded along with the description. */
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

/** Open, and waiting for no other task. */
export const isUnblockedTask = (task: Task): boolean =>
  isOpenTask(task) && task.waitsFor.length === 0 && task.openSubtasks === 0;

/** Nobody's. */
export const UNCLAIMED = { claimed: false, claimedBy: null, claimedUntil: null } as const;

/** What every task has when it is made. What it waits for is counted when the write is settled. */
export const unwritten = ({ now, by }: { now: Date; by: string }) => ({
  waitsFor: [],
  openSubtasks: 0,
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
  /** With their descriptions and notes. */
  descriptions?: boolean | undefined;
  /** With the tasks that block it: where one of them is open, which is what a list needs, always, or not at all. */
  blockers?: 'if open' | 'all' | 'none';
}

/** The columns of a task, its project's name, its labels and blockers, for a query over `tasks` left joined by `inProject`. */
export function taskColumns(tx: UserTx, { descriptions, blockers: which = 'if open' }: Load = {}) {
  const { userId, titleKey, words, description, note, openBlockers, ...columns } = getTableColumns(tasks);
  const blockers = sql`select json_agg(json_build_array(d.blocker_id, b.status in ('pending', 'in_progress') and b.deleted_at is null) order by d.blocker_id)
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
  };
}

/** The present by the database's clock, asked for once a statement: so an index serves what is compared with it. */
export const PRESENT = sql`(select taskloom.app_now())`;

/** Whether somebody works on a task at present. */
export const isClaimed = sql<boolean>`${tasks.claimedUntil} > ${PRESENT}`;

/** The nearest task above that is blocked or is to start later: as long as there is one, nobody begins with its parts. */
export const waitsWith = ({ userId }: Pick<UserTx, 'userId'>): SQL<number | null> =>
  sql`case when ${tasks.parentId} is not null then taskloom.waits_with(${userId}, ${tasks.parentId}, ${PRESENT}) end`;

/** How a task's project is joined. */
export const inProject = (tx: UserTx): SQL => sql`${tx.mine(projects)} and ${projects.id} = ${tasks.projectId}`;

/** Whether a task is not in an archived project. */
export const notArchived = (tx: UserTx): SQL =>
  sql`(${tasks.projectId} is null or ${tasks.projectId} <> all(array(${archivedProjects(tx)})))`;

export const archivedProjects = (tx: UserTx): SQL =>
  sql`select a.id from ${projects} a where a.user_id = ${tx.userId} and a.archived_at is not null`;

export type TaskRow = Omit<typeof tasks.$inferSelect, 'userId' | 'titleKey' | 'words' | 'openBlockers'> & {
  project: string | null;
  inArchivedProject: boolean;
  claimed: boolean;
  labels: string[];
  blockers: [id: number, open: boolean][] | null;
};

/** A row of `taskColumns` as a task. */
export function toTask(row: TaskRow, { descriptions }: Load = {}): Task {
  const { blockers, claimedBy } = row;
  return {
    id: row.id,
    title: row.title,
    ...(descriptions && { description: row.description, note: row.note }),
    status: row.status,
    priority: PRIORITIES[row.priority - 1] ?? null,
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

/** The same words whether the task never was or is somebody else's. */
export const noTask = (id: number): Refusal => notFound(`No task #${id}.`, 'Use list_tasks to find its id.');

export const inTrash = (task: Task): Refusal =>
  conflict(`#${task.id} is in the trash.`, `Restore it first: ${openingCall(task.id)}.`);

/** Why a task cannot be named, if it cannot: it is not there, or in the trash. */
export function absence(tasks: ReadonlyMap<number, Task>, id: number): Refusal | undefined {
  const task = tasks.get(id);
  return !task ? noTask(id) : task.deletedAt ? inTrash(task) : undefined;
}

/** @throws Refusal for a task that is not there, or in the trash */
export function presentTask(tasks: ReadonlyMap<number, Task>, id: number): Task {
  const refusal = absence(tasks, id);
  if (refusal) throw refusal;
  return tasks.get(id) as Task;
}

/** The call that reopens a task, restores it from the trash, and ends a claim on it. */
export const openingCall = (id: number): string => sayCall('update_task', { ids: [id], status: 'pending' });

/** @throws Refusal `invalid` for too many */
export function uniqueBlockers(ids: Iterable<number>): number[] {
  const blockers = [...new Set(ids)].sort((a, b) => a - b);
  if (blockers.length > MAX_BLOCKERS)
    throw invalid(`A task waits for ${MAX_BLOCKERS} others at most.`, 'Group them under one task, and wait for that.');
  return blockers;
}
