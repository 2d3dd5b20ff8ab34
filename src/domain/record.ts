import { isDeepStrictEqual } from 'node:util';
import type { OPERATIONS } from '../db/schema.js';
import { nameKey } from './names.js';
import type { Project } from './project.js';
import type { Task } from './task.js';

/** One side of a recorded change, as JSON: the fields that differ, with their values before or after it. */
export type Recorded = Record<string, unknown>;

/** Both sides of a recorded change; of lists, the items removed and added. */
export interface RecordedChange {
  before: Recorded;
  after: Recorded;
}

export type Operation = (typeof OPERATIONS)[number];

export interface Comment {
  id: number;
  text: string;
  at: Date;
  by: string;
}

/** A task before (null if new) and after a change, with the comments added and removed. */
export interface Edit {
  before: Task | null;
  after: Task;
  commented?: { added: Comment[]; removed: Comment[] } | undefined;
  /** The write that this edit undoes, by its first sequence number. */
  reverts?: number | undefined;
}

export interface ProjectEdit {
  before: Project | null;
  after: Project;
  reverts?: number | undefined;
}

/** Fields by their names in the history. Labels, blockers and comments are recorded item by item instead. */
const TASK_FIELDS = {
  title: 'title',
  description: 'description',
  status: 'status',
  priority: 'priority',
  due: 'due',
  start: 'start',
  repeats: 'repeats',
  estimate_minutes: 'estimateMinutes',
  project: 'projectId',
  parent: 'parentId',
  rank: 'rank',
  completed_at: 'completedAt',
  deleted_at: 'deletedAt',
} as const satisfies Record<string, keyof Task>;

/**
 * Recorded fields of claims. They do not raise the version, and undo does not restore them, except the note of a
 * release that also closed the task.
 */
const CLAIM_FIELDS = {
  claimed_by: 'claimedBy',
  claimed_until: 'claimedUntil',
  claim: 'claim',
  note: 'note',
} as const satisfies Record<string, keyof Task>;

const PROJECT_FIELDS = {
  name: 'name',
  archived_at: 'archivedAt',
  merged_into: 'mergedInto',
  deleted_at: 'deletedAt',
} as const satisfies Record<string, keyof Project>;

/** Fields that form a unit: a change to one conflicts with a change to any, and undo restores all of them or none. */
export const STATUS_FIELDS = ['status', 'completed_at', 'repeats'];

const toJson = (value: unknown): unknown => (value instanceof Date ? value.toISOString() : (value ?? null));
const fromJson = (field: string, value: unknown): unknown =>
  field.endsWith('_at') && typeof value === 'string' ? new Date(value) : value;

const same = (a: unknown, b: unknown) => isDeepStrictEqual(toJson(a), toJson(b));

/** Returns the fields that differ between two states of a task or project, as JSON values. */
function diff<T extends object>(fields: Record<string, keyof T>, before: T | null, after: T) {
  const names = Object.keys(fields).filter((name) => {
    const key = fields[name] as keyof T;
    return key in after && !same(before?.[key], after[key]);
  });
  const pick = (from: T): Recorded =>
    Object.fromEntries(names.map((name) => [name, toJson(from[fields[name] as keyof T])]));
  return { before: before ? pick(before) : {}, after: pick(after) };
}

/** Returns the items that only one of two lists has. */
function itemDiff<T>(before: readonly T[], after: readonly T[], key: (each: T) => unknown = (each) => each) {
  const [had, has] = [new Set(before.map(key)), new Set(after.map(key))];
  return {
    removed: before.filter((each) => !has.has(key(each))),
    added: after.filter((each) => !had.has(key(each))),
  };
}

export const labelChanges = ({ before, after }: Edit) => itemDiff(before?.labels ?? [], after.labels, nameKey);
export const blockerChanges = ({ before, after }: Edit) => itemDiff(before?.blockedBy ?? [], after.blockedBy);

/** Returns the fields that an edit changes, as the history records them; empty if none. */
export function differences(edit: Edit): RecordedChange {
  const { before, after } = diff<Task>({ ...TASK_FIELDS, ...CLAIM_FIELDS }, edit.before, edit.after);
  const lists = { labels: labelChanges(edit), blocked_by: blockerChanges(edit), comments: edit.commented };
  for (const [name, list] of Object.entries(lists)) {
    if (list?.removed.length) before[name] = list.removed;
    if (list?.added.length) after[name] = list.added;
  }
  return { before, after };
}

export const projectDifferences = ({ before, after }: ProjectEdit) => diff<Project>(PROJECT_FIELDS, before, after);

/** Returns the names of the fields in a recorded change. */
export const changedFields = ({ before, after }: RecordedChange): string[] => [
  ...new Set([...Object.keys(before), ...Object.keys(after)]),
];

/** Whether a field of a task still has its recorded value. */
export const stillHas = (task: Task, field: string, value: unknown): boolean =>
  same(task[TASK_FIELDS[field as keyof typeof TASK_FIELDS]], value);

/** Whether a task still is as recorded at its creation, comments and claims aside. */
export function stillAsMade(task: Task, made: Recorded): boolean {
  const members = (list: unknown) => new Set((list ?? []) as unknown[]);
  return (
    Object.keys(TASK_FIELDS).every((field) => stillHas(task, field, made[field] ?? null)) &&
    isDeepStrictEqual(members(task.labels), members(made.labels)) &&
    isDeepStrictEqual(members(task.blockedBy), members(made.blocked_by))
  );
}

/** Returns the task with one field set to a recorded value. */
export const withField = (task: Task, field: string, value: unknown): Task => ({
  ...task,
  [TASK_FIELDS[field as keyof typeof TASK_FIELDS]]: fromJson(field, value),
});

export const projectStillHas = (project: Project, field: string, value: unknown): boolean =>
  same(project[PROJECT_FIELDS[field as keyof typeof PROJECT_FIELDS]], value);

export const withProjectField = (project: Project, field: string, value: unknown): Project => ({
  ...project,
  [PROJECT_FIELDS[field as keyof typeof PROJECT_FIELDS]]: fromJson(field, value),
});

export const isTaskField = (field: string): boolean => Object.hasOwn(TASK_FIELDS, field);

export const isClaimField = (field: string): boolean => Object.hasOwn(CLAIM_FIELDS, field);

/** One change of a task or project, as answers describe it. */
export interface Step extends RecordedChange {
  operation: Operation;
  /** Whether it undid an earlier change. */
  undoes: boolean;
  /** Names of all changed fields, in alphabetical order. */
  fields: string[];
  /** Names of the projects that a task was moved from and to, or that a project was merged into, if there are any. */
  projects: { from: string | null; to: string | null };
  /** Beginning of the comment, or of the note of a release. */
  text: string | null;
}

/** Describes an edit of a task as the step that the history will tell of. */
export function taskStep(edit: Edit): Step {
  const change = differences(edit);
  const [comment] = edit.commented?.added ?? [];
  const projects = { from: edit.before?.project ?? null, to: edit.after.project };
  return { ...stepOf(change, taskOperation(edit), edit), projects, text: comment?.text ?? null };
}

/** The same for an edit of a project. */
export const projectStep = (edit: ProjectEdit): Step => stepOf(projectDifferences(edit), projectOperation(edit), edit);

const stepOf = (change: RecordedChange, operation: Operation, { reverts }: Pick<Edit, 'reverts'>): Step => ({
  ...change,
  operation,
  undoes: reverts !== undefined,
  fields: changedFields(change).sort(),
  projects: { from: null, to: null },
  text: null,
});

/** Whether a change of this field raises the version of a task. */
export const makesVersion = (field: string): boolean => field !== 'comments' && !isClaimField(field);

/** Whether a change only claims or releases a task; such changes are never undone. */
export const isClaimOrRelease = (op: Operation): boolean => op === 'claim' || op === 'release';

export function taskOperation(edit: Edit): Operation {
  const { before, after } = edit;
  if (!before) return 'create';
  if (after.deletedAt && !before.deletedAt) return 'delete';
  if (before.deletedAt && !after.deletedAt) return 'restore';
  if (after.status === 'completed' && before.status !== 'completed') return 'complete';
  if (after.version !== before.version) return 'update';
  return edit.commented ? 'comment' : after.claimedBy === null ? 'release' : 'claim';
}

export function projectOperation({ before, after }: ProjectEdit): Operation {
  if (!before) return 'create';
  if (after.mergedInto !== before.mergedInto) return after.mergedInto === null ? 'restore' : 'merge';
  if (after.deletedAt && !before.deletedAt) return 'delete';
  if (before.deletedAt && !after.deletedAt) return 'restore';
  return after.archivedAt && !before.archivedAt ? 'archive' : 'update';
}
