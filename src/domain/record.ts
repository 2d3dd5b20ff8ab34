import { isDeepStrictEqual } from 'node:util';
import type { OPERATIONS } from '../db/schema.js';
import { nameKey } from './names.js';
import type { Project } from './project.js';
import type { Task } from './task.js';

/** What history keeps of a change, as JSON: the fields that differ, as they were or as they are. */
export type Recorded = Record<string, unknown>;

export type Operation = (typeof OPERATIONS)[number];

/** A remark on a task. */
export interface Comment {
  id: number;
  text: string;
  at: Date;
  by: string;
}

/** A task as it was (nothing, if new) and as it is to be, with the comments that come and go. */
export interface Edit {
  before: Task | null;
  after: Task;
  commented?: { added: Comment[]; removed: Comment[] } | undefined;
  /** The write that this edit undoes. */
  reverts?: number | undefined;
}

export interface ProjectEdit {
  before: Project | null;
  after: Project;
  reverts?: number | undefined;
}

/** What history calls a field, and where it is. Labels, blockers and comments are apart: they change one by one. */
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

/** What is recorded of claims. They raise no version, and nothing puts them back but the note of a release that closed its task. */
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

/** Fields that mean one thing together: a change of one is a change of all, and all of them go back, or none. */
export const STATUS_FIELDS = ['status', 'completed_at', 'repeats'];

const toJson = (value: unknown): unknown => (value instanceof Date ? value.toISOString() : (value ?? null));
const fromJson = (field: string, value: unknown): unknown =>
  field.endsWith('_at') && typeof value === 'string' ? new Date(value) : value;

const same = (a: unknown, b: unknown) => isDeepStrictEqual(toJson(a), toJson(b));

/** The fields that differ between two states of a thing. */
function diff<T extends object>(fields: Record<string, keyof T>, before: T | null, after: T) {
  const names = Object.keys(fields).filter((name) => {
    const key = fields[name] as keyof T;
    return key in after && !same(before?.[key], after[key]);
  });
  const pick = (from: T): Recorded =>
    Object.fromEntries(names.map((name) => [name, toJson(from[fields[name] as keyof T])]));
  return { before: before ? pick(before) : {}, after: pick(after) };
}

/** The members of two lists that only one of them has. */
function changed<T>(before: readonly T[], after: readonly T[], key: (each: T) => unknown = (each) => each) {
  const [had, has] = [new Set(before.map(key)), new Set(after.map(key))];
  return {
    removed: before.filter((each) => !has.has(key(each))),
    added: after.filter((each) => !had.has(key(each))),
  };
}

export const labelChanges = ({ before, after }: Edit) => changed(before?.labels ?? [], after.labels, nameKey);
export const blockerChanges = ({ before, after }: Edit) => changed(before?.blockedBy ?? [], after.blockedBy);

/** What differs between two states of a task, in history's terms. Empty where nothing does. */
export function differences(edit: Edit): { before: Recorded; after: Recorded } {
  const { before, after } = diff<Task>({ ...TASK_FIELDS, ...CLAIM_FIELDS }, edit.before, edit.after);
  const lists = { labels: labelChanges(edit), blocked_by: blockerChanges(edit), comments: edit.commented };
  for (const [name, list] of Object.entries(lists)) {
    if (list?.removed.length) before[name] = list.removed;
    if (list?.added.length) after[name] = list.added;
  }
  return { before, after };
}

export const projectDifferences = ({ before, after }: ProjectEdit) => diff<Project>(PROJECT_FIELDS, before, after);

/** Names of the fields in which two states differ. */
export const changedFields = ({ before, after }: { before: Recorded; after: Recorded }): string[] => [
  ...new Set([...Object.keys(before), ...Object.keys(after)]),
];

/** Whether a field still is as a recorded change left it. */
export const stillHas = (task: Task, field: string, value: unknown): boolean => same(fieldOf(task, field), value);
const fieldOf = (task: Task, field: string) => task[TASK_FIELDS[field as keyof typeof TASK_FIELDS]];

/** Whether a task still is as it was recorded when it was made, its comments aside. */
export function stillAsMade(task: Task, made: Recorded): boolean {
  const members = (list: unknown) => new Set((list ?? []) as unknown[]);
  return (
    Object.keys(TASK_FIELDS).every((field) => stillHas(task, field, made[field] ?? null)) &&
    isDeepStrictEqual(members(task.labels), members(made.labels)) &&
    isDeepStrictEqual(members(task.blockedBy), members(made.blocked_by))
  );
}

/** A recorded field put into a task. */
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

/** What a change did to a task or project, as far as it is short to say. */
export interface Step {
  what: Operation;
  /** Whether it took an earlier change back. */
  undoes: boolean;
  /** The names of all fields that it changed, in alphabetical order. */
  fields: string[];
  /** What these were and are: of lists, what went and what came. */
  before: Recorded;
  after: Recorded;
  /** The name of the project that a task came into. */
  project: string | null;
  /** The beginning of what was remarked: a comment, or the note of a release. */
  said: string | null;
}

export function taskStep(edit: Edit): Step {
  const change = differences(edit);
  const [comment] = edit.commented?.added ?? [];
  return { ...stepOf(change, taskOperation(edit), edit), project: edit.after.project, said: comment?.text ?? null };
}

export const projectStep = (edit: ProjectEdit): Step => stepOf(projectDifferences(edit), projectOperation(edit), edit);

const stepOf = (change: Pick<Step, 'before' | 'after'>, what: Operation, { reverts }: Pick<Edit, 'reverts'>): Step => ({
  ...change,
  what,
  undoes: reverts !== undefined,
  fields: changedFields(change).sort(),
  project: null,
  said: null,
});

/** Whether a change of this field makes another version of a task. */
export const makesVersion = (field: string): boolean => field !== 'comments' && !isClaimField(field);

/** What is said of who works on a task, and is never undone. */
export const isClaiming = (op: Operation): boolean => op === 'claim' || op === 'release';

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
