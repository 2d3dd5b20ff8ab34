import { and, eq, getTableColumns, type SQL, sql } from 'drizzle-orm';
import { projects, type Repeat, taskLabels, tasks } from '../db/schema.js';
import type { UserTx } from '../db/scope.js';
import { conflict, notFound, type Refusal } from '../errors.js';
import type { When } from './when.js';

export const STATUSES = ['pending', 'in_progress', 'completed', 'cancelled'] as const;
export type Status = (typeof STATUSES)[number];

/** In the order they sort; stored as 1 to 4, none as 5. */
export const PRIORITIES = ['urgent', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** How deep sub-tasks may nest, and how many labels a task may carry. */
export const MAX_DEPTH = 5;
export const MAX_LABELS = 20;

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
  estimateMinutes: number | null;
  projectId: number | null;
  project: string | null;
  parentId: number | null;
  /** Place in the order set by hand. */
  rank: string;
  repeats: Repeat | null;
  labels: string[];
  /** How many tasks that block it, and how many sub-tasks, are open. */
  openBlockers: number;
  openSubtasks: number;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  createdBy: string;
  updatedBy: string;
  completedAt: Date | null;
  deletedAt: Date | null;
}

export const isOpenTask = (task: Task): boolean => !task.deletedAt && isOpenStatus(task.status);
const isOpenStatus = (status: Status): boolean => status === 'pending' || status === 'in_progress';

/** The columns of a task, its project's name and its labels, for a query over `tasks` left joined by `inProject`. */
export function taskColumns(tx: UserTx, withDescription: boolean) {
  const { userId, titleKey, words, description, ...columns } = getTableColumns(tasks);
  return {
    ...columns,
    description: withDescription ? description : sql<null>`null`.as('description'),
    project: sql<string | null>`${projects.name}`.as('project'),
    labels: sql<
      string[]
    >`(select coalesce(json_agg(${taskLabels.label} order by ${taskLabels.labelKey}), '[]') from ${taskLabels} where ${and(tx.mine(taskLabels), eq(taskLabels.taskId, tasks.id))})`.as(
      'labels',
    ),
  };
}

/** How a task's project is joined. */
export const inProject = (tx: UserTx): SQL => sql`${tx.mine(projects)} and ${projects.id} = ${tasks.projectId}`;

type TaskRow = Omit<typeof tasks.$inferSelect, 'userId' | 'titleKey' | 'words'> & {
  project: string | null;
  labels: string[];
};

/** A row of `taskColumns` as a task. */
export function toTask(row: TaskRow, withDescription: boolean): Task {
  const { dueDate, dueAt, dueSort, startDate, startAt, startSort, description, priority, ...same } = row;
  return {
    ...same,
    ...(withDescription && { description }),
    priority: PRIORITIES[priority - 1] ?? null,
    due: dueDate ?? dueAt?.toISOString() ?? null,
    start: startDate ?? startAt?.toISOString() ?? null,
  };
}

/** The same words whether the task never was or is somebody else's. */
export const noTask = (id: number): Refusal => notFound(`No task #${id}.`, 'Use list_tasks to find its id.');

export const inTrash = (task: Task): Refusal =>
  conflict(`#${task.id} is in the trash.`, `Restore it first: update_task {"ids": [${task.id}], "status": "pending"}.`);
